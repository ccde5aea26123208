//! The bounds that a shard keeps for as long as it runs, taken from the configuration at the start; memory is divided by them.

use config::BrokerConfig;

/// Responses that a connection may be owed, however large `queued.max.requests` is.
const RESPONSES_PER_CONNECTION_MAX: usize = 64;

/// The bounds of one shard.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// `socket.request.max.bytes`.
    pub(crate) request_len_max_bytes: usize,
    /// `logan.request.memory.bytes`.
    pub(crate) request_memory_bytes: usize,
    /// What copies of batches on their way to other shards may take: small requests must get through while clients that
    /// stall hold all of `request_memory_bytes`.
    pub(crate) forward_memory_bytes: usize,
    /// What the decoded requests of one class may take together, at least one request of the largest size.
    pub(crate) decoded_memory_bytes: usize,
    /// `logan.request.decoded.bytes.max`.
    pub(crate) request_decoded_max_bytes: usize,
    /// `logan.response.queue.bytes` times the connections that may be sent large responses at once.
    pub(crate) response_memory_bytes: usize,
    /// `logan.response.queue.bytes`: records of one response beyond its first batch.
    pub(crate) response_len_max_bytes: usize,
    /// How many responses a connection may be owed before it is read no further.
    pub(crate) responses_per_connection_max: usize,
    /// This shard's part of `max.incremental.fetch.session.cache.slots`.
    pub(crate) fetch_sessions_max: usize,
}

/// Response memory of a shard in units of `logan.response.queue.bytes`.
const RESPONSE_MEMORY_QUEUES: usize = 4;

/// The part of the memory for requests that each class of decoded requests may take beside it.
const DECODED_MEMORY_PART: usize = 4;

/// The part of the memory for requests that copies for other shards may take beside it.
const FORWARD_MEMORY_PART: usize = 4;

impl Limits {
    pub(crate) fn new(config: &BrokerConfig, shard_count: usize) -> Self {
        let values = &config.values;
        let bytes = |value: i64| usize::try_from(value).unwrap_or(usize::MAX);
        let count = |value: i32| usize::try_from(value).unwrap_or(0);
        Self {
            request_len_max_bytes: count(values.socket_request_max_bytes),
            request_memory_bytes: bytes(values.logan_request_memory_bytes),
            forward_memory_bytes: bytes(values.logan_request_memory_bytes) / FORWARD_MEMORY_PART,
            decoded_memory_bytes: (bytes(values.logan_request_memory_bytes) / DECODED_MEMORY_PART)
                .max(bytes(values.logan_request_decoded_bytes_max)),
            request_decoded_max_bytes: bytes(values.logan_request_decoded_bytes_max),
            response_memory_bytes: bytes(values.logan_response_queue_bytes)
                .saturating_mul(RESPONSE_MEMORY_QUEUES),
            response_len_max_bytes: bytes(values.logan_response_queue_bytes),
            responses_per_connection_max: count(values.queued_max_requests)
                .clamp(1, RESPONSES_PER_CONNECTION_MAX),
            fetch_sessions_max: count(values.max_incremental_fetch_session_cache_slots)
                .div_ceil(shard_count),
        }
    }
}

/// What a line of the log shows of a text that a client has made up, in bytes.
const SHOWN_BYTES_MAX: usize = 128;

/// The beginning of a text that a client has made up.
pub(crate) fn shortened(text: &str) -> &str {
    text.split_at(text.floor_char_boundary(SHOWN_BYTES_MAX)).0
}

/// Admits a bounded number of log lines a second, so that a hostile client cannot flood the log.
#[derive(Debug, Default)]
pub(crate) struct LogLimit {
    second: std::cell::Cell<u64>,
    used: std::cell::Cell<u32>,
}

/// Lines of one kind that are logged in a second.
const LOG_LINES_PER_SECOND: u32 = 5;

impl LogLimit {
    /// Whether another line may be logged.
    pub(crate) fn admit(&self, now: io::Instant) -> bool {
        let second = now.0 / 1_000_000_000;
        if self.second.replace(second) != second {
            self.used.set(0);
        }
        self.used.set(self.used.get() + 1);
        self.used.get() <= LOG_LINES_PER_SECOND
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_of_clients_are_cut_between_characters() {
        assert_eq!(shortened("app"), "app");
        let long = format!("{}ä", "x".repeat(SHOWN_BYTES_MAX - 1));
        assert_eq!(shortened(&long).len(), SHOWN_BYTES_MAX - 1);
    }
}
