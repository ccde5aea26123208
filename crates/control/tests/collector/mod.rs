//! A collector of OTLP over HTTP that decodes what it gets with the messages of the OpenTelemetry project, and answers as it
//! is told.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the collector answers.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// This status line, with this body.
    Status(&'static str, Vec<u8>),
    /// Nothing, ever.
    Silence,
}

impl Answer {
    /// All is taken.
    pub(crate) fn ok() -> Self {
        Self::Status("200 OK", Vec::new())
    }
}

/// A request that was understood.
#[derive(Clone, Debug)]
pub(crate) struct Exported {
    pub(crate) path: String,
    pub(crate) content_type: String,
    pub(crate) body: ExportTraceServiceRequest,
}

/// The collector; it serves until the test ends.
pub(crate) struct Collector {
    address: SocketAddr,
    exported: Arc<Mutex<Vec<Exported>>>,
}

impl Collector {
    /// Starts one that answers the request of each number, from 0, so.
    pub(crate) fn start(answer: impl Fn(usize) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let exported = Arc::<Mutex<Vec<Exported>>>::default();
        let kept = Arc::clone(&exported);
        thread::spawn(move || {
            let mut requests = 0;
            let mut silent = Vec::new();
            for stream in listener.incoming() {
                let mut stream = BufReader::new(stream.expect("a connection"));
                while let Some(request) = read_request(&mut stream) {
                    kept.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(request);
                    requests += 1;
                    match answer(requests - 1) {
                        Answer::Status(status, body) => respond(stream.get_mut(), status, &body),
                        Answer::Silence => {
                            silent.push(stream);
                            break;
                        }
                    }
                }
            }
        });
        Self { address, exported }
    }

    /// Where it is.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What has come so far, rejected or not.
    pub(crate) fn exported(&self) -> Vec<Exported> {
        let exported = self.exported.lock();
        exported.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All spans that have come so far.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let requests = self.exported().into_iter();
        let resources = requests.flat_map(|it| it.body.resource_spans);
        let scopes = resources.flat_map(|it| it.scope_spans);
        scopes.flat_map(|it| it.spans).collect()
    }

    /// Waits for a span of this name that is right.
    pub(crate) fn await_span(&self, name: &str, is_right: impl Fn(&Span) -> bool) -> Span {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let spans = self.spans();
            if let Some(span) = spans.iter().find(|it| it.name == name && is_right(it)) {
                return span.clone();
            }
            assert!(Instant::now() < deadline, "no such {name}: {spans:?}");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// The value of an attribute as text; `None` when there is none.
pub(crate) fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    let mut found = attributes.iter().filter(|it| it.key == key);
    let Some(AnyValue { value: Some(value) }) = found.next()?.value.clone() else {
        return None;
    };
    Some(match value {
        Value::StringValue(text) => text,
        Value::IntValue(number) => number.to_string(),
        Value::DoubleValue(number) => number.to_string(),
        other => format!("{other:?}"),
    })
}

/// The next request of a connection; `None` when there is none.
fn read_request(stream: &mut BufReader<TcpStream>) -> Option<Exported> {
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        head.push(line);
    }
    let header = |name: &str| {
        let mut lines = head.iter().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.to_owned()).unwrap_or_default()
    };
    let mut body = vec![0; header("content-length").parse().expect("a length")];
    stream.read_exact(&mut body).ok()?;
    let path = head[0].split(' ').nth(1).expect("a request line");
    Some(Exported {
        path: path.to_owned(),
        content_type: header("content-type"),
        body: ExportTraceServiceRequest::decode(&*body).expect("OTLP"),
    })
}

fn respond(stream: &mut TcpStream, status: &str, body: &[u8]) {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/x-protobuf\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    // Whoever asked may be gone.
    let written = stream.write_all(head.as_bytes());
    drop(written.and_then(|()| stream.write_all(body)));
}
