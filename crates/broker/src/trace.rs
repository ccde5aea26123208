//! Spans of sampled requests, for whoever exports them.
//!
//! On the shard's thread. Whether a request is sampled is decided when it is taken up; one that is not costs a branch, and
//! where nothing is traced all are such. A sampled request fills a [`RequestSpan`] on its way, which goes into a bounded mailbox
//! when its response has left; where there is no room it is counted and dropped. Nothing ever waits here.
//!
//! The context of a trace comes from the header `traceparent` of the first record of a batch. Of a produced one the first that
//! has any is the parent of the span, and whether it is sampled then is what that says; all others are links, at most
//! [`SPAN_LINKS_MAX`]. To find them costs little: at most [`BATCHES_MAX`] batches of a request are looked at, and compressed ones
//! only as far as their records are no more than [`UNPACKED_MAX_BYTES`].
//!
//! Deliberately absent: `tracestate`, baggage, and spans of anything but requests.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use io::{Instant, Io, Sender as _};
use metadata::MetadataImage;
use protocol::Str;
use protocol::messages::{FetchResponse, ProduceRequest};
use records::{BatchHeader, BatchReader, RecordIter, Scratch};
use types::{ErrorCode, Metric, RequestSpan, SPAN_LINKS_MAX, Sample, TraceContext, Uuid};

use crate::traffic::add;

/// Batches of one request that are looked at.
const BATCHES_MAX: usize = 16;
/// Records of one batch that are decompressed.
const UNPACKED_MAX_BYTES: usize = 64 << 10;
/// Headers of one record that are looked at.
const HEADERS_MAX: usize = 32;
/// The beginning of a client's id that is told.
const CLIENT_ID_BYTES_MAX: usize = 128;

/// The name of the header, by the W3C's recommendation and the conventions of OpenTelemetry.
const TRACEPARENT: &[u8] = b"traceparent";

static SPANS: Metric = Metric::counter(
    "logan_trace_spans",
    "Requests that were sampled for tracing and handed to the exporter.",
);
static SPANS_DROPPED: Metric = Metric::counter(
    "logan_trace_spans_dropped",
    "Requests that were sampled and not handed over, since the exporter does not keep up.",
);

/// A span that is being filled.
pub(crate) type Draft = Rc<RefCell<RequestSpan>>;

/// Samples the requests of a shard.
pub(crate) struct Tracing<I: Io> {
    sink: Option<I::Sender<RequestSpan>>,
    /// A random number below it, or equal, is a sampled request; 0 is none.
    threshold: Cell<u64>,
    handed_over: Cell<u64>,
    dropped: Cell<u64>,
}

impl<I: Io> Tracing<I> {
    /// Hands spans of this part of the requests to `sink`, if there is one.
    pub(crate) fn new(sink: Option<I::Sender<RequestSpan>>, ratio: f64) -> Self {
        let tracing = Self {
            sink,
            threshold: Cell::new(0),
            handed_over: Cell::new(0),
            dropped: Cell::new(0),
        };
        tracing.set_ratio(ratio);
        tracing
    }

    /// Samples this part of the requests from now on, if there is anybody to tell.
    pub(crate) fn set_ratio(&self, ratio: f64) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a float becomes the nearest integer that there is"
        )]
        let threshold = (ratio * u64::MAX as f64) as u64;
        let is_on = self.sink.is_some();
        self.threshold.set(if is_on { threshold } else { 0 });
    }

    /// Whether to sample the request that is taken up now.
    #[inline]
    pub(crate) fn samples(&self, io: &I) -> bool {
        let threshold = self.threshold.get();
        threshold != 0 && io.random() <= threshold
    }

    /// Hands over the span of a request whose response has left.
    pub(crate) fn ended(&self, draft: &Draft, now: Instant) {
        let mut span = draft.borrow().clone();
        // Whoever began the trace does not record it.
        let Some(sink) = self.sink.as_ref().filter(|_| span.context.is_sampled) else {
            return;
        };
        span.took = now.saturating_since(Instant(span.begun_nanos));
        match sink.try_send(span) {
            Ok(()) => add(&self.handed_over, 1),
            Err(_full) => add(&self.dropped, 1),
        }
    }

    /// The values of this moment.
    pub(crate) fn metrics(&self) -> Vec<Sample> {
        if self.sink.is_none() {
            return Vec::new();
        }
        vec![
            SPANS.is(self.handed_over.get()),
            SPANS_DROPPED.is(self.dropped.get()),
        ]
    }
}

