//! What operators see: metrics of what clients do, the admin listener, and alerts and dashboards that show what exists.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use client::{Acks, FetchLimits};
use records::Compression;
use tests::{Broker, batch_of, create_topic, eventually, temporary_directory, within};
use types::{ErrorCode, Offset, PartitionIndex};

use crate::groups;
use crate::metrics::{await_total, launch, metrics};

/// How long anything may take on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(60);

const TOPIC: &str = "seen";

/// A broker that has written, read and refused something, and that has a group.
fn busy_broker(directory: &Path) -> Broker {
    let broker = launch(directory).with("shard.advertise", "single").start();
    create_topic(&broker, TOPIC, 2, &[]);
    let mut client = broker.client();
    let batch = batch_of(Compression::None, &[b"one", b"two", b"three"]);
    let produced = client.produce(TOPIC, PartitionIndex(0), &batch, Acks::All);
    produced.expect("it is taken");
    let fetched = client.fetch(TOPIC, PartitionIndex(0), Offset(0), FetchLimits::default());
    fetched.expect("what was written can be read");
    let mut wire = groups::coordinator(&broker, "g");
    let codes = groups::commit(&mut wire, "g", TOPIC, &[1, 0]);
    assert_eq!(codes, [ErrorCode::None; 2]);
    let unknown = groups::heartbeat(&mut wire, "g", "nobody", 1);
    assert_eq!(unknown, ErrorCode::UnknownMemberId);
    broker
}

fn has_line(document: &str, name: &str, labels: &[&str], is_right: impl Fn(f64) -> bool) -> bool {
    document.lines().any(|line| {
        let Some((series, value)) = line.rsplit_once(' ') else {
            return false;
        };
        let of = series.split('{').next();
        let has_labels = labels.iter().all(|label| series.contains(label));
        of == Some(name) && has_labels && value.parse().is_ok_and(&is_right)
    })
}

#[test]
fn what_clients_do_is_counted() {
    let directory = temporary_directory();
    let broker = busy_broker(directory.path());
    let topic = format!("topic=\"{TOPIC}\"");
    let produce = "api=\"Produce\"";
    let expected: [(&str, &[&str], f64); 12] = [
        ("logan_requests_total", &[produce], 1.0),
        ("logan_request_duration_seconds_count", &[produce], 1.0),
        (
            "logan_request_part_duration_seconds_count",
            &[produce, "part=\"disk\""],
            1.0,
        ),
        ("logan_topic_records_in_total", &[&topic], 3.0),
        ("logan_topic_batches_in_total", &[&topic], 1.0),
        (
            "logan_partition_high_watermark",
            &[&topic, "partition=\"0\""],
            3.0,
        ),
        (
            "logan_partition_segments",
            &[&topic, "partition=\"1\""],
            1.0,
        ),
        (
            "logan_group_lag_records",
            &["group=\"g\"", &topic, "partition=\"0\""],
            2.0,
        ),
        (
            "logan_group_committed_offset",
            &["group=\"g\"", &topic, "partition=\"1\""],
            0.0,
        ),
        (
            "logan_group_members",
            &["group=\"g\"", "state=\"Empty\""],
            0.0,
        ),
        (
            "logan_response_errors_total",
            &["api=\"Heartbeat\"", "UNKNOWN_MEMBER_ID"],
            1.0,
        ),
        ("logan_ready", &[], 1.0),
    ];
    for (name, labels, value) in expected {
        let came = within(PATIENCE, || {
            has_line(&metrics(&broker), name, labels, |it| {
                (it - value).abs() < 0.001
            })
        });
        assert!(came, "{name} {labels:?} {value}:\n{}", metrics(&broker));
    }
    let document = metrics(&broker);
    for (name, labels) in [
        ("logan_topic_bytes_out_total", topic.as_str()),
        (
            "logan_disk_operation_duration_seconds_count",
            "operation=\"sync\"",
        ),
        ("logan_disk_operation_bytes_total", "operation=\"write\""),
        ("logan_shard_cpu_seconds_total", ""),
        ("logan_shard_busy_seconds_total", "class=\"foreground\""),
        ("logan_shard_delay_seconds_count", "shard=\"1\""),
        ("logan_memory_limit_bytes", "budget=\"staging\""),
        ("logan_connections_taken_total", "from=\"router\""),
        ("process_resident_memory_bytes", ""),
        ("process_cpu_seconds_total", ""),
    ] {
        let is_there = has_line(&document, name, &[labels], |it| it > 0.0);
        assert!(is_there, "{name} {labels}:\n{document}");
    }
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn series_that_are_switched_off_are_not_told() {
    let directory = temporary_directory();
    let broker = launch(directory.path())
        .with("logan.metrics.series", "topics")
        .start();
    create_topic(&broker, TOPIC, 2, &[]);
    await_total(&broker, "logan_partitions", |it| it == 2);
    let document = metrics(&broker);
    assert!(
        document.contains("logan_topic_bytes_in_total{"),
        "{document}"
    );
    assert!(
        !document.contains("logan_partition_size_bytes{"),
        "{document}"
    );
    assert!(!document.contains("logan_group_members{"), "{document}");
    assert_eq!(broker.stop().code(), 0);
}

/// Files below `deploy` in a folder of it, with their content.
fn deployed(folder: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy");
    let entries = fs::read_dir(root.join(folder)).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a text");
        (path, text)
    };
    paths.map(read).collect()
}

