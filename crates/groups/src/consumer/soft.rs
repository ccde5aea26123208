//! What a consumer group's coordinator knows beyond the log: who was heard of when, and what was looked at.
//!
//! Soft state begins anew when the coordinator is loaded. Deadlines are noted lazily: a heartbeat moves a session on
//! without touching the order of deadlines, and a deadline that comes up is compared with what it has become.
//!
//! # Invariants
//! - A member's noted deadline is not later than the earliest of its deadlines.
//! - Members that are gone have no entry.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use protocol::Str;
use types::TimestampMs;

use crate::context::{Context, Instant};
use crate::memory::{CONSUMER_MEMBERS_BYTES, TIMERS_BYTES};

/// The soft state of a group.
#[derive(Debug, Default)]
pub(super) struct Soft {
    members: BTreeMap<Str, Timers>,
    deadlines: BTreeSet<(Instant, Str)>,
    pub(super) looked: Looked,
    pub(super) rebalance: Option<Rebalance>,
    /// Since when there are no members, or since when nobody has seen any: the log does not say it.
    pub(super) empty_since: Option<TimestampMs>,
}

/// A group that is not at rest.
#[derive(Debug)]
pub(super) struct Rebalance {
    /// Since when.
    pub(super) began: Instant,
    /// A member that was seen not to have what it is to have: the one to look at first.
    pub(super) laggard: Option<Str>,
}

/// Why a member is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// It was not heard of.
    Session,
    /// It holds others up.
    Rebalance,
}

/// What of the cluster's topics has been looked at.
#[derive(Clone, Debug, Default)]
pub(super) struct Looked {
    /// The version of the topics that the group epoch was last compared with.
    pub(super) topics_version: Option<u64>,
    pub(super) regexes: Refreshed,
    /// Until when no target assignment is computed, because the last one did not fit.
    pub(super) target_put_off: Option<Instant>,
}

/// When a member is given up.
#[derive(Debug, Default)]
pub(super) struct Timers {
    /// When it was last heard of.
    pub(super) seen: Instant,
    /// If it is not heard of until then.
    pub(super) session: Option<Instant>,
    /// If it has not given its partitions away by then and is at this epoch still.
    pub(super) rebalance: Option<(Instant, i32)>,
    /// If it, speaking the classic protocol, has not joined again by then.
    pub(super) join: Option<Instant>,
    /// If it, speaking the classic protocol, has not fetched its assignment by then.
    pub(super) sync: Option<Instant>,
    noted: Option<Instant>,
}

impl Timers {
    fn earliest(&self) -> Option<Instant> {
        let rebalance = self.rebalance.map(|(at, _)| at);
        [self.session, rebalance, self.join, self.sync]
            .into_iter()
            .flatten()
            .min()
    }

    fn due(&self, now: Instant, epoch: i32) -> Option<Due> {
        if self.session.is_some_and(|at| at <= now) {
            return Some(Due::Session);
        }
        let rebalance = self
            .rebalance
            .filter(|(_, begun)| *begun == epoch)
            .map(|(at, _)| at);
        [rebalance, self.join, self.sync]
            .into_iter()
            .flatten()
            .any(|at| at <= now)
            .then_some(Due::Rebalance)
    }
}

impl Soft {
    /// Whether there are no members.
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Bytes that it takes in memory, roughly; ids are those of members.
    pub(super) fn memory_bytes(&self) -> usize {
        let some = if self.members.is_empty() {
            0
        } else {
            CONSUMER_MEMBERS_BYTES
        };
        some + self.members.len() * TIMERS_BYTES
    }

    /// When a member was last heard of.
    pub(super) fn seen(&self, member_id: &str) -> Option<Instant> {
        self.members.get(member_id).map(|timers| timers.seen)
    }

    /// Why a member, which is at `epoch`, is to be given up at `now`; `None` if it is not.
    pub(super) fn due(&self, member_id: &str, now: Instant, epoch: i32) -> Option<Due> {
        self.members.get(member_id)?.due(now, epoch)
    }

    /// A member was heard of: its session ends `session` from now.
    pub(super) fn heard_of(&mut self, member_id: &Str, now: Instant, session: Duration) {
        self.change(member_id, |timers| {
            timers.seen = now;
            timers.session = Some(now.after(session));
        });
    }