/// A context of a trace that begins here.
pub(crate) fn new_context<I: Io>(io: &I) -> TraceContext {
    let mut trace_id = [0; 16];
    trace_id[..8].copy_from_slice(&io.random().to_be_bytes());
    // Not all zeroes: such an id is none.
    trace_id[8..].copy_from_slice(&(io.random() | 1).to_be_bytes());
    TraceContext {
        trace_id,
        span_id: (io.random() | 1).to_be_bytes(),
        is_sampled: true,
    }
}

/// As much of a client's id as is told.
pub(crate) fn client_id(id: &str) -> Box<str> {
    let len = id.floor_char_boundary(CLIENT_ID_BYTES_MAX);
    id.get(..len).unwrap_or_default().into()
}

/// Notes what a request produces, and in which traces.
pub(crate) fn note_produced(
    draft: &Draft,
    request: &ProduceRequest,
    image: &MetadataImage,
    scratch: &mut Scratch,
) {
    let mut span = draft.borrow_mut();
    let topics = request.topic_data.iter();
    let partitions = topics.flat_map(|topic| {
        let partitions = topic.partition_data.iter();
        partitions.map(move |it| ((&topic.name, topic.topic_id), it.index, it.records.as_ref()))
    });
    for (topic, index, records) in partitions.take(BATCHES_MAX) {
        note_place(&mut span, topic, index, image);
        let first = records.and_then(|it| it.chunks().first());
        if let Some(context) = first.and_then(|it| context_of(it, scratch)) {
            join_or_link(&mut span, context);
        }
    }
}

/// Notes what a response carries, and of which traces.
pub(crate) fn note_fetched(
    draft: &Draft,
    response: &FetchResponse,
    image: &MetadataImage,
    scratch: &mut Scratch,
) {
    let mut span = draft.borrow_mut();
    let topics = response.responses.iter();
    let partitions = topics.flat_map(|topic| {
        let partitions = topic.partitions.iter();
        partitions.map(move |it| {
            (
                (&topic.topic, topic.topic_id),
                it.partition_index,
                it.records.as_ref(),
            )
        })
    });
    for (topic, index, records) in partitions.take(BATCHES_MAX) {
        note_place(&mut span, topic, index, image);
        let first = records.and_then(|it| it.chunks().first());
        if let Some(context) = first.and_then(|it| context_of(it, scratch)) {
            link(&mut span, context);
        }
    }
}

/// Notes a topic, which is named or has an id, and a partition of it, where none is noted yet.
fn note_place(
    span: &mut RequestSpan,
    (name, id): (&Str, Uuid),
    partition: i32,
    image: &MetadataImage,
) {
    if span.partition.is_some() {
        return;
    }
    span.partition = Some(partition);
    let of_id = image.topic(id).map(|it| &*it.name);
    let name = if name.is_empty() {
        of_id
    } else {
        Some(&**name)
    };
    span.topic = name.map(Into::into);
}

/// Makes the first context the span's trace, and the others links.
fn join_or_link(span: &mut RequestSpan, context: TraceContext) {
    if span.parent.is_some() {
        return link(span, context);
    }
    span.parent = Some(context.span_id);
    span.context.trace_id = context.trace_id;
    span.context.is_sampled = context.is_sampled;
}

fn link(span: &mut RequestSpan, context: TraceContext) {
    let is_new = !span.links.contains(&context);
    if is_new && span.links.len() < SPAN_LINKS_MAX {
        span.links.push(context);
    }
}

/// The context of the first record of the batch that `bytes` begin with.
fn context_of(bytes: &[u8], scratch: &mut Scratch) -> Option<TraceContext> {
    let header = BatchHeader::parse_prefix(bytes).ok()?;
    let mut records = if header.is_compressed() {
        // Only a whole batch can be decompressed.
        let whole = BatchHeader::parse(bytes).ok()?;
        let batch = bytes.get(..whole.size_bytes)?;
        let mut reader = BatchReader::new(&whole, batch, scratch, UNPACKED_MAX_BYTES).ok()?;
        while reader.advance().ok()? {}
        reader.records()
    } else {
        RecordIter::new(&header, bytes.get(records::BATCH_HEADER_BYTES..)?)
    };
    let first = records.next()?.ok()?;
    let headers = first.headers().take(HEADERS_MAX);
    let mut headers = headers.filter(|it| it.key == TRACEPARENT);
    TraceContext::parse(headers.next()?.value?)
}

/// The first error of a response.
pub(crate) fn first_error(response: &impl protocol::Message) -> Option<ErrorCode> {
    let mut first = None;
    response.each_error(&mut |code| {
        if code != 0 && first.is_none() {
            first = Some(ErrorCode::from_code(code).unwrap_or(ErrorCode::UnknownServerError));
        }
    });
    first
}

