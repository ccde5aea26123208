//! The receiving side of a connection: bytes become frames.
//!
//! An idle connection owns no buffer. When bytes arrive they are read into the shard's one hot buffer, and the
//! frames that are complete there are handed out without a copy. Only the beginning of an incomplete frame moves
//! into memory of its own, which is charged to the shard's request budget in steps as its bytes arrive.
//!
//! Source: the Kafka protocol's framing, a big-endian 32-bit size before each request.

use std::cell::{Cell, RefCell};
use std::io::{Error, ErrorKind, Result};
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use io::ReadHalf;

use crate::budget::{RequestBudget, Reservation};

/// The size field before each frame.
const SIZE_FIELD_BYTES: usize = 4;

/// The shard's receive buffer.
const HOT_BUFFER_BYTES: usize = 1 << 20;

/// Unused hot buffers that a shard keeps.
const HOT_BUFFERS_KEPT_MAX: usize = 2;

/// Hot buffers that connections may use at the same time. One would do if no request ever had to wait for its log.
const HOT_BUFFERS_MAX: usize = 16;

/// What a connection receives into when all hot buffers are in use, and the most that it receives at once while the
/// request budget is short: what may lie in memory, uncharged, of each connection that waits.
const SMALL_BUFFER_BYTES: usize = 64 << 10;

/// The first step in which an incomplete frame is charged to the budget; each step doubles what is charged...
const RESERVATION_STEP_MIN_BYTES: usize = 4 << 10;

/// ... up to this many bytes at once.
const RESERVATION_STEP_MAX_BYTES: usize = 256 << 10;

/// Buffers of incomplete frames up to this size are kept for reuse.
const FRAME_BUFFER_REUSED_MAX_BYTES: usize = 1 << 20;

/// Unused frame buffers that a shard keeps.
const FRAME_BUFFERS_KEPT_MAX: usize = 8;

/// A complete request, without its size field.
#[derive(Debug)]
pub(crate) struct Frame {
    /// Header and body.
    pub(crate) bytes: Bytes,
    /// What it was charged; given back when the request's bytes are no longer needed.
    pub(crate) reservation: Option<Reservation>,
}

/// The receive buffers of a shard. Clones are handles of the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReceiveBuffers {
    shared: Rc<BuffersShared>,
}

#[derive(Debug, Default)]
struct BuffersShared {
    /// Hot buffers that no connection is using.
    hot: RefCell<Vec<BytesMut>>,
    /// Hot buffers that connections are using.
    hot_in_use: Cell<usize>,
    frames: RefCell<Vec<BytesMut>>,
}

/// A buffer that a connection receives into. Dropping it gives it back.
#[derive(Debug)]
struct Borrowed {
    /// Empty while it is lent to requests.
    buffer: BytesMut,
    lent: Bytes,
    buffers: ReceiveBuffers,
    is_hot: bool,
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        if !self.is_hot {
            return;
        }
        let shared = &self.buffers.shared;
        shared.hot_in_use.set(shared.hot_in_use.get() - 1);
        let lent = std::mem::take(&mut self.lent);
        let buffer = if lent.is_empty() {
            std::mem::take(&mut self.buffer)
        } else if let Ok(buffer) = lent.try_into_mut() {
            buffer
        } else {
            // While a request of it is still under way elsewhere, the memory belongs to that request.
            return;
        };
        let mut hot = shared.hot.borrow_mut();
        if hot.len() < HOT_BUFFERS_KEPT_MAX {
            hot.push(buffer);
        }
    }
}

impl ReceiveBuffers {
    /// A buffer to receive into: a hot one, or a small one where connections whose requests wait for a log hold all
    /// of those. It never waits, so that small requests are served however short memory is.
    fn borrow(&self) -> Borrowed {
        let shared = &self.shared;
        let is_hot = shared.hot_in_use.get() < HOT_BUFFERS_MAX;
        let buffer = if is_hot {
            shared.hot_in_use.set(shared.hot_in_use.get() + 1);
            let kept = shared.hot.borrow_mut().pop();
            kept.unwrap_or_else(|| BytesMut::zeroed(HOT_BUFFER_BYTES))
        } else {
            BytesMut::zeroed(SMALL_BUFFER_BYTES)
        };
        Borrowed {
            buffer,
            lent: Bytes::new(),
            buffers: self.clone(),
            is_hot,
        }
    }

