//! Comparisons: in turn, and what is kept of those that do not come to their end.

use std::path::Path;

use serde_json::Value;
use tests::temporary_directory;

use super::{bench, ended};

/// How Logan is started by a manifest.
pub(crate) fn logan() -> String {
    let logan = tests::broker_binary().display().to_string();
    format!(
        "'{logan}', '--override', 'listeners=PLAINTEXT://127.0.0.1:{{port}}', '--override', 'log.dirs={{directory}}'"
    )
}

/// Two brokers that are started by the same command, and a scenario.
fn manifest(directory: &Path, command: &str) -> String {
    let scenario = "workload = 'produce'\nwarmup = '50ms'\nduration = '200ms'\nthroughput = 500\n";
    std::fs::write(directory.join("s.toml"), scenario).expect("room");
    let text = format!(
        "rounds = 2\nscenarios = ['s.toml']\n\
         [[broker]]\nname = 'a'\ncommand = [{command}]\n\
         [[broker]]\nname = 'b <b>'\ncommand = [{command}]\n"
    );
    let path = directory.join("m.toml");
    std::fs::write(&path, text).expect("room");
    path.display().to_string()
}

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).expect("it was written");
    serde_json::from_str(&text).expect("it is JSON")
}

#[test]
fn brokers_are_compared_in_turn() {
    let directory = temporary_directory();
    let manifest = manifest(directory.path(), &logan());
    let html = directory.path().join("c.html");
    let words = format!(
        "compare {manifest} --yardstick 50ms --html {} -o json",
        html.display()
    );
    let mut bench = bench("127.0.0.1:1", &words);
    let ended = ended(
        bench
            .current_dir(directory.path())
            .spawn()
            .expect("it was built"),
    );
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let report = ended.json();
    let runs = report["runs"].as_array().expect("a list");
    let order: Vec<_> = runs.iter().map(|run| run["broker"].as_str()).collect();
    assert_eq!(order, [Some("a"), Some("b <b>"), Some("a"), Some("b <b>")]);
    assert!(
        runs.iter()
            .all(|run| run["report"]["broker"]["rss_peak_bytes"].is_u64())
    );
    let produced = &report["medians"][0];
    assert_eq!(produced["metric"], "produced, MB/s");
    assert_eq!(produced["fractions"][0]["of"], "loopback");
    assert!(report["machine"]["disk"]["file_system"].is_string());
    let page = std::fs::read_to_string(&html).expect("it was written");
    assert!(
        page.contains("b &lt;b&gt;")
            && page.contains("<svg")
            && page.contains("The machine itself")
            && !page.contains("PARTIAL")
    );
}

#[test]
fn a_broker_that_does_not_start_is_reported_and_the_report_is_partial() {
    let directory = temporary_directory();
    let manifest = manifest(
        directory.path(),
        "'sh', '-c', 'echo no such configuration; exit 3'",
    );
    let (html, json) = (
        directory.path().join("c.html"),
        directory.path().join("c.json"),
    );
    let words = format!(
        "compare {manifest} --yardstick 50ms --html {} --report {}",
        html.display(),
        json.display()
    );
    let mut bench = bench("127.0.0.1:1", &words);
    let ended = ended(
        bench
            .current_dir(directory.path())
            .spawn()
            .expect("it was built"),
    );
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("no such configuration"),
        "{}",
        ended.stderr
    );
    let page = std::fs::read_to_string(&html).expect("it was written");
    assert!(
        page.contains("PARTIAL: a ended before it answered"),
        "{page}"
    );
    assert_eq!(read(&json)["status"], "partial");
}

#[test]
fn a_broker_that_dies_in_a_round_leaves_a_partial_comparison() {
    let directory = temporary_directory();
    // It is there for a moment, and then killed.
    let command = format!("'timeout', '--signal=KILL', '2', {}", logan());
    let manifest = manifest(directory.path(), &command);
    let scenario = "workload = 'produce'\nwarmup = '0s'\nduration = '60s'\nthroughput = 500\n";
    std::fs::write(directory.path().join("s.toml"), scenario).expect("room");
    let (html, json) = (
        directory.path().join("c.html"),
        directory.path().join("c.json"),
    );
    let words = format!(
        "compare {manifest} --yardstick 0s --html {} --report {}",
        html.display(),
        json.display()
    );
    let mut bench = bench("127.0.0.1:1", &words);
    let ended = ended(
        bench
            .current_dir(directory.path())
            .spawn()
            .expect("it was built"),
    );
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("s.toml with a"), "{}", ended.stderr);
    let report = read(&json);
    assert_eq!(report["status"], "partial");
    // What the run had until then is kept, and not counted.
    assert_eq!(report["runs"][0]["report"]["status"], "partial");
    assert_eq!(report["medians"].as_array().map(Vec::len), Some(0));
    let page = std::fs::read_to_string(&html).expect("it was written");
    assert!(page.contains("PARTIAL: "), "{page}");
}
