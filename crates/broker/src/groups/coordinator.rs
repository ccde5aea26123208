//! A coordinator: the core of one partition of `__consumer_offsets`, with its log and its clock.
//!
//! A decision's records become one batch, or a few, which get their places in the log within the call, and are applied at once. Its
//! replies wait in a queue until the log is durable up to what had been decided by then: so many commits share one
//! sync, and nobody is told what a crash can take back. A decision without records on a durable log is answered at
//! once, which is what heartbeats meet.
//!
//! Lives on the shard that owns the partition. The queue of replies is bounded by those who wait: a request for each
//! that a connection may be owed.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::pin::pin;
use std::rc::Rc;

use futures_util::future::select;
use groups::{
    Caller, Census, Counters, Decision, GroupConfig, GroupCoordinator, GroupFacts, GroupFilter,
    GroupRecord, ListedPart, MemoryShares, Ticket,
};
use io::sync::{Answer, Notify, Promise, oneshot};
use io::{Defect, Instant, Io, TaskClass};
use protocol::Str;
use protocol::messages::OffsetCommitRequest;
use records::{BATCH_HEADER_BYTES, BatchBuilder, BatchHeader, Compression, ValidBatch};
use types::{ErrorCode, Event, Offset, TimestampMs};

use super::asking::{Answered, Asked, Asking};
use super::context::{Moment, instant, io_instant};
use super::framing;
use super::journal::By;
use super::settings;
use super::snapshots::{self, Due};
use crate::message::{AppendJob, PartitionKey};
use crate::partition::{Landing, Partition, Submitted};
use crate::shard::Shard;
use crate::topics::View;

/// Records of one batch of a decision that is split: one that only deletes.
const SPLIT_RECORDS_MAX: usize = 1_000;

/// Groups that a listing looks at within one step: some microseconds of work.
const GROUPS_PER_STEP: usize = 32;

/// Where a coordinator stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Its state is being read from the log.
    Loading,
    /// It decides.
    Active,
    /// Its state is not known, and why it cannot be.
    Failed,
    /// Its partition is another shard's, or gone.
    Ended,
}

/// The coordinator of one partition.
pub(crate) struct Coordinator<I: Io> {
    partition: Rc<Partition<I>>,
    phase: Cell<Phase>,
    core: RefCell<GroupCoordinator>,
    /// Who takes how much memory, in all coordinators of the shard.
    shares: MemoryShares,
    /// Who waits for an answer.
    waiting: RefCell<BTreeMap<Ticket, Promise<Answered>>>,
    next_ticket: Cell<u64>,
    /// Replies that are decided and may not leave yet, in the order of their decisions.
    held: RefCell<VecDeque<Held<I>>>,
    is_releasing: Cell<bool>,
    /// Where the next record will land.
    end: Cell<Offset>,
    /// What the clock task waits for.
    armed: Cell<Option<Instant>>,
    rearm: Notify,
    codec: Compression,
    due: Due,
    /// Rebalances that the flight recorder knows of.
    rebalances_noted: Cell<u64>,
}

/// Replies that leave when the log is durable up to `end`.
struct Held<I: Io> {
    end: Offset,
    /// The places of their batches, where the log has not taken them at once.
    landings: Vec<Answer<Landing<I>>>,
    replies: Vec<(Ticket, groups::Reply)>,
}

/// A request that a coordinator has and has not answered. Dropping it leaves the answer to be discarded.
pub(crate) struct InHand<I: Io> {
    coordinator: Rc<Coordinator<I>>,
    ticket: Ticket,
    answer: Answer<Answered>,
}

impl<I: Io> InHand<I> {
    /// Waits for the answer.
    pub(super) async fn answer(mut self) -> Answered {
        let answer = &mut self.answer;
        answer.await.unwrap_or(Err(ErrorCode::NotCoordinator))
    }
}

impl<I: Io> Drop for InHand<I> {
    fn drop(&mut self) {
        self.coordinator.waiting.borrow_mut().remove(&self.ticket);
    }
}

