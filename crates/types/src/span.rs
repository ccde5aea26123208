//! What a sampled request tells a tracing system, and the context by which traces of several programs become one.
//!
//! Plain values; a shard fills one for each sampled request, and others encode and export them.
//! Source: W3C Trace Context (level 1), `traceparent`.

use std::net::SocketAddr;
use std::time::Duration;

use crate::{ErrorCode, ShardId};

/// Other traces that one span is linked to.
pub const SPAN_LINKS_MAX: usize = 8;

/// The place of a span in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace, not all zeroes.
    pub trace_id: [u8; 16],
    /// The span, not all zeroes.
    pub span_id: [u8; 8],
    /// Whether whoever began the trace records it.
    pub is_sampled: bool,
}

impl TraceContext {
    /// Reads the value of a `traceparent`; `None` when it is none.
    ///
    /// Later versions of the format may have more behind the flags, which is passed over.
    #[must_use]
    pub fn parse(traceparent: &[u8]) -> Option<Self> {
        let (known, rest) = traceparent.split_at_checked(55)?;
        let version = hex::<1>(&known[..2])?[0];
        let has_more = !rest.is_empty();
        if version == 0xFF || (has_more && (version == 0 || rest[0] != b'-')) {
            return None;
        }
        if [2, 35, 52].iter().any(|at| known[*at] != b'-') {
            return None;
        }
        let trace_id = hex(&known[3..35])?;
        let span_id = hex(&known[36..52])?;
        let [flags] = hex(&known[53..55])?;
        let is_valid = trace_id != [0; 16] && span_id != [0; 8];
        is_valid.then_some(Self {
            trace_id,
            span_id,
            is_sampled: flags & 1 != 0,
        })
    }
}

/// Lower-case hexadecimal digits, two for each byte.
fn hex<const BYTES: usize>(digits: &[u8]) -> Option<[u8; BYTES]> {
    let digit = |it: u8| match it {
        b'0'..=b'9' => Some(it - b'0'),
        b'a'..=b'f' => Some(it - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; BYTES];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

/// A request from its last byte read to the last byte of its response written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestSpan {
    /// Its own place.
    pub context: TraceContext,
    /// The span that it is a part of, if its trace began elsewhere.
    pub parent: Option<[u8; 8]>,
    /// Other traces that its records belong to, at most [`SPAN_LINKS_MAX`].
    pub links: Vec<TraceContext>,
    /// The name of the API.
    pub api: &'static str,
    /// Its version.
    pub version: i16,
    /// What the client counts its requests by.
    pub correlation_id: i32,
    /// What the client calls itself.
    pub client_id: Box<str>,
    /// The client's address.
    pub peer: SocketAddr,
    /// The shard that has served it.
    pub shard: ShardId,
    /// When its last byte was read, in nanoseconds of the monotonic clock.
    pub begun_nanos: u64,
    /// How long it took.
    pub took: Duration,
    /// How much of that it waited for its handler, ...
    pub queue: Duration,
    /// ... the handler took, ...
    pub local: Duration,
    /// ... and it waited for disks, other shards and clients.
    pub awaited: Duration,
    /// The size of the request.
    pub request_bytes: u64,
    /// The size of the response.
    pub response_bytes: u64,
    /// The first topic that it names, where it produces or fetches.
    pub topic: Option<Box<str>>,
    /// The first partition of it.
    pub partition: Option<i32>,
    /// The first error code of the response.
    pub error: Option<ErrorCode>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn the_example_of_the_specification_is_read() {
        let context = TraceContext::parse(EXAMPLE.as_bytes()).expect("a context");
        assert_eq!(context.trace_id[..3], [0x0a, 0xf7, 0x65]);
        assert_eq!(context.span_id[5..], [0x20, 0x33, 0x31]);
        assert!(context.is_sampled);
        let not_sampled = EXAMPLE.replace("-01", "-00");
        let context = TraceContext::parse(not_sampled.as_bytes()).expect("a context");
        assert!(!context.is_sampled);
    }

    #[test]
    fn later_versions_may_say_more() {
        let of_later = EXAMPLE.replacen("00", "cc", 1);
        let later = format!("{of_later}-what-comes");
        assert!(TraceContext::parse(later.as_bytes()).is_some());
        let later = format!("{of_later}what-comes");
        assert_eq!(TraceContext::parse(later.as_bytes()), None);
    }

    #[test]
    fn what_is_no_context_is_none() {
        let zero_trace = "00-00000000000000000000000000000000-b7ad6b7169203331-01";
        let zero_span = "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01";
        let upper_case = EXAMPLE.to_uppercase();
        let longer = format!("{EXAMPLE}-more");
        let version_ff = EXAMPLE.replacen("00", "ff", 1);
        let other_dash = EXAMPLE.replace("-b7", "_b7");
        let wrong = [
            "",
            "00",
            EXAMPLE.trim_end_matches('1'),
            zero_trace,
            zero_span,
            &upper_case,
            &longer,
            &version_ff,
            &other_dash,
        ];
        for text in wrong {
            assert_eq!(TraceContext::parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(TraceContext::parse(&[0xFF; 55]), None);
    }
}