/// Names of metrics in a text, without the endings that the parts of histograms have.
fn names(text: &str) -> BTreeSet<String> {
    let is_part = |it: char| it.is_ascii_alphanumeric() || it == '_' || it == ':';
    let words = text.split(|it| !is_part(it));
    // Names with a colon are made by rules.
    let of_broker = words.filter(|it| !it.contains(':'));
    let metrics = of_broker.filter(|it| it.starts_with("logan_") || it.starts_with("process_"));
    let bare = metrics.map(|it| {
        let histogram = it
            .strip_suffix("_bucket")
            .or_else(|| it.strip_suffix("_sum"));
        histogram
            .or_else(|| it.strip_suffix("_count"))
            .unwrap_or(it)
    });
    bare.map(ToOwned::to_owned).collect()
}

#[test]
fn rules_and_dashboards_name_metrics_that_exist() {
    let directory = temporary_directory();
    let broker = busy_broker(directory.path());
    let document = eventually(PATIENCE, || {
        let document = metrics(&broker);
        document
            .contains("logan_group_lag_records{")
            .then_some(document)
    });
    let document = document.unwrap_or_else(|| unreachable!("{}", broker.log()));
    let types = document.lines().filter_map(|it| it.strip_prefix("# TYPE "));
    let known: BTreeSet<_> = types.filter_map(|it| it.split(' ').next()).collect();
    for (path, text) in [deployed("prometheus"), deployed("grafana")].concat() {
        let unknown: Vec<_> = names(&text)
            .into_iter()
            .filter(|it| !known.contains(it.as_str()))
            .collect();
        assert!(unknown.is_empty(), "{}: {unknown:?}", path.display());
    }
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn every_alert_has_a_runbook_entry_and_a_test() {
    let files = deployed("prometheus");
    let text_of = |name: &str| {
        let found = files.iter().find(|(path, _)| path.ends_with(name));
        found.map(|(_, text)| text.as_str()).expect("it is there")
    };
    let rules = text_of("logan.rules.yml");
    let tests = text_of("logan.rules.test.yml");
    let runbook = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/alerts.md");
    let runbook = fs::read_to_string(runbook).expect("a text");
    let alerts = rules
        .lines()
        .filter_map(|it| it.trim().strip_prefix("- alert: "));
    let alerts: BTreeSet<_> = alerts.collect();
    assert!(alerts.len() > 20);
    for alert in &alerts {
        let anchor = format!("runbook: docs/alerts.md#{}\n", alert.to_lowercase());
        assert!(rules.contains(&anchor), "{anchor}");
        assert!(
            tests.contains(&format!("- alertname: {alert}\n")),
            "{alert}"
        );
    }
    let titles = runbook.lines().filter_map(|it| it.strip_prefix("## "));
    assert_eq!(titles.collect::<BTreeSet<_>>(), alerts);
}

/// The status and body of a request to the admin listener.
fn ask(address: &str, what: &str, headers: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let limited = stream.set_read_timeout(Some(PATIENCE));
    limited.expect("a time above zero");
    let len = body.len();
    let request = format!(
        "{what} HTTP/1.1\r\nHost: {address}\r\n{headers}Content-Length: {len}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("it answers");
    let status = response.split(' ').nth(1).and_then(|it| it.parse().ok());
    (status.expect("a status"), response)
}

fn admin_address(broker: &Broker) -> String {
    let address = eventually(PATIENCE, || {
        let log = broker.log();
        let (_, rest) = log.split_once("the status page is served at http://")?;
        let (address, _) = rest.split_once('/')?;
        Some(address.to_owned())
    });
    address.unwrap_or_else(|| unreachable!("{}", broker.log()))
}

#[test]
fn the_admin_listener_shows_the_broker_and_changes_what_is_logged() {
    let directory = temporary_directory();
    let token = "a-token-of-some-length";
    let token_file = directory.path().join("token");
    fs::write(&token_file, format!("{token}\n")).expect("a file");
    let data = directory.path().join("data");
    fs::create_dir(&data).expect("a directory");
    let broker = launch(&data)
        .with("logan.admin.listener", "0")
        .with("logan.admin.token.file", token_file.display().to_string())
        .start();
    create_topic(&broker, TOPIC, 2, &[]);
    let address = admin_address(&broker);
    assert!(address.starts_with("127.0.0.1:"), "{address}");
    let is_ready = within(PATIENCE, || ask(&address, "GET /ready", "", "").0 == 200);
    assert!(is_ready, "{}", broker.log());
    assert_eq!(ask(&address, "GET /live", "", "").0, 200);
    let shows_partitions = within(PATIENCE, || {
        let (_, body) = ask(&address, "GET /api/v1/partitions?topic=seen", "", "");
        body.contains("\"partition\":1")
    });
    assert!(shows_partitions, "{}", broker.log());
    let (status, page) = ask(&address, "GET /", "", "");
    assert_eq!(status, 200, "{page}");
    assert!(page.contains("<h2>Shards</h2>"), "{page}");
    let levels = "{\"filter\": \"info,broker=debug\"}";
    let json = "Content-Type: application/json\r\n";
    let put = "PUT /api/v1/log-levels";
    assert_eq!(ask(&address, put, json, levels).0, 401);
    let allowed = format!("{json}Authorization: Bearer {token}\r\n");
    let (status, answer) = ask(&address, put, &allowed, levels);
    assert_eq!(status, 200, "{answer}");
    assert!(answer.contains("broker=debug"), "{answer}");
    broker.expect_log("other log lines are written from here on");
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn a_token_that_can_be_guessed_is_refused() {
    let directory = temporary_directory();
    let token_file = directory.path().join("token");
    fs::write(&token_file, "short\n").expect("a file");
    let ended = launch(directory.path())
        .with("logan.admin.listener", "0")
        .with("logan.admin.token.file", token_file.display().to_string())
        .fail();
    assert_eq!(ended.code(), 1, "{}", ended.log);
    assert!(
        ended.log.contains("logan.admin.token.file"),
        "{}",
        ended.log
    );
}
