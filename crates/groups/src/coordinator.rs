//! The registry of a coordinator's groups, and who handles what.
//!
//! Deadlines are kept for whole groups: [`Group::wake_at`] may be too early, which costs a look, and never too late.

use std::collections::{BTreeMap, BTreeSet};

use protocol::Str;
use types::Offset;

use crate::config::GroupConfig;
use crate::consumer::{self, ConsumerGroup};
use crate::context::{Caller, Context, Instant};
use crate::decision::{Decision, Request};
use crate::group::{Group, GroupKind, Turn};
use crate::record::GroupRecord;

/// The state of one partition of `__consumer_offsets`.
#[derive(Debug)]
pub struct GroupCoordinator {
    config: GroupConfig,
    groups: BTreeMap<Str, Group>,
    deadlines: BTreeSet<(Instant, Str)>,
}

impl GroupCoordinator {
    /// A coordinator of an empty log. With a log that is not empty: [`GroupCoordinator::apply`] of all its records,
    /// then [`GroupCoordinator::loaded`], and only then anything else.
    #[must_use]
    pub fn new(config: GroupConfig) -> Self {
        Self {
            config,
            groups: BTreeMap::new(),
            deadlines: BTreeSet::new(),
        }
    }

    /// Decides about a request. The reply may come with this decision or, for one that waits, with a later one.
    pub fn decide(&mut self, context: &Context<'_>, caller: &Caller, request: Request) -> Decision {
        let mut decision = Decision::default();
        match request {
            Request::ConsumerGroupHeartbeat(request) => {
                self.with_new_group(context, &mut decision, &request.group_id, |group, turn| {
                    consumer::heartbeat(group, turn, caller, &request);
                });
            }
            _ => {}
        }
        decision
    }

    /// Changes durable state. The host applies the records of each decision at once, in order, and at loading those
    /// of the newest snapshot and then of the log behind it. Tombstones of what is not there change nothing.
    pub fn apply(&mut self, record: &GroupRecord, offset: Offset) {
        let id = record.group_id();
        if !self.groups.contains_key(&**id) {
            if record.is_tombstone() {
                return;
            }
            let id = id.detached();
            self.groups.insert(id.clone(), Group::new(id));
        }
        let group = self
            .groups
            .get_mut(&**id)
            .expect("was just looked up or inserted");
        match (record, &mut group.kind) {
            (GroupRecord::OffsetCommit { key, value }, _) => {
                group.offsets.apply(key, value.as_ref(), offset);
            }
            (GroupRecord::GroupMetadata { value, .. }, GroupKind::Classic(classic)) => {
                classic.apply(value.as_ref());
            }
            (GroupRecord::GroupMetadata { .. }, GroupKind::Consumer(_)) => {}
            (record, GroupKind::Consumer(consumer)) => consumer.apply(record),
            (record, GroupKind::Classic(_)) => {
                let mut consumer = ConsumerGroup::default();
                consumer.apply(record);
                group.kind = GroupKind::Consumer(consumer);
            }
        }
    }

    /// Begins sessions and deadlines after the log was replayed.
    pub fn loaded(&mut self, _context: &Context<'_>) -> Decision {
        Decision::default()
    }

    /// When [`GroupCoordinator::on_deadline`] is to be called; a time that has passed means at once.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Does what is due. It does a bounded part of it, so the host asks for the next deadline again.
    pub fn on_deadline(&mut self, _context: &Context<'_>) -> Decision {
        Decision::default()
    }

    /// The set of topics, or their partitions, have changed.
    pub fn topics_changed(&mut self, _context: &Context<'_>) -> Decision {
        Decision::default()
    }

    /// Holds groups to another configuration from now on.
    pub fn configure(&mut self, config: GroupConfig) {
        self.config = config;
    }

    /// All groups, also those that have nothing but offsets, in ascending order.
    pub fn group_ids(&self) -> impl Iterator<Item = &Str> {
        self.groups.keys()
    }

    /// Records that rebuild what is durable of a group, its offsets included, in an order in which they can be
    /// applied; none for a group that is not there.
    #[must_use]
    pub fn snapshot_of(&self, _group_id: &str) -> Vec<GroupRecord> {
        Vec::new()
    }

    /// Works on a group, which is made if it is not there, and forgotten again if nothing came of it.
    fn with_new_group(
        &mut self,
        context: &Context<'_>,
        out: &mut Decision,
        id: &Str,
        work: impl FnOnce(&mut Group, &mut Turn<'_>),
    ) {
        if !self.groups.contains_key(&**id) {
            let id = id.detached();
            self.groups.insert(id.clone(), Group::new(id));
        }
        let group = self
            .groups
            .get_mut(&**id)
            .expect("was just looked up or inserted");
        let mut turn = Turn {
            context,
            config: &self.config,
            out,
            wake_at: None,
        };
        work(group, &mut turn);
    }
}
