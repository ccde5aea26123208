//! What a client may be told: where to begin, how long to wait, how much to hold.

use std::time::Duration;

/// Limits and names of a [`crate::Client`]. The defaults suit a tool on a desk and a broker nearby.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// `host:port` of brokers to ask first; one that answers is enough.
    pub bootstrap_servers: Vec<String>,
    /// The name that the broker sees in every request.
    pub client_id: String,
    /// How long a connection may take to be established.
    pub connect_timeout: Duration,
    /// How long a response may take, beyond the time that the request itself asks the broker to wait.
    pub request_timeout: Duration,
    /// When and how long to try again.
    pub retry: RetryPolicy,
    /// Requests that a connection holds without having read their responses.
    pub in_flight_max: usize,
    /// The largest response that is read.
    pub response_max_bytes: usize,
}

/// How retriable failures are tried again: pauses double from the first to the longest, until the time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The first pause.
    pub pause_min: Duration,
    /// The longest pause.
    pub pause_max: Duration,
    /// The time from the first attempt after which no further one begins.
    pub total_max: Duration,
}

/// What must have happened before the broker answers a produce request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acks {
    /// There is no answer.
    None,
    /// The leader has it.
    Leader,
    /// All in-sync replicas have it.
    All,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            bootstrap_servers: vec!["127.0.0.1:9092".to_owned()],
            client_id: "logan-client".to_owned(),
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(30),
            retry: RetryPolicy::default(),
            in_flight_max: 5,
            response_max_bytes: 128 << 20,
        }
    }
}

impl ClientConfig {
    /// The defaults, beginning at one server.
    #[must_use]
    pub fn of_server(server: impl Into<String>) -> Self {
        Self {
            bootstrap_servers: vec![server.into()],
            ..Self::default()
        }
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            pause_min: Duration::from_millis(20),
            pause_max: Duration::from_secs(1),
            total_max: Duration::from_secs(30),
        }
    }
}

impl Acks {
    /// The number in a produce request.
    #[must_use]
    pub const fn code(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Leader => 1,
            Self::All => -1,
        }
    }
}
