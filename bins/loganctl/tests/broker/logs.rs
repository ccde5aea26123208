//! The files that a real broker leaves, checked and repaired, and taken up by the broker again.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{Server, run};
use crate::json;

/// No command about files asks a broker.
const NOWHERE: &str = "127.0.0.1:1";

/// A broker that has stopped on a topic `t` of a thousand records in several segments.
fn stopped() -> tempfile::TempDir {
    let broker = Server::start("per-shard");
    broker.succeed("topics create t -c segment.bytes=1048576", b"");
    let line = format!("{}\n", "x".repeat(4000));
    broker.succeed("produce t -q", line.repeat(1000).as_bytes());
    broker.stop()
}

fn segments(data: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(data.join("t-0")).expect("a partition");
    let paths = entries.map(|entry| entry.expect("a file").path());
    let mut logs: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|it| it == "log"))
        .collect();
    logs.sort_unstable();
    logs
}

fn flip(path: &Path, byte: usize) {
    let mut content = fs::read(path).expect("a file");
    content[byte] ^= 1;
    fs::write(path, content).expect("room");
}

#[test]
fn what_a_broker_leaves_is_sound_and_can_be_dumped() {
    let data = stopped();
    let shown = data.path().display();
    let verified = run(NOWHERE, &format!("logs verify {shown} --records"), b"");
    assert_eq!(verified.code, 0, "{}{}", verified.stdout, verified.stderr);
    assert!(
        verified.stdout.ends_with(": 0 damaged places\n"),
        "{}",
        verified.stdout
    );
    let report = run(NOWHERE, &format!("logs verify {shown} -o json"), b"");
    let report = json(&report.stdout);
    let partitions = report["partitions"].as_array().expect("a list");
    let ours = partitions.iter().find(|it| it["partition"] == "t-0");
    let ours = ours.expect("it was written");
    assert_eq!(
        (&ours["records"], &ours["end_offset"]),
        (&1000.into(), &1000.into())
    );
    assert!(ours["segments"].as_u64() >= Some(3), "{ours}");
    assert_eq!(report["findings"].as_array().map(Vec::len), Some(0));

    let words = format!("logs dump {shown}/t-0 --from-offset 500 -n 1 --records -o json");
    let dumped = json(&run(NOWHERE, &words, b"").stdout);
    let first = dumped["base_offset"].as_i64().expect("a number");
    let last = dumped["last_offset"].as_i64().expect("a number");
    assert!((first..=last).contains(&500), "{first}..{last}");
    let contents = dumped["contents"].as_array().expect("records");
    assert_eq!(Some(contents.len()), usize::try_from(last - first + 1).ok());
    assert_eq!(contents[0]["value"], "x".repeat(4000));

    let index = segments(data.path())[0].with_extension("index");
    let dumped = run(NOWHERE, &format!("logs dump {} -n 1", index.display()), b"");
    assert!(dumped.stdout.starts_with("offset "), "{}", dumped.stderr);
}

#[test]
fn a_running_broker_keeps_its_files_to_itself() {
    let broker = Server::start("per-shard");
    broker.succeed("topics create t", b"");
    broker.succeed("produce t -q", b"a\n");
    let shown = broker.data().display();
    for command in ["verify", "repair"] {
        let refused = run(NOWHERE, &format!("logs {command} {shown}"), b"");
        assert_eq!(refused.code, 1, "{command}: {}", refused.stdout);
        assert!(
            refused.stderr.contains("a broker is running on"),
            "{command}"
        );
    }
    let sealed = run(NOWHERE, &format!("logs verify --sealed-only {shown}"), b"");
    assert_eq!(sealed.code, 0, "{}", sealed.stderr);
}

