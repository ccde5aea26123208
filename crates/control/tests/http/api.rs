//! Health, the JSON API and the page: what they say, and to whom.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use control::{Control, Phase, Source};
use tokio::sync::Semaphore;
use types::{Metric, Series};

use crate::common::{
    Slow, TOKEN, Telling, admin_address, ask, get, json, metrics_address, start, start_in,
    start_with,
};

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
    assert!(paths.len() >= 10);
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

#[test]
fn events_are_read_by_everybody_and_dumped_by_those_who_have_the_token() {
    let control = start(&[Some(5)]);
    let address = admin_address(&control);
    let events = json(&get(address, "/api/v1/recorder"))["events"].clone();
    assert_eq!(events[0]["number"], 200, "so many where nothing is said");
    let events = json(&get(address, "/api/v1/recorder?shard=1&last=123456"));
    assert_eq!(events["events"][0]["shard"], 1);
    assert_eq!(events["events"][0]["number"], 10_000, "no more than that");
    let unknown = get(address, "/api/v1/recorder?shard=2");
    assert!(unknown.starts_with("HTTP/1.1 409 "), "{unknown}");
    let nonsense = get(address, "/api/v1/recorder?last=-1");
    assert!(nonsense.starts_with("HTTP/1.1 400 "), "{nonsense}");
    let host = format!("Host: {address}\r\n");
    let refused = ask(address, "POST /api/v1/recorder", &host, "");
    assert!(refused.starts_with("HTTP/1.1 401 "), "{refused}");
    let headers = format!("{host}Authorization: Bearer {TOKEN}\r\n");
    let dumped = ask(address, "POST /api/v1/recorder", &headers, "");
    assert!(dumped.starts_with("HTTP/1.1 200 "), "{dumped}");
    let path = json(&dumped)["path"].clone();
    assert_eq!(path, "/somewhere/logan-recorder-1-asked.jsonl");
}
