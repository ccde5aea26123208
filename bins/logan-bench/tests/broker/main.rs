//! `logan-bench` against the real broker: that it works and what it says, not how fast anything is.

mod comparing;
mod groups;
mod guard;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tests::{Broker, Launch, Mount, Signal, skip, temporary_directory};

const TIME_MAX: Duration = Duration::from_secs(60);

/// Options of a short run.
const SHORT: &str = "--warmup 100ms --duration 500ms --timeout 20s";

/// What a run left.
struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ended {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).expect("it is JSON")
    }
}

struct Server {
    broker: Broker,
    _directory: TempDir,
}

fn server() -> Server {
    let directory = temporary_directory();
    let broker = Launch::in_directory(directory.path()).start();
    Server {
        broker,
        _directory: directory,
    }
}

fn bench(address: &str, words: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_logan-bench"));
    command
        .args(["--bootstrap-server", address])
        .args(words.split_whitespace())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn ended(child: Child) -> Ended {
    let Output {
        status,
        stdout,
        stderr,
    } = child.wait_with_output().expect("it ends");
    Ended {
        code: status.code().expect("no signal ends it"),
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
    }
}

fn run(address: &str, words: &str) -> Ended {
    ended(bench(address, words).spawn().expect("cargo has built it"))
}

/// Runs it, expects success, and reads the JSON that it prints.
fn succeed(address: &str, words: &str) -> Value {
    let ended = run(address, &format!("{words} -o json"));
    assert_eq!(ended.code, 0, "{words}: {}", ended.stderr);
    let report = ended.json();
    assert_eq!(report["status"], "complete", "{words}");
    report
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

#[test]
fn producing_at_a_rate_keeps_to_it() {
    let server = server();
    let address = server.broker.address();
    let report = succeed(
        address,
        &format!("produce {SHORT} --throughput 2000 --record-size uniform:50-150"),
    );
    let produced = &report["produced"];
    let rate = number(&produced["records_per_second"]);
    assert!((100.0..2500.0).contains(&rate), "{rate}");
    assert!(number(&produced["latency_ms"]["p50"]) > 0.0);
    assert!(number(&report["own"]["cpu_seconds"]) > 0.0);
    assert!(report["consumed"].is_null());
}

#[test]
fn everything_that_can_be_said_about_producing_works() {
    let server = server();
    let address = server.broker.address();
    for options in [
        "--throughput max --idempotence --partitions-per-topic 4",
        "--compression zstd --compress-ratio 4 --topics 2",
        "--keys zipf:100:0.9 --partitions-per-topic 3",
        "--acks 0 --throughput 1000",
        "--producers 8 --in-flight 1 --record-size 100 --batch-size 200",
        "--throughput ramp:100-3000 --linger 5ms",
        "--ceiling 300ms --cores none --threads 2 --producers 2",
    ] {
        let report = succeed(address, &format!("produce {SHORT} {options}"));
        assert!(number(&report["produced"]["records"]) > 0.0, "{options}");
        let has_ceiling = options.contains("--ceiling");
        assert_eq!(report["ceiling"].is_object(), has_ceiling, "{options}");
    }
}

#[test]
fn what_was_produced_is_consumed_and_counted() {
    let server = server();
    let address = server.broker.address();
    let words = format!("produce {SHORT} --warmup 0s --duration 20s --topic t --num-records 5000");
    let produced = succeed(address, &words);
    assert_eq!(produced["produced"]["records"], 5000);
    let consumed = succeed(address, "consume --topic t --subscriptions 2");
    assert_eq!(consumed["consumed"]["records"], 10_000);
    let filled = succeed(address, "consume --fill 2MB --record-size 500");
    assert_eq!(filled["consumed"]["records"], 4000);
}

#[test]
fn records_are_followed_from_one_end_to_the_other() {
    let server = server();
    let report = succeed(
        server.broker.address(),
        &format!(
            "end-to-end {SHORT} --throughput 1000 --subscriptions 2 --consumers-per-subscription 2"
        ),
    );
    let (produced, consumed) = (&report["produced"], &report["consumed"]);
    let sent = number(&produced["latency_ms"]["count"]);
    let read = number(&consumed["latency_ms"]["count"]);
    assert!(sent > 0.0);
    assert!((read - 2.0 * sent).abs() < 0.5, "{read} of {sent} twice");
}

#[test]
fn connections_are_opened_and_asked() {
    let server = server();
    let report = succeed(
        server.broker.address(),
        &format!("connections {SHORT} --connections 20"),
    );
    assert_eq!(report["connections"]["open"], 20);
    assert!(number(&report["connections"]["request_ms"]["count"]) > 0.0);
}

#[test]
fn a_scenario_is_run_and_its_report_is_kept() {
    let server = server();
    let directory = temporary_directory();
    let (scenario, report) = (
        directory.path().join("s.toml"),
        directory.path().join("r.json"),
    );
    let text =
        "workload = 'produce'\nname = 'small'\nrecord_size = 100\nduration = '1h'\nwarmup = '0s'\n";
    std::fs::write(&scenario, text).expect("room");
    let words = format!(
        "run {} {SHORT} --report {}",
        scenario.display(),
        report.display()
    );
    let ended = run(server.broker.address(), &words);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(
        ended.stdout.contains("Produced") && ended.stdout.contains("p99.9"),
        "{}",
        ended.stdout
    );
    assert_eq!(ended.stderr, "", "no bar where nobody watches");
    let text = std::fs::read_to_string(&report).expect("it was written");
    let report: Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(report["settings"]["record_size"], "100");
    assert_eq!(report["settings"]["name"], "small");
}

#[test]
fn bad_input_is_refused_before_anything_is_done() {
    let directory = temporary_directory();
    let scenario = directory.path().join("s.toml");
    std::fs::write(&scenario, "workload = 'produce'\nrecrod_size = 100\n").expect("room");
    let scenario = format!("run {}", scenario.display());
    // Nobody listens there.
    let address = "127.0.0.1:1";
    for (words, code, said) in [
        (scenario.as_str(), 2, "did you mean record_size?"),
        ("run no-such-file.toml", 3, "no-such-file.toml"),
        ("produce --idempotence --acks 1", 2, "--acks all"),
        ("produce --idempotence --in-flight 6", 2, "--in-flight 5"),
        ("produce --linger 5ms", 2, "--throughput"),
        ("produce --pid 4294967295", 2, "--pid"),
        ("end-to-end --record-size 8", 2, "record-size"),
        ("end-to-end --compression lz4", 2, "compression"),
        ("compare no-such-file.toml", 3, "no-such-file.toml"),
        ("guard no-such-file.toml", 3, "no-such-file.toml"),
        ("guard x.toml --confidence 1", 2, "0.95"),
        ("consume --commit-interval 0s", 2, "above zero"),
        ("consume --from latest", 2, "end-to-end"),
        ("produce --timeout 2s", 5, "is a broker running there?"),
        (
            "connections --connections 2",
            5,
            "is a broker running there?",
        ),
    ] {
        let ended = run(address, words);
        assert_eq!(ended.code, code, "{words}: {}", ended.stderr);
        assert!(ended.stderr.contains(said), "{words}: {}", ended.stderr);
        assert_eq!(ended.stdout, "", "{words}");
    }
}

#[test]
fn a_topic_that_is_missing_or_empty_is_named() {
    let server = server();
    let address = server.broker.address();
    let missing = run(address, "consume --topic nope");
    assert_eq!(missing.code, 3, "{}", missing.stderr);
    assert!(
        missing.stderr.contains("topic nope does not exist"),
        "{}",
        missing.stderr
    );
}

#[test]
fn a_peer_that_is_no_broker_is_recognised() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it is bound").to_string();
    let peer = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut request = [0; 64];
        let read = stream.read(&mut request).expect("a request");
        assert!(read > 0);
        // The client may hang up before it has read all of it.
        drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
    });
    let ended = run(&address, "connections --connections 1 --timeout 2s");
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("no Kafka listener"),
        "{}",
        ended.stderr
    );
    peer.join().expect("it answered");
}

