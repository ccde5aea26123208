//! `logan config`, as one types it.

#[path = "../common/mod.rs"]
mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::Ended;

/// Runs `logan config` with no variables of its own but `environment`.
fn logan(arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
    common::logan(&[&["config"], arguments].concat(), environment)
}

/// A file in a directory that lives as long as the test.
fn file(directory: &Path, text: impl AsRef<[u8]>) -> String {
    let path = directory.join("server.properties");
    fs::write(&path, text).expect("a file");
    path.display().to_string()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn the_files_that_kafka_comes_with_pass_strictly() {
    for name in ["broker", "controller", "server"] {
        let stock = root().join(format!("crates/config/tests/kafka-4.3.1/{name}.properties"));
        let stock = stock.display().to_string();
        let ended = logan(&["check", &stock, "--strict"], &[]);
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        assert!(
            ended
                .stdout
                .contains("a broker would start with it; 0 errors, "),
            "{}",
            ended.stdout
        );
    }
}

#[test]
fn the_sample_passes_without_a_word() {
    let sample = root()
        .join("deploy/server.properties")
        .display()
        .to_string();
    let ended = logan(&["check", &sample, "--strict"], &[]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    assert!(
        ended
            .stdout
            .ends_with(": a broker would start with it; 0 errors, 0 warnings\n")
    );
}

#[test]
fn what_is_unknown_is_a_warning_and_strictly_an_error() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = file(
        directory.path(),
        "node.id=1\nnum.partition=2\nnum.io.threads=8\n",
    );
    let environment = [("LOGAN_NODE_IDD", "7")];
    let ended = logan(&["check", &path], &environment);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let unknown = format!("num.partition is no known key; did you mean num.partitions? ({path}:2)");
    assert!(
        ended.stderr.contains(&format!("warning: {unknown}\n")),
        "{}",
        ended.stderr
    );
    let ended = logan(&["check", &path, "--strict"], &environment);
    assert_eq!(ended.code, 2);
    let variable =
        "environment variable LOGAN_NODE_IDD stands for no key; did you mean LOGAN_NODE_ID?";
    for line in [&*unknown, variable] {
        assert!(
            ended.stderr.contains(&format!("error: {line}\n")),
            "{}",
            ended.stderr
        );
    }
    assert!(
        ended
            .stderr
            .contains("warning: num.io.threads is not used by Logan: "),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stdout.ends_with(": refused; 2 errors, 1 warning\n"),
        "{}",
        ended.stdout
    );
}

#[test]
fn all_faults_are_told_at_once_beside_what_is_unknown() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = file(
        directory.path(),
        "num.partitions=0\nlog.segment.bytes=x\nno.such.key=1",
    );
    let ended = logan(
        &["check", &path, "--override", "node.id=-1"],
        &[("LOGAN_SHARD_CORES", "zero")],
    );
    assert_eq!(ended.code, 2);
    for part in [
        format!(
            "error: Invalid value 0 for configuration num.partitions: Value must be at least 1 ({path}:1)"
        ),
        format!(
            "error: Invalid value x for configuration log.segment.bytes: Not a number of type INT ({path}:2)"
        ),
        "error: Invalid value -1 for configuration node.id: Value must be at least 0 (--override)"
            .to_owned(),
        "such as 0-3,6 (a single core: 6-6), or NUMA nodes such as nodes:0-1 (environment variable LOGAN_SHARD_CORES)".to_owned(),
        format!("warning: no.such.key is no known key ({path}:3)"),
    ] {
        assert!(ended.stderr.contains(&part), "{part}: {}", ended.stderr);
    }
    assert!(
        ended
            .stdout
            .ends_with(": no broker would start with it; 4 errors, 1 warning\n"),
        "{}",
        ended.stdout
    );
}

