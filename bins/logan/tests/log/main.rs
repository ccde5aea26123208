//! The broker's log: who reads it slowly or not at all, what it looks like, and what says so wrongly.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Nothing here takes so long, on any machine.
const SOON: Duration = Duration::from_secs(120);

/// A broker with its standard error wherever a test wants it.
struct Logging {
    broker: Child,
    /// What it says on standard output.
    ready: String,
    directory: TempDir,
}

impl Logging {
    fn start(stderr: impl Into<Stdio>, environment: &[(&str, &str)], overrides: &[&str]) -> Self {
        let directory = TempDir::new().expect("a directory");
        let data = directory.path().join("data");
        let mut command = logan();
        command
            .args(["--override", "listeners=PLAINTEXT://127.0.0.1:0"])
            .args(["--override", &format!("log.dirs={}", data.display())])
            .args(["--override", "shard.cores=2"])
            .args(overrides.iter().flat_map(|it| ["--override", it]))
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(stderr);
        let mut broker = command.spawn().expect("it was built");
        let mut ready = String::new();
        let stdout = broker.stdout.take().expect("a pipe");
        let read = BufReader::new(stdout).read_line(&mut ready);
        assert!(read.is_ok_and(|length| length > 0), "it does not start");
        Self {
            broker,
            ready,
            directory,
        }
    }

    /// The address in its ready line.
    fn address(&self) -> &str {
        let (_, rest) = self.ready.split_once("ready on ").expect("an address");
        rest.split_whitespace().next().expect("an address")
    }

    /// Ends it by a signal, and returns its exit code.
    fn stop(&mut self) -> Option<i32> {
        let sent = Command::new("kill")
            .arg(self.broker.id().to_string())
            .status();
        assert!(sent.expect("there is kill").success());
        let until = Instant::now() + SOON;
        while Instant::now() < until {
            if let Some(status) = self.broker.try_wait().expect("a child") {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        // It has ended where a test came to its end.
        drop(self.broker.kill());
        drop(self.broker.wait());
    }
}

/// `logan` without variables of its own.
fn logan() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_logan"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("LOGAN_") || name == "JOURNAL_STREAM" || name == "NOTIFY_SOCKET" {
            command.env_remove(&*name);
        }
    }
    command
}

/// A file for standard error, and the path to read it at.
fn log_file(directory: &Path) -> (File, std::path::PathBuf) {
    let path = directory.join("log");
    (File::create(&path).expect("a file"), path)
}

/// Sends a frame with a length that no frame has, which costs the broker a line of its log.
fn send_nonsense(address: &str) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(SOON)).expect("a time");
    stream.write_all(&[0xFF; 8]).expect("a connection");
    let closed = stream.read(&mut [0; 8]);
    assert!(
        closed.as_ref().map_or_else(
            |error| error.kind() == ErrorKind::ConnectionReset,
            |length| *length == 0
        ),
        "the shard closes the connection: {closed:?}"
    );
}

#[test]
fn a_reader_that_stands_still_stops_nobody() {
    let (mut reader, writer) = UnixStream::pair().expect("a pair");
    writer.set_nonblocking(true).expect("a flag");
    let mut filled = 0;
    while let Ok(length) = (&writer).write(&[b'x'; 1024]) {
        filled += length;
    }
    writer.set_nonblocking(false).expect("a flag");
    let mut broker = Logging::start(OwnedFd::from(writer), &[], &["log.flush.nonsense=1"]);
    // Each is answered by the end of its connection, on whichever shard it lands.
    for _ in 0..64 {
        send_nonsense(broker.address());
    }
    // As soon as there is room, what has waited is written.
    let mut read = vec![0; filled];
    reader.read_exact(&mut read).expect("it was written");
    let mut lines = BufReader::new(&reader);
    let mut line = String::new();
    lines.read_line(&mut line).expect("text");
    assert!(
        line.contains("log.flush.nonsense is no known key"),
        "{line}"
    );
    // And when there is none again the process still ends.
    let again = Logging::start(Stdio::null(), &[], &[]);
    drop(again);
    assert_eq!(broker.stop(), Some(0));
}

