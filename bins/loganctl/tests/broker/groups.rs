//! `loganctl groups` on groups that have committed offsets and no members.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use crate::common::Server;
use crate::{json, lines};

/// A broker with a topic of two partitions of ten records each.
fn broker() -> Server {
    let broker = Server::start("per-shard");
    broker.succeed("topics create flights -p 2", b"");
    for partition in 0..2 {
        let input = "x\n".repeat(10);
        broker.succeed(
            &format!("produce flights -q -p {partition}"),
            input.as_bytes(),
        );
    }
    broker
}

/// What a reset answers, as topic-partition: before -> after.
fn reset(broker: &Server, words: &str) -> Vec<String> {
    let said = broker.succeed(
        &format!("groups reset-offsets billing {words} -o json"),
        b"",
    );
    let rows = json(&said);
    let rows = rows.as_array().expect("a list").iter();
    rows.map(|row| {
        format!(
            "{}: {} -> {}",
            row["partition"], row["before"], row["after"]
        )
    })
    .collect()
}

#[test]
fn offsets_go_where_they_are_sent() {
    let broker = broker();
    assert_eq!(
        reset(&broker, "--topic flights --to-offset 4"),
        ["0: null -> 4", "1: null -> 4"]
    );
    assert_eq!(
        reset(&broker, "--topic flights:1 --shift-by=-1"),
        ["1: 4 -> 3"]
    );
    assert_eq!(
        reset(&broker, "--shift-by 100 --dry-run"),
        ["0: 4 -> 10", "1: 3 -> 10"]
    );
    let ended = broker.run("groups reset-offsets billing --shift-by 100 --dry-run", b"");
    let note = "flights-0 holds no offset 104, 10 is the nearest; so it is with another partition";
    assert!(ended.stderr.contains(note), "{}", ended.stderr);
    assert_eq!(
        reset(&broker, "--to-current"),
        ["0: 4 -> 4", "1: 3 -> 3"],
        "a dry run commits nothing"
    );
    assert_eq!(
        reset(&broker, "--to-time 1h --dry-run"),
        ["0: 4 -> 0", "1: 3 -> 0"]
    );
    assert_eq!(
        reset(&broker, "--by-duration PT1H --dry-run"),
        ["0: 4 -> 0", "1: 3 -> 0"]
    );
    assert_eq!(
        reset(&broker, "--to-time 2100-01-01T00:00:00Z --dry-run"),
        ["0: 4 -> 10", "1: 3 -> 10"]
    );
    assert_eq!(reset(&broker, "--to-latest"), ["0: 4 -> 10", "1: 3 -> 10"]);
    assert_eq!(
        reset(&broker, "--topic flights:0 --to-earliest"),
        ["0: 10 -> 0"]
    );

    let described = json(&broker.succeed("groups describe billing -o json", b""));
    let lags: Vec<_> = described
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| row["lag"].as_i64())
        .collect();
    assert_eq!(lags, [Some(10), Some(0)]);
}

#[test]
fn what_was_exported_can_be_read_again() {
    let broker = broker();
    for (group, offset) in [("billing", 3), ("audit", 5)] {
        let words = format!("groups reset-offsets {group} -t flights --to-offset {offset}");
        broker.succeed(&words, b"");
    }
    let both = "groups reset-offsets billing audit";
    let exported = broker.succeed(&format!("{both} --to-current --export"), b"");
    assert_eq!(
        lines(&exported),
        lines("billing,flights,0,3\nbilling,flights,1,3\naudit,flights,0,5\naudit,flights,1,5\n")
    );
    let file = tests::temporary_directory();
    let path = file.path().join("plan");
    std::fs::write(&path, exported).expect("room");
    let path = path.display();
    broker.succeed(&format!("{both} --to-latest"), b"");
    broker.succeed(&format!("{both} --from-file {path}"), b"");
    let table = broker.succeed("groups reset-offsets --all --to-current --export", b"");
    assert_eq!(lines(&table).len(), 4);
    assert!(table.contains("audit,flights,1,5"), "{table}");

    let planned = broker.succeed(&format!("{both} --to-earliest --dry-run -o json"), b"");
    std::fs::write(file.path().join("plan"), planned).expect("room");
    broker.succeed(&format!("{both} --from-file {path}"), b"");
    let described = json(&broker.succeed("groups describe --all -o json", b""));
    let rows = described.as_array().expect("a list");
    assert!(rows.iter().all(|row| row["committed"] == 0), "{rows:?}");
    let other = broker.run(
        &format!("groups reset-offsets billing --from-file {path}"),
        b"",
    );
    assert_eq!(other.code, 2, "{}", other.stderr);
}

