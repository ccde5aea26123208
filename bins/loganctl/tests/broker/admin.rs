//! Administration of a real broker: what is shown in each format, and what is refused.

use std::time::Duration;

use tests::{Launch, temporary_directory, within};

use crate::common::{Server, run};
use crate::json;

/// A broker with a topic `t` of two partitions, and what stands in each of them.
pub(crate) fn with_topic() -> Server {
    let broker = Server::start("per-shard");
    broker.succeed("topics create t -p 2 -c retention.ms=3600000", b"");
    broker.succeed("produce t -q -p 0", b"a\nb\nc\nd\n");
    broker.succeed("produce t -q -p 1", b"e\n");
    broker
}

#[test]
fn lists_are_shown_in_three_formats() {
    let broker = with_topic();
    let id = json(&broker.succeed("topics list -o json", b""));
    let id = id[0]["id"].as_str().expect("an id").to_owned();
    let listed = |format| broker.succeed(&format!("topics list -o {format}"), b"");
    assert_eq!(
        listed("table"),
        format!("NAME  PARTITIONS  REPLICAS  ID\nt              2         1  {id}\n")
    );
    assert_eq!(
        listed("yaml"),
        format!("- name: t\n  partitions: 2\n  replication_factor: 1\n  id: {id}\n")
    );
    assert_eq!(
        listed("json"),
        format!(
            "[\n  {{\n    \"name\": \"t\",\n    \"partitions\": 2,\n    \"replication_factor\": 1,\n    \"id\": \"{id}\"\n  }}\n]\n"
        )
    );
}

#[test]
fn the_oldest_records_go_and_offsets_stay() {
    let broker = with_topic();
    let delete = |words: &str| broker.succeed(&format!("records delete t {words}"), b"");
    assert_eq!(
        delete("-p 0 --before-offset 1"),
        "TOPIC  PARTITION  START\nt              0      1\n"
    );
    assert_eq!(
        delete("-p 0 --before-offset -2 -o yaml"),
        "- topic: t\n  partition: 0\n  start_offset: 2\n"
    );
    assert_eq!(
        broker.succeed("consume t -p 0 --from-beginning -e", b""),
        "c\nd\n"
    );
    let planned = broker.run(
        "records delete t -p 0 --before-time 2100-01-01T00:00:00Z --dry-run",
        b"",
    );
    assert_eq!(
        planned.stdout,
        "TOPIC  PARTITION  START  NEW START  OFFSETS\nt              0      2          4        2\n"
    );
    assert_eq!(
        planned.stderr,
        "note: no record of t-0 is that young: all before offset 4 would go\n"
    );
    let refused = broker.run("records delete t --before-offset 3", b"");
    assert_eq!(
        refused.code, 3,
        "partition 1 ends before: {}",
        refused.stderr
    );
    assert!(refused.stderr.contains("t-1"), "{}", refused.stderr);
    let all = json(&delete("--all -o json"));
    assert_eq!(
        (&all[0]["start_offset"], &all[1]["start_offset"]),
        (&4.into(), &1.into())
    );
    assert_eq!(broker.succeed("consume t --from-beginning -e", b""), "");
}

#[test]
fn partitions_tell_where_they_live() {
    let broker = with_topic();
    let rows = json(&broker.succeed("partitions list t -o json", b""));
    for (index, end) in [(0, 4), (1, 1)] {
        let row = &rows[index];
        assert_eq!(
            (&row["partition"], &row["end_offset"]),
            (&index.into(), &end.into())
        );
        let node = row["leader"].as_i64().expect("a node");
        assert_eq!(row["shard"], node / 100_000, "{row}");
        let directory = row["directory"].as_str().expect("a directory");
        assert_eq!(directory, broker.data().display().to_string());
        assert!(row["size_bytes"].as_u64() > Some(0), "{row}");
    }
    let table = broker.succeed("partitions list t", b"");
    assert!(table.starts_with("TOPIC  PARTITION  "), "{table}");
    assert_eq!(table.lines().count(), 3);
    assert_eq!(broker.succeed("partitions list --moving", b""), "");
}

/// The leader of a partition, and the epoch in which it leads.
fn leader(broker: &Server, partition: usize) -> (i64, i64) {
    let topic = json(&broker.succeed("topics describe t -o json", b""));
    let found = &topic[0]["partitions"][partition];
    let number = |key: &str| found[key].as_i64().expect("a number");
    (number("leader"), number("leader_epoch"))
}

