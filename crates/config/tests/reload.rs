//! A changed file under a running broker.

use config::{BrokerConfig, Reloaded, Sources};

fn sources(text: &str) -> Sources {
    Sources::from_text("server.properties", text).expect("valid text")
}

fn running(text: &str) -> BrokerConfig {
    BrokerConfig::from_sources(&sources(text)).expect("valid values")
}

fn told(changes: &[config::Change]) -> Vec<String> {
    changes.iter().map(ToString::to_string).collect()
}

fn reloaded(before: &str, after: &str) -> Reloaded {
    let reloaded = running(before).reloaded(&sources(after));
    reloaded.unwrap_or_else(|error| unreachable!("{after}: {error}"))
}

#[test]
fn what_can_change_changes_and_the_rest_waits_for_a_restart() {
    let reloaded = reloaded(
        "log.retention.hours=1\nnum.partitions=2\nlog.dirs=a\nmessage.max.bytes=1000",
        "message.max.bytes=2000\nlog.retention.ms=5\nnum.partitions=3\nlog.dirs=b\nsocket.request.max.bytes=5000",
    );
    assert_eq!(
        told(&reloaded.changed),
        [
            "log.retention.hours from 1 to 168",
            "log.retention.ms from nothing to 5",
            "message.max.bytes from 1000 to 2000",
            "num.partitions from 2 to 3",
        ]
    );
    assert_eq!(
        told(&reloaded.postponed),
        [
            "log.dirs from a to b",
            "socket.request.max.bytes from 104857600 to 5000",
        ]
    );
    let config = reloaded.config;
    assert_eq!(config.values.num_partitions, 3);
    assert_eq!(config.values.log_retention_ms, Some(5));
    assert_eq!(config.log_dirs, [std::path::PathBuf::from("a")]);
    assert_eq!(config.values.socket_request_max_bytes, 104_857_600);
}

#[test]
fn the_same_values_in_another_form_change_nothing() {
    let reloaded = reloaded(
        "num.partitions=2\nauto.create.topics.enable=TRUE",
        "# a comment\nauto.create.topics.enable = true\nnum.partitions: 2\nlog.roll.hours=168",
    );
    assert_eq!(told(&reloaded.changed), Vec::<String>::new());
    assert_eq!(told(&reloaded.postponed), Vec::<String>::new());
    let origin = reloaded.config.origin("num.partitions").to_string();
    assert_eq!(origin, "server.properties:3");
}

#[test]
fn an_impossible_file_is_refused_whole_with_the_line() {
    let running = running("num.partitions=2");
    let refused = running
        .reloaded(&sources("num.partitions=3\nlog.segment.bytes=1"))
        .expect_err("impossible");
    assert_eq!(
        refused.to_string(),
        "Invalid value 1 for configuration log.segment.bytes: Value must be at least 1048576 (server.properties:2)"
    );
    // Possible from the next start on, but not beside the memory that this one has.
    let refused = running
        .reloaded(&sources(
            "message.max.bytes=90000000\nlogan.staging.memory.bytes=100000000",
        ))
        .expect_err("impossible now");
    let refused = refused.to_string();
    assert!(
        refused.contains("logan.staging.memory.bytes: must be at least message.max.bytes"),
        "{refused}"
    );
}

#[test]
fn what_was_postponed_stays_postponed_and_is_forgotten_when_it_is_taken_back() {
    let first = reloaded("log.dirs=a", "log.dirs=b");
    let again = first
        .config
        .reloaded(&sources("log.dirs=b\nnum.partitions=4"));
    let again = again.expect("valid values");
    assert_eq!(told(&again.postponed), ["log.dirs from a to b"]);
    let back = again
        .config
        .reloaded(&sources("log.dirs=a\nnum.partitions=4"));
    assert_eq!(
        told(&back.expect("valid values").postponed),
        Vec::<String>::new()
    );
}

#[test]
fn only_new_warnings_are_told() {
    let reloaded = reloaded(
        "num.io.threads=8\nnum.partition=1",
        "num.partition=1\n\nnum.io.thread=9\nnum.io.threads=8",
    );
    let subjects: Vec<_> = reloaded
        .config
        .warnings
        .iter()
        .map(config::Warning::subject)
        .collect();
    assert_eq!(subjects, ["num.io.thread"]);
}