impl<I: Io> Coordinator<I> {
    /// A coordinator that is to be loaded.
    pub(super) fn new(
        partition: Rc<Partition<I>>,
        view: &View,
        config: &Rc<GroupConfig>,
        shares: &MemoryShares,
    ) -> Rc<Self> {
        let core = GroupCoordinator::beside(Rc::clone(config), shares.clone());
        Rc::new(Self {
            phase: Cell::new(Phase::Loading),
            core: RefCell::new(core),
            shares: shares.clone(),
            waiting: RefCell::default(),
            next_ticket: Cell::new(0),
            held: RefCell::default(),
            is_releasing: Cell::new(false),
            end: Cell::new(partition.log.log_end_offset()),
            armed: Cell::new(None),
            rearm: Notify::new(),
            codec: settings::codec(view),
            due: Due::default(),
            rebalances_noted: Cell::new(0),
            partition,
        })
    }

    pub(crate) fn key(&self) -> PartitionKey {
        self.partition.key
    }

    pub(super) fn partition(&self) -> &Rc<Partition<I>> {
        &self.partition
    }

    /// Takes over another configuration.
    pub(super) fn configure(&self, config: &Rc<GroupConfig>) {
        self.core.borrow_mut().configure(Rc::clone(config));
        self.rearm.notify_all();
    }

    /// Takes over another set of topics.
    pub(super) fn topics_changed(self: &Rc<Self>, shard: &Rc<Shard<I>>) {
        if self.phase.get() != Phase::Active {
            return;
        }
        let moment = Moment::new(&shard.io, shard.view());
        let decision = self.core.borrow_mut().topics_changed(&moment.context());
        self.carry_out(shard, &moment, decision);
        self.mind_deadline();
    }

    /// Applies records of the log, in their order, while it is loaded.
    pub(super) fn replay(&self, records: &[GroupRecord]) {
        self.core.borrow_mut().apply_all(records);
    }

    /// Begins to decide, with a log that ends at `end`; returns false if it has ended meanwhile.
    pub(super) fn begin(self: &Rc<Self>, shard: &Rc<Shard<I>>, end: Offset) -> bool {
        if self.phase.get() != Phase::Loading {
            return false;
        }
        self.end.set(end);
        self.phase.set(Phase::Active);
        let moment = Moment::new(&shard.io, shard.view());
        let decision = self.core.borrow_mut().loaded(&moment.context());
        self.carry_out(shard, &moment, decision);
        let (coordinator, owner) = (Rc::clone(self), Rc::clone(shard));
        shard.spawn(TaskClass::Foreground, async move {
            coordinator.keep_time(&owner).await;
        });
        let keeping = snapshots::keep(Rc::clone(shard), Rc::clone(self));
        shard.spawn(TaskClass::Background, keeping);
        true
    }

    /// Gives up: the state cannot be read.
    pub(super) fn give_up(&self) {
        if self.phase.get() == Phase::Loading {
            self.phase.set(Phase::Failed);
        }
    }

    /// Forgets what was loaded so far.
    pub(super) fn reset(&self, config: &Rc<GroupConfig>) {
        let empty = GroupCoordinator::beside(Rc::clone(config), self.shares.clone());
        self.core.replace(empty);
    }

    /// Counts for its snapshots.
    pub(super) fn due(&self) -> &Due {
        &self.due
    }

    /// How many groups it has.
    pub(super) fn census(&self) -> Census {
        self.core.borrow().census()
    }

    /// What it has done.
    pub(super) fn counters(&self) -> Counters {
        *self.core.borrow().counters()
    }

    /// About how many bytes its groups take.
    pub(super) fn memory_bytes(&self) -> usize {
        self.core.borrow().memory_bytes()
    }

    /// Where the next record will land.
    pub(super) fn log_end(&self) -> Offset {
        self.end.get()
    }

    /// All groups that there are now.
    pub(super) fn group_ids(&self) -> Vec<Str> {
        self.core.borrow().group_ids().cloned().collect()
    }

    /// What rebuilds a group, and the offset before which all of its records are in it.
    pub(super) fn snapshot_of(&self, group: &str) -> (Offset, Vec<GroupRecord>) {
        (self.end.get(), self.core.borrow().snapshot_of(group))
    }

    /// Whether it decides.
    pub(super) fn is_active(&self) -> bool {
        self.phase.get() == Phase::Active
    }

