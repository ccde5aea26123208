//! What happens on its own: deadlines of groups, and the two sweeps that look through all groups, slice by slice.

use std::ops::Bound;

use protocol::Str;

use super::GroupCoordinator;
use crate::context::{Context, Instant};
use crate::decision::Decision;
use crate::group::{Group, GroupKind, Turn};
use crate::{classic, consumer, offsets};

/// Groups that one call looks at.
const GROUPS_PER_CALL_MAX: usize = 64;

/// Committed offsets that one call of a sweep looks at, beyond those of its last group.
const OFFSETS_PER_CALL_MAX: usize = 10_000;

/// A pass over all groups in the order of their ids.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    /// When it goes on; `None` if it is not to.
    next: Option<Instant>,
    /// Where it is: the last group that it looked at; `None` between two passes.
    after: Option<Str>,
    /// Whether another pass follows this one at once: there is something new to look for.
    again: bool,
}

impl Sweep {
    /// Asks for a pass that begins now, or as soon as the one that is under way has come to its end. A pass that began
    /// anew each time would never get to the last groups.
    fn ask(&mut self, now: Instant) {
        if self.after.is_some() {
            self.again = true;
        } else {
            self.next = Some(now);
        }
    }

    fn is_due(&self, now: Instant) -> bool {
        self.next.is_some_and(|at| at <= now)
    }

    /// Ends a pass. The next one begins at `next`, or now if it was asked for meanwhile.
    fn end(&mut self, now: Instant, next: Option<Instant>) {
        *self = Self {
            next: if self.again { Some(now) } else { next },
            after: None,
            again: false,
        };
    }
}

impl GroupCoordinator {
    /// Begins sessions and deadlines after the log was replayed.
    pub fn loaded(&mut self, context: &Context<'_>) -> Decision {
        let mut out = Decision::default();
        self.account.keep_left();
        let ids: Vec<Str> = self.groups.keys().cloned().collect();
        for id in &ids {
            self.with_group(context, &mut out, id, |group, turn| match &mut group.kind {
                GroupKind::Classic(classic) => classic.loaded(&group.id, turn),
                GroupKind::Consumer(consumer) => consumer.loaded(&group.id, turn),
            });
        }
        let check_interval = self.config.offsets_retention_check_interval;
        self.retention.next = Some(context.now.after(check_interval));
        // Topics may have been deleted while nobody looked.
        self.topics.ask(context.now);
        out
    }

    /// When [`GroupCoordinator::on_deadline`] is to be called; a time that has passed means at once.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let group = self.deadlines.first().map(|(at, _)| *at);
        [group, self.retention.next, self.topics.next]
            .into_iter()
            .flatten()
            .min()
    }

    /// Does what is due. It does a bounded part of it, so the host asks for the next deadline again.
    pub fn on_deadline(&mut self, context: &Context<'_>) -> Decision {
        let mut out = Decision::default();
        for _ in 0..GROUPS_PER_CALL_MAX {
            let due = self.deadlines.first().filter(|(at, _)| *at <= context.now);
            let Some((_, id)) = due.cloned() else { break };
            self.wake(context, &id, &mut out);
            if !out.records.is_empty() {
                // What two groups have to write need not fit one batch.
                return out;
            }
        }
        let (topics, retention) = (&self.topics, &self.retention);
        let (topics, retention) = (topics.is_due(context.now), retention.is_due(context.now));
        // By turns if there is work for both: neither waits for the end of the other's pass.
        if topics && !(retention && self.is_turn_of_retention) {
            self.is_turn_of_retention = true;
            self.sweep_topics(context, &mut out);
        } else if retention {
            self.is_turn_of_retention = false;
            self.sweep_retention(context, &mut out);
        }
        out
    }

    /// The set of topics, or their partitions, have changed. What follows from it is done by
    /// [`GroupCoordinator::on_deadline`], beginning now. Members of consumer groups find out at their heartbeats.
    pub fn topics_changed(&mut self, context: &Context<'_>) -> Decision {
        self.topics.ask(context.now);
        Decision::default()
    }

    /// Looks at a group whose time has come.
    fn wake(&mut self, context: &Context<'_>, id: &Str, out: &mut Decision) {
        let group = self
            .groups
            .get_mut(id)
            .expect("deadlines are those of groups that are there");
        let at = group.wake_at.take().expect("it has this deadline");
        self.deadlines.remove(&(at, id.clone()));
        self.with_group(context, out, id, |group, turn| {
            match &mut group.kind {
                GroupKind::Classic(classic) => classic::on_deadline(classic, &group.id, turn),
                GroupKind::Consumer(_) => consumer::on_deadline(group, turn),
            }
            if let Some(at) = group.earliest_deadline() {
                turn.wake_at(at);
            }
        });
    }

    /// Deletes the offsets of deleted topics.
    fn sweep_topics(&mut self, context: &Context<'_>, out: &mut Decision) {
        let ids = self.next_ids(self.topics.after.as_ref());
        let is_last = ids.len() < GROUPS_PER_CALL_MAX;
        let mut looked_at = 0;
        for id in &ids {
            self.topics.after = Some(id.clone());
            self.with_group(context, out, id, |group, turn| {
                looked_at += group.offsets.len();
                offsets::forget_deleted_topics(group, turn);
            });
            let writes = out.records.iter().any(|record| !record.is_tombstone());
            if writes || looked_at > OFFSETS_PER_CALL_MAX {
                return;
            }
        }
        if is_last {
            self.topics.end(context.now, None);
        }
    }

    /// Deletes expired offsets, and groups that have nothing left.
    fn sweep_retention(&mut self, context: &Context<'_>, out: &mut Decision) {
        let ids = self.next_ids(self.retention.after.as_ref());
        let is_last = ids.len() < GROUPS_PER_CALL_MAX;
        let mut looked_at = 0;
        for id in &ids {
            self.retention.after = Some(id.clone());
            self.with_group(context, out, id, |group, turn| {
                looked_at += group.offsets.len();
                clean_up(group, turn);
                group.entry.age();
            });
            if looked_at > OFFSETS_PER_CALL_MAX {
                return;
            }
        }
        if is_last {
            let check_interval = self.config.offsets_retention_check_interval;
            let next = context.now.after(check_interval);
            self.retention.end(context.now, Some(next));
        }
    }

    fn next_ids(&self, after: Option<&Str>) -> Vec<Str> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let groups = self.groups.range::<Str, _>((from, Bound::Unbounded));
        groups
            .take(GROUPS_PER_CALL_MAX)
            .map(|(id, _)| id.clone())
            .collect()
    }
}

/// Deletes what has expired of a group, and the group if it has neither offsets nor members.
fn clean_up(group: &mut Group, turn: &mut Turn<'_>) {
    let nothing_left = offsets::expire(group, turn);
    let is_idle = match &group.kind {
        GroupKind::Classic(classic) => classic.is_idle(),
        GroupKind::Consumer(consumer) => consumer.is_empty(),
    };
    if nothing_left && is_idle {
        group.tombstones(&mut turn.out.records);
    }
}