    /// Changes a member's timers.
    pub(super) fn change(&mut self, member_id: &Str, change: impl FnOnce(&mut Timers)) {
        if !self.members.contains_key(&**member_id) {
            self.members.insert(member_id.detached(), Timers::default());
        }
        let timers = self
            .members
            .get_mut(&**member_id)
            .expect("was just looked up or inserted");
        change(timers);
        let earliest = timers.earliest();
        let is_noted_in_time = match (timers.noted, earliest) {
            (Some(noted), Some(earliest)) => noted <= earliest,
            (_, None) => true,
            (None, Some(_)) => false,
        };
        if !is_noted_in_time {
            self.note(member_id, earliest);
        }
    }

    /// Forgets a member.
    pub(super) fn forget(&mut self, member_id: &Str) {
        self.note(member_id, None);
        self.members.remove(&**member_id);
    }

    /// The earliest deadline of any member; it may have been put off since.
    pub(super) fn earliest(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Takes the members whose noted deadline has come. Each is to be forgotten, settled, or to come up again.
    pub(super) fn come_up(&mut self, now: Instant) -> Vec<Str> {
        let mut members = Vec::new();
        while self.deadlines.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, member_id)) = self.deadlines.pop_first() else {
                break;
            };
            if let Some(timers) = self.members.get_mut(&*member_id) {
                timers.noted = None;
            }
            members.push(member_id);
        }
        members
    }

    /// Notes the next deadline of a member that came up and stays. A rebalance timeout that has passed without effect
    /// was that of an epoch which the member has left.
    pub(super) fn settle(&mut self, member_id: &Str, now: Instant) {
        self.change(member_id, |timers| {
            timers.rebalance = timers.rebalance.filter(|(at, _)| *at > now);
        });
    }

    /// Lets a member come up again at once that came up.
    pub(super) fn come_up_again(&mut self, member_id: &Str) {
        self.change(member_id, |_timers| {});
    }

    /// Moves the deadlines of a member that have passed on to `until`.
    pub(super) fn put_off(&mut self, member_id: &Str, now: Instant, until: Instant) {
        self.change(member_id, |timers| {
            let rebalance = timers.rebalance.as_mut().map(|(at, _)| at);
            let others = [&mut timers.session, &mut timers.join, &mut timers.sync];
            for at in others
                .into_iter()
                .filter_map(Option::as_mut)
                .chain(rebalance)
            {
                if *at <= now {
                    *at = until;
                }
            }
        });
    }

    fn note(&mut self, member_id: &Str, at: Option<Instant>) {
        let Some(timers) = self.members.get_mut(&**member_id) else {
            return;
        };
        if let Some(noted) = timers.noted.take() {
            self.deadlines.remove(&(noted, member_id.clone()));
        }
        if let Some(at) = at {
            timers.noted = Some(at);
            self.deadlines.insert((at, member_id.detached()));
        }
    }
}

/// How far the refreshing of expressions has come.
#[derive(Clone, Debug, Default)]
pub(super) struct Refreshed {
    /// The version of the topics that they were, or are being, matched with.
    pub(super) version: Option<u64>,
    /// When that began.
    pub(super) at: Option<Instant>,
    /// While it is under way: the last expression that is done, in their order.
    progress: Option<Option<Str>>,
}

impl Refreshed {
    pub(super) fn is_under_way(&self) -> bool {
        self.progress.is_some()
    }

    /// Whether expressions are to be matched again: because topics have changed, or because it is long ago.
    pub(super) fn is_stale(
        &self,
        context: &Context<'_>,
        interval: Duration,
        interval_min: Duration,
    ) -> bool {
        let Some(at) = self.at else {
            return true;
        };
        let since = context.now.since(at);
        let topics_changed = self.version != Some(context.topics.version());
        since >= interval || (topics_changed && since >= interval_min)
    }

    pub(super) fn begin(&mut self, version: u64, now: Instant) {
        self.version = Some(version);
        self.at = Some(now);
        self.progress = Some(None);
    }

    pub(super) fn is_left(&self, regex: &Str) -> bool {
        match &self.progress {
            Some(Some(done)) => regex > done,
            Some(None) => true,
            None => false,
        }
    }

    pub(super) fn done_up_to(&mut self, regex: Str) {
        self.progress = Some(Some(regex));
    }

    pub(super) fn end(&mut self) {
        self.progress = None;
    }
}
