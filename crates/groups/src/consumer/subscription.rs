//! What members subscribe to: how much of it a group takes, and what a change of it means for the group.
//!
//! Whatever a heartbeat changes may ask for a look at all that the group subscribes to. The bounds here keep that at a
//! few milliseconds, however many members have said what; Kafka has none.
//!
//! # Invariants
//! - A refusal comes before anything of the request is copied, or with a draft that is thrown away.
//! - A group that the log brings back larger than is taken today goes on: only what makes it larger still is refused.

use protocol::Str;
use types::ErrorCode;

use super::Refusal;
use super::draft::Draft;
use super::member::Member;
use super::state::State;
use crate::group::Turn;

/// Names that one member subscribes to, and different names that all members of a group subscribe to.
pub(super) const NAMES_MAX: usize = 10_000;

/// Pairs of members and topics in a group whose members subscribe to different topics: an assignment looks at each.
const PAIRS_MAX: usize = 500_000;

/// Different expressions that the members of a group subscribe by. Each may stand for all topics of the cluster.
const REGEXES_MAX: usize = 32;

/// What the members of one group, and what they subscribe to, may take in memory.
const MEMBERS_LEN_MAX_BYTES: usize = 32 * 1024 * 1024;

/// Why a member is refused when all groups together have what they may have.
pub(crate) const NO_ROOM: &str =
    "The groups of this broker take all the memory that they may have (logan.group.memory.bytes).";

/// What a request changes of its group's subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Its member subscribes to what it did.
    Nothing,
    /// Its member subscribes to something else, and the group to the same topics as before.
    Member,
    /// Perhaps the group subscribes to other topics.
    Topics,
}

/// Refuses a member that names too many topics.
pub(super) fn check_names(names: usize) -> Result<(), Refusal> {
    if names > NAMES_MAX {
        return Err(too_much(format!(
            "A member may subscribe to at most {NAMES_MAX} topics by name."
        )));
    }
    Ok(())
}

/// Refuses a group whose subscriptions are too many or too large.
pub(super) fn check_size(state: &State) -> Result<(), Refusal> {
    check_growth(&State::default(), state)
}

/// Refuses what lets a group that was so before take more than it may, or than there is.
pub(super) fn check_room(
    before: &State,
    after: &State,
    turn: &mut Turn<'_>,
) -> Result<(), Refusal> {
    check_growth(before, after)?;
    let growth = after.memory_bytes().saturating_sub(before.memory_bytes());
    if turn.has_room_for_members(growth) {
        Ok(())
    } else {
        Err(too_much(NO_ROOM.to_owned()))
    }
}

fn check_growth(before: &State, after: &State) -> Result<(), Refusal> {
    let is_over = |size: fn(&State) -> usize, max| size(after) > max && size(after) > size(before);
    if is_over(|state| state.names.len(), NAMES_MAX) {
        return Err(too_much(format!(
            "The members of a group may subscribe to at most {NAMES_MAX} different topics by name."
        )));
    }
    if is_over(|state| state.regexes.size(), REGEXES_MAX) {
        return Err(too_much(format!(
            "The members of a group may subscribe by at most {REGEXES_MAX} different expressions."
        )));
    }
    if is_over(State::pairs, PAIRS_MAX) {
        return Err(too_much(format!(
            "Members that subscribe to different topics may subscribe to {PAIRS_MAX} together, counted for each member."
        )));
    }
    if is_over(State::members_bytes, MEMBERS_LEN_MAX_BYTES) {
        return Err(too_much(
            "The group's members and their subscriptions take too much memory.".to_owned(),
        ));
    }
    Ok(())
}

fn too_much(message: String) -> Refusal {
    Refusal::new(ErrorCode::GroupMaxSizeReached, message)
}

/// Writes what a member subscribes to if that is new.
pub(super) fn write(
    draft: &mut Draft,
    before: &Member,
    after: &Member,
    turn: &mut Turn<'_>,
) -> Result<Change, Refusal> {
    let topics = turn.context.topics;
    let is_new = draft.state.member(&after.member_id).is_none();
    if before == after && !is_new {
        return Ok(Change::Nothing);
    }
    let record = after.metadata_record(&draft.group_id);
    let group_before = draft.state.clone();
    draft.write(record);
    check_room(&group_before, &draft.state, turn)?;
    let is_first = is_new && (!after.names.is_empty() || after.regex().is_some());
    if !is_first && before.names == after.names && before.regex() == after.regex() {
        return Ok(Change::Nothing);
    }
    // What nobody else subscribes to counts only if it is a topic.
    let is_alone_in =
        |state: &State, name: &Str| !state.names.contains(name) && topics.by_name(name).is_some();
    let joins = after.names.iter();
    let leaves = before.names.iter();
    let topics_differ = before.regex() != after.regex()
        || (is_new && after.regex().is_some())
        || joins
            .into_iter()
            .any(|name| is_alone_in(&group_before, name))
        || leaves
            .into_iter()
            .any(|name| is_alone_in(&draft.state, name));
    Ok(if topics_differ {
        Change::Topics
    } else {
        Change::Member
    })
}
