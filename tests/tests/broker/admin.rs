//! What administrators are answered, held against what Kafka 4.3.1 answers to the same.
//!
//! `tests/kafka/start.sh` and the example `admin_verdicts` made `admin/kafka-4.3.1.txt`; `admin/differences.txt` has each
//! line that Logan answers otherwise, with the reason.

use std::collections::BTreeMap;

use tests::{Launch, admin_verdicts, temporary_directory};

const KAFKA: &str = include_str!("admin/kafka-4.3.1.txt");
const DIFFERENCES: &str = include_str!("admin/differences.txt");

/// Lines with how often each is there.
fn count<'a>(lines: impl IntoIterator<Item = &'a str>) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    for line in lines {
        *counts.entry(line).or_default() += 1;
    }
    counts
}

/// The lines that the one has more often than the other.
fn beyond(one: &[&str], other: &[&str]) -> Vec<String> {
    let other = count(other.iter().copied());
    let more = |(line, times): (&str, usize)| {
        let extra = times.saturating_sub(other.get(line).copied().unwrap_or(0));
        vec![line.to_owned(); extra]
    };
    count(one.iter().copied())
        .into_iter()
        .flat_map(more)
        .collect()
}

fn documented(sign: char) -> Vec<String> {
    let lines = DIFFERENCES
        .lines()
        .filter_map(|line| line.strip_prefix(sign));
    let mut lines: Vec<String> = lines.map(|line| line.chars().skip(1).collect()).collect();
    lines.sort();
    lines
}

#[test]
fn administrators_are_answered_as_kafka_answers_them() {
    let directory = temporary_directory();
    let broker = Launch::in_directory(directory.path())
        .with("node.id", "1")
        .start();
    let mut answers = Vec::new();
    admin_verdicts(broker.wire(), 1, &mut |line| answers.push(line));
    let answers: Vec<&str> = answers.iter().map(String::as_str).collect();
    let kafka: Vec<&str> = KAFKA.lines().collect();
    let missing = beyond(&kafka, &answers);
    let own = beyond(&answers, &kafka);
    assert_eq!((missing, own), (documented('-'), documented('+')));
    assert_eq!(broker.stop().code(), 0);
}
