//! The group epoch and the target assignment: noticing that something has changed, and computing who is to have what.
//!
//! The group epoch rises when a member's subscription changes, when members come or go, and when the hash of the
//! subscribed topics' metadata changes. The target assignment follows it, but not more often than
//! `consumer.assignment.interval.ms`: what happens in between is gathered.
//!
//! Source: KIP-848; `Utils.computeTopicHash`, `Utils.computeGroupHash` and `TargetAssignmentBuilder` of Apache Kafka
//! 4.3.1.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use protocol::Str;
use twox_hash::XxHash3_64;

use super::draft::Draft;
use super::member::Member;
use super::records::{target_epoch_record, target_record};
use super::regexes;
use super::soft::Looked;
use super::state::{State, assigned_bytes};
use super::subscription::Change;
use crate::assignor::{Assignment, Assignor, GroupSpec, MemberSpec};
use crate::config::ConsumerGroupConfig;
use crate::context::{Context, Topic, Topics};
use crate::group::Turn;
use crate::record::GroupRecord;

/// How long a target assignment is left alone that did not fit.
const RETRY_INTERVAL: Duration = Duration::from_secs(10);

/// The first byte of what is hashed of a topic: the version of the hash.
const TOPIC_HASH_VERSION: u8 = 0;

/// Follows a change of subscriptions or of topics, if there is one: expressions, the group epoch, and the target
/// assignment.
pub(super) fn follow(
    draft: &mut Draft,
    config: &ConsumerGroupConfig,
    turn: &mut Turn<'_>,
    change: Change,
) {
    let context = turn.context;
    if change != Change::Nothing {
        regexes::prune(draft);
    }
    let written = draft.records.len();
    regexes::update(draft, config, turn);
    let version = Some(context.topics.version());
    let topics_differ = change == Change::Topics
        || draft.records.len() > written
        || draft.looked.topics_version != version;
    // Reading all that members subscribe to is the dearest part of a change, and most change no topic of the group.
    let hash = if topics_differ {
        metadata_hash(&draft.state, context.topics)
    } else {
        draft.state.metadata_hash
    };
    if change != Change::Nothing || hash != draft.state.metadata_hash {
        draft.bump_epoch(hash);
    }
    draft.looked.topics_version = version;
    update_target(draft, config, turn);
}

/// Whether a member that joins again now finds a target assignment that it does not know: a later one, or one that its
/// join is to compute. While changes are gathered it would find what it has.
pub(super) fn has_news_for(
    member: &Member,
    state: &State,
    looked: &Looked,
    config: &ConsumerGroupConfig,
    context: &Context<'_>,
) -> bool {
    member.epoch < state.target_epoch || is_update_due(state, looked, config, context)
}

/// Whether the group epoch is ahead of the target assignment, and it is time to compute that anew.
fn is_update_due(
    state: &State,
    looked: &Looked,
    config: &ConsumerGroupConfig,
    context: &Context<'_>,
) -> bool {
    state.target_epoch < state.epoch
        && is_due(state.target_timestamp, config, context.wall_clock.0)
        && looked
            .target_put_off
            .is_none_or(|until| until <= context.now)
}

/// Computes the target assignment anew if the group epoch is ahead of it and the interval has passed. It takes as many
/// batches of records as it needs, of which the last one has its epoch: where the log ends before that, the group is still
/// at the epoch before and the assignment is computed anew, from whatever of it is there; meanwhile nobody gets what another
/// member holds.
///
/// One of which a single record does not fit a batch, or that does not fit the memory of all groups, is not taken: members
/// go on with what they have, and no more may join until it is tried again. What only changes hands always fits in memory.
fn update_target(draft: &mut Draft, config: &ConsumerGroupConfig, turn: &mut Turn<'_>) {
    let (state, context) = (&draft.state, turn.context);
    if !is_update_due(state, &draft.looked, config, context) {
        return;
    }
    let assignor = state
        .preferred_assignor()
        .or(config.assignors.first())
        .and_then(|name| Assignor::by_name(name))
        .unwrap_or(Assignor::Uniform);
    let group_id = draft.group_id.clone();
    let mut records = Vec::new();
    let mut moved = 0;
    let known_bytes = state.assigned_bytes();
    let mut bytes = 0;
    {
        let spec = group_spec(state, context.topics);
        for (member, target) in spec.members.iter().zip(assignor.assign(&spec)) {
            bytes += assigned_bytes(member.member_id, &target);
            // Who has nothing still needs no record for it: many may join at a time.
            let is_known = match member.assigned {
                Some(before) => *before == target,
                None => target.is_empty(),
            };
            if !is_known {
                moved += gained(member.assigned, &target);
                records.push(target_record(&group_id, member.member_id, Some(&target)));
            }
        }
    }
    records.push(target_epoch_record(
        &group_id,
        state.epoch,
        context.wall_clock.0,
    ));
    let len_max_bytes = turn.config.batch_len_max_bytes;
    let fits = |record: &GroupRecord| record.len_bytes_bound() <= len_max_bytes;
    if !records.iter().all(fits) || !turn.has_room_for_members(bytes.saturating_sub(known_bytes)) {
        draft.looked.target_put_off = Some(context.now.after(RETRY_INTERVAL));
        return;
    }
    draft.looked.target_put_off = None;
    draft.partitions_moved += moved;
    for record in records {
        draft.write_apart(record, len_max_bytes);
    }
}