#[cfg(test)]
mod tests {
    use records::{BatchBuilder, Compression, NewRecord};
    use types::{ShardId, TimestampMs};

    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    /// A batch whose first record has these headers, and whose second has this many bytes that do not compress well.
    fn batch(codec: Compression, headers: &[(&[u8], Option<&[u8]>)], bytes: u32) -> Vec<u8> {
        let noise = |seed: u32| seed.wrapping_mul(2_654_435_761).to_le_bytes()[3];
        let noise: Vec<u8> = (0..bytes).map(noise).collect();
        let mut builder = BatchBuilder::new(codec);
        for (headers, value) in [(headers, &[][..]), (&[], &noise)] {
            builder.push(&NewRecord {
                timestamp: TimestampMs(1_700_000_000_000),
                key: None,
                value: Some(value),
                headers,
            });
        }
        builder.build().expect("codecs work in memory")
    }

    fn found(batch: &[u8]) -> bool {
        context_of(batch, &mut Scratch::default()).is_some()
    }

    #[test]
    fn the_context_is_in_the_first_record_of_a_batch() {
        let other: (&[u8], Option<&[u8]>) = (b"other", Some(b"value"));
        let null: (&[u8], Option<&[u8]>) = (TRACEPARENT, None);
        let parent: (&[u8], Option<&[u8]>) = (TRACEPARENT, Some(PARENT.as_bytes()));
        for codec in [Compression::None, Compression::Lz4, Compression::Zstd] {
            assert!(found(&batch(codec, &[other, parent], 10)), "{codec:?}");
            assert!(!found(&batch(codec, &[other], 10)), "{codec:?}");
            assert!(!found(&batch(codec, &[null, parent], 10)), "{codec:?}");
        }
        let large = |codec| batch(codec, &[parent], 2 * 65_536);
        assert!(found(&large(Compression::None)), "one record is read of it");
        assert!(!found(&large(Compression::Lz4)), "it is not unpacked");
        let many = vec![other; HEADERS_MAX];
        assert!(!found(&batch(
            Compression::None,
            &[&many[..], &[parent]].concat(),
            1
        )));
    }

    #[test]
    fn a_piece_of_a_batch_is_read_as_far_as_it_goes() {
        let parent: (&[u8], Option<&[u8]>) = (TRACEPARENT, Some(PARENT.as_bytes()));
        let whole = batch(Compression::None, &[parent], 1_000);
        assert!(found(&whole[..whole.len() - 900]));
        let packed = batch(Compression::Zstd, &[parent], 1_000);
        for bytes in [whole, packed] {
            // Whatever is missing or wrong is no context, and nothing worse.
            for len in 0..bytes.len().min(300) {
                found(&bytes[..len]);
                let mut bent = bytes.clone();
                bent[len] ^= 0xFF;
                found(&bent);
            }
        }
    }

    #[test]
    fn the_first_trace_is_joined_and_a_few_others_are_linked() {
        let context = |number: u8| TraceContext {
            trace_id: [number; 16],
            span_id: [number; 8],
            is_sampled: number != 1,
        };
        let mut span = RequestSpan {
            context: context(99),
            parent: None,
            links: Vec::new(),
            api: "Produce",
            version: 13,
            correlation_id: 1,
            client_id: client_id("app"),
            peer: "127.0.0.1:1".parse().expect("an address"),
            shard: ShardId(0),
            begun_nanos: 0,
            took: std::time::Duration::ZERO,
            queue: std::time::Duration::ZERO,
            local: std::time::Duration::ZERO,
            awaited: std::time::Duration::ZERO,
            request_bytes: 0,
            response_bytes: 0,
            topic: None,
            partition: None,
            error: None,
        };
        for number in [1, 2, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11] {
            join_or_link(&mut span, context(number));
        }
        assert_eq!(span.context.trace_id, [1; 16]);
        assert_eq!(span.context.span_id, [99; 8], "its own");
        assert_eq!(span.parent, Some([1; 8]));
        assert!(!span.context.is_sampled, "its producer does not record it");
        let links: Vec<u8> = span.links.iter().map(|it| it.trace_id[0]).collect();
        assert_eq!(links, [2, 3, 4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn long_ids_of_clients_are_cut_between_characters() {
        assert_eq!(&*client_id("app"), "app");
        let long = format!("{}ä", "x".repeat(CLIENT_ID_BYTES_MAX - 1));
        assert_eq!(client_id(&long).len(), CLIENT_ID_BYTES_MAX - 1);
    }
}