#[test]
fn partitions_move_between_shards_that_are_shown_as_nodes() {
    let broker = with_topic();
    for (target, node) in [
        ("--to 100000", 100_000),
        ("--to 0", 0),
        ("--to-shard 1", 100_000),
    ] {
        let words = format!("partitions move t -p 0 {target} -o json");
        let rows = json(&broker.succeed(&words, b""));
        assert_eq!(
            (
                &rows[0]["leader"],
                &rows[0]["shard"],
                &rows[0]["end_offset"]
            ),
            (&node.into(), &(node / 100_000).into(), &4.into()),
            "{words}"
        );
    }
    for (target, said) in [("--to 900000", "900000"), ("--to-shard 9", "shard 9")] {
        let words = format!("partitions move t -p 0 {target}");
        let ended = broker.run(&words, b"");
        assert_eq!(ended.code, 1, "{words}: {}", ended.stderr);
        assert!(ended.stderr.contains(said), "{words}: {}", ended.stderr);
        assert_eq!(leader(&broker, 0).0, 100_000);
    }
}

#[test]
fn partitions_move_between_shards_that_are_not_shown() {
    let broker = Server::start("single");
    broker.succeed("topics create t -p 1", b"");
    broker.succeed("produce t", b"a\nb\n");
    let mut epoch = leader(&broker, 0).1;
    for target in ["--to 100000", "--to-shard 0", "--to-shard 1"] {
        broker.succeed(&format!("partitions move t {target}"), b"");
        epoch += 1;
        assert_eq!(leader(&broker, 0), (0, epoch), "{target}: it has moved");
    }
    broker.succeed("partitions move t --to-shard 1", b"");
    broker.succeed("partitions move t --to 0", b"");
    assert_eq!(leader(&broker, 0), (0, epoch), "it is there already");
    for (target, code, said) in [
        ("--to 900000", 1, "900000"),
        ("--to-shard 9", 1, "shard 9"),
        ("--to 7", 3, "there is no node 7"),
    ] {
        let ended = broker.run(&format!("partitions move t {target}"), b"");
        assert_eq!(ended.code, code, "{target}: {}", ended.stderr);
        assert!(ended.stderr.contains(said), "{target}: {}", ended.stderr);
    }
    assert_eq!(
        broker.succeed("consume t --from-beginning -e", b""),
        "a\nb\n"
    );
}

#[test]
fn a_move_that_another_one_takes_back_has_failed() {
    let directory = temporary_directory();
    let paths = ["one", "two"].map(|name| directory.path().join(name));
    // So slow that the copy would take minutes.
    let broker = Launch::in_directories(&[&paths[0], &paths[1]])
        .with("replica.alter.log.dirs.io.max.bytes.per.second", "10000")
        .start();
    let address = broker.address().to_owned();
    let succeed = |words: &str, input: &[u8]| {
        let ended = run(&address, words, input);
        assert_eq!(ended.code, 0, "{words}: {}", ended.stderr);
        ended.stdout
    };
    succeed("topics create t", b"");
    let line = format!("{}\n", "x".repeat(16_000));
    succeed("produce t -q", line.repeat(256).as_bytes());
    let row = || json(&succeed("partitions list t -o json", b""))[0].clone();
    let here = row()["directory"].as_str().expect("a path").to_owned();
    let mut others = paths.iter().map(|path| path.display().to_string());
    let there = others.find(|path| *path != here).expect("there are two");

    let moving = {
        let (address, words) = (
            address.clone(),
            format!("partitions move t --to-directory {there}"),
        );
        std::thread::spawn(move || run(&address, &words, b""))
    };
    let has_begun = within(Duration::from_secs(60), || {
        row()["future_directory"].as_str() == Some(&there)
    });
    assert!(has_begun, "{}", broker.log());
    succeed(&format!("partitions move t --to-directory {here}"), b"");
    let ended = moving.join().expect("it ends");
    assert_eq!(ended.code, 1, "{}{}", ended.stdout, ended.stderr);
    let said = format!("error: not moved to {there}: t-0\nhint: ");
    assert!(ended.stderr.starts_with(&said), "{}", ended.stderr);
    assert!(broker.stop().status.success());
}
