//! Messages between the shards of one process.
//!
//! Every shard has three mailboxes: requests, control and replies. Nothing ever waits for room in one of them:
//! - A request needs a *credit* of its lane and its pair of shards. There are as many credits as the receiving
//!   mailbox has room for, so a request that holds one always fits.
//! - The credit is given back when the reply has arrived. The reply mailbox of a shard has room for one reply to
//!   each credit that the shard can hold, so a reply always fits too.
//!
//! Waiting for a credit is the only wait. It is first come, first served, and a shard that waits for one goes on
//! answering others, so no circle of shards can wait for each other.
//!
//! Watches (long polls) may hold their credit for seconds and have a lane of their own; control messages have one
//! too, so that neither can be starved by produce and fetch traffic. A barrier travels in the mailbox of the requests,
//! behind which it has to stay, with a credit of its own: the requests before it may wait for the very move of a partition
//! that it is part of.

use std::cell::RefCell;
use std::time::Duration;

use io::sync::{Answer, Permit, Promise, Semaphore, oneshot};
use io::{Defect, Instant, Io, Receiver as _, Sender as _};
use slab::Slab;
use types::{Event, MessageLane, ShardId};

use crate::budget::Reservation;
use crate::message::{Control, Reply, Request};

/// The lanes on which messages travel; each has credits of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lane {
    Request,
    Watch,
    Control,
    Barrier,
}

/// A message whose reply takes longer is noted.
const SLOW_MIN: Duration = Duration::from_millis(100);

/// Barriers that one shard may have under way to one other shard: partitions move one after the other.
const BARRIERS: usize = 1;

/// How many messages of each lane one shard may have under way to one other shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeshCredits {
    /// Appends, reads and look-ups.
    pub requests: usize,
    /// Long polls.
    pub watches: usize,
    /// Metadata, migration and shutdown.
    pub control: usize,
}

impl MeshCredits {
    /// What may be in the mailbox of requests.
    fn inbox(self) -> usize {
        self.requests + self.watches + BARRIERS
    }

    fn total(self) -> usize {
        self.inbox() + self.control
    }
}

/// A message with the way back for its reply.
#[derive(Debug)]
pub(crate) struct Envelope<T> {
    pub(crate) from: ShardId,
    slot: usize,
    pub(crate) body: T,
}

/// A reply on its way to the slot that waits for it.
#[derive(Debug)]
struct ReplyEnvelope {
    slot: usize,
    body: Reply,
}

/// One shard's ends of all mailboxes, made by [`mesh`] before the shards start; it moves to its shard's thread.
pub struct MeshPort<I: Io> {
    shard: ShardId,
    credits: MeshCredits,
    requests: I::Receiver<Envelope<Request>>,
    control: I::Receiver<Envelope<Control<I>>>,
    replies: I::Receiver<ReplyEnvelope>,
    peers: Vec<PeerSenders<I>>,
}

impl<I: Io> std::fmt::Debug for MeshPort<I> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MeshPort")
            .field("shard", &self.shard)
            .finish_non_exhaustive()
    }
}

struct PeerSenders<I: Io> {
    requests: I::Sender<Envelope<Request>>,
    control: I::Sender<Envelope<Control<I>>>,
    replies: I::Sender<ReplyEnvelope>,
}

impl<I: Io> Clone for PeerSenders<I> {
    fn clone(&self) -> Self {
        Self {
            requests: self.requests.clone(),
            control: self.control.clone(),
            replies: self.replies.clone(),
        }
    }
}

/// Makes the mailboxes of `shard_count` shards and returns each shard's port, by shard id.
///
/// # Panics
/// When there are more than 65,535 shards.
#[must_use]
pub fn mesh<I: Io>(shard_count: usize, credits: MeshCredits) -> Vec<MeshPort<I>> {
    let others = shard_count.saturating_sub(1).max(1);
    let mut senders = Vec::with_capacity(shard_count);
    let mut receivers = Vec::with_capacity(shard_count);
    for _ in 0..shard_count {
        let (requests, requests_in) = I::mailbox(credits.inbox() * others);
        let (control, control_in) = I::mailbox(credits.control * others);
        let (replies, replies_in) = I::mailbox(credits.total() * others);
        senders.push(PeerSenders::<I> {
            requests,
            control,
            replies,
        });
        receivers.push((requests_in, control_in, replies_in));
    }
    receivers
        .into_iter()
        .enumerate()
        .map(|(index, (requests, control, replies))| MeshPort {
            shard: ShardId(u16::try_from(index).expect("shards are numbered in 16 bits")),
            credits,
            requests,
            control,
            replies,
            peers: senders.clone(),
        })
        .collect()
}

/// A shard's access to the others, on its own thread.
pub(crate) struct Mesh<I: Io> {
    shard: ShardId,
    io: I,
    peers: Vec<Peer<I>>,
    waiting: RefCell<Slab<Waiting>>,
}

