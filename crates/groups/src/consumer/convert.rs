//! Groups that change their protocol while they work: from classic to consumer with the first member that speaks it,
//! and back when the last one has left.
//!
//! Members of a group that is converted notice nothing but a rebalance: they keep their ids, their generation becomes
//! the group epoch, and what they have stays theirs.
//!
//! Source: KIP-848, "Online Migration"; `convertToConsumerGroup` and `convertToClassicGroup` of Apache Kafka 4.3.1.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use bytes::Bytes;
use protocol::messages::consumer_group_member_metadata_value::{
    ClassicMemberMetadata, ClassicProtocol,
};
use protocol::messages::consumer_protocol_assignment::TopicPartition;
use protocol::messages::group_metadata_value::MemberMetadata;
use protocol::messages::{
    ConsumerProtocolAssignment, ConsumerProtocolSubscription, GroupMetadataKey, GroupMetadataValue,
};
use protocol::wire::{decode_versioned, encode_versioned};
use protocol::{Decoder, Encoder, Message, Str};
use types::{ErrorCode, Uuid};

use super::draft::Draft;
use super::member::{Member, PartitionEpochs};
use super::names::Names;
use super::records::{epoch_record, target_epoch_record, target_record};
use super::soft::Looked;
use super::state::State;
use super::subscription::{self, NAMES_MAX, NO_ROOM};
use super::{Refusal, consumer_of, target};
use crate::assignor::Assignment;
use crate::classic::{CONSUMER_PROTOCOL_TYPE, ClassicGroup, members_max};
use crate::context::Topics;
use crate::group::{Group, GroupKind, Turn};
use crate::memory::TIMERS_BYTES;
use crate::record::GroupRecord;

/// A classic group, as its conversion sees it.
#[derive(Debug)]
pub(crate) struct ClassicView {
    /// Whether its members are consumers.
    pub(crate) uses_consumer_protocol: bool,
    /// Its generation.
    pub(crate) generation: i32,
    /// The protocol that its members agreed on.
    pub(crate) protocol_name: Option<Str>,
    /// Its members in the order of their ids; none if it is empty or has offsets alone.
    pub(crate) members: Vec<ClassicMemberView>,
}

/// A member of a classic group, as its conversion sees it.
#[derive(Debug)]
pub(crate) struct ClassicMemberView {
    pub(crate) member_id: Str,
    pub(crate) instance_id: Option<Str>,
    pub(crate) client_id: Str,
    pub(crate) client_host: Str,
    pub(crate) session_timeout_ms: i32,
    pub(crate) rebalance_timeout_ms: i32,
    /// Names and metadata of its protocols, the one that it likes best first.
    pub(crate) protocols: Vec<(Str, Bytes)>,
    /// What it was assigned; empty if nothing.
    pub(crate) assignment: Bytes,
}

/// What a member wants of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To join it, so that it may become a consumer group.
    Join,
    /// To stay in it.
    Stay,
    /// Anything else.
    Other,
}

/// A draft of the consumer group that a group is, or that it becomes if somebody joins.
pub(super) fn open(group: &Group, turn: &Turn<'_>, purpose: Purpose) -> Result<Draft, Refusal> {
    let may_create = purpose == Purpose::Join;
    match &group.kind {
        GroupKind::Consumer(consumer) if may_create || !consumer.is_vacant() => Ok(Draft::new(
            &group.id,
            &consumer.state,
            &consumer.soft.looked,
            turn,
        )),
        GroupKind::Classic(classic) if may_create => {
            let mut draft = Draft::new(&group.id, &State::default(), &Looked::default(), turn);
            if !classic.is_vacant() {
                draft.push(GroupRecord::GroupMetadata {
                    key: GroupMetadataKey {
                        group: group.id.clone(),
                    },
                    value: None,
                });
            }
            let view = classic.view();
            if !view.members.is_empty() {
                upgrade(&mut draft, &view, turn)?;
            }
            Ok(draft)
        }
        GroupKind::Classic(classic) if !classic.is_vacant() => Err(not_found(format!(
            "Group {} is not a consumer group.",
            group.id.as_str()
        ))),
        GroupKind::Consumer(_) | GroupKind::Classic(_) => {
            // Kafka's words.
            let kind = match purpose {
                Purpose::Stay => "Consumer group",
                Purpose::Join | Purpose::Other => "Group",
            };
            Err(not_found(format!(
                "{kind} {} not found.",
                group.id.as_str()
            )))
        }
    }
}

