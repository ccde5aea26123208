//! Members that leave or are given up: at their own wish, at the end of their session, or because they hold others up.
//!
//! All that is due at a time goes in one step with one new group epoch.

use std::rc::Rc;

use super::member::Member;
use super::soft::Due;
use super::state::Draft;
use super::{Refusal, commit, consumer_of, convert, regexes, target};
use crate::group::{Group, GroupKind, Turn};

/// How many members one step gives up, a bound on its records.
const FENCED_MAX: usize = 1_000;

/// What is due at `turn.context.now`: sessions, rebalance timeouts, and those of members that speak the classic
/// protocol.
pub(crate) fn on_deadline(group: &mut Group, turn: &mut Turn<'_>) {
    let now = turn.context.now;
    let GroupKind::Consumer(consumer) = &mut group.kind else {
        return;
    };
    let mut given_up = Vec::new();
    for member_id in consumer.soft.come_up(now) {
        let Some(member) = consumer.state.member(&member_id) else {
            consumer.soft.forget(&member_id);
            continue;
        };
        match consumer.soft.due(&member_id, now, member.epoch) {
            Some(due) if given_up.len() < FENCED_MAX => {
                match due {
                    Due::Session => turn.counters.consumer_sessions_expired += 1,
                    Due::Rebalance => turn.counters.consumer_rebalances_missed += 1,
                }
                given_up.push(Rc::clone(member));
            }
            Some(_) | None => consumer.soft.settle(&member_id, now),
        }
    }
    consumer.note_deadline(turn);
    if given_up.is_empty() {
        return;
    }
    let draft = Draft::new(&group.id, &consumer.state, &consumer.soft.looked);
    if remove(draft, group, turn, &given_up).is_err()
        && let GroupKind::Consumer(consumer) = &mut group.kind
    {
        // Its records do not fit a batch, which this few tombstones do unless ids are enormous: later, one by one.
        for member in given_up {
            consumer.soft.settle(&member.member_id, now);
        }
        consumer.note_deadline(turn);
    }
}

/// Removes members of a consumer group. What remains becomes a classic group if it has such members alone.
pub(super) fn remove(
    mut draft: Draft,
    group: &mut Group,
    turn: &mut Turn<'_>,
    members: &[Rc<Member>],
) -> Result<(), Refusal> {
    if convert::can_downgrade(&draft.state, members, turn) {
        return convert::downgrade(draft, group, turn, members, convert::Rebalance::Needed);
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
