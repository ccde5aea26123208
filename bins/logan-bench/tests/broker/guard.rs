//! Guards: what is found to be worse, what cannot be counted, and what is refused.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tests::temporary_directory;

use super::comparing::logan;
use super::{Ended, bench, ended};

/// A manifest of two builds, of which the second is started by `second`.
fn manifest(directory: &Path, rounds: u32, second: &str, more: &str) {
    let scenario = "workload = 'produce'\nwarmup = '50ms'\nduration = '200ms'\nthroughput = 500\n";
    std::fs::write(directory.join("s.toml"), scenario).expect("room");
    let text = format!(
        "rounds = {rounds}\nscenarios = ['s.toml']\n\
         [[broker]]\nname = 'known'\ncommand = [{}]\n{more}\n\
         [[broker]]\nname = 'judged'\ncommand = [{second}]\n{more}\n",
        logan()
    );
    std::fs::write(directory.join("m.toml"), text).expect("room");
}

fn guard(directory: &Path, options: &str) -> Ended {
    let words = format!("guard m.toml --report g.json {options}");
    let path = std::env::var("PATH").unwrap_or_default();
    let mut bench = bench("127.0.0.1:1", &words);
    // Programs of the test come before those of the system.
    let path = format!("{}:{path}", directory.display());
    let bench = bench.current_dir(directory).env("PATH", path);
    ended(bench.spawn().expect("it was built"))
}

/// A program of this name, as the harness finds it.
fn program(directory: &Path, name: &str, script: &str) {
    let path = directory.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("room");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&path, mode).expect("it is ours");
}

#[test]
fn a_build_that_starts_slowly_is_found() {
    let directory = temporary_directory();
    let slow = format!("'sh', '-c', 'sleep 3; exec \"$@\"', 'sh', {}", logan());
    manifest(directory.path(), 3, &slow, "");
    program(
        directory.path(),
        "perf",
        "echo '<not supported>,,instructions:u' >&2",
    );
    let ended = guard(directory.path(), "--confidence 0.75 --tolerance 60");
    assert_eq!(ended.code, 8, "{}", ended.stderr);
    let said = "judged is worse than known";
    assert!(ended.stderr.contains(said), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("start to first answer"),
        "{}",
        ended.stderr
    );
    for why in [
        "instructions of the brokers: perf counts none on this machine: <not supported>",
        "instructions of hot pieces: the manifest names no hot_pieces",
    ] {
        assert!(ended.stdout.contains(why), "{}", ended.stdout);
    }
    let report = std::fs::read_to_string(directory.path().join("g.json")).expect("written");
    let report: serde_json::Value = serde_json::from_str(&report).expect("it is JSON");
    let order = report["runs"].as_array().expect("a list").iter();
    let order: Vec<_> = order.filter_map(|run| run["broker"].as_str()).collect();
    let expected = ["known", "judged", "judged", "known", "known", "judged"];
    assert_eq!(order, expected);
}

#[test]
fn more_instructions_are_a_regression_of_their_own() {
    let directory = temporary_directory();
    let here = directory.path();
    // The known build needs 1,000 for each repetition, the judged one 1,100.
    for (name, each) in [("known-pieces", 1000), ("judged-pieces", 1100)] {
        program(
            here,
            name,
            &format!("[ $# -eq 0 ] && echo piece || echo $((5000 + {each} * $2))"),
        );
    }
    program(
        here,
        "valgrind",
        "[ $1 = --version ] && exit 0\nshift 2\necho \"==1== Collected : $(\"$@\")\" >&2",
    );
    manifest(here, 2, &logan(), "");
    let text = std::fs::read_to_string(here.join("m.toml")).expect("it is there");
    let mut text = text.replace(
        "name = 'known'",
        "name = 'known'\nhot_pieces = './known-pieces'",
    );
    text = text.replace(
        "name = 'judged'",
        "name = 'judged'\nhot_pieces = './judged-pieces'",
    );
    std::fs::write(here.join("m.toml"), text).expect("room");
    // Two rounds can say something with a confidence of one half; nothing is sure enough beyond twice as much.
    let options = "--confidence 0.5001 --tolerance 99";
    let refused = guard(here, options);
    assert_eq!(
        refused.code, 2,
        "two rounds are too few: {}",
        refused.stderr
    );
    let text = std::fs::read_to_string(here.join("m.toml")).expect("it is there");
    std::fs::write(
        here.join("m.toml"),
        text.replace("rounds = 2", "rounds = 3"),
    )
    .expect("room");
    let ended = guard(here, options);
    assert_eq!(ended.code, 8, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("piece: +10.00 % instructions"),
        "{}",
        ended.stderr
    );
    let tolerant = guard(here, &format!("{options} --tolerance-of-counts 11"));
    assert!(
        !tolerant.stderr.contains("% instructions"),
        "{}",
        tolerant.stderr
    );
}

#[test]
fn too_few_rounds_and_the_wrong_number_of_builds_are_refused() {
    let directory = temporary_directory();
    manifest(directory.path(), 5, &logan(), "");
    let ended = guard(directory.path(), "");
    assert_eq!(ended.code, 2, "{}", ended.stderr);
    assert!(ended.stderr.contains("rounds = 6"), "{}", ended.stderr);
    let path = directory.path().join("m.toml");
    let text = std::fs::read_to_string(&path).expect("it is there");
    let three = format!(
        "{text}[[broker]]\nname = 'third'\ncommand = [{}]\n",
        logan()
    );
    std::fs::write(&path, three).expect("room");
    let ended = guard(directory.path(), "");
    assert_eq!(ended.code, 2, "{}", ended.stderr);
    assert!(ended.stderr.contains("two builds"), "{}", ended.stderr);
    assert!(!directory.path().join("g.json").exists(), "nothing was run");
}
