//! What a scraper gets, and what somebody gets who means no good.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use control::{
    ANSWER_TIME_MAX, Access, Answer, CONNECTIONS_MAX, Control, Delay, Facts, Phase, Process, Setup,
    Source,
};
use tokio::sync::Semaphore;
use types::{GroupRow, Metric, OffsetRow, PartitionRow, Sample, Series, Snapshot, TopicRow};

static BYTES: Metric = Metric::counter("x_bytes", "Bytes.");

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A shard that has counted so many bytes, or that never answers.
struct Shard {
    number: u16,
    bytes: Option<u64>,
}

impl Source for Shard {
    fn shard(&self) -> u16 {
        self.number
    }

    fn ask(&self, series: Series) -> Answer {
        let (number, Some(bytes)) = (self.number, self.bytes) else {
            return Box::pin(std::future::pending());
        };
        Box::pin(async move { Some(snapshot(number, bytes, series)) })
    }
}

/// A shard that answers when it may.
struct Slow {
    asked: Arc<AtomicUsize>,
    gate: Arc<Semaphore>,
}

impl Source for Slow {
    fn shard(&self) -> u16 {
        0
    }

    fn ask(&self, series: Series) -> Answer {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let gate = Arc::clone(&self.gate);
        Box::pin(async move {
            gate.acquire_owned().await.ok()?.forget();
            Some(snapshot(0, 5, series))
        })
    }
}

/// A shard that has just these numbers.
struct Telling {
    shard: u16,
    samples: Vec<Sample>,
}

impl Source for Telling {
    fn shard(&self) -> u16 {
        self.shard
    }

    fn ask(&self, _: Series) -> Answer {
        let samples = self.samples.clone();
        Box::pin(async move {
            Some(Snapshot {
                samples,
                ..Snapshot::default()
            })
        })
    }
}

/// A shard with a partition of its own, and the group of all.
fn snapshot(shard: u16, bytes: u64, series: Series) -> Snapshot {
    let mut snapshot = Snapshot {
        samples: vec![BYTES.is(bytes)],
        ..Snapshot::default()
    };
    if series.topics {
        snapshot.topics.push(TopicRow {
            topic: "<b>".into(),
            batches_in: 1,
            records_in: 2,
            bytes_in: bytes,
            bytes_out: 4,
        });
    }
    if series.partitions {
        snapshot.partitions.push(PartitionRow {
            topic: "<b>".into(),
            partition: shard.into(),
            log_start_offset: 0,
            high_watermark: 10,
            log_end_offset: 10,
            size_bytes: 700,
            segments: 1,
            records_in: 2,
            bytes_in: bytes,
            bytes_out: 4,
            is_fenced: false,
        });
    }
    if series.groups && shard == 0 {
        let offset = |partition| OffsetRow {
            topic: "<b>".into(),
            partition,
            offset: 4,
        };
        snapshot.groups.push(GroupRow {
            group: "g".to_owned(),
            protocol: "classic",
            state: "Stable",
            members: 3,
            offsets: vec![offset(0), offset(1), offset(7)],
        });
    }
    snapshot
}

/// A process in some phase, whose log levels can be changed.
struct Around {
    phase: Phase,
    unanswered: Duration,
    filter: Mutex<String>,
}

impl Process for Around {
    fn samples(&self) -> Vec<Sample> {
        Vec::new()
    }

    fn phase(&self) -> Phase {
        self.phase
    }

    fn facts(&self) -> Facts {
        Facts {
            version: "0",
            node_id: 7,
            cluster_id: "c".to_owned(),
            uptime: Duration::from_secs(5),
        }
    }

    fn delays(&self) -> Vec<Delay> {
        vec![Delay::default()]
    }

    fn unanswered(&self) -> Vec<Duration> {
        vec![self.unanswered]
    }

    fn log_filter(&self) -> String {
        self.filter.lock().expect("no test panics with it").clone()
    }

    fn set_log_filter(&self, filter: &str) -> Result<(), String> {
        if filter.contains('?') {
            return Err("no such level".to_owned());
        }
        filter.clone_into(&mut self.filter.lock().expect("no test panics with it"));
        Ok(())
    }
}

