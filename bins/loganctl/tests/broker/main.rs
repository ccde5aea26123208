//! `loganctl` against the real broker: what the README shows, and what goes wrong.

mod admin;
mod changes;
mod common;
mod debug;
mod groups;
mod logs;
mod offline;
mod tuning;

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{Server, loganctl, run};

/// All lines, in no order.
fn lines(text: &str) -> BTreeSet<&str> {
    text.lines().collect()
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).expect("it is JSON")
}

#[test]
fn topics_are_created_described_and_deleted() {
    let broker = Server::start("per-shard");
    let create = "topics create flights -p 3 -c retention.ms=3600000";
    let created = broker.succeed(create, b"");
    assert!(created.starts_with("NAME"), "{created}");
    let again = broker.run("topics create flights", b"");
    assert_eq!(again.code, 4, "{}", again.stderr);
    broker.succeed("topics create flights --if-not-exists", b"");

    let described = json(&broker.succeed("topics describe flights -o json", b""));
    let partitions = described[0]["partitions"].as_array().expect("a list");
    assert_eq!(partitions.len(), 3);
    assert!(
        partitions
            .iter()
            .all(|partition| partition["end_offset"] == 0)
    );
    assert_eq!(described[0]["configs"][0]["name"], "retention.ms");
    let listed = json(&broker.succeed("topics list -o json", b""));
    assert_eq!(listed[0]["name"], "flights");
    assert_eq!(listed[0]["id"], described[0]["id"]);

    let deleted = broker.run("topics delete flights nope", b"");
    assert_eq!(deleted.code, 3);
    assert!(
        deleted
            .stderr
            .starts_with("error: topic nope does not exist\nhint: "),
        "{}",
        deleted.stderr
    );
    assert_eq!(broker.succeed("topics list", b""), "");
    broker.succeed("topics delete flights --if-exists", b"");
}

#[test]
fn refusals_say_what_is_wrong_and_what_would_be_right() {
    let broker = Server::start("per-shard");
    for (words, code, said) in [
        ("topics create a/b", 1, "INVALID_TOPIC_EXCEPTION"),
        ("topics create t -r 3", 1, "INVALID_REPLICATION_FACTOR"),
        ("topics create t -c no.such.key=1", 1, "no.such.key"),
        ("topics describe nope", 3, "topic nope does not exist"),
        ("produce nope", 3, "topics create"),
        ("consume nope", 3, "topics list"),
    ] {
        let ended = broker.run(words, b"x\n");
        assert_eq!(ended.code, code, "{words}: {}", ended.stderr);
        assert!(ended.stderr.contains(said), "{words}: {}", ended.stderr);
        assert_eq!(ended.stdout, "", "{words}");
    }
    broker.succeed("topics create t -p 2", b"");
    for (words, code, said) in [
        ("produce t -p 7", 3, "no partition 7"),
        ("consume t -p 7", 3, "no partition 7"),
        ("consume t --offset 5", 3, "no offset 5"),
        ("produce t -k ,", 2, "line 1 has no key separator"),
        ("produce t -i json", 2, "line 1 is no record"),
        ("produce t --acks 1 --idempotent", 2, "--acks all"),
    ] {
        let ended = broker.run(words, b"x\n");
        assert_eq!(ended.code, code, "{words}: {}", ended.stderr);
        assert!(ended.stderr.contains(said), "{words}: {}", ended.stderr);
    }
}

