//! What a scraper gets, and what somebody gets who means no good.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use control::{ANSWER_TIME_MAX, Answer, CONNECTIONS_MAX, Control, Source};
use types::Metric;

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

    fn ask(&self) -> Answer {
        match self.bytes {
            Some(bytes) => Box::pin(async move { Some(vec![BYTES.is(bytes)]) }),
            None => Box::pin(std::future::pending()),
        }
    }
}

fn start(shards: &[Option<u64>]) -> Control {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let sources = (0..).zip(shards).map(|(number, bytes)| {
        let shard = Shard {
            number,
            bytes: *bytes,
        };
        Box::new(shard) as Box<dyn Source>
    });
    Control::start(listener, sources.collect()).expect("a thread")
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    let limited = stream.set_read_timeout(Some(PATIENCE));
    limited.expect("a time above zero");
    stream
}

/// The response to a request for `path`, head and body.
fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = connect(address);
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("it answers");
    response
}

#[test]
fn metrics_of_all_shards_are_told_apart() {
    let control = start(&[Some(5), Some(7)]);
    let response = get(control.address(), "/metrics");
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
    let missing = get(control.address(), "/else");
    assert!(missing.starts_with("HTTP/1.1 404 "), "{missing}");
}

#[test]
fn a_shard_that_hangs_is_told_of_and_hides_no_other() {
    let control = start(&[None, Some(7)]);
    let began = std::time::Instant::now();
    let response = get(control.address(), "/metrics");
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
fn connections_beyond_the_limit_wait_until_one_ends() {
    let control = start(&[Some(5)]);
    // None of them says anything; a byte that does arrive shows that it was accepted.
    let mut silent: Vec<_> = (0..CONNECTIONS_MAX)
        .map(|_| connect(control.address()))
        .collect();
    let mut late = connect(control.address());
    let request = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    late.write_all(request).expect("the kernel takes it");
    late.set_read_timeout(Some(Duration::from_millis(300)))
        .expect("a time above zero");
    let early = late.read(&mut [0; 1]);
    assert!(early.is_err(), "it has to wait: {early:?}");
    drop(silent.pop());
    late.set_read_timeout(Some(PATIENCE))
        .expect("a time above zero");
    let mut response = String::new();
    late.read_to_string(&mut response).expect("it answers");
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
}

#[test]
fn the_listener_is_closed_when_the_control_thread_ends() {
    let control = start(&[Some(5)]);
    let address = control.address();
    let _open = connect(address);
    drop(control);
    assert!(TcpStream::connect(address).is_err());
}