/// A run that would last for long, once it has begun to write: its topic exists.
fn long_run(server: &Server, report: &Path) -> Child {
    let words = format!(
        "produce --topic long --warmup 0s --duration 10m --timeout 5s --throughput 1000 --report {}",
        report.display()
    );
    let child = bench(server.broker.address(), &words)
        .spawn()
        .expect("it was built");
    let is_written = || {
        let mut client = server.broker.client();
        let partition = types::PartitionIndex(0);
        let listed = client.list_offsets("long", &[partition], client::OffsetSpec::Latest);
        listed.is_ok_and(|listed| {
            listed[&partition]
                .offset
                .is_some_and(|offset| offset.0 > 500)
        })
    };
    assert!(tests::within(TIME_MAX, is_written), "nothing is written");
    child
}

fn assert_partial(report: &Path, reason: &str) {
    let text = std::fs::read_to_string(report).expect("it was written");
    let report: Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(report["status"], "partial");
    let said = report["reason"].as_str().unwrap_or_default();
    assert!(said.contains(reason), "{said}");
    assert!(number(&report["produced"]["records"]) > 0.0);
}

#[test]
fn an_interrupted_run_keeps_what_it_had() {
    let server = server();
    let directory = temporary_directory();
    let report = directory.path().join("r.json");
    let child = long_run(&server, &report);
    let pid = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &pid]).status();
    assert!(sent.is_ok_and(|status| status.success()));
    let ended = ended(child);
    assert_eq!(ended.code, 7, "{}", ended.stderr);
    assert!(
        ended.stdout.contains("PARTIAL: interrupted"),
        "{}",
        ended.stdout
    );
    assert_partial(&report, "interrupted");
}