struct Peer<I: Io> {
    senders: PeerSenders<I>,
    requests: Semaphore,
    watches: Semaphore,
    control: Semaphore,
    barriers: Semaphore,
}

/// How many messages there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Depths {
    /// Requests that have not been taken up.
    pub(crate) requests: usize,
    /// Control messages, likewise.
    pub(crate) control: usize,
    /// Replies, likewise.
    pub(crate) replies: usize,
    /// Messages of this shard that have no reply yet.
    pub(crate) awaited: usize,
}

/// What a message holds until its reply has come, whoever still waits for it.
#[derive(Debug)]
struct Charge {
    _credit: Permit,
    /// What its memory was charged.
    _reservation: Option<Reservation>,
}

impl From<Permit> for Charge {
    fn from(credit: Permit) -> Self {
        Self {
            _credit: credit,
            _reservation: None,
        }
    }
}

#[derive(Debug)]
struct Waiting {
    promise: Promise<Reply>,
    _charge: Charge,
    posted: Posted,
}

/// When a message was sent, where to, and how.
#[derive(Clone, Copy, Debug)]
struct Posted {
    at: Instant,
    to: ShardId,
    lane: Lane,
}

/// The receiving sides, each for one loop of the shard.
pub(crate) struct Inboxes<I: Io> {
    pub(crate) requests: I::Receiver<Envelope<Request>>,
    pub(crate) control: I::Receiver<Envelope<Control<I>>>,
    pub(crate) replies: Replies<I>,
}

/// The mailbox of replies, for [`Mesh::deliver_replies`].
pub(crate) struct Replies<I: Io>(I::Receiver<ReplyEnvelope>);

/// The right to send one request to a shard; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct MayRequest {
    to: ShardId,
    credit: Permit,
}

/// A reply that is under way. Dropping it leaves the reply to be discarded when it arrives.
pub(crate) type PendingReply = Answer<Reply>;

impl<I: Io> Mesh<I> {
    pub(crate) fn new(port: MeshPort<I>, io: I) -> (Self, Inboxes<I>) {
        let credits = port.credits;
        let peers = port
            .peers
            .into_iter()
            .map(|senders| Peer {
                senders,
                requests: Semaphore::new(credits.requests),
                watches: Semaphore::new(credits.watches),
                control: Semaphore::new(credits.control),
                barriers: Semaphore::new(BARRIERS),
            })
            .collect();
        let mesh = Self {
            shard: port.shard,
            io,
            peers,
            waiting: RefCell::default(),
        };
        let inboxes = Inboxes {
            requests: port.requests,
            control: port.control,
            replies: Replies(port.replies),
        };
        (mesh, inboxes)
    }

    /// This shard.
    pub(crate) fn shard(&self) -> ShardId {
        self.shard
    }

    /// Every shard, this one included.
    pub(crate) fn shards(&self) -> impl Iterator<Item = ShardId> + use<I> {
        (0..u16::try_from(self.peers.len()).expect("shards are numbered in 16 bits")).map(ShardId)
    }

    /// Sends a request and returns when it is in the owner's mailbox; requests of one task arrive in order.
    pub(crate) async fn request(&self, to: ShardId, body: Request) -> PendingReply {
        let may = self.may_request(to).await;
        self.request_now(may, body, None)
    }

    /// Waits until one request may be sent to a shard: [`Mesh::request_now`] sends it.
    pub(crate) async fn may_request(&self, to: ShardId) -> MayRequest {
        let credit = self.credit(to, Lane::Request).await;
        MayRequest { to, credit }
    }

    /// Sends a request at once, with what its memory was charged.
    pub(crate) fn request_now(
        &self,
        MayRequest { to, credit }: MayRequest,
        body: Request,
        reservation: Option<Reservation>,
    ) -> PendingReply {
        let charge = Charge {
            _credit: credit,
            _reservation: reservation,
        };
        self.post(
            (to, Lane::Request),
            charge,
            |peer, envelope| peer.requests.try_send(envelope).is_ok(),
            body,
        )
    }

    /// Sends a long poll on its own lane.
    pub(crate) async fn watch(&self, to: ShardId, body: Request) -> PendingReply {
        let credit = self.credit(to, Lane::Watch).await;
        self.post(
            (to, Lane::Watch),
            credit.into(),
            |peer, envelope| peer.requests.try_send(envelope).is_ok(),
            body,
        )
    }

    /// Completes when a shard has taken every request that was sent to it before, whatever those wait for.
    pub(crate) async fn barrier(&self, to: ShardId) {
        let credit = self.credit(to, Lane::Barrier).await;
        let passed = self.post(
            (to, Lane::Barrier),
            credit.into(),
            |peer, envelope| peer.requests.try_send(envelope).is_ok(),
            Request::Barrier,
        );
        passed.await;
    }