    /// A zeroed or reused buffer of exactly `len` bytes.
    fn take_frame(&self, len: usize) -> BytesMut {
        if len <= FRAME_BUFFER_REUSED_MAX_BYTES
            && let Some(mut buffer) = self.shared.frames.borrow_mut().pop()
        {
            // Whatever it held is overwritten before it is read: `Partial::filled` says how far.
            buffer.resize(len, 0);
            return buffer;
        }
        // The operating system gives zeroed pages as they are touched, so a large frame costs what has arrived.
        BytesMut::zeroed(len)
    }

    /// Takes back the memory of a frame that nothing refers to any more.
    pub(crate) fn recycle(&self, frame: Bytes) {
        if frame.len() > FRAME_BUFFER_REUSED_MAX_BYTES {
            return;
        }
        let mut frames = self.shared.frames.borrow_mut();
        if frames.len() < FRAME_BUFFERS_KEPT_MAX
            && let Ok(buffer) = frame.try_into_mut()
        {
            frames.push(buffer);
        }
    }
}

/// Progress of a frame that is under way, for the sweep that closes stalled clients.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Bytes received since the connection began.
    pub(crate) received_bytes: Cell<u64>,
    /// Whether a frame has begun and is not complete.
    pub(crate) is_mid_frame: Cell<bool>,
    /// The length of that frame, or of the last one that came in parts.
    pub(crate) frame_len: Cell<u64>,
    /// Whether it waits for the budget rather than for its client.
    pub(crate) waits_for_budget: Cell<bool>,
}

/// Cuts a connection's bytes into frames.
#[derive(Debug)]
pub(crate) struct Inbound {
    frame_len_max: usize,
    budget: RequestBudget,
    /// What was read and not handed out yet: whole frames, and perhaps the head of one.
    read_ahead: Bytes,
    partial: Option<Partial>,
    /// The buffer that `read_ahead` is a slice of.
    borrowed: Option<Borrowed>,
}

/// A frame of which only the head has arrived.
#[derive(Debug)]
struct Partial {
    /// The whole frame with its size field; filled to `filled`.
    buffer: BytesMut,
    filled: usize,
    reservation: Reservation,
}

impl Inbound {
    /// Begins with `read_ahead`, the bytes that came before the connection arrived on this shard.
    pub(crate) fn new(frame_len_max: usize, budget: RequestBudget, read_ahead: Bytes) -> Self {
        Self {
            frame_len_max,
            budget,
            read_ahead,
            partial: None,
            borrowed: None,
        }
    }