fn not_found(message: String) -> Refusal {
    Refusal::new(ErrorCode::GroupIdNotFound, message)
}

/// Refuses a classic group that is to become a consumer group, and would take more memory than there is.
pub(super) fn check_room(draft: &Draft, group: &Group, turn: &mut Turn<'_>) -> Result<(), Refusal> {
    let GroupKind::Classic(classic) = &group.kind else {
        return Ok(());
    };
    let bytes = draft.state.memory_bytes() + draft.state.members.size() * TIMERS_BYTES;
    if turn.has_room_for_members(bytes.saturating_sub(classic.memory_bytes())) {
        Ok(())
    } else {
        Err(Refusal::new(ErrorCode::GroupMaxSizeReached, NO_ROOM))
    }
}

/// Writes a classic group with members as a consumer group.
fn upgrade(draft: &mut Draft, view: &ClassicView, turn: &Turn<'_>) -> Result<(), Refusal> {
    let group_id = draft.group_id.clone();
    let cannot = |reason: &str| {
        not_found(format!(
            "Cannot upgrade classic group {} to consumer group because {reason}.",
            group_id.as_str()
        ))
    };
    let config = turn.config.consumer_group(&group_id);
    if !config.migration.allows_upgrade() {
        return Err(cannot("online upgrade is disabled"));
    }
    if !view.uses_consumer_protocol {
        return Err(cannot(
            "the group does not use the consumer embedded protocol",
        ));
    }
    if view.members.len() > config.members_max {
        return Err(cannot(
            "the group size exceeds the consumer group maximum size",
        ));
    }
    let members = view
        .members
        .iter()
        .map(|member| upgraded(view, member, turn.context.topics).map_err(cannot))
        .collect::<Result<Vec<_>, _>>()?;
    for member in &members {
        draft.write(member.metadata_record(&group_id));
        subscription::check_size(&draft.state)?;
    }
    let hash = target::metadata_hash(&draft.state, turn.context.topics);
    draft.write(epoch_record(&group_id, view.generation, hash));
    for member in &members {
        let target = without_epochs(&member.assigned);
        draft.write(target_record(&group_id, &member.member_id, Some(&target)));
    }
    draft.write(target_epoch_record(&group_id, view.generation, 0));
    for member in &members {
        draft.write(member.assignment_record(&group_id));
    }
    Ok(())
}

/// A member of a classic group as a member of a consumer group that speaks the classic protocol still.
fn upgraded(
    view: &ClassicView,
    member: &ClassicMemberView,
    topics: &dyn Topics,
) -> Result<Member, &'static str> {
    const MALFORMED: &str = "the embedded consumer protocol is malformed";
    let protocol = member
        .protocols
        .iter()
        .find(|(name, _)| {
            view.protocol_name
                .as_ref()
                .is_none_or(|chosen| chosen == name)
        })
        .ok_or(MALFORMED)?;
    let subscription = subscription_of(&protocol.1).ok_or(MALFORMED)?;
    if subscription.topics.len() > NAMES_MAX {
        return Err("a member subscribes to too many topics");
    }
    let mut assigned = PartitionEpochs::new();
    if !member.assignment.is_empty() {
        let assignment: ConsumerProtocolAssignment =
            decode_embedded(&member.assignment).ok_or(MALFORMED)?;
        if assignment.user_data.is_some_and(|data| !data.is_empty()) {
            return Err(
                "an unsupported custom assignor is in use. Please refer to the documentation or switch to a default assignor before re-attempting the upgrade",
            );
        }
        for topic in assignment.assigned_partitions {
            if let Some(found) = topics.by_name(&topic.topic) {
                // A leader may say anything.
                let partitions = topic.partitions.iter().copied();
                let partitions = partitions
                    .filter(|partition| (0..found.partitions).contains(partition))
                    .map(|partition| (partition, view.generation));
                assigned.entry(found.id).or_default().extend(partitions);
            }
        }
        assigned.retain(|_, partitions| !partitions.is_empty());
    }
    let mut upgraded = Member::new(member.member_id.clone());
    upgraded.instance_id.clone_from(&member.instance_id);
    upgraded.rack_id = subscription.rack_id.as_ref().map(Str::detached);
    upgraded.client_id = member.client_id.clone();
    upgraded.client_host = member.client_host.clone();
    upgraded.names = Names::of(&subscription.topics);
    upgraded.rebalance_timeout_ms = member.rebalance_timeout_ms;
    upgraded.classic = Some(ClassicMemberMetadata {
        session_timeout_ms: member.session_timeout_ms,
        supported_protocols: member
            .protocols
            .iter()
            .map(|(name, metadata)| ClassicProtocol {
                name: name.clone(),
                metadata: metadata.clone(),
            })
            .collect(),
    });
    upgraded.epoch = view.generation;
    upgraded.previous_epoch = view.generation;
    upgraded.assigned = assigned;
    Ok(upgraded)
}