#[test]
fn a_broker_that_dies_ends_the_run_and_what_it_had_is_kept() {
    let server = server();
    let directory = temporary_directory();
    let report = directory.path().join("r.json");
    let child = long_run(&server, &report);
    server.broker.signal(Signal::Kill);
    let ended = ended(child);
    assert_eq!(ended.code, 5, "{}", ended.stderr);
    assert!(ended.stdout.contains("PARTIAL: "), "{}", ended.stdout);
    assert_partial(&report, "Produce");
}

#[test]
fn an_error_of_the_broker_ends_the_run_with_its_name_and_the_way_out() {
    let server = server();
    let directory = temporary_directory();
    let report = directory.path().join("r.json");
    let words = format!(
        "produce {SHORT} --record-size 2000 --topic-config max.message.bytes=1000 --report {}",
        report.display()
    );
    let ended = run(server.broker.address(), &words);
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("MESSAGE_TOO_LARGE") && ended.stderr.contains("--batch-size"),
        "{}",
        ended.stderr
    );
    let text = std::fs::read_to_string(&report).expect("it was written");
    let report: Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(report["status"], "partial");
}

#[test]
fn everything_that_was_written_is_read_back() {
    let server = server();
    let words = format!("produce {SHORT} --throughput 2MB --partitions 3 --read-back");
    let report = succeed(server.broker.address(), &words);
    let (written, read) = (
        &report["produced"]["records"],
        &report["read_back"]["records"],
    );
    // What was sent in the warm-up is there, too.
    assert!(
        number(read) >= number(written) && number(written) > 0.0,
        "{report}"
    );
}

/// Writes until there is no room.
fn fill(path: &Path) {
    let Ok(mut file) = std::fs::File::create(path) else {
        return;
    };
    while file.write_all(&[1; 1024]).is_ok() {}
    // What is buffered takes its room now; that there is none is what is wanted.
    drop(file.sync_all());
}

#[test]
fn a_full_disk_leaves_no_half_report() {
    let directory = temporary_directory();
    let point = directory.path().join("disk");
    let disk = match Mount::new_disk(directory.path(), &point, 1 << 20) {
        Ok(disk) => disk,
        Err(error) => return skip(&format!("no disk can be mounted: {error}")),
    };
    for number in 0..100 {
        fill(&point.join(format!("filler-{number}")));
    }
    let server = server();
    let report = point.join("r.json");
    let words = format!("produce {SHORT} --report {}", report.display());
    let ended = run(server.broker.address(), &words);
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("No space left"), "{}", ended.stderr);
    let left: Vec<_> = std::fs::read_dir(&point)
        .expect("it is mounted")
        .flatten()
        .collect();
    let is_filler = |name: &str| name.starts_with("filler-") || name == "lost+found";
    assert!(
        left.iter()
            .all(|entry| is_filler(&entry.file_name().to_string_lossy())),
        "{left:?}"
    );
    drop(disk);
}

#[test]
fn the_machine_itself_is_measured() {
    let directory = temporary_directory();
    let words = format!(
        "yardstick --duration 20ms --directory {} -o json",
        directory.path().display()
    );
    let found = run("127.0.0.1:1", &words);
    assert_eq!(found.code, 0, "{}", found.stderr);
    for part in [
        "loopback",
        "direct_writes",
        "durable_writes",
        "memcpy",
        "crc32c",
    ] {
        assert!(number(&found.json()[part]["mb_per_second"]) > 0.0, "{part}");
    }
    let missing = run(
        "127.0.0.1:1",
        "yardstick --directory no/such/directory --duration 20ms",
    );
    assert_eq!(missing.code, 3, "{}", missing.stderr);
}

#[test]
fn completions_and_manual_pages_are_made() {
    let script = run("127.0.0.1:1", "completions bash");
    assert_eq!(script.code, 0, "{}", script.stderr);
    assert!(script.stdout.contains("end-to-end"));
    let directory = temporary_directory();
    let made = run(
        "127.0.0.1:1",
        &format!("man {}", directory.path().display()),
    );
    assert_eq!(made.code, 0, "{}", made.stderr);
    assert!(directory.path().join("logan-bench-produce.1").exists());
}