#[test]
fn records_come_back_as_they_went_in() {
    let broker = Server::start("per-shard");
    broker.succeed("topics create t -p 2", b"");
    let input = b"a|1\nb|NULL\nNULL|3\nc|\xff\x00\n";
    let words = "produce t -k | --null-marker NULL -H source=test -o json";
    let sent = json(&broker.succeed(words, input));
    let counts = sent.as_array().expect("rows").iter();
    let total: u64 = counts.filter_map(|row| row["records"].as_u64()).sum();
    assert_eq!(total, 4);

    let read = broker.succeed("consume t --from-beginning -e -o json", b"");
    let values: Vec<_> = read.lines().map(json).collect();
    let find = |key: &str| {
        let found = values.iter().find(|value| value["key"] == key);
        found.expect("it was sent")
    };
    assert_eq!(values.len(), 4);
    assert_eq!(find("a")["value"], "1");
    assert!(find("b")["value"].is_null() && find("b").get("value_base64").is_none());
    assert_eq!(find("c")["value_base64"], "/wA=");
    assert_eq!(find("a")["headers"][0]["value"], "test");

    broker.succeed("topics create copy", b"");
    broker.succeed("produce copy -i json -q", read.as_bytes());
    let fields = "--from-beginning -e -f key,value,headers,timestamp";
    let original = broker.succeed(&format!("consume t {fields}"), b"");
    let copied = broker.succeed(&format!("consume copy {fields}"), b"");
    assert_eq!(lines(&original), lines(&copied));
}

#[test]
fn a_file_can_be_read_and_bytes_can_be_digits() {
    let broker = Server::start("per-shard");
    broker.succeed("topics create t", b"");
    let file = tests::temporary_directory();
    let path = file.path().join("lines");
    std::fs::write(&path, "a:ff00\nb:-\n").expect("room");
    let path = path.display();
    let words = format!("produce t -q -f {path} -k : --value-format hex --null-marker -");
    broker.succeed(&words, b"not read");
    let words = "consume t --from-beginning -e -f key,value --value-format";
    let hex = broker.succeed(&format!("{words} hex"), b"");
    assert_eq!(hex, "a\tff00\nb\tNULL\n");
    let base64 = broker.succeed(&format!("{words} base64"), b"");
    assert_eq!(base64, "a\t/wA=\nb\tNULL\n");
    let missing = broker.run("produce t --file no-such-file", b"");
    assert_eq!(missing.code, 3, "{}", missing.stderr);
    let odd = broker.run("produce t --value-format hex", b"abc\n");
    assert_eq!(odd.code, 2);
    assert!(
        odd.stderr.contains("line 1 is no hexadecimal"),
        "{}",
        odd.stderr
    );
}

#[test]
fn a_rate_is_kept() {
    let broker = Server::start("per-shard");
    broker.succeed("topics create t", b"");
    let began = Instant::now();
    broker.succeed("produce t -q --rate 20", b"a\nb\nc\nd\ne\n");
    // The first goes at once, and each of the others 50 ms later.
    assert!(began.elapsed() >= Duration::from_millis(190));
    let began = Instant::now();
    let read = broker.succeed("consume t --from-beginning -e --rate 20", b"");
    assert!(began.elapsed() >= Duration::from_millis(190));
    assert_eq!(read, "a\nb\nc\nd\ne\n");
}

#[test]
fn every_codec_and_every_kind_of_acknowledgement_arrives() {
    let broker = Server::start("per-shard");
    broker.succeed("topics create t", b"");
    let mut expected = Vec::new();
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        for acks in ["0", "1", "all"] {
            let value = format!("{codec} with acks {acks}");
            let words = format!("produce t -q -z {codec} --acks {acks}");
            broker.succeed(&words, value.as_bytes());
            expected.push(value);
        }
    }
    // Waits for what went without an answer, too.
    let words = format!("consume t --from-beginning -n {}", expected.len());
    let read = broker.succeed(&words, b"");
    assert_eq!(lines(&read), expected.iter().map(String::as_str).collect());
}

#[test]
fn reading_begins_where_it_is_told() {
    let broker = Server::start("per-shard");
    broker.succeed("topics create t", b"");
    let record = |time: u32| format!("{{\"value\": \"at {time}\", \"timestamp\": {time}}}\n");
    let input: String = [1000, 2000, 3000, 4000].map(record).concat();
    broker.succeed("produce t -i json -q", input.as_bytes());
    for (start, expected) in [
        ("--from-beginning", "at 1000\nat 2000\nat 3000\nat 4000\n"),
        ("--offset 2", "at 3000\nat 4000\n"),
        ("--offset -1", "at 4000\n"),
        ("--offset -99 -n 1", "at 1000\n"),
        (
            "--from-time 1970-01-01T00:00:01.500Z -n 2",
            "at 2000\nat 3000\n",
        ),
        ("--from-time 4000", "at 4000\n"),
        ("--from-time 5000", ""),
        ("--from-time 2000 --to-time 4000", "at 2000\nat 3000\n"),
        ("--from-beginning --to-time 1001", "at 1000\n"),
        ("--from-beginning --to-time 1000", ""),
        (
            "--from-beginning --to-time 9000",
            "at 1000\nat 2000\nat 3000\nat 4000\n",
        ),
        ("", ""),
    ] {
        let read = broker.succeed(&format!("consume t -e {start}"), b"");
        assert_eq!(read, expected, "{start}");
    }
}

