//! The sending side of a connection: responses leave in the order of their requests, as Kafka promises.
//!
//! The queue is bounded, in responses and in bytes: a client that does not read its responses stops being read itself.
//! Responses that are ready together leave in one gathering write.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::Result;
use std::task::Poll;

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use io::WriteHalf;
use io::sync::Notify;

use crate::budget::AnswerCharge;
use crate::record_budget::RecordCharge;
use crate::requests::Made;
use crate::trace::Draft;

/// Ready responses are gathered until they exceed this size.
const GATHER_MAX_BYTES: usize = 1 << 20;

/// Bytes of ready responses from which on no further request is taken up.
const QUEUED_MAX_BYTES: usize = 256 << 10;

/// What a response was charged; given back when it is sent.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// The memory of its records.
    _records: Option<RecordCharge>,
    /// Its encoded fields, when they are many.
    _fields: Option<AnswerCharge>,
    /// When it was made, and for which request; not known of one that answers nothing that is offered.
    made: Option<Made>,
    /// Its span, if it was sampled.
    span: Option<Draft>,
}

impl Held {
    /// Holds the charges for the records of a response and for its fields.
    pub(crate) fn new(
        records: Option<RecordCharge>,
        fields: Option<AnswerCharge>,
        made: Made,
    ) -> Self {
        Self {
            _records: records,
            _fields: fields,
            made: Some(made),
            span: None,
        }
    }

    /// The same with the span of the request.
    pub(crate) fn traced(self, span: Option<Draft>) -> Self {
        Self { span, ..self }
    }

    /// The span of the request, if it was sampled.
    pub(crate) fn span(&self) -> Option<&Draft> {
        self.span.as_ref()
    }

    /// When the response was made, and for which request.
    pub(crate) fn made(&self) -> Option<Made> {
        self.made
    }
}

/// What becomes of a request.
#[derive(Debug)]
pub(crate) enum Response {
    /// These bytes go to the client, its size field included.
    Send(Vec<Bytes>, Held),
    /// The client expects nothing (acks=0).
    Silent,
    /// The connection ends, as Kafka does where an error cannot be told.
    Close,
}