const TOKEN: &str = "0123456789abcdef";

fn start(shards: &[Option<u64>]) -> Control {
    start_in(shards, Phase::Ready, Duration::ZERO, Series::ALL)
}

fn start_in(shards: &[Option<u64>], phase: Phase, unanswered: Duration, series: Series) -> Control {
    let sources = (0..).zip(shards).map(|(number, bytes)| {
        let shard = Shard {
            number,
            bytes: *bytes,
        };
        Box::new(shard) as Box<dyn Source>
    });
    start_with(sources.collect(), phase, unanswered, series)
}

fn start_with(
    sources: Vec<Box<dyn Source>>,
    phase: Phase,
    unanswered: Duration,
    series: Series,
) -> Control {
    let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let setup = Setup {
        sources,
        process: Arc::new(Around {
            phase,
            unanswered,
            filter: Mutex::new("info".to_owned()),
        }),
        series,
        metrics: Some(listen()),
        admin: Some(listen()),
        access: Access {
            hosts: Vec::new(),
            token: Some(TOKEN.to_owned()),
        },
    };
    Control::start(setup).expect("a thread")
}

fn metrics_address(control: &Control) -> SocketAddr {
    control.metrics_address().expect("it is served")
}

fn admin_address(control: &Control) -> SocketAddr {
    control.admin_address().expect("it is served")
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    let limited = stream.set_read_timeout(Some(PATIENCE));
    limited.expect("a time above zero");
    stream
}

/// The response to a request for `path`, head and body.
fn get(address: SocketAddr, path: &str) -> String {
    let accept = "Accept: application/openmetrics-text\r\n";
    ask(
        address,
        &format!("GET {path}"),
        &format!("Host: {address}\r\n{accept}"),
        "",
    )
}