    /// Sends a control message; the reply is [`Reply::Done`] or the message's own.
    pub(crate) async fn control(&self, to: ShardId, body: Control<I>) -> PendingReply {
        let credit = self.credit(to, Lane::Control).await;
        self.post(
            (to, Lane::Control),
            credit.into(),
            |peer, envelope| peer.control.try_send(envelope).is_ok(),
            body,
        )
    }

    /// Answers a message.
    pub(crate) fn reply_to(&self, to: ReturnAddress, body: Reply) {
        let envelope = ReplyEnvelope {
            slot: to.slot,
            body,
        };
        // A full reply mailbox is impossible (see the module's comment); a closed one means that shard has ended.
        if self
            .peer(to.shard)
            .senders
            .replies
            .try_send(envelope)
            .is_err()
        {
            tracing::debug!(shard = to.shard.0, "a reply found its shard gone");
        }
    }

    /// Hands every arriving reply to the task that waits for it; runs until the process ends.
    pub(crate) async fn deliver_replies(&self, replies: &Replies<I>) {
        while let Some(mut envelope) = replies.0.recv().await {
            if I::has_defect(Defect::WrongConnection) {
                self.deliver_another(replies, &mut envelope);
            }
            let waiting = self.waiting.borrow_mut().try_remove(envelope.slot);
            let waiting = waiting.expect("every reply belongs to a request of this shard");
            self.note_slow(waiting.posted);
            waiting.promise.fulfil(envelope.body);
        }
    }

    /// Has the flight recorder know of a message whose reply has come late.
    fn note_slow(&self, posted: Posted) {
        let lane = match posted.lane {
            Lane::Request => MessageLane::Request,
            Lane::Control => MessageLane::Control,
            // Long polls take as long as they please, and barriers as long as what is before them.
            Lane::Watch | Lane::Barrier => return,
        };
        let now = self.io.now();
        let took = now.saturating_since(posted.at);
        if took >= SLOW_MIN {
            let shard = posted.to;
            self.io
                .record(now, Event::MessageSlow { shard, lane, took });
        }
    }

    /// Delivers the reply that has arrived next, in exchange for the body of `envelope` if both are of one kind.
    fn deliver_another(&self, replies: &Replies<I>, envelope: &mut ReplyEnvelope) {
        let Some(mut another) = replies.0.try_recv() else {
            return;
        };
        let kinds = [&another.body, &envelope.body].map(std::mem::discriminant);
        if kinds[0] == kinds[1] {
            std::mem::swap(&mut another.body, &mut envelope.body);
        }
        let waiting = self.waiting.borrow_mut().try_remove(another.slot);
        if let Some(waiting) = waiting {
            waiting.promise.fulfil(another.body);
        }
    }

    /// How many messages wait for this shard, and how many of its own wait for a reply.
    pub(crate) fn depths(&self) -> Depths {
        let own = &self.peer(self.shard).senders;
        Depths {
            requests: own.requests.depth(),
            control: own.control.depth(),
            replies: own.replies.depth(),
            awaited: self.waiting.borrow().len(),
        }
    }

    fn peer(&self, shard: ShardId) -> &Peer<I> {
        &self.peers[usize::from(shard.0)]
    }

    async fn credit(&self, to: ShardId, lane: Lane) -> Permit {
        let peer = self.peer(to);
        let credits = match lane {
            Lane::Request => &peer.requests,
            Lane::Watch => &peer.watches,
            Lane::Control => &peer.control,
            Lane::Barrier => &peer.barriers,
        };
        credits.acquire(1).await
    }

    fn post<T>(
        &self,
        (to, lane): (ShardId, Lane),
        charge: Charge,
        send: impl FnOnce(&PeerSenders<I>, Envelope<T>) -> bool,
        body: T,
    ) -> PendingReply {
        let (promise, answer) = oneshot();
        let slot = self.waiting.borrow_mut().insert(Waiting {
            promise,
            _charge: charge,
            posted: Posted {
                at: self.io.now(),
                to,
                lane,
            },
        });
        let envelope = Envelope {
            from: self.shard,
            slot,
            body,
        };
        if I::has_defect(Defect::LoseMessage) {
            return answer;
        }
        if !send(&self.peer(to).senders, envelope) {
            // With a credit there is room, so the receiving shard has ended: the answer completes with `None`.
            drop(self.waiting.borrow_mut().try_remove(slot));
        }
        answer
    }
}

/// Where a reply goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReturnAddress {
    shard: ShardId,
    slot: usize,
}

impl ReturnAddress {
    /// Who asks.
    pub(crate) fn shard(self) -> ShardId {
        self.shard
    }
}

impl<T> Envelope<T> {
    pub(crate) fn return_address(&self) -> ReturnAddress {
        ReturnAddress {
            shard: self.from,
            slot: self.slot,
        }
    }
}