/// A response that may still be in the making.
pub(crate) enum Pending {
    Ready(Response),
    Later(LocalBoxFuture<'static, Response>),
}

/// The responses that a connection owes, oldest first.
pub(crate) struct Outbound {
    capacity: usize,
    queue: RefCell<VecDeque<Pending>>,
    /// Bytes of the responses in it that are ready.
    queued_bytes: Cell<usize>,
    /// Responses that were pushed and are not completely sent.
    owed: Cell<usize>,
    /// The bytes of the responses that are being written, as opposed to being made.
    writing_bytes: Cell<u64>,
    finished: Cell<bool>,
    changed: Notify,
    sent_bytes: Cell<u64>,
}

impl Outbound {
    /// Makes an empty queue for `capacity` responses.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            queue: RefCell::default(),
            queued_bytes: Cell::new(0),
            owed: Cell::new(0),
            writing_bytes: Cell::new(0),
            finished: Cell::new(false),
            changed: Notify::new(),
            sent_bytes: Cell::new(0),
        }
    }

    /// Waits until another request may be taken up.
    pub(crate) async fn has_room(&self) {
        loop {
            let changed = self.changed.notified();
            if self.owed.get() < self.capacity && self.queued_bytes.get() < QUEUED_MAX_BYTES {
                return;
            }
            changed.await;
        }
    }

    /// Adds the response to the request that was read last.
    pub(crate) fn push(&self, pending: Pending) {
        self.owed.set(self.owed.get() + 1);
        self.queued_bytes
            .set(self.queued_bytes.get() + ready_bytes(&pending));
        self.queue.borrow_mut().push_back(pending);
        self.changed.notify_all();
    }

    /// Gives up every response that is owed.
    pub(crate) fn clear(&self) {
        let given_up = std::mem::take(&mut *self.queue.borrow_mut());
        drop(given_up);
    }

    /// No more responses follow: [`Outbound::send_all`] ends when the queue is empty.
    pub(crate) fn finish(&self) {
        self.finished.set(true);
        self.changed.notify_all();
    }

    /// Whether every response has been sent.
    pub(crate) fn is_idle(&self) -> bool {
        self.owed.get() == 0
    }

    /// How long the responses are that are being written, as opposed to being made; 0 if none is.
    pub(crate) fn writing_bytes(&self) -> u64 {
        self.writing_bytes.get()
    }

    /// Bytes sent since the connection began, for the sweep that closes stalled clients.
    pub(crate) fn sent_bytes(&self) -> u64 {
        self.sent_bytes.get()
    }

    /// Sends responses until [`Outbound::finish`], an error, or a response that closes the connection. `on_sent` is
    /// told of those that have left.
    ///
    /// # Errors
    /// What the stream reports.
    pub(crate) async fn send_all(
        &self,
        stream: &mut impl WriteHalf,
        on_sent: impl Fn(&[Held]),
    ) -> Result<()> {
        loop {
            let gathered = self.gather().await;
            if !gathered.chunks.is_empty() {
                self.writing_bytes.set(len_bytes(&gathered.chunks) as u64);
                io::write_all(stream, gathered.chunks, |sent| {
                    self.sent_bytes.set(self.sent_bytes.get() + sent as u64);
                })
                .await?;
                self.writing_bytes.set(0);
                on_sent(&gathered.held);
                drop(gathered.held);
                self.settle(gathered.responses);
            }
            if gathered.is_last {
                return Ok(());
            }
        }
    }

    fn settle(&self, responses: usize) {
        self.owed.set(self.owed.get() - responses);
        self.changed.notify_all();
    }

    /// Waits for the oldest response and adds those behind it that are ready.
    async fn gather(&self) -> Gathered {
        let mut gathered = Gathered {
            chunks: Vec::new(),
            held: Vec::new(),
            responses: 0,
            is_last: false,
        };
        let mut bytes = 0;
        while bytes < GATHER_MAX_BYTES {
            let Some(response) = self.next(gathered.chunks.is_empty()).await else {
                gathered.is_last = gathered.chunks.is_empty();
                return gathered;
            };
            match response {
                Response::Send(response, held) => {
                    gathered.held.push(held);
                    bytes += len_bytes(&response);
                    gathered.chunks.extend(response);
                    gathered.responses += 1;
                }
                Response::Silent => self.settle(1),
                Response::Close => {
                    gathered.is_last = true;
                    return gathered;
                }
            }
        }
        gathered
    }

    /// The oldest response. With `may_wait` it waits for one and gives `None` when no more will come; without, it
    /// gives `None` when the oldest is not ready.
    async fn next(&self, may_wait: bool) -> Option<Response> {
        loop {
            let front = self.queue.borrow_mut().pop_front();
            if let Some(pending) = &front {
                self.queued_bytes
                    .set(self.queued_bytes.get() - ready_bytes(pending));
            }
            match front {
                Some(Pending::Ready(response)) => return Some(response),
                Some(Pending::Later(future)) if may_wait => return Some(future.await),
                Some(Pending::Later(mut future)) => {
                    let polled =
                        poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await;
                    let Poll::Ready(response) = polled else {
                        self.queue.borrow_mut().push_front(Pending::Later(future));
                        return None;
                    };
                    return Some(response);
                }
                None if may_wait && !self.finished.get() => self.wait_for_work().await,
                None => return None,
            }
        }
    }

    async fn wait_for_work(&self) {
        loop {
            let changed = self.changed.notified();
            if !self.queue.borrow().is_empty() || self.finished.get() {
                return;
            }
            changed.await;
        }
    }
}

fn len_bytes(chunks: &[Bytes]) -> usize {
    chunks.iter().map(Bytes::len).sum()
}

/// The bytes that a response holds while it waits to be sent.
fn ready_bytes(pending: &Pending) -> usize {
    match pending {
        Pending::Ready(Response::Send(chunks, _)) => len_bytes(chunks),
        Pending::Ready(Response::Silent | Response::Close) | Pending::Later(_) => 0,
    }
}

/// Responses that leave together.
struct Gathered {
    chunks: Vec<Bytes>,
    held: Vec<Held>,
    responses: usize,
    /// Whether nothing may follow.
    is_last: bool,
}