#[test]
fn damage_is_shown_in_three_formats_and_a_repaired_log_is_served() {
    let data = stopped();
    let shown = data.path().display().to_string();
    let logs = segments(data.path());
    let second = &logs[1];
    let name = second.file_name().expect("a name").to_string_lossy();
    let base: i64 = name
        .get(..20)
        .expect("twenty digits")
        .parse()
        .expect("an offset");
    flip(second, 100);
    let words = format!("logs verify {shown}");
    let table = run(NOWHERE, &words, b"");
    assert_eq!(table.code, 6);
    assert!(
        table
            .stderr
            .starts_with("error: 1 damaged place found\nhint: "),
        "{}",
        table.stderr
    );
    let found = table.stdout.lines().find(|line| line.starts_with("damage"));
    assert!(
        found.is_some_and(|line| line.contains("the CRC is")),
        "{}",
        table.stdout
    );

    let report = run(NOWHERE, &format!("{words} -o json"), b"");
    let finding = &json(&report.stdout)["findings"][0];
    assert_eq!(finding["kind"], "damage");
    assert_eq!(finding["file"], format!("t-0/{name}"));
    assert_eq!(
        (&finding["byte"], &finding["offset"]),
        (&0.into(), &base.into())
    );
    assert!(finding["until_offset"].as_i64() > Some(base), "{finding}");
    let yaml = run(NOWHERE, &format!("{words} -o yaml"), b"").stdout;
    assert!(yaml.contains("findings:\n"), "{yaml}");
    assert!(yaml.contains("kind: damage\n"), "{yaml}");

    let planned = run(
        NOWHERE,
        &format!("logs repair {shown} --dry-run -o json"),
        b"",
    );
    let repaired = run(NOWHERE, &format!("logs repair {shown} -o json"), b"");
    assert_eq!(repaired.code, 0, "{}", repaired.stderr);
    assert_eq!(planned.stdout, repaired.stdout);
    let actions = json(&repaired.stdout);
    let actions = actions.as_array().expect("a list");
    let cut = actions.iter().find(|action| action["action"] == "cut");
    assert_eq!(cut.expect("it was cut")["end_offset"], base);
    assert_eq!(run(NOWHERE, &words, b"").code, 0);

    let broker = Server::start_in(data, "per-shard");
    let read = broker.succeed("consume t --from-beginning -e", b"");
    assert_eq!(i64::try_from(read.lines().count()), Ok(base));
    broker.succeed("produce t -q", b"and on\n");
    let last = broker.succeed("consume t --offset -1 -e", b"");
    assert_eq!(last, "and on\n");
}

#[test]
fn a_wrong_index_is_told_and_rebuilt_and_costs_no_record() {
    let data = stopped();
    let shown = data.path().display().to_string();
    let index = segments(data.path())[0].with_extension("index");
    flip(&index, 7);
    let words = format!("logs verify {shown} -o json");
    let report = run(NOWHERE, &words, b"");
    assert_eq!(report.code, 0, "an index is no record");
    assert_eq!(json(&report.stdout)["findings"][0]["kind"], "index");
    let repaired = run(NOWHERE, &format!("logs repair {shown}"), b"");
    assert!(
        repaired.stdout.contains("rebuild indexes"),
        "{}",
        repaired.stdout
    );
    let report = json(&run(NOWHERE, &words, b"").stdout);
    assert_eq!(report["findings"].as_array().map(Vec::len), Some(0));
    let broker = Server::start_in(data, "per-shard");
    let read = broker.succeed("consume t --from-beginning -e", b"");
    assert_eq!(read.lines().count(), 1000);
}

#[test]
fn paths_that_make_no_sense_are_told_apart() {
    let empty = tests::temporary_directory();
    let shown = empty.path().display();
    fs::write(empty.path().join("file"), "no log").expect("room");
    for (words, code, said) in [
        (format!("logs verify {shown}/missing"), 3, "missing"),
        (format!("logs verify {shown}"), 3, "holds no log"),
        (format!("logs dump {shown}/file"), 2, "is no segment"),
        (format!("logs repair {shown}/file"), 2, "is a file"),
        ("logs verify".to_owned(), 2, "PATH"),
    ] {
        let ended = run(NOWHERE, &words, b"");
        assert_eq!(ended.code, code, "{words}: {}", ended.stderr);
        assert!(ended.stderr.contains(said), "{words}: {}", ended.stderr);
        assert_eq!(ended.stdout, "", "{words}");
    }
}
