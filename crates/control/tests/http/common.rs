//! Shards and a process that answer as a test wants, and somebody who asks.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use control::{Access, Answer, Control, Delay, Facts, Phase, Process, Setup, Source};
use tokio::sync::Semaphore;
use types::{GroupRow, Metric, OffsetRow, PartitionRow, Sample, Series, Snapshot, TopicRow};

pub(crate) static BYTES: Metric = Metric::counter("x_bytes", "Bytes.");

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A shard that has counted so many bytes, or that never answers.
pub(crate) struct Shard {
    pub(crate) number: u16,
    pub(crate) bytes: Option<u64>,
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
pub(crate) struct Slow {
    pub(crate) asked: Arc<AtomicUsize>,
    pub(crate) gate: Arc<Semaphore>,
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
pub(crate) struct Telling {
    pub(crate) shard: u16,
    pub(crate) samples: Vec<Sample>,
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
pub(crate) fn snapshot(shard: u16, bytes: u64, series: Series) -> Snapshot {
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
pub(crate) struct Around {
    pub(crate) phase: Phase,
    pub(crate) unanswered: Duration,
    pub(crate) filter: Mutex<String>,
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

    fn recorded(&self, shard: Option<u16>, last: usize) -> Result<Vec<serde_json::Value>, String> {
        let event = serde_json::json!({
            "shard": shard.unwrap_or(0), "number": last, "timestamp": 1, "monotonicNanos": 2,
            "event": "sync-completed", "topic": "t", "partition": 3, "tookMicros": 1.5, "isOk": true,
        });
        match shard {
            Some(2..) => Err("there is no such shard".to_owned()),
            _ => Ok(vec![event]),
        }
    }

    fn dump_recorded(&self) -> Result<String, String> {
        Ok("/somewhere/logan-recorder-1-asked.jsonl".to_owned())
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

pub(crate) const TOKEN: &str = "0123456789abcdef";

pub(crate) fn start(shards: &[Option<u64>]) -> Control {
    start_in(shards, Phase::Ready, Duration::ZERO, Series::ALL)
}

pub(crate) fn start_in(
    shards: &[Option<u64>],
    phase: Phase,
    unanswered: Duration,
    series: Series,
) -> Control {
    let sources = (0..).zip(shards).map(|(number, bytes)| {
        let shard = Shard {
            number,
            bytes: *bytes,
        };
        Box::new(shard) as Box<dyn Source>
    });
    start_with(sources.collect(), phase, unanswered, series)
}

pub(crate) fn start_with(
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

pub(crate) fn metrics_address(control: &Control) -> SocketAddr {
    control.metrics_address().expect("it is served")
}

pub(crate) fn admin_address(control: &Control) -> SocketAddr {
    control.admin_address().expect("it is served")
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    let limited = stream.set_read_timeout(Some(PATIENCE));
    limited.expect("a time above zero");
    stream
}

/// The response to a request for `path`, head and body.
pub(crate) fn get(address: SocketAddr, path: &str) -> String {
    let accept = "Accept: application/openmetrics-text\r\n";
    ask(
        address,
        &format!("GET {path}"),
        &format!("Host: {address}\r\n{accept}"),
        "",
    )
}

/// The response to any request: method and path, header lines, body.
pub(crate) fn ask(address: SocketAddr, what: &str, headers: &str, body: &str) -> String {
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
pub(crate) fn json(response: &str) -> serde_json::Value {
    let (_, body) = response.split_once("\r\n\r\n").expect("a head and a body");
    let value = serde_json::from_str(body);
    value.unwrap_or_else(|error| unreachable!("{error}: {response}"))
}
