//! The host of consumer groups: one [`Coordinator`] for each partition of `__consumer_offsets` that this shard owns.
//!
//! The crate `groups` decides; what is here gives it the time, the topics and a log. A coordinator comes when its
//! partition has its log here, is loaded from it, and goes with it. Requests reach it through [`Asking`], from
//! connections of this shard and, through the mesh, of the others.
//!
//! # Invariants
//! - A reply leaves when the log is durable up to everything that it could have been decided on.
//! - Nobody but its coordinator appends to a partition of `__consumer_offsets`, so that where records will land is
//!   known when they are decided.
//! - After a failed append a coordinator is never used again: what it decided may be in the log or not, and a new one is
//!   loaded from there.
//!
//! Deliberately absent: what requests mean, which is the core's.

mod asking;
mod context;
mod coordinator;
mod framing;
mod journal;
mod load;
mod metrics;
mod rows;
mod settings;
mod snapshots;
mod topic;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use groups::{Counters, GroupConfig, MemoryShares};
use io::{Instant, Io, TaskClass};
use rustc_hash::FxHashMap;
use types::ErrorCode;

use crate::message::PartitionKey;
use crate::partition::Partition;
use crate::shard::Shard;
use crate::topics::View;

pub(crate) use asking::{Answered, Asked, Asking, GroupAnswer, GroupJob, ListedGroups};
pub(crate) use coordinator::Coordinator;
pub(crate) use topic::{OFFSETS_TOPIC, is_internal, new_offsets_topic};

/// The coordinators of a shard.
pub(crate) struct Coordinators<I: Io> {
    by_partition: RefCell<FxHashMap<PartitionKey, Rc<Coordinator<I>>>>,
    /// Who waits for coordinators of other shards.
    awaiting: asking::Awaiting,
    /// What coordinators have counted that are no more.
    past: Cell<Counters>,
    refusals: Refusals,
    /// Who takes how much memory for groups.
    shares: MemoryShares,
    /// What the shard's view holds groups to, for all coordinators; `None` until one is there.
    config: RefCell<Option<Rc<GroupConfig>>>,
    /// Whether the shard drains: nothing is loaded any more.
    are_closed: Cell<bool>,
}

/// Requests that were refused since groups take too much memory, and that the log has not spoken of.
#[derive(Debug, Default)]
struct Refusals {
    count: Cell<u64>,
    /// When the log may speak of it again.
    next: Cell<Instant>,
}

/// How often the log speaks of requests that are refused for memory, at most.
const REFUSALS_LOG_INTERVAL: Duration = Duration::from_secs(10);

impl<I: Io> Default for Coordinators<I> {
    fn default() -> Self {
        Self {
            by_partition: RefCell::default(),
            awaiting: asking::Awaiting::default(),
            past: Cell::default(),
            refusals: Refusals::default(),
            shares: MemoryShares::default(),
            config: RefCell::default(),
            are_closed: Cell::new(false),
        }
    }
}

impl<I: Io> Coordinators<I> {
    fn of(&self, key: PartitionKey) -> Option<Rc<Coordinator<I>>> {
        self.by_partition.borrow().get(&key).map(Rc::clone)
    }

    fn all(&self) -> Vec<Rc<Coordinator<I>>> {
        self.by_partition.borrow().values().map(Rc::clone).collect()
    }

    /// About how many bytes the groups of all coordinators take.
    fn memory_bytes(&self) -> usize {
        let coordinators = self.by_partition.borrow();
        coordinators.values().map(|it| it.memory_bytes()).sum()
    }

    /// Counts requests of a client that were refused for want of memory, and says so in the log now and then.
    fn refused_for_memory(&self, count: u64, now: Instant, client_host: &str, max_bytes: i64) {
        let Refusals { count: sum, next } = &self.refusals;
        sum.set(sum.get() + count);
        if count == 0 || now < next.get() {
            return;
        }
        next.set(now + REFUSALS_LOG_INTERVAL);
        tracing::warn!(
            client_host,
            refused = sum.take(),
            bytes = self.memory_bytes(),
            max_bytes,
            "groups take all the memory that they may have on this shard (logan.group.memory.bytes): what would take more is refused"
        );
    }
}

impl<I: Io> Shard<I> {
    /// The coordinator of a partition of `__consumer_offsets`.
    ///
    /// # Errors
    /// COORDINATOR_LOAD_IN_PROGRESS while the partition is on its way here, COORDINATOR_NOT_AVAILABLE when its log
    /// could not be opened, and NOT_COORDINATOR when it is elsewhere.
    pub(crate) fn coordinator(&self, key: PartitionKey) -> Result<Rc<Coordinator<I>>, ErrorCode> {
        if let Some(coordinator) = self.coordinators.of(key) {
            return Ok(coordinator);
        }
        Err(match self.partition(key) {
            Ok(_) => ErrorCode::CoordinatorLoadInProgress,
            Err(ErrorCode::KafkaStorageError) => ErrorCode::CoordinatorNotAvailable,
            Err(_) if self.view().owner(key) == Some(self.id()) => {
                ErrorCode::CoordinatorLoadInProgress
            }
            Err(_) => ErrorCode::NotCoordinator,
        })
    }