    /// The next request, or `None` when the client has closed the connection between requests.
    ///
    /// # Errors
    /// `InvalidData` for a size that is negative or above the limit, `UnexpectedEof` inside a frame, and what the
    /// stream reports.
    pub(crate) async fn next_frame(
        &mut self,
        stream: &mut impl ReadHalf,
        buffers: &ReceiveBuffers,
        progress: &Progress,
    ) -> Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.cut_complete_frame()? {
                progress.is_mid_frame.set(false);
                return Ok(Some(frame));
            }
            self.keep_head_of_next_frame(buffers, progress).await?;
            if let Some(partial) = self.partial.take() {
                progress.is_mid_frame.set(true);
                let frame = fill(partial, stream, progress).await?;
                progress.is_mid_frame.set(false);
                return Ok(Some(frame));
            }
            let between_frames = self.read_ahead.is_empty();
            progress.is_mid_frame.set(!between_frames);
            if !self.receive(stream, buffers, progress).await? {
                return if between_frames {
                    Ok(None)
                } else {
                    Err(Error::from(ErrorKind::UnexpectedEof))
                };
            }
        }
    }

    /// The bytes that were read and not handed out, when the connection moves to another shard.
    pub(crate) fn take_unread(&mut self) -> Bytes {
        assert!(self.partial.is_none(), "a connection moves between frames");
        // A copy, so that the hot buffer stays with its shard.
        Bytes::copy_from_slice(&std::mem::take(&mut self.read_ahead))
    }

    fn cut_complete_frame(&mut self) -> Result<Option<Frame>> {
        let Some(len) = next_frame_len(&self.read_ahead, self.frame_len_max)? else {
            return Ok(None);
        };
        if self.read_ahead.len() < SIZE_FIELD_BYTES + len {
            return Ok(None);
        }
        let mut bytes = self.read_ahead.split_to(SIZE_FIELD_BYTES + len);
        drop(bytes.split_to(SIZE_FIELD_BYTES));
        Ok(Some(Frame {
            bytes,
            reservation: None,
        }))
    }

    /// Moves the head of an incomplete frame out of the receive buffer, and gives that back before waiting for memory.
    async fn keep_head_of_next_frame(
        &mut self,
        buffers: &ReceiveBuffers,
        progress: &Progress,
    ) -> Result<()> {
        let head = std::mem::take(&mut self.read_ahead);
        let Some(len) = next_frame_len(&head, self.frame_len_max)? else {
            self.read_ahead = Bytes::copy_from_slice(&head);
            drop(head);
            self.borrowed = None;
            return Ok(());
        };
        let total = SIZE_FIELD_BYTES + len;
        progress.frame_len.set(total as u64);
        let mut reservation = self.budget.reservation();
        let charge = total.min(head.len().max(RESERVATION_STEP_MIN_BYTES));
        let head = if reservation.try_grow(charge) {
            head
        } else {
            let copy = Bytes::copy_from_slice(&head);
            drop(head);
            self.borrowed = None;
            progress.waits_for_budget.set(true);
            reservation.grow(charge).await;
            progress.waits_for_budget.set(false);
            copy
        };
        let mut buffer = buffers.take_frame(total);
        buffer[..head.len()].copy_from_slice(&head);
        self.partial = Some(Partial {
            buffer,
            filled: head.len(),
            reservation,
        });
        drop(head);
        self.borrowed = None;
        Ok(())
    }

    /// Reads what has arrived into the hot buffer; `false` at the end of the stream.
    async fn receive(
        &mut self,
        stream: &mut impl ReadHalf,
        buffers: &ReceiveBuffers,
        progress: &Progress,
    ) -> Result<bool> {
        loop {
            let head_len = self.read_ahead.len();
            let mut borrowed = buffers.borrow();
            let end = if self.budget.is_short() {
                SMALL_BUFFER_BYTES
            } else {
                borrowed.buffer.len()
            };
            let Some(received) = stream.try_read(&mut borrowed.buffer[head_len..end])? else {
                drop(borrowed);
                stream.readable().await?;
                continue;
            };
            if received == 0 {
                return Ok(false);
            }
            let received_bytes = progress.received_bytes.get() + received as u64;
            progress.received_bytes.set(received_bytes);
            borrowed.buffer[..head_len].copy_from_slice(&self.read_ahead);
            borrowed.lent = std::mem::take(&mut borrowed.buffer).freeze();
            self.read_ahead = borrowed.lent.slice(..head_len + received);
            self.borrowed = Some(borrowed);
            return Ok(true);
        }
    }
}

/// The length of the frame that begins here, once its size field is there.
fn next_frame_len(bytes: &[u8], frame_len_max: usize) -> Result<Option<usize>> {
    let Some(size) = bytes.first_chunk::<SIZE_FIELD_BYTES>() else {
        return Ok(None);
    };
    let size = i32::from_be_bytes(*size);
    match usize::try_from(size) {
        Ok(len) if len <= frame_len_max => Ok(Some(len)),
        Ok(_) | Err(_) => Err(Error::new(
            ErrorKind::InvalidData,
            format!("a request of {size} bytes; socket.request.max.bytes is {frame_len_max}"),
        )),
    }
}

/// Reads the rest of a frame into its own buffer.
async fn fill(
    mut partial: Partial,
    stream: &mut impl ReadHalf,
    progress: &Progress,
) -> Result<Frame> {
    let total = partial.buffer.len();
    while partial.filled < total {
        let reserved = partial.reservation.bytes();
        if partial.filled == reserved {
            let step = reserved
                .min(RESERVATION_STEP_MAX_BYTES)
                .min(total - reserved);
            progress.waits_for_budget.set(true);
            partial.reservation.grow(step).await;
            progress.waits_for_budget.set(false);
        }
        let end = partial.reservation.bytes().min(total);
        let received = stream
            .read(&mut partial.buffer[partial.filled..end])
            .await?;
        if received == 0 {
            return Err(Error::from(ErrorKind::UnexpectedEof));
        }
        progress
            .received_bytes
            .set(progress.received_bytes.get() + received as u64);
        partial.filled += received;
    }
    let bytes = partial.buffer.freeze().slice(SIZE_FIELD_BYTES..);
    Ok(Frame {
        bytes,
        reservation: Some(partial.reservation),
    })
}
