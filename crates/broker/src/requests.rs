//! What requests a shard has had, how long each part of them took, and what errors they were answered with.
//!
//! Plain cells on the shard's thread: a request costs four looks at the clock beyond the one that it needs anyway, and nothing
//! is allocated for it. The time of a request has five parts, one after the other:
//!
//! | part | from | to |
//! |---|---|---|
//! | `queue` | its last byte was read from the socket | its handler begins |
//! | `local` | | the handler has its answer, or knows what the answer depends on |
//! | `disk` | | that has been written, synced or read, on whichever shard |
//! | `wait` | | (within `disk`) a fetch that waits for records, a member that waits for its group |
//! | `response` | the answer is encoded | its last byte is with the kernel |
//!
//! A request whose connection moves to another shard counts there.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use io::Instant;
use protocol::{ApiKey, Message};
use types::{ErrorCode, Event, Histogram, Metric, RequestName, Sample};

use crate::api::IMPLEMENTED;
use crate::traffic::add;

static REQUESTS: Metric = Metric::counter("logan_requests", "Requests taken up, by API.");
static REQUEST_BYTES: Metric =
    Metric::counter("logan_request_bytes", "Bytes of the requests of an API.");
static RESPONSE_BYTES: Metric =
    Metric::counter("logan_response_bytes", "Bytes of the responses of an API.");
static REQUEST_SECONDS: Metric = Metric::histogram(
    "logan_request_duration_seconds",
    "How long requests took, from their last byte read to the last byte of their response written, over all shards.",
)
.summed();
static REQUEST_PART_SECONDS: Metric = Metric::histogram(
    "logan_request_part_duration_seconds",
    "How long the parts of requests took, over all shards: queue, local, disk (written, synced or read, here or on another shard), wait (a fetch for records, a member for its group), response.",
)
.summed();
static ERRORS: Metric = Metric::counter(
    "logan_response_errors",
    "Error codes in responses, by API and Kafka's name of the error, over all shards.",
)
.summed();
static IN_FLIGHT: Metric = Metric::gauge(
    "logan_requests_in_flight",
    "Requests that were taken up and whose response is not yet made.",
);

/// A part of the time of a request.
#[derive(Clone, Copy, Debug)]
enum Part {
    Queue,
    Local,
    Disk,
    Wait,
    Response,
}

impl Part {
    const ALL: [Self; 5] = [
        Self::Queue,
        Self::Local,
        Self::Disk,
        Self::Wait,
        Self::Response,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Local => "local",
            Self::Disk => "disk",
            Self::Wait => "wait",
            Self::Response => "response",
        }
    }
}

/// The requests of one API.
#[derive(Debug, Default)]
struct OfApi {
    requests: Cell<u64>,
    request_bytes: Cell<u64>,
    response_bytes: Cell<u64>,
    parts: [Histogram; Part::ALL.len()],
    total: Histogram,
}

impl OfApi {
    fn note(&self, part: Part, time: Duration) {
        self.parts[part as usize].note(time);
    }
}

/// The requests of a shard.
#[derive(Debug)]
pub(crate) struct Requests {
    /// In the order of [`IMPLEMENTED`].
    apis: Vec<OfApi>,
    /// By place in [`IMPLEMENTED`] and error code. Touched only where something went wrong.
    errors: RefCell<BTreeMap<(usize, i16), u64>>,
    in_flight: Cell<u64>,
}

/// A request that was taken up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch {
    /// Its place in [`IMPLEMENTED`].
    api: usize,
    version: i16,
    correlation_id: i32,
    arrived: Instant,
    begun: Instant,
}

impl Stopwatch {
    /// A request of an API that is implemented, which came at `arrived` and whose handler begins at `begun`.
    pub(crate) fn new(
        key: ApiKey,
        (version, correlation_id): (i16, i32),
        arrived: Instant,
        begun: Instant,
    ) -> Self {
        let place = IMPLEMENTED.binary_search(&key);
        Self {
            api: place.expect("what is not implemented was refused"),
            version,
            correlation_id,
            arrived,
            begun,
        }
    }

    /// When its last byte was read.
    pub(crate) fn arrived(self) -> Instant {
        self.arrived
    }

    /// When its handler began.
    pub(crate) fn begun(self) -> Instant {
        self.begun
    }

    /// What the flight recorder calls the request of this client.
    pub(crate) fn request_name(self, peer: SocketAddr) -> RequestName {
        RequestName {
            api: IMPLEMENTED[self.api] as i16,
            version: self.version,
            correlation_id: self.correlation_id,
            peer,
        }
    }

    /// The end of this client's request.
    pub(crate) fn ended(self, peer: SocketAddr, now: Instant) -> Event {
        Event::RequestEnded {
            request: self.request_name(peer),
            took: now.saturating_since(self.arrived),
        }
    }
}

/// A response that is made and not yet sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Made {
    watch: Stopwatch,
    at: Instant,
}

impl Made {
    /// Of which request.
    pub(crate) fn watch(self) -> Stopwatch {
        self.watch
    }
}

impl Default for Requests {
    fn default() -> Self {
        Self {
            apis: IMPLEMENTED.iter().map(|_| OfApi::default()).collect(),
            errors: RefCell::default(),
            in_flight: Cell::new(0),
        }
    }
}