fn without_epochs(partitions: &PartitionEpochs) -> Assignment {
    partitions
        .iter()
        .map(|(topic, partitions)| (*topic, partitions.keys().copied().collect()))
        .collect()
}

/// What remains without these members as a classic group, if it is to become one. What would not fit a batch stays a
/// consumer group, whose members may all speak the classic protocol.
pub(super) fn downgraded(
    draft: &Draft,
    leaving: &[Rc<Member>],
    turn: &Turn<'_>,
) -> Option<GroupMetadataValue> {
    let state = &draft.state;
    if !can_downgrade(state, leaving, turn) {
        return None;
    }
    let leaving: BTreeSet<&Str> = leaving.iter().map(|member| &member.member_id).collect();
    let members = state.members.values();
    let remaining: Vec<Rc<Member>> = members
        .filter(|member| !leaving.contains(&member.member_id))
        .cloned()
        .collect();
    let value = classic_value(state, &remaining, turn)?;
    Some(value).filter(|value| {
        let record = classic_record(&draft.group_id, value.clone());
        record.len_bytes_bound() <= turn.config.batch_len_max_bytes
    })
}

fn can_downgrade(state: &State, leaving: &[Rc<Member>], turn: &Turn<'_>) -> bool {
    let leaving_classic = leaving
        .iter()
        .filter(|member| member.classic.is_some())
        .count();
    let remaining = state.members.size().saturating_sub(leaving.len());
    remaining > 0
        && state.classic_members.saturating_sub(leaving_classic) == remaining
        && turn.config.consumer.migration.allows_downgrade()
        && remaining <= members_max(turn)
}

/// Whether the members of a group that was downgraded have to agree anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rebalance {
    /// Somebody has left.
    Needed,
    /// Everybody is there, and has what it had.
    NotNeeded,
}

/// Writes the consumer group as [this classic group](downgraded), and makes it one. Where the log ends between two of its
/// batches, members are gone from the consumer group and join again.
pub(super) fn downgrade(
    mut draft: Draft,
    group: &mut Group,
    turn: &mut Turn<'_>,
    value: &GroupMetadataValue,
    rebalance: Rebalance,
) {
    // What the draft has written would be deleted again at once: only what is in the log already needs to go.
    draft.discard_records();
    let group_id = draft.group_id.clone();
    let tombstones = consumer_of(group).map(|consumer| consumer.state.tombstones(&group_id));
    let record = classic_record(&group_id, value.clone());
    for record in tombstones.into_iter().flatten().chain([record]) {
        draft.write_apart(record, turn.config.batch_len_max_bytes);
    }
    turn.write_all(draft.records, &draft.breaks);
    turn.counters.consumer_rebalances += 1;
    let mut classic = ClassicGroup::restored(value, turn);
    if rebalance == Rebalance::Needed {
        classic.begin_rebalance(&group.id, turn);
    }
    group.kind = GroupKind::Classic(classic);
}

fn classic_record(group_id: &Str, value: GroupMetadataValue) -> GroupRecord {
    GroupRecord::GroupMetadata {
        key: GroupMetadataKey {
            group: group_id.clone(),
        },
        value: Some(value),
    }
}