#[test]
fn what_is_no_configuration_file_is_named_with_what_would_be_right() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory
        .path()
        .join("server.properties")
        .display()
        .to_string();
    let named = format!("configuration file {path}");
    let large = vec![b'#'; (1 << 20) + 1];
    let table: [(&[u8], &str); 7] = [
        (b"", ": it is empty"),
        (b"# nothing\n", ": it is empty, or has comments only"),
        (
            b"\x7fELF\x02\x01\x01\x00",
            ": line 1 has the byte 0x7f: it is no text",
        ),
        (b"node.id=1\nlog.dirs=\x00", ": line 2 has the byte 0x00"),
        (&large, ": it is larger than 1048576 bytes"),
        (b"node.id=1\n=2", ":2: there is no key before the separator"),
        (
            b"a=\\u12",
            ":1: \\u must be followed by four hexadecimal digits",
        ),
    ];
    for (bytes, part) in table {
        file(directory.path(), bytes);
        for arguments in [&["check", &path][..], &["print", "--config", &path]] {
            let ended = logan(arguments, &[]);
            assert_eq!(ended.code, 2, "{part}");
            let expected = format!("error: {named}{part}");
            assert!(
                ended.stderr.contains(&expected),
                "{expected}: {}",
                ended.stderr
            );
        }
    }
    for (path, part) in [("/no/such/file", "No such file"), ("/", "Is a directory")] {
        let ended = logan(&["check", path], &[]);
        assert_eq!(ended.code, 2);
        let expected = format!("error: read configuration file {path}: {part}");
        assert!(
            ended.stderr.contains(&expected),
            "{expected}: {}",
            ended.stderr
        );
    }
    let ended = logan(&["print", "--override", "num.partitions"], &[]);
    assert_eq!(ended.code, 2);
    assert!(
        ended.stderr.contains("expected key=value, for example"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_start_logs_each_warning_once_up_to_a_bound() {
    let directory = tempfile::tempdir().expect("a directory");
    let unknown = (0..150).map(|number| format!("no.such.key.{number}=1\n"));
    // A directory that nobody can make ends the start behind the warnings.
    let text: String = unknown
        .chain(["log.dirs=/proc/none\n".to_owned()])
        .collect();
    let path = file(directory.path(), text);
    let started = Command::new(env!("CARGO_BIN_EXE_logan"))
        .args(["--config", &path])
        .env_remove("LOGAN_LOG")
        .output();
    let started = started.expect("it was built");
    let log = String::from_utf8_lossy(&started.stderr);
    assert_eq!(started.status.code(), Some(1), "{log}");
    assert_eq!(log.matches(" is no known key (").count(), 100, "{log}");
    assert!(
        log.contains(" more warnings of this kind; `logan config check FILE` shows all"),
        "{log}"
    );
    assert!(
        log.trim_end()
            .lines()
            .next_back()
            .is_some_and(|last| last.contains("/proc/none")),
        "{log}"
    );
}

#[test]
fn values_are_printed_with_their_sources() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = file(
        directory.path(),
        "broker.id=4\nnum.partitions=2\nlog.retention.ms=3",
    );
    let arguments = [
        "print",
        "--config",
        &path,
        "--override",
        "num.partitions=9",
        "--output",
    ];
    let environment = [
        ("LOGAN_NUM_PARTITIONS", "5"),
        ("LOGAN_LOG_RETENTION_MS", "7"),
    ];
    let ended = logan(&[&arguments[..], &["json"]].concat(), &environment);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let rows: serde_json::Value = serde_json::from_str(&ended.stdout).expect("it is JSON");
    let rows = rows.as_array().expect("an array");
    let of = |key: &str| {
        let row = rows.iter().find(|row| row["key"] == key).expect(key);
        (
            row["value"].clone(),
            row["source"].clone(),
            row["change"].clone(),
        )
    };
    assert_eq!(
        of("num.partitions"),
        ("9".into(), "--override".into(), "reload".into())
    );
    let variable = "environment variable LOGAN_LOG_RETENTION_MS";
    assert_eq!(
        of("log.retention.ms"),
        ("7".into(), variable.into(), "dynamic".into())
    );
    assert_eq!(
        of("node.id"),
        ("4".into(), format!("{path}:1").into(), "restart".into())
    );
    assert_eq!(
        of("broker.rack"),
        (serde_json::Value::Null, "default".into(), "restart".into())
    );
    let ended = logan(
        &[&arguments[..], &["table", "--set"]].concat(),
        &environment,
    );
    let keys: Vec<_> = ended
        .stdout
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(
        keys,
        [
            "KEY",
            "broker.id",
            "log.retention.ms",
            "node.id",
            "num.partitions"
        ]
    );
    let ended = logan(&["print", "num.partitions", "--output", "yaml"], &[]);
    assert!(
        ended
            .stdout
            .starts_with("- key: num.partitions\n  value: \"1\"\n  source: default\n"),
        "{}",
        ended.stdout
    );
    let ended = logan(&["print", "num.partition"], &[]);
    assert_eq!(ended.code, 3);
    assert!(
        ended.stderr.contains("there is no key num.partition\n"),
        "{}",
        ended.stderr
    );
}

#[test]
fn the_committed_reference_is_what_the_command_prints() {
    let ended = logan(&["docs"], &[]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let committed = fs::read_to_string(root().join("docs/configuration.md"));
    let is_current = committed.expect("it is committed") == ended.stdout;
    assert!(
        is_current,
        "docs/configuration.md is stale: cargo run --bin logan -- config docs > docs/configuration.md"
    );
}

#[test]
fn help_teaches_by_example() {
    for arguments in [
        &["--help"][..],
        &["check", "--help"],
        &["print", "--help"],
        &["docs", "--help"],
    ] {
        let ended = logan(arguments, &[]);
        assert_eq!(ended.code, 0);
        assert!(
            ended.stdout.contains("\nExamples:\n  logan config "),
            "{}",
            ended.stdout
        );
    }
    assert_eq!(logan(&["check"], &[]).code, 2);
    assert_eq!(logan(&["chekc"], &[]).code, 2);
}