    /// Starts the coordinators of partitions that have come, and ends those of partitions that have gone.
    pub(crate) fn follow_groups(self: &Rc<Self>) {
        if self.coordinators.are_closed.get() {
            return;
        }
        let view = self.view();
        let topic = view.image.topic_named(OFFSETS_TOPIC);
        let keys = topic.into_iter().flat_map(|topic| {
            let partitions = (0..).zip(&topic.partitions);
            let own = partitions.filter(|(_, image)| image.shard == Some(self.id()));
            own.map(|(index, _)| PartitionKey {
                topic_id: topic.id,
                index,
            })
        });
        // One whose log is about to be replaced comes back with the other log.
        let here: Vec<Rc<Partition<I>>> = keys
            .filter_map(|key| self.partition(key).ok())
            .filter(|partition| !partition.is_held())
            .collect();
        let is_current = |it: &Coordinator<I>| {
            here.iter()
                .any(|partition| Rc::ptr_eq(partition, it.partition()))
        };
        self.end_all(|coordinator| !is_current(coordinator));
        for partition in here {
            if self.coordinators.of(partition.key).is_none() {
                self.start_coordinator(partition);
            }
        }
    }

    /// Ends the coordinators of partitions that are about to be let go of.
    pub(crate) fn end_coordinators(&self, is_gone: impl Fn(PartitionKey) -> bool) {
        self.end_all(|coordinator| is_gone(coordinator.key()));
    }

    fn end_all(&self, is_gone: impl Fn(&Coordinator<I>) -> bool) {
        let coordinators = self.coordinators.all();
        for coordinator in coordinators.iter().filter(|it| is_gone(it)) {
            self.coordinators
                .by_partition
                .borrow_mut()
                .remove(&coordinator.key());
            self.keep_counters(coordinator);
            coordinator.end();
        }
    }

    /// Keeps what a coordinator has counted that is about to go.
    fn keep_counters(&self, coordinator: &Coordinator<I>) {
        let mut past = self.coordinators.past.get();
        past.add(&coordinator.counters());
        self.coordinators.past.set(past);
    }

    /// Ends all coordinators, for good: who waits for a rebalance asks elsewhere.
    pub(crate) fn close_coordinators(&self) {
        self.coordinators.are_closed.set(true);
        self.end_coordinators(|_| true);
    }

    fn start_coordinator(self: &Rc<Self>, partition: Rc<Partition<I>>) {
        let config = self.group_config();
        let shares = &self.coordinators.shares;
        let coordinator = Coordinator::new(partition, &self.view(), &config, shares);
        self.coordinators
            .by_partition
            .borrow_mut()
            .insert(coordinator.key(), Rc::clone(&coordinator));
        let shard = Rc::clone(self);
        self.spawn(TaskClass::Foreground, async move {
            load::load(&shard, &coordinator).await;
        });
    }

    /// Puts a new coordinator into the place of one that has failed, if its log can still be written.
    fn replace_coordinator(self: &Rc<Self>, failed: &Rc<Coordinator<I>>) {
        let key = failed.key();
        let is_current = self
            .coordinators
            .of(key)
            .is_some_and(|it| Rc::ptr_eq(&it, failed));
        if !is_current || self.coordinators.are_closed.get() {
            return;
        }
        let partition = self.partition(key).ok();
        if let Some(partition) = partition.filter(|it| !it.log.is_fenced()) {
            self.keep_counters(failed);
            self.start_coordinator(partition);
        }
    }

    /// What groups are held to: one for all coordinators.
    fn group_config(&self) -> Rc<GroupConfig> {
        let mut config = self.coordinators.config.borrow_mut();
        let config = config.get_or_insert_with(|| Rc::new(settings::of(&self.view())));
        Rc::clone(config)
    }

    /// Tells the coordinators of new topics and of new configurations.
    pub(crate) fn tell_coordinators(self: &Rc<Self>, before: &View, view: &View) {
        let known = self.coordinators.config.borrow().as_ref().map(Rc::clone);
        let config = known.and_then(|known| settings::after(&known, before, view));
        if let Some(config) = config {
            for coordinator in self.coordinators.all() {
                coordinator.configure(&config);
            }
            self.coordinators.config.replace(Some(config));
        }
        let has_new_topics = before.image.topics_version() != view.image.topics_version();
        for coordinator in self.coordinators.all() {
            if has_new_topics {
                coordinator.topics_changed(self);
            }
        }
    }
}