#[test]
fn the_process_ends_while_nobody_reads() {
    let (_reader, writer) = UnixStream::pair().expect("a pair");
    writer.set_nonblocking(true).expect("a flag");
    while (&writer).write(&[b'x'; 64]).is_ok() {}
    writer.set_nonblocking(false).expect("a flag");
    let mut broker = Logging::start(OwnedFd::from(writer), &[("LOGAN_LOG", "debug")], &[]);
    send_nonsense(broker.address());
    assert_eq!(broker.stop(), Some(0));
    // One that cannot start ends, too.
    let (_reader, writer) = UnixStream::pair().expect("a pair");
    writer.set_nonblocking(true).expect("a flag");
    while (&writer).write(&[b'x'; 64]).is_ok() {}
    writer.set_nonblocking(false).expect("a flag");
    let status = logan()
        .args(["--override", "num.partitions=none"])
        .stderr(OwnedFd::from(writer))
        .status();
    assert_eq!(status.expect("it was built").code(), Some(2));
}

#[test]
fn the_journal_hears_the_priority_of_each_line_and_no_time() {
    for format in ["text", "json"] {
        let directory = TempDir::new().expect("a directory");
        let (file, path) = log_file(directory.path());
        let metadata = file.metadata().expect("a file");
        let stream = format!("{}:{}", metadata.dev(), metadata.ino());
        let environment = [("JOURNAL_STREAM", &*stream), ("LOGAN_LOG_FORMAT", format)];
        let mut broker = Logging::start(file, &environment, &["no.such.key=1"]);
        assert_eq!(broker.stop(), Some(0));
        let log = fs::read_to_string(&path).expect("text");
        let warned = log.lines().find(|it| it.contains("no.such.key"));
        let warned = warned.expect("a warning");
        assert!(warned.starts_with("<4>"), "{warned}");
        for line in log.lines() {
            let rest = ["<3>", "<4>", "<6>"]
                .iter()
                .find_map(|it| line.strip_prefix(it));
            let rest = rest.expect("a priority");
            assert!(!rest.contains("timestamp"), "{line}");
            assert_eq!(format == "json", rest.starts_with('{'), "{line}");
        }
        // Who is no journal hears the time, and no priority.
        let (file, path) = log_file(broker.directory.path());
        let environment = [("JOURNAL_STREAM", "1:1"), ("LOGAN_LOG_FORMAT", format)];
        let mut broker = Logging::start(file, &environment, &[]);
        assert_eq!(broker.stop(), Some(0));
        let log = fs::read_to_string(&path).expect("text");
        assert!(
            log.starts_with(if format == "json" {
                "{\"timestamp\""
            } else {
                "20"
            }),
            "{log}"
        );
    }
}

#[test]
fn everything_is_json_where_lines_are() {
    let directory = TempDir::new().expect("a directory");
    let (file, path) = log_file(directory.path());
    let mut broker = Logging::start(file, &[("LOGAN_LOG_FORMAT", "json")], &[]);
    let parse = |line: &str| serde_json::from_str::<serde_json::Value>(line);
    let ready = parse(&broker.ready).expect("JSON");
    let message = ready["message"].as_str().expect("a message");
    assert!(
        message.starts_with("logan is ready on 127.0.0.1:"),
        "{ready}"
    );
    assert_eq!(broker.stop(), Some(0));
    let log = fs::read_to_string(&path).expect("text");
    assert!(log.lines().count() > 1, "{log}");
    assert!(log.lines().all(|line| parse(line).is_ok()), "{log}");
    let refused = logan()
        .args(["--override", "num.partitions=none"])
        .env("LOGAN_LOG_FORMAT", "json")
        .output()
        .expect("it was built");
    let last = String::from_utf8_lossy(&refused.stderr);
    let last = last.lines().next_back().expect("a line");
    let last = parse(last).expect("JSON");
    assert_eq!(last["level"], "ERROR");
}

#[test]
fn what_says_wrongly_what_is_logged_is_refused() {
    for (name, value, right) in [
        ("LOGAN_LOG", "foo=bar=baz", "MODULE=LEVEL"),
        ("LOGAN_LOG", "inof", "\"inof\" is no level"),
        ("LOGAN_LOG_FORMAT", "xml", "right are text and json"),
    ] {
        let ended = logan().env(name, value).output().expect("it was built");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("{name}={value}")), "{said}");
        assert!(said.contains(right), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn a_filter_that_hides_errors_is_warned_of_before_it_counts() {
    let directory = TempDir::new().expect("a directory");
    let (file, path) = log_file(directory.path());
    let filter = [("LOGAN_LOG", "nosuchmodule=trace")];
    let mut broker = Logging::start(file, &filter, &["no.such.key=1"]);
    assert_eq!(broker.stop(), Some(0));
    let log = fs::read_to_string(&path).expect("text");
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(log.contains("even errors of these modules"), "{log}");
}