#[test]
fn groups_are_listed_watched_and_deleted() {
    let broker = broker();
    broker.succeed("groups reset-offsets billing -t flights --to-offset 4", b"");
    let listed = broker.succeed("groups list", b"");
    let row: Vec<_> = listed
        .lines()
        .nth(1)
        .expect("a row")
        .split_whitespace()
        .collect();
    assert_eq!(row, ["billing", "classic", "Empty", "-"]);
    assert_eq!(broker.succeed("groups list --kind consumer", b""), "");
    assert_ne!(
        broker.succeed("groups list --state empty,stable -k classic", b""),
        ""
    );
    let states = json(&broker.succeed("groups describe billing --state -o json", b""));
    assert_eq!(states[0]["kind"], "classic");
    assert_eq!(states[0]["members"], 0);

    let watched = broker.succeed("groups describe billing --watch 10ms --count 2", b"");
    assert!(
        watched.contains("billing: lag 12 (+0), consumed 0.0/s"),
        "{watched}"
    );
    let rows = broker.succeed("groups describe billing --watch 1ms --count 2 -o json", b"");
    let looks: Vec<_> = rows.lines().map(json).collect();
    assert_eq!(looks.len(), 2, "a line for each look: {rows}");
    assert_eq!(looks[1][0]["lag"], 6);

    // A group that is not there hides no other, and is said to be missing.
    for words in ["", "--state"] {
        let ended = broker.run(&format!("groups describe nobody billing {words}"), b"");
        assert_eq!(ended.code, 3, "{words}: {}", ended.stderr);
        assert!(
            ended.stdout.contains("billing"),
            "{words}: {}",
            ended.stdout
        );
        assert!(
            ended.stderr.contains("group nobody does not exist"),
            "{words}"
        );
    }
    let ended = broker.run("groups describe billing --members", b"");
    assert!(ended.stderr.contains("has no members"), "{}", ended.stderr);

    broker.succeed("groups delete-offsets billing --topic flights:0", b"");
    let left = json(&broker.succeed("groups describe billing -o json", b""));
    assert_eq!(left.as_array().expect("a list").len(), 1);
    assert_eq!(left[0]["partition"], 1);
    broker.succeed("groups delete --all", b"");
    assert_eq!(broker.succeed("groups list", b""), "");
}

#[test]
fn watching_goes_on_when_the_broker_returns() {
    let broker = broker();
    broker.succeed("groups reset-offsets billing -t flights --to-offset 4", b"");
    let mut watching = Command::new(env!("CARGO_BIN_EXE_loganctl"))
        .args(["groups", "describe", "billing", "--watch", "100ms"])
        .args(["--timeout", "5s", "--bootstrap-server", broker.address()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("cargo has built it");
    let mut shown = BufReader::new(watching.stdout.take().expect("it is piped")).lines();
    let mut said = BufReader::new(watching.stderr.take().expect("it is piped")).lines();
    let mut sees = |lag: &str| {
        shown.any(|line| line.is_ok_and(|line| line.contains(&format!("billing: lag {lag}"))))
    };
    assert!(sees("12"), "the first look");
    let (address, directory) = broker.crash();
    let error = said.next().expect("a line").expect("text");
    assert!(
        error.starts_with("error: ") && error.contains(&address),
        "{error}"
    );
    let broker = Server::start_at(&address, directory, "per-shard");
    broker.succeed("produce flights -q -p 0", b"x\n");
    assert!(sees("13"), "what has come since");
    watching.kill().expect("it runs");
    watching.wait().expect("it ends");
}

#[test]
fn what_cannot_be_done_is_explained() {
    let broker = broker();
    for (words, code, said) in [
        ("describe nobody", 3, "group nobody does not exist"),
        ("delete nobody", 3, "group nobody does not exist"),
        (
            "reset-offsets nobody --to-latest",
            3,
            "has committed nothing",
        ),
        (
            "reset-offsets nobody -t nowhere --to-latest",
            3,
            "topic nowhere does not exist",
        ),
        (
            "reset-offsets nobody -t flights:7 --to-latest",
            3,
            "no partition 7",
        ),
        (
            "reset-offsets nobody -t flights --shift-by 1",
            2,
            "nothing to shift from",
        ),
        ("delete-offsets nobody -t flights", 3, "does not exist"),
        (
            "reset-offsets nobody --from-file nowhere",
            3,
            "read nowhere",
        ),
    ] {
        let ended = broker.run(&format!("groups {words}"), b"");
        assert_eq!(ended.code, code, "{words}: {}", ended.stderr);
        assert!(ended.stderr.contains(said), "{words}: {}", ended.stderr);
    }
}