    /// Whether it is still to be loaded.
    pub(super) fn is_loading(&self) -> bool {
        self.phase.get() == Phase::Loading
    }

    /// Answers nobody any more but those whose answers only wait for the disk.
    pub(super) fn end(&self) {
        self.phase.set(Phase::Ended);
        self.rearm.notify_all();
        let held = self.held.borrow();
        let decided = held.iter().flat_map(|held| &held.replies);
        let decided: Vec<Ticket> = decided.map(|(ticket, _)| *ticket).collect();
        drop(held);
        let mut waiting = self.waiting.take();
        for ticket in decided {
            if let Some(promise) = waiting.remove(&ticket) {
                self.waiting.borrow_mut().insert(ticket, promise);
            }
        }
        for (_, promise) in waiting {
            promise.fulfil(Err(ErrorCode::NotCoordinator));
        }
    }

    /// Why it cannot be asked now, if it cannot.
    fn refusal(&self) -> Option<ErrorCode> {
        match self.phase.get() {
            Phase::Active => None,
            Phase::Loading => Some(ErrorCode::CoordinatorLoadInProgress),
            Phase::Failed => Some(ErrorCode::CoordinatorNotAvailable),
            Phase::Ended => Some(ErrorCode::NotCoordinator),
        }
    }

    /// Decides on a request.
    pub(super) fn ask(self: &Rc<Self>, shard: &Rc<Shard<I>>, mut asked: Asked) -> Asking<I> {
        if let groups::Request::OffsetCommit(commit) = &mut asked.request
            && I::has_defect(Defect::OldGeneration)
        {
            self.renew(commit);
        }
        if let Some(code) = self.refusal() {
            return Asking::Done(Err(code));
        }
        let ticket = Ticket(self.next_ticket.get());
        self.next_ticket.set(ticket.0 + 1);
        let caller = Caller {
            ticket,
            version: asked.version,
            client_id: asked.client_id,
            client_host: asked.client_host,
        };
        let (promise, answer) = oneshot();
        self.waiting.borrow_mut().insert(ticket, promise);
        let in_hand = InHand {
            coordinator: Rc::clone(self),
            ticket,
            answer,
        };
        let all_bytes = shard.coordinators.memory_bytes();
        let elsewhere_bytes = all_bytes.saturating_sub(self.memory_bytes());
        let view = shard.view();
        let max_bytes = view.config.values.logan_group_memory_bytes;
        let moment = Moment::new(&shard.io, view).beside(elsewhere_bytes);
        let refusals = self.counters().memory_refusals;
        let mut decision = self
            .core
            .borrow_mut()
            .decide(&moment.context(), &caller, asked.request);
        let by = By {
            client_id: &caller.client_id,
            client_host: &caller.client_host,
        };
        shard.log_groups(&std::mem::take(&mut decision.notes), Some(by));
        let refusals = self.counters().memory_refusals - refusals;
        let coordinators = &shard.coordinators;
        coordinators.refused_for_memory(refusals, shard.io.now(), &caller.client_host, max_bytes);
        self.carry_out(shard, &moment, decision);
        self.mind_deadline();
        Asking::Here(in_hand)
    }

    /// Gives a commit the present generation of its group.
    fn renew(&self, commit: &mut OffsetCommitRequest) {
        for record in self.core.borrow().snapshot_of(&commit.group_id) {
            if let GroupRecord::GroupMetadata {
                value: Some(value), ..
            } = record
            {
                commit.generation_id_or_member_epoch = value.generation;
            }
        }
    }

    /// A part of the groups that there are, beginning behind `after`.
    ///
    /// # Errors
    /// COORDINATOR_LOAD_IN_PROGRESS while it is being loaded.
    pub(super) fn list(
        &self,
        filter: &GroupFilter,
        after: Option<&Str>,
    ) -> Result<ListedPart, ErrorCode> {
        match self.refusal() {
            None => Ok(self.core.borrow().list(filter, after, GROUPS_PER_STEP)),
            Some(ErrorCode::CoordinatorLoadInProgress) => Err(ErrorCode::CoordinatorLoadInProgress),
            // Kafka leaves such partitions out.
            Some(_) => Ok(ListedPart::default()),
        }
    }