impl Requests {
    /// Counts a request whose handler has come back.
    pub(crate) fn decided(&self, watch: Stopwatch, frame_bytes: usize, now: Instant) {
        let api = &self.apis[watch.api];
        add(&api.requests, 1);
        add(&api.request_bytes, frame_bytes as u64);
        add(&self.in_flight, 1);
        api.note(Part::Queue, watch.begun.saturating_since(watch.arrived));
        api.note(Part::Local, now.saturating_since(watch.begun));
    }

    /// Counts what a request has waited for after its handler came back.
    pub(crate) fn awaited(&self, watch: Stopwatch, times: Awaited) {
        let api = &self.apis[watch.api];
        api.note(Part::Disk, times.total.saturating_sub(times.wait));
        if !times.wait.is_zero() {
            api.note(Part::Wait, times.wait);
        }
    }

    /// A request that was [`Requests::decided`] is answered, or given up.
    pub(crate) fn settled(&self) {
        self.in_flight.set(self.in_flight.get() - 1);
    }

    /// Counts a response that is made now.
    pub(crate) fn made(
        &self,
        watch: Stopwatch,
        response: &impl Message,
        bytes: usize,
        now: Instant,
    ) -> Made {
        let api = &self.apis[watch.api];
        add(&api.response_bytes, bytes as u64);
        response.each_error(&mut |code| {
            if code != 0 {
                *self
                    .errors
                    .borrow_mut()
                    .entry((watch.api, code))
                    .or_default() += 1;
            }
        });
        Made { watch, at: now }
    }

    /// Counts a response that has left.
    pub(crate) fn sent(&self, made: Made, now: Instant) {
        let api = &self.apis[made.watch.api];
        api.note(Part::Response, now.saturating_since(made.at));
        api.total.note(now.saturating_since(made.watch.arrived));
    }

    /// The values of this moment, of the APIs that were asked for anything.
    pub(crate) fn samples(&self) -> Vec<Sample> {
        let mut samples = vec![IN_FLIGHT.is(self.in_flight.get())];
        let used = IMPLEMENTED.iter().zip(&self.apis);
        for (key, api) in used.filter(|(_, api)| api.requests.get() > 0) {
            let of_api = |sample: Sample| sample.with("api", key.name());
            samples.push(of_api(REQUESTS.is(api.requests.get())));
            samples.push(of_api(REQUEST_BYTES.is(api.request_bytes.get())));
            samples.push(of_api(RESPONSE_BYTES.is(api.response_bytes.get())));
            samples.push(of_api(REQUEST_SECONDS.spreads(api.total.distribution())));
            for (part, times) in Part::ALL.iter().zip(&api.parts) {
                let times = times.distribution();
                if times.count() > 0 {
                    let sample = of_api(REQUEST_PART_SECONDS.spreads(times));
                    samples.push(sample.with("part", part.name()));
                }
            }
        }
        for ((api, code), count) in &*self.errors.borrow() {
            let error = ErrorCode::from_code(*code).unwrap_or(ErrorCode::UnknownServerError);
            let sample = ERRORS.is(*count).with("api", IMPLEMENTED[*api].name());
            samples.push(sample.with("error", error.name()));
        }
        samples
    }
}

/// What a request has waited for after its handler came back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Awaited {
    /// All of it.
    pub(crate) total: Duration,
    /// The part of it in which it waited for others to do something.
    pub(crate) wait: Duration,
}

#[cfg(test)]
mod tests {
    use protocol::messages::ProduceResponse;
    use protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
    use types::Value;

    use super::*;

    fn value(samples: &[Sample], metric: &'static Metric, label: &str) -> Option<Value> {
        let mut found = samples.iter().filter(|sample| {
            let has_label = sample.labels.iter().any(|(_, value)| value == label);
            sample.metric == metric && has_label
        });
        found.next().map(|sample| sample.value.clone())
    }

    #[test]
    fn apis_are_found_by_their_keys() {
        assert!(IMPLEMENTED.is_sorted(), "the look-up is a binary search");
    }

    #[test]
    fn the_parts_of_a_request_add_up() {
        let requests = Requests::default();
        let at = |millis: u64| Instant(millis * 1_000_000);
        let watch = Stopwatch::new(ApiKey::Produce, (13, 1), at(10), at(11));
        requests.decided(watch, 700, at(14));
        let times = Awaited {
            total: Duration::from_millis(9),
            wait: Duration::from_millis(2),
        };
        requests.awaited(watch, times);
        let response = ProduceResponse {
            responses: vec![TopicProduceResponse {
                partition_responses: [0, 6, 6]
                    .map(|error_code| PartitionProduceResponse {
                        error_code,
                        ..PartitionProduceResponse::default()
                    })
                    .to_vec(),
                ..TopicProduceResponse::default()
            }],
            ..ProduceResponse::default()
        };
        let made = requests.made(watch, &response, 90, at(23));
        requests.settled();
        requests.sent(made, at(24));
        let samples = requests.samples();
        let sum = |metric, label| match value(&samples, metric, label) {
            Some(Value::Distribution(times)) => times.sum().as_millis(),
            other => unreachable!("{label}: {other:?}"),
        };
        let parts = Part::ALL.map(|part| sum(&REQUEST_PART_SECONDS, part.name()));
        assert_eq!(parts, [1, 3, 7, 2, 1]);
        assert_eq!(parts.iter().sum::<u128>(), sum(&REQUEST_SECONDS, "Produce"));
        let errors = value(&samples, &ERRORS, "NOT_LEADER_OR_FOLLOWER");
        assert_eq!(errors, Some(Value::Count(2)));
        assert_eq!(value(&samples, &REQUESTS, "Fetch"), None);
    }
}
