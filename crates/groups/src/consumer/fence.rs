//! Members that leave or are given up: at their own wish, at the end of their session, or because they hold others up.
//!
//! All that is due at a time and fits one batch of records goes in one step with one new group epoch.

use std::rc::Rc;
use std::time::Duration;

use super::draft::Draft;
use super::member::Member;
use super::soft::Due;
use super::{Refusal, commit, consumer_of, convert, regexes, target};
use crate::group::{Group, GroupKind, Turn};
use crate::note::Happened;
use crate::record::BATCH_OVERHEAD_BYTES;

/// How many members one step gives up, a bound on its work. What fits a batch bounds its records.
const FENCED_MAX: usize = 1_000;

/// How long a member stays that cannot be removed.
const RETRY_INTERVAL: Duration = Duration::from_secs(10);

/// What is due at `turn.context.now`: sessions, rebalance timeouts, and those of members that speak the classic
/// protocol.
pub(crate) fn on_deadline(group: &mut Group, turn: &mut Turn<'_>) {
    let now = turn.context.now;
    let GroupKind::Consumer(consumer) = &mut group.kind else {
        return;
    };
    let mut due = Vec::new();
    for member_id in consumer.soft.come_up(now) {
        let Some(member) = consumer.state.member(&member_id) else {
            consumer.soft.forget(&member_id);
            continue;
        };
        match consumer.soft.due(&member_id, now, member.epoch) {
            Some(reason) if due.len() < FENCED_MAX => due.push((Rc::clone(member), reason)),
            Some(_) => consumer.soft.come_up_again(&member_id),
            None => consumer.soft.settle(&member_id, now),
        }
    }
    let draft = Draft::new(&group.id, &consumer.state, &consumer.soft.looked, turn);
    // The rest is due still, and so comes next.
    for (member, _) in due.split_off(fitting(&draft, turn, &due)) {
        consumer.soft.come_up_again(&member.member_id);
    }
    consumer.note_deadline(turn);
    if due.is_empty() {
        return;
    }
    let (given_up, reasons): (Vec<_>, Vec<_>) = due.into_iter().unzip();
    if remove(draft, group, turn, &given_up).is_ok() {
        for (member, due) in given_up.iter().zip(reasons) {
            note_removal(group, turn, member, words(due));
            match due {
                Due::Session => turn.counters.consumer_sessions_expired += 1,
                Due::Rebalance => turn.counters.consumer_rebalances_missed += 1,
            }
        }
    } else if let GroupKind::Consumer(consumer) = &mut group.kind {
        // One member with enormous ids does not fit a batch. Perhaps it does when the topic's configuration has
        // changed.
        for member in given_up {
            consumer
                .soft
                .put_off(&member.member_id, now, now.after(RETRY_INTERVAL));
        }
        consumer.note_deadline(turn);
    }
}

fn words(due: Due) -> &'static str {
    match due {
        Due::Session => "it was not heard of for its session",
        Due::Rebalance => "it did not give partitions away, or join again, in time",
    }
}

/// Notes that a member is gone.
pub(super) fn note_removal(
    group: &Group,
    turn: &mut Turn<'_>,
    member: &Member,
    reason: &'static str,
) {
    let member = member.member_id.clone();
    turn.out
        .note(&group.id, Happened::Removed { member, reason });
}

/// Why a member is removed that says so itself.
pub(super) const LEFT: &str = "a member has left";

/// How many of the members one batch has room for, and at least one.
fn fitting(draft: &Draft, turn: &Turn<'_>, due: &[(Rc<Member>, Due)]) -> usize {
    let mut room = turn.config.batch_len_max_bytes;
    let mut fits = |len_bytes: usize| {
        let rest = room.checked_sub(len_bytes);
        room = rest.unwrap_or(0);
        rest.is_some()
    };
    fits(BATCH_OVERHEAD_BYTES + draft.epoch_len_bytes_bound());
    let members = due.iter().map(|(member, _)| member);
    let fitting = members
        .take_while(|member| fits(draft.removal_len_bytes_bound(member)))
        .count();
    fitting.max(1).min(due.len())
}

/// Removes members of a consumer group. What remains becomes a classic group if it has such members alone.
pub(super) fn remove(
    mut draft: Draft,
    group: &mut Group,
    turn: &mut Turn<'_>,
    members: &[Rc<Member>],
) -> Result<(), Refusal> {
    if let Some(value) = convert::downgraded(&draft, members, turn) {
        convert::downgrade(draft, group, turn, &value, convert::Rebalance::Needed);
        return Ok(());
    }
    for member in members {
        draft.remove_member(&member.member_id);
    }
    regexes::prune(&mut draft);
    let hash = target::metadata_hash(&draft.state, turn.context.topics);
    draft.bump_epoch(hash);
    let consumer = commit(draft, group, turn)?;
    for member in members {
        consumer.soft.forget(&member.member_id);
    }
    consumer.note_deadline(turn);
    debug_assert!(consumer_of(group).is_some(), "it was not converted");
    Ok(())
}