#[test]
fn a_consumer_at_the_end_sees_what_comes() {
    let broker = Server::start("per-shard");
    broker.succeed("topics create t", b"");
    broker.succeed("produce t -q", b"before\n");
    let mut consumer = loganctl(broker.address())
        .args(["consume", "t", "--offset", "1", "--count", "1"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("cargo has built it");
    broker.succeed("produce t -q", b"after\n");
    let mut read = String::new();
    let stdout = consumer.stdout.take().expect("it is piped");
    BufReader::new(stdout).read_line(&mut read).expect("text");
    assert_eq!(read, "after\n");
    assert!(consumer.wait().expect("it ends").success());
}

#[test]
fn what_was_acknowledged_survives_a_crash() {
    for mode in ["single", "per-shard", "per-shard-port"] {
        let broker = Server::start(mode);
        broker.succeed("topics create t -p 4", b"");
        let numbers: Vec<_> = (0..20_000).map(|number| number.to_string()).collect();
        let input: String = numbers.iter().flat_map(|n| [n, "=", n, "\n"]).collect();
        broker.succeed("produce t -q -k = -z zstd", input.as_bytes());
        let broker = broker.crash_and_restart(mode);
        broker.succeed("produce t -q", b"and on\n");
        let read = broker.succeed("consume t --from-beginning -e", b"");
        let mut expected: BTreeSet<_> = numbers.iter().map(String::as_str).collect();
        expected.insert("and on");
        assert_eq!(read.lines().count(), 20_001, "{mode}");
        assert_eq!(lines(&read), expected, "{mode}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let broker = Server::start("per-shard");
    broker.succeed("topics create t", b"");
    let input = "a line that fills the pipe soon enough\n".repeat(20_000);
    broker.succeed("produce t -q", input.as_bytes());
    let mut consumer = loganctl(broker.address())
        .args(["consume", "t", "--from-beginning"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("cargo has built it");
    drop(consumer.stdout.take());
    let ended = consumer.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
}

#[test]
fn a_broker_that_is_not_there_has_an_exit_code_of_its_own() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    drop(listener);
    let ended = run(&address, "topics list", b"");
    assert_eq!(ended.code, 5);
    assert!(ended.stderr.contains(&address), "{}", ended.stderr);
    assert!(ended.stderr.contains("\nhint: "), "{}", ended.stderr);
}

#[test]
fn manual_pages_are_written_for_every_command() {
    let directory = tests::temporary_directory();
    let words = format!("man {}", directory.path().display());
    let ended = run("127.0.0.1:1", &words, b"");
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    for page in ["loganctl", "loganctl-topics-create", "loganctl-logs-verify"] {
        let path = directory.path().join(format!("{page}.1"));
        let text = std::fs::read_to_string(path).expect("it was written");
        assert!(text.contains(".SH \"EXAMPLES\""), "{page}: {text}");
    }
    assert_eq!(run("127.0.0.1:1", "man /no/such/directory", b"").code, 3);
}

#[test]
fn completions_and_help_need_no_broker() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ended = run("127.0.0.1:1", &format!("completions {shell}"), b"");
        assert_eq!(ended.code, 0, "{shell}: {}", ended.stderr);
        assert!(ended.stdout.contains("loganctl"), "{shell}");
    }
    let ended = run("127.0.0.1:1", "consume --help", b"");
    assert!(ended.stdout.contains("Examples:\n  loganctl consume"));
    assert!(!ended.stdout.contains('\u{1b}'), "colours in a pipe");
    assert_eq!(run("127.0.0.1:1", "consume", b"").code, 2);
}