/// What the log is to say about the classic group of these members; `None` if they have no protocol in common.
fn classic_value(
    state: &State,
    members: &[Rc<Member>],
    turn: &Turn<'_>,
) -> Option<GroupMetadataValue> {
    let protocol = agreed_protocol(members)?;
    let members: Vec<MemberMetadata> = members
        .iter()
        .filter_map(|member| {
            let classic = member.classic.as_ref()?;
            let subscription = classic
                .supported_protocols
                .iter()
                .find(|supported| supported.name == protocol)?
                .metadata
                .clone();
            let target = state.targets.get(&*member.member_id);
            let assignment = embedded_assignment(
                target
                    .iter()
                    .flat_map(|target| target.iter())
                    .map(|(topic, partitions)| (*topic, partitions.clone())),
                version_of(&subscription),
                turn.context.topics,
            );
            Some(MemberMetadata {
                member_id: member.member_id.clone(),
                group_instance_id: member.instance_id.clone(),
                client_id: member.client_id.clone(),
                client_host: member.client_host.clone(),
                rebalance_timeout: member.rebalance_timeout_ms,
                session_timeout: classic.session_timeout_ms,
                subscription,
                assignment,
            })
        })
        .collect();
    Some(GroupMetadataValue {
        protocol_type: Str::from_static(CONSUMER_PROTOCOL_TYPE),
        generation: state.epoch,
        leader: members.first().map(|member| member.member_id.clone()),
        protocol: Some(protocol),
        current_state_timestamp: turn.context.wall_clock.0,
        members,
    })
}

/// Of the protocols that all members know, the one that most like best.
fn agreed_protocol(members: &[Rc<Member>]) -> Option<Str> {
    let mut known: BTreeMap<&Str, usize> = BTreeMap::new();
    for protocol in members.iter().flat_map(|member| classic_protocols(member)) {
        *known.entry(&protocol.name).or_default() += 1;
    }
    let mut votes: BTreeMap<&Str, usize> = BTreeMap::new();
    for member in members {
        let vote = classic_protocols(member)
            .find(|protocol| known.get(&protocol.name) == Some(&members.len()))?;
        *votes.entry(&vote.name).or_default() += 1;
    }
    votes
        .into_iter()
        .max_by_key(|(_, votes)| *votes)
        .map(|(name, _)| name.clone())
}

/// The classic protocols of a member; none if it does not speak the classic protocol.
pub(super) fn classic_protocols(member: &Member) -> impl Iterator<Item = &ClassicProtocol> {
    member
        .classic
        .iter()
        .flat_map(|classic| &classic.supported_protocols)
}

/// What a consumer's JoinGroup says in its metadata; `None` if that is malformed.
pub(super) fn subscription_of(metadata: &Bytes) -> Option<ConsumerProtocolSubscription> {
    decode_embedded(metadata)
}

/// Partitions as a consumer's SyncGroup response has them, in the version of its subscription.
pub(super) fn embedded_assignment(
    partitions: impl Iterator<Item = (Uuid, Vec<i32>)>,
    version: i16,
    topics: &dyn Topics,
) -> Bytes {
    let assigned_partitions = partitions
        .filter_map(|(topic, partitions)| {
            let (name, _) = topics.by_id(topic)?;
            Some(TopicPartition {
                topic: Str::from(name),
                partitions,
            })
        })
        .collect();
    let assignment = ConsumerProtocolAssignment {
        assigned_partitions,
        user_data: None,
    };
    let version = version.clamp(
        ConsumerProtocolAssignment::FIRST_VERSION,
        ConsumerProtocolAssignment::LAST_VERSION,
    );
    let mut encoder = Encoder::with_capacity(EMBEDDED_CAPACITY_BYTES);
    encoder.i16(version);
    encode_versioned(&mut encoder, &assignment, version)
        .expect("names of topics fit, and nothing is null that may not be");
    encoder.finish().to_bytes()
}

/// Room for most assignments; longer ones grow.
const EMBEDDED_CAPACITY_BYTES: usize = 64;

/// The version at the start of an embedded message; 0 if there is none.
pub(super) fn version_of(bytes: &Bytes) -> i16 {
    Decoder::new(bytes.clone()).i16().unwrap_or(0)
}

/// Reads an embedded message. What a newer version adds at the end is left unread.
fn decode_embedded<M: Message>(bytes: &Bytes) -> Option<M> {
    let mut decoder = Decoder::new(bytes.clone());
    let version = decoder.i16().ok()?;
    if version < M::FIRST_VERSION {
        return None;
    }
    decode_versioned(&mut decoder, version.min(M::LAST_VERSION)).ok()
}