    /// The next group behind `after`; none while they are being loaded.
    pub(super) fn facts_after(&self, after: Option<&Str>) -> Option<GroupFacts> {
        self.refusal()
            .is_none()
            .then(|| self.core.borrow().facts_after(after))?
    }

    /// Writes and applies a decision's records, and sends its replies as soon as they may leave.
    fn carry_out(self: &Rc<Self>, shard: &Rc<Shard<I>>, moment: &Moment, decision: Decision) {
        shard.log_groups(&decision.notes, None);
        let landings = match self.write(moment, &decision) {
            Ok(landings) => landings,
            Err(code) => {
                tracing::error!(dir = %self.partition.log.dir().display(), error = code.name(),
                    "a group coordinator cannot write its log");
                return self.fail(shard);
            }
        };
        self.note_rebalances(shard);
        let replies = decision.replies;
        if replies.is_empty() && landings.is_empty() {
            return;
        }
        let end = self.end.get();
        let is_durable = landings.is_empty() && self.partition.log.durable_end_offset() >= end;
        if is_durable && self.held.borrow().is_empty() {
            return self.send(replies);
        }
        self.held.borrow_mut().push_back(Held {
            end,
            landings,
            replies,
        });
        if !self.is_releasing.replace(true) {
            let (coordinator, owner) = (Rc::clone(self), Rc::clone(shard));
            shard.spawn(TaskClass::Foreground, async move {
                coordinator.release(&owner).await;
            });
        }
    }

    /// Has the flight recorder know of rebalances that have ended.
    fn note_rebalances(&self, shard: &Shard<I>) {
        let ended = {
            let core = self.core.borrow();
            let counters = core.counters();
            counters.classic_rebalances + counters.consumer_rebalances_ended
        };
        let new = ended.saturating_sub(self.rebalances_noted.replace(ended));
        if new > 0 {
            let event = Event::GroupsRebalanced {
                partition: self.partition.log.identity().partition,
                rebalances: u32::try_from(new).unwrap_or(u32::MAX),
            };
            shard.io.record_now(event);
        }
    }

    fn send(&self, replies: Vec<(Ticket, groups::Reply)>) {
        let mut waiting = self.waiting.borrow_mut();
        let ready: Vec<_> = replies
            .into_iter()
            .filter_map(|(ticket, reply)| Some((waiting.remove(&ticket)?, reply)))
            .collect();
        drop(waiting);
        for (promise, reply) in ready {
            promise.fulfil(Ok(reply));
        }
    }

    /// Sends held replies as the log becomes durable, until there are none.
    async fn release(self: &Rc<Self>, shard: &Rc<Shard<I>>) {
        loop {
            let next = self
                .held
                .borrow_mut()
                .front_mut()
                .map(|held| (held.end, std::mem::take(&mut held.landings)));
            let Some((end, landings)) = next else { break };
            let mut landed = true;
            for landing in landings {
                landed &= matches!(landing.await, Some(Ok(_)));
            }
            if !landed || self.partition.log.wait_durable(end).await.is_err() {
                self.is_releasing.set(false);
                return self.fail(shard);
            }
            let Some(held) = self.held.borrow_mut().pop_front() else {
                break;
            };
            self.send(held.replies);
        }
        self.is_releasing.set(false);
    }

    /// Appends the records of a decision and applies them. Returns where those batches will land that the log has not
    /// taken at once.
    fn write(
        &self,
        moment: &Moment,
        decision: &Decision,
    ) -> Result<Vec<Answer<Landing<I>>>, ErrorCode> {
        let mut landings = Vec::new();
        let len_max_bytes = self.core.borrow().batch_len_max_bytes();
        let batches = decision.batches();
        for records in batches.flat_map(|batch| split(batch, len_max_bytes)) {
            let now = moment.wall_clock();
            let batch = encode(records, now, self.codec)?;
            match self.partition.submit(job(self.key(), batch, now)) {
                Submitted::Done(Ok(_)) => {}
                Submitted::Done(Err(code)) => return Err(code),
                Submitted::Queued(answer) => landings.push(answer),
            }
            let mut core = self.core.borrow_mut();
            for record in records {
                core.apply(record);
                self.end.set(Offset(self.end.get().0 + 1));
            }
        }
        self.due.count(decision.records.len());
        Ok(landings)
    }

