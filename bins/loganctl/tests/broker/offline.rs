//! What is shown, and done for the others, while one of a topic's partitions cannot be used.

use std::fs;

use serde_json::Value;

use crate::common::{Ended, Server};
use crate::json;

/// A topic of three partitions, of which the second has lost what says whose it is, and a group that has committed all three.
fn with_offline_partition() -> Server {
    let broker = Server::start("single");
    broker.succeed("topics create t -p 3", b"");
    for partition in 0..3 {
        broker.succeed(&format!("produce t -q -p {partition}"), b"a\nb\n");
    }
    broker.succeed("groups reset-offsets billing -t t --to-offset 1", b"");
    let directory = broker.stop();
    let identity = directory.path().join("t-1/partition.metadata");
    fs::write(identity, "").expect("a file");
    Server::start_in(directory, "single")
}

/// The partitions whose end is shown in this field, of a command that ends with 1 because it is not known of all.
fn shown(ended: &Ended, rows: &Value, field: &str) -> Vec<i64> {
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    let said = "error: ListOffsets of t-1: KAFKA_STORAGE_ERROR";
    assert!(ended.stderr.starts_with(said), "{}", ended.stderr);
    let rows = rows.as_array().expect("rows");
    assert_eq!(rows.len(), 3, "{rows:?}");
    let problem = rows[1]["problem"].as_str().expect("a problem");
    assert!(problem.contains("KAFKA_STORAGE_ERROR"), "{problem}");
    let known = rows.iter().filter(|row| row[field] == 2);
    known.filter_map(|row| row["partition"].as_i64()).collect()
}

#[test]
fn an_offline_partition_hides_no_other() {
    let broker = with_offline_partition();
    for words in ["partitions list t -o json", "partitions list -o json"] {
        let listed = broker.run(words, b"");
        assert_eq!(
            shown(&listed, &json(&listed.stdout), "end_offset"),
            [0, 2],
            "{words}"
        );
    }
    let described = broker.run("topics describe t -o json", b"");
    let rows = &json(&described.stdout)[0]["partitions"];
    assert_eq!(shown(&described, rows, "end_offset"), [0, 2]);
    let table = broker.run("topics describe t", b"").stdout;
    let row = table
        .lines()
        .find(|line| line.trim_start().starts_with("1 "));
    let row = row.expect("a row of the partition");
    assert!(
        row.ends_with("-       -") || row.ends_with("-    -"),
        "{row}"
    );
}

#[test]
fn a_move_tells_of_the_partitions_that_it_was_asked_for() {
    let broker = with_offline_partition();
    for shard in [1, 0] {
        let words = format!("partitions move t -p 0,2 --to-shard {shard} -o json");
        let rows = json(&broker.succeed(&words, b""));
        let rows = rows.as_array().expect("rows");
        let partitions: Vec<_> = rows.iter().map(|row| row["partition"].as_i64()).collect();
        assert_eq!(partitions, [Some(0), Some(2)]);
        assert!(rows.iter().all(|row| row["end_offset"] == 2), "{rows:?}");
    }
}

#[test]
fn a_group_is_shown_and_reset_where_its_partitions_answer() {
    let broker = with_offline_partition();
    for words in ["", "--watch 1ms --count 1"] {
        let described = broker.run(&format!("groups describe billing {words} -o json"), b"");
        let rows = json(&described.stdout);
        assert_eq!(shown(&described, &rows, "end"), [0, 2], "{words}");
        assert_eq!(
            (&rows[0]["lag"], &rows[1]["lag"]),
            (&1.into(), &Value::Null)
        );
        assert_eq!(rows[1]["committed"], 1, "{words}");
    }
    let exported = broker.run("groups reset-offsets billing --to-latest --export", b"");
    assert_eq!(
        (exported.code, exported.stdout.as_str()),
        (1, "t,0,2\nt,2,2\n")
    );
    let reset = broker.run("groups reset-offsets billing --to-latest -o json", b"");
    assert_eq!(shown(&reset, &json(&reset.stdout), "after"), [0, 2]);
    let described = broker.run("groups describe billing -o json", b"");
    let rows = json(&described.stdout);
    let committed: Vec<_> = (0..3).map(|row| rows[row]["committed"].as_i64()).collect();
    assert_eq!(
        committed,
        [Some(2), Some(1), Some(2)],
        "the second stays where it was"
    );
}