/// The response to any request: method and path, header lines, body.
fn ask(address: SocketAddr, what: &str, headers: &str, body: &str) -> String {
    let mut stream = connect(address);
    let len = body.len();
    let request = format!(
        "{what} HTTP/1.1\r\n{headers}Content-Length: {len}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("it answers");
    response
}

/// The body of an answer in JSON.
fn json(response: &str) -> serde_json::Value {
    let (_, body) = response.split_once("\r\n\r\n").expect("a head and a body");
    let value = serde_json::from_str(body);
    value.unwrap_or_else(|error| unreachable!("{error}: {response}"))
}

#[test]
fn metrics_of_all_shards_are_told_apart() {
    let control = start(&[Some(5), Some(7)]);
    let response = get(metrics_address(&control), "/metrics");
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
    for line in [
        "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n",
        "# TYPE x_bytes counter\n",
        "x_bytes_total{shard=\"0\"} 5\n",
        "x_bytes_total{shard=\"1\"} 7\n",
        "logan_shard_up{shard=\"1\"} 1\n",
    ] {
        assert!(response.contains(line), "{line}: {response}");
    }
    let missing = get(metrics_address(&control), "/else");
    assert!(missing.starts_with("HTTP/1.1 404 "), "{missing}");
}

#[test]
fn what_is_summed_is_left_out_while_a_shard_is_silent() {
    static SUM: Metric = Metric::counter("x_sum", "A sum.").summed();
    let telling = |shard| -> Box<dyn Source> {
        let samples = vec![SUM.is(7)];
        Box::new(Telling { shard, samples })
    };
    let silent = Box::new(Shard {
        number: 1,
        bytes: None,
    });
    let start = |sources| start_with(sources, Phase::Ready, Duration::ZERO, Series::ALL);
    let whole = start(vec![telling(0), telling(1)]);
    let response = get(metrics_address(&whole), "/metrics");
    assert!(response.contains("x_sum_total 14\n"), "{response}");
    let partial = start(vec![telling(0), silent]);
    let response = get(metrics_address(&partial), "/metrics");
    assert!(
        response.contains("logan_shard_up{shard=\"1\"} 0\n"),
        "{response}"
    );
    assert!(
        !response.contains("x_sum_total"),
        "a reset, to Prometheus: {response}"
    );
}

#[test]
fn those_who_ask_at_the_same_time_get_a_whole_document_each() {
    const SCRAPERS: usize = 6;
    let asked = Arc::new(AtomicUsize::new(0));
    let gate = Arc::new(Semaphore::new(0));
    let source = Slow {
        asked: Arc::clone(&asked),
        gate: Arc::clone(&gate),
    };
    let control = start_with(
        vec![Box::new(source)],
        Phase::Ready,
        Duration::ZERO,
        Series::ALL,
    );
    let address = metrics_address(&control);
    let scrapers: Vec<_> = (0..SCRAPERS)
        .map(|_| std::thread::spawn(move || get(address, "/metrics")))
        .collect();
    while asked.load(Ordering::Relaxed) == 0 {
        std::thread::yield_now();
    }
    gate.add_permits(1000);
    for scraper in scrapers {
        let response = scraper.join().expect("a scraper");
        assert!(response.ends_with("# EOF\n"), "{response}");
    }
    assert!(asked.load(Ordering::Relaxed) <= SCRAPERS);
}

#[test]
fn a_shard_that_hangs_is_told_of_and_hides_no_other() {
    let control = start(&[None, Some(7)]);
    let began = Instant::now();
    let response = get(metrics_address(&control), "/metrics");
    assert!(began.elapsed() >= ANSWER_TIME_MAX);
    for line in [
        "logan_shard_up{shard=\"0\"} 0\n",
        "logan_shard_up{shard=\"1\"} 1\n",
        "x_bytes_total{shard=\"1\"} 7\n",
    ] {
        assert!(response.contains(line), "{line}: {response}");
    }
}

#[test]
fn who_asks_is_answered_while_others_are_silent_or_do_not_read() {
    const STRANGERS: usize = 3 * CONNECTIONS_MAX;
    let control = start(&[Some(5)]);
    let address = metrics_address(&control);
    let silent: Vec<_> = (0..STRANGERS).map(|_| connect(address)).collect();
    assert!(get(address, "/live").contains("live"), "beside silence");
    let deaf: Vec<_> = (0..STRANGERS)
        .map(|_| {
            let mut stream = connect(address);
            let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(50);
            // It may be closed for the next one meanwhile.
            let _ignored = stream.write_all(request.as_bytes());
            stream
        })
        .collect();
    assert!(get(address, "/live").contains("live"), "beside deafness");
    drop((silent, deaf));
}

#[test]
fn the_most_silent_connection_ends_for_one_more() {
    let control = start(&[Some(5)]);
    let address = metrics_address(&control);
    let mut open: Vec<_> = (0..CONNECTIONS_MAX).map(|_| connect(address)).collect();
    // Each of them says something, the first one last.
    for stream in open[1..].iter_mut() {
        assert!(live(stream).starts_with("HTTP/1.1 200 OK\r\n"));
    }
    assert!(live(&mut open[0]).starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(get(address, "/live").contains("live"));
    assert_eq!(live(&mut open[1]), "", "it has ended");
    assert!(live(&mut open[0]).starts_with("HTTP/1.1 200 OK\r\n"));
}

#[test]
fn however_many_look_at_the_page_the_shards_are_asked_once() {
    let asked = Arc::new(AtomicUsize::new(0));
    let source = Slow {
        asked: Arc::clone(&asked),
        gate: Arc::new(Semaphore::new(0)),
    };
    let gate = Arc::clone(&source.gate);
    let control = start_with(
        vec![Box::new(source)],
        Phase::Ready,
        Duration::ZERO,
        Series::ALL,
    );
    let address = admin_address(&control);
    let viewers: Vec<_> = (0..4)
        .map(|_| std::thread::spawn(move || get(address, "/page/content")))
        .collect();
    while asked.load(Ordering::Relaxed) == 0 {
        std::thread::yield_now();
    }
    let answered = Instant::now();
    gate.add_permits(1000);
    for viewer in viewers {
        let page = viewer.join().expect("a viewer");
        assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
    }
    // A moment counts for a second; on a busy machine the last viewer may come later than that.
    let moments = 1 + answered.elapsed().as_secs();
    let asked = asked.load(Ordering::Relaxed) as u64;
    assert!(asked <= moments, "{asked} times within {moments} moments");
}

#[test]
fn what_does_not_work_is_told_and_without_any_directory_nothing_is_ready() {
    static ONLINE: Metric = Metric::gauge("logan_log_directory_online", "");
    static FENCED: Metric = Metric::gauge("logan_fenced_logs", "");
    static METADATA: Metric = Metric::gauge("logan_metadata_log_failed", "");
    let directories = |online: [u64; 2]| {
        let samples = online.map(|it| ONLINE.is(it).with("directory", "/d".to_owned()));
        let mut samples = samples.to_vec();
        samples.extend([FENCED.is(3), METADATA.is(1)]);
        let source: Box<dyn Source> = Box::new(Telling { shard: 0, samples });
        start_with(vec![source], Phase::Ready, Duration::ZERO, Series::ALL)
    };
    let control = directories([0, 1]);
    let ready = get(admin_address(&control), "/ready");
    assert!(ready.starts_with("HTTP/1.1 200 OK\r\n"), "{ready}");
    for text in ["3 logs are fenced", "the metadata log has failed"] {
        assert!(ready.contains(text), "{ready}");
        let page = get(admin_address(&control), "/page/content");
        assert!(
            page.contains(text) && page.contains("class=\"ill\""),
            "{page}"
        );
    }
    let control = directories([0, 0]);
    let ready = get(admin_address(&control), "/ready");
    assert!(ready.starts_with("HTTP/1.1 503 "), "{ready}");
    assert!(ready.contains("every log directory has failed"), "{ready}");
}

/// Asks on a connection that stays open; the empty text when it is closed.
fn live(stream: &mut TcpStream) -> String {
    stream
        .set_read_timeout(Some(PATIENCE))
        .expect("a time above zero");
    let asked = stream.write_all(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut response = Vec::new();
    let mut part = [0; 512];
    while asked.is_ok() && !response.ends_with(b"}") {
        match stream.read(&mut part) {
            Ok(0) | Err(_) => break,
            Ok(count) => response.extend_from_slice(&part[..count]),
        }
    }
    String::from_utf8(response).expect("text")
}

#[test]
fn the_listener_is_closed_when_the_control_thread_ends() {
    let control = start(&[Some(5)]);
    let address = metrics_address(&control);
    let _open = connect(address);
    drop(control);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn rows_are_series_unless_they_are_switched_off() {
    let control = start(&[Some(5), Some(7)]);
    let response = get(metrics_address(&control), "/metrics");
    for line in [
        "logan_topic_bytes_in_total{topic=\"<b>\"} 12\n",
        "logan_partition_size_bytes{topic=\"<b>\",partition=\"1\",shard=\"1\"} 700\n",
        "logan_group_members{group=\"g\",protocol=\"classic\",state=\"Stable\"} 3\n",
        "logan_group_lag_records{group=\"g\",topic=\"<b>\",partition=\"1\"} 6\n",
        "logan_group_committed_offset{group=\"g\",topic=\"<b>\",partition=\"7\"} 4\n",
    ] {
        assert!(response.contains(line), "{line}: {response}");
    }
    // The high watermark of a partition that is gone is not known.
    let lags = response
        .lines()
        .filter(|it| it.starts_with("logan_group_lag_records{"));
    assert_eq!(lags.count(), 2, "{response}");
    let control = start_in(&[Some(5)], Phase::Ready, Duration::ZERO, Series::default());
    let response = get(metrics_address(&control), "/metrics");
    assert!(response.contains("x_bytes_total"), "{response}");
    for name in ["logan_topic_", "logan_partition_", "logan_group_"] {
        assert!(!response.contains(name), "{name}: {response}");
    }
}

#[test]
fn health_says_who_should_be_left_alone_and_who_should_be_asked() {
    let seconds = Duration::from_secs;
    let statuses = |control: &Control| {
        ["/live", "/ready"].map(|path| {
            let response = get(metrics_address(control), path);
            response.split(' ').nth(1).expect("a status").to_owned()
        })
    };
    let control = start(&[Some(5)]);
    assert_eq!(statuses(&control), ["200", "200"]);
    let control = start_in(&[Some(5)], Phase::Starting, seconds(3), Series::ALL);
    assert_eq!(statuses(&control), ["200", "503"]);
    let control = start_in(&[Some(5)], Phase::Stopping, seconds(3), Series::ALL);
    assert_eq!(statuses(&control), ["200", "503"]);
    let control = start_in(&[Some(5), None], Phase::Ready, seconds(61), Series::ALL);
    assert_eq!(statuses(&control), ["503", "503"]);
}

#[test]
fn the_api_answers_what_its_description_says() {
    let control = start(&[Some(5), Some(7)]);
    let address = admin_address(&control);
    let description = json(&get(address, "/openapi.json"));
    let paths = description["paths"].as_object().expect("paths");
    assert!(paths.len() >= 9);
    for (path, operations) in paths {
        let response = get(address, path);
        assert!(response.starts_with("HTTP/1.1 200 "), "{path}: {response}");
        let schema =
            &operations["get"]["responses"]["200"]["content"]["application/json"]["schema"];
        if !schema.is_null() {
            conforms(&description, schema, &json(&response), path);
        }
    }
    let group = json(&get(address, "/api/v1/groups?group=g"));
    let schema = &description["components"]["schemas"]["Group"];
    conforms(&description, schema, &group["groups"][0], "a group");
    assert_eq!(group["groups"][0]["lagRecords"], 12);
    assert_eq!(
        group["groups"][0]["offsets"][2]["lagRecords"],
        serde_json::Value::Null
    );
    let partitions = json(&get(address, "/api/v1/partitions?topic=other"));
    assert_eq!(partitions["partitions"], serde_json::json!([]));
}

/// Holds a value against a schema: types, and that properties are exactly those that are described and required.
fn conforms(
    root: &serde_json::Value,
    schema: &serde_json::Value,
    value: &serde_json::Value,
    place: &str,
) {
    if let Some(reference) = schema["$ref"].as_str() {
        let pointer = reference.trim_start_matches('#');
        let target = root.pointer(pointer).expect("references lead somewhere");
        return conforms(root, target, value, place);
    }
    let kinds: Vec<&str> = match &schema["type"] {
        serde_json::Value::Array(kinds) => kinds.iter().filter_map(|it| it.as_str()).collect(),
        kind => kind.as_str().into_iter().collect(),
    };
    let kind = match value {
        serde_json::Value::Null => "null",
        serde_json::Value::Bool(_) => "boolean",
        serde_json::Value::Number(it) if it.is_f64() => "number",
        serde_json::Value::Number(_) => "integer",
        serde_json::Value::String(_) => "string",
        serde_json::Value::Array(_) => "array",
        serde_json::Value::Object(_) => "object",
    };
    assert!(
        kinds.contains(&kind),
        "{place}: {value} is none of {kinds:?}"
    );
    for item in value.as_array().into_iter().flatten() {
        conforms(root, &schema["items"], item, place);
    }
    let Some(object) = value.as_object() else {
        return;
    };
    for (name, value) in object {
        let property = &schema["properties"][name];
        assert!(!property.is_null(), "{place}: {name} is not described");
        conforms(root, property, value, &format!("{place}: {name}"));
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().expect("a name");
        assert!(object.contains_key(name), "{place}: {name} is missing");
    }
}

#[test]
fn what_cannot_be_served_is_told_as_a_problem() {
    let control = start(&[Some(5)]);
    let admin = admin_address(&control);
    let host = format!("Host: {admin}\r\n");
    let asked = |what: &str, headers: &str| ask(admin, what, &format!("{host}{headers}"), "{}");
    let token = format!("Authorization: Bearer {TOKEN}\r\n");
    for (what, headers, status) in [
        ("GET /api/v1/groups?group=a&group=b", "", "400"),
        ("DELETE /api/v1/groups", &*token, "405"),
        ("PUT /api/v1/log-levels", &*token, "415"),
        ("GET /nothing", "", "404"),
    ] {
        let response = asked(what, headers);
        assert!(
            response.starts_with(&format!("HTTP/1.1 {status} ")),
            "{response}"
        );
        assert!(
            response.contains("content-type: application/problem+json\r\n"),
            "{response}"
        );
        assert!(
            response.contains("x-content-type-options: nosniff\r\n"),
            "{response}"
        );
        assert_eq!(json(&response)["status"].to_string(), status);
    }
}

#[test]
fn metrics_on_the_loopback_interface_are_not_for_names_from_elsewhere() {
    let control = start(&[Some(5)]);
    let address = metrics_address(&control);
    let of = |host: &str| ask(address, "GET /metrics", &format!("Host: {host}\r\n"), "");
    assert!(of("localhost:9404").starts_with("HTTP/1.1 200 "));
    assert!(of("evil.example:9404").starts_with("HTTP/1.1 421 "));
}

#[test]
fn log_levels_are_changed_by_those_who_have_the_token() {
    let control = start(&[Some(5)]);
    let address = admin_address(&control);
    let put = |headers: &str, body: &str| {
        let headers = format!("Host: {address}\r\nContent-Type: application/json\r\n{headers}");
        ask(address, "PUT /api/v1/log-levels", &headers, body)
    };
    let token = format!("Authorization: Bearer {TOKEN}\r\n");
    let debug = "{\"filter\": \"debug\"}";
    let refused = put("", debug);
    assert!(refused.starts_with("HTTP/1.1 401 "), "{refused}");
    let current = || json(&get(address, "/api/v1/log-levels"))["filter"].clone();
    assert_eq!(current(), "info");
    let changed = put(&token, debug);
    assert!(changed.starts_with("HTTP/1.1 200 "), "{changed}");
    assert_eq!(current(), "debug");
    let wrong = put(&token, "{\"filter\": \"?\"}");
    assert!(wrong.starts_with("HTTP/1.1 422 "), "{wrong}");
    let nonsense = put(&token, "{");
    assert!(nonsense.starts_with("HTTP/1.1 400 "), "{nonsense}");
    let long = put(
        &token,
        &format!("{{\"filter\": \"{}\"}}", "x".repeat(20_000)),
    );
    assert!(long.starts_with("HTTP/1.1 413 "), "{long}");
    assert_eq!(current(), "debug");
}

#[test]
fn the_page_is_for_people_in_front_of_it() {
    let control = start(&[Some(5), None]);
    let address = admin_address(&control);
    let page = get(address, "/");
    assert!(page.starts_with("HTTP/1.1 200 "), "{page}");
    assert!(
        page.contains("content-security-policy: default-src 'none'"),
        "{page}"
    );
    assert!(
        page.contains("<h2>Shards</h2>") && page.contains("silent"),
        "{page}"
    );
    assert!(!page.contains("<b>g"), "{page}");
    for file in ["/page/style.css", "/page/script.js", "/page/content"] {
        let response = get(address, file);
        assert!(response.starts_with("HTTP/1.1 200 "), "{file}: {response}");
    }
    let rebound = ask(address, "GET /", "Host: evil.example\r\n", "");
    assert!(rebound.starts_with("HTTP/1.1 421 "), "{rebound}");
    assert!(rebound.contains("logan.admin.hosts"), "{rebound}");
    let headers = format!("Host: {address}\r\nOrigin: http://evil.example\r\n");
    let foreign = ask(address, "GET /api/v1/status", &headers, "");
    assert!(foreign.starts_with("HTTP/1.1 403 "), "{foreign}");
    // The metrics listener has none of it.
    let elsewhere = get(metrics_address(&control), "/api/v1/status");
    assert!(elsewhere.starts_with("HTTP/1.1 404 "), "{elsewhere}");
}