    /// Nobody knows what of its decisions is in the log: everybody who waits is told to ask again, and a new coordinator
    /// reads what there is.
    fn fail(self: &Rc<Self>, shard: &Rc<Shard<I>>) {
        let was = self.phase.replace(Phase::Failed);
        let code = match was {
            Phase::Ended => {
                self.phase.set(was);
                ErrorCode::NotCoordinator
            }
            _ => ErrorCode::CoordinatorNotAvailable,
        };
        self.held.borrow_mut().clear();
        self.rearm.notify_all();
        for (_, promise) in self.waiting.take() {
            promise.fulfil(Err(code));
        }
        if was == Phase::Active {
            shard.replace_coordinator(self);
        }
    }

    /// Wakes the clock task if it would come too late.
    fn mind_deadline(&self) {
        let next = self.core.borrow().next_deadline().map(io_instant);
        let is_early = match (next, self.armed.get()) {
            (Some(next), Some(armed)) => next < armed,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if is_early {
            self.rearm.notify_all();
        }
    }

    /// Lets the core act at its deadlines, as long as it decides.
    async fn keep_time(self: Rc<Self>, shard: &Rc<Shard<I>>) {
        while self.phase.get() == Phase::Active {
            let rearmed = self.rearm.notified();
            let next = self.core.borrow().next_deadline();
            match next {
                Some(deadline) if deadline <= instant(shard.io.now()) => {
                    let moment = Moment::new(&shard.io, shard.view());
                    let decision = self.core.borrow_mut().on_deadline(&moment.context());
                    self.carry_out(shard, &moment, decision);
                    // Many sessions may end together.
                    shard.io.reschedule().await;
                }
                Some(deadline) => {
                    let deadline = io_instant(deadline);
                    self.armed.set(Some(deadline));
                    select(pin!(shard.io.sleep_until(deadline)), rearmed).await;
                }
                None => {
                    self.armed.set(None);
                    rearmed.await;
                }
            }
        }
    }
}

/// A batch of a decision as what is written: one that only deletes may be long, and need not be written as one.
fn split(records: &[GroupRecord], len_max_bytes: usize) -> impl Iterator<Item = &[GroupRecord]> {
    let only_deletes = records.iter().all(GroupRecord::is_tombstone);
    let mut rest = records;
    std::iter::from_fn(move || {
        let count = if only_deletes {
            fitting(rest, len_max_bytes)
        } else {
            rest.len()
        };
        let (batch, left) = rest.split_at(count);
        rest = left;
        (!batch.is_empty()).then_some(batch)
    })
}

/// How many of these records make one batch: one at least, if there are any.
fn fitting(records: &[GroupRecord], len_max_bytes: usize) -> usize {
    let mut room = len_max_bytes.saturating_sub(BATCH_HEADER_BYTES);
    let has_room = |record: &&GroupRecord| {
        let left = room.checked_sub(record.len_in_batch_bytes_bound());
        room = left.unwrap_or(0);
        left.is_some()
    };
    let count = records
        .iter()
        .take(SPLIT_RECORDS_MAX)
        .take_while(has_room)
        .count();
    count.max(1).min(records.len())
}

/// One batch of these records.
fn encode(
    records: &[GroupRecord],
    now: TimestampMs,
    codec: Compression,
) -> Result<Vec<u8>, ErrorCode> {
    let mut builder = BatchBuilder::new(codec);
    for record in records {
        framing::push(&mut builder, record, now);
    }
    builder.build().map_err(|error| {
        tracing::error!(%error, "cannot compress records of groups");
        ErrorCode::UnknownServerError
    })
}

fn job(key: PartitionKey, batch: Vec<u8>, now: TimestampMs) -> AppendJob {
    let header = BatchHeader::parse(&batch).expect("it was built here");
    AppendJob {
        key,
        valid: ValidBatch {
            header,
            max_timestamp: now,
            max_timestamp_offset_delta: 0,
            replacement: None,
        },
        batch: batch.into(),
        now,
        wait_durable: true,
    }
}