/// How many partitions are in a target that were not in the one before.
fn gained(before: Option<&Assignment>, target: &Assignment) -> u64 {
    let partitions = target.iter().flat_map(|(topic, partitions)| {
        let had = before.and_then(|before| before.get(topic));
        partitions
            .iter()
            .filter(move |partition| had.is_none_or(|had| had.binary_search(partition).is_err()))
    });
    partitions.count() as u64
}

/// Whether an assignment that was last made at `made_ms` may be made anew. One that lies in the future was made
/// before the clock was put back.
fn is_due(made_ms: i64, config: &ConsumerGroupConfig, now_ms: i64) -> bool {
    let interval_ms = i64::try_from(config.assignment_interval.as_millis()).unwrap_or(i64::MAX);
    made_ms == 0
        || interval_ms == 0
        || made_ms > now_ms
        || now_ms >= made_ms.saturating_add(interval_ms)
}

/// The group as assignors see it: topics that do not exist are left out.
fn group_spec<'a>(state: &'a State, topics: &dyn Topics) -> GroupSpec<'a> {
    let found: Vec<(&Str, Topic)> = state
        .subscribed_names()
        .into_iter()
        .filter_map(|name| Some((name, topics.by_name(name)?)))
        .collect();
    let mut by_id: Vec<usize> = (0..found.len()).collect();
    by_id.sort_by_key(|at| found[*at].1.id);
    let mut known: Vec<(&Str, usize)> = found.iter().map(|(name, _)| (*name, 0)).collect();
    for (index, at) in by_id.iter().enumerate() {
        known[*at].1 = index;
    }
    // Most members name what others name, too.
    let mut lists: BTreeMap<(*const Str, Option<&Str>), Rc<[usize]>> = BTreeMap::new();
    let members = state
        .members
        .iter()
        .map(|(member_id, member)| {
            let subscribed = lists
                .entry((member.names.address(), member.regex()))
                .or_insert_with(|| {
                    let resolved = state.resolved_of(member);
                    let named = indexes_of(&member.names, &known);
                    let mut all: Vec<_> = named.chain(indexes_of(resolved, &known)).collect();
                    all.sort_unstable();
                    all.dedup();
                    all.into()
                });
            MemberSpec {
                member_id,
                instance_id: member.instance_id.as_ref(),
                topics: Rc::clone(subscribed),
                assigned: state.targets.get(&**member_id).map(AsRef::as_ref),
            }
        })
        .collect();
    GroupSpec {
        members,
        topics: by_id
            .iter()
            .map(|at| (found[*at].1.id, found[*at].1.partitions))
            .collect(),
    }
}

/// The indexes of those names that are known; both are ascending.
fn indexes_of(names: &[Str], known: &[(&Str, usize)]) -> impl Iterator<Item = usize> {
    let mut known = known.iter().peekable();
    names.iter().filter_map(move |name| {
        while known.next_if(|(it, _)| *it < name).is_some() {}
        let (_, index) = known.next_if(|(it, _)| *it == name)?;
        Some(*index)
    })
}

/// The hash of the topics that members subscribe to, as far as they exist; 0 if none does.
pub(super) fn metadata_hash(state: &State, topics: &dyn Topics) -> i64 {
    // Ordered by name, as Kafka orders them: names of topics are ASCII, so bytes and UTF-16 sort alike.
    let mut bytes = Vec::new();
    let mut add = |name: &Str| {
        if let Some(topic) = topics.by_name(name) {
            bytes.extend_from_slice(&topic_hash(name, topic).to_le_bytes());
        }
    };
    if state.regexes.is_empty() {
        state.names.iter().for_each(&mut add);
    } else {
        state.subscribed_names().into_iter().for_each(&mut add);
    }
    if bytes.is_empty() {
        return 0;
    }
    XxHash3_64::oneshot(&bytes).cast_signed()
}

/// The hash of a topic. Kafka adds the racks of its replicas, which this cluster does not tell groups about.
fn topic_hash(name: &str, topic: Topic) -> i64 {
    let mut bytes = vec![TOPIC_HASH_VERSION];
    for half in topic.id.0.chunks(8) {
        bytes.extend(half.iter().rev());
    }
    let mut units = 0_u32;
    for unit in name.encode_utf16() {
        bytes.extend_from_slice(&unit.to_le_bytes());
        units += 1;
    }
    bytes.extend_from_slice(&units.to_le_bytes());
    bytes.extend_from_slice(&topic.partitions.to_le_bytes());
    for partition in 0..topic.partitions {
        bytes.extend_from_slice(&partition.to_le_bytes());
    }
    XxHash3_64::oneshot(&bytes).cast_signed()
}

#[cfg(test)]
mod tests {
    use types::Uuid;

    use super::topic_hash;
    use crate::context::Topic;

    fn topic(most: u64, least: u64, partitions: i32) -> Topic {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&most.to_be_bytes());
        id[8..].copy_from_slice(&least.to_be_bytes());
        Topic {
            id: Uuid(id),
            partitions,
        }
    }

    #[test]
    fn topic_hashes_are_those_of_kafka() {
        // Computed with hash4j 0.22.0 as Utils.computeTopicHash of Kafka 4.3.1 uses it.
        let orders = topic(0x0102_0304_0506_0708, 0x1112_1314_1516_1718, 3);
        assert_eq!(topic_hash("orders", orders), -3_967_608_492_204_731_963);
        assert_eq!(
            topic_hash("x\u{e9}\u{20ac}", topic(1, 2, 100)),
            -1_435_874_470_117_130_146
        );
    }
}
