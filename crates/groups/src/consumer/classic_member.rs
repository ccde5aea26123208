//! Members of a consumer group that speak the classic protocol: JoinGroup, SyncGroup, Heartbeat and LeaveGroup.
//!
//! Their generation is their member epoch. They learn at a heartbeat that there is something to do, join again with
//! what they own, and fetch their assignment; nobody waits for anybody else, so every request is answered at once.
//!
//! Source: KIP-848, "Online Migration"; `classicGroupJoinToConsumerGroup` and its like in Apache Kafka 4.3.1.

use std::collections::BTreeSet;
use std::rc::Rc;

use bytes::Bytes;
use protocol::Str;
use protocol::messages::consumer_group_heartbeat_request::TopicPartitions as OwnedPartitions;
use protocol::messages::consumer_group_member_metadata_value::{
    ClassicMemberMetadata, ClassicProtocol,
};
use protocol::messages::leave_group_request::MemberIdentity;
use protocol::messages::leave_group_response::MemberResponse;
use protocol::messages::{
    ConsumerProtocolSubscription, HeartbeatRequest, HeartbeatResponse, JoinGroupRequest,
    JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse, SyncGroupRequest, SyncGroupResponse,
};
use types::ErrorCode;

use super::claim::{Claim, existing_member, existing_static_member};
use super::convert::{self, Purpose, Rebalance, classic_protocols};
use super::draft::Draft;
use super::heartbeat::{reconcile, refuse_if_full};
use super::member::{Member, MemberState};
use super::names::Names;
use super::state::State;
use super::subscription::{self, Change};
use super::{Refusal, commit, fence, millis, target};
use crate::classic::{
    BATCHED_LEAVE_VERSION, CONSUMER_PROTOCOL_TYPE, KNOWN_MEMBER_ID_VERSION, in_version,
    rebalance_timeout_ms,
};
use crate::context::{Caller, Topics};
use crate::decision::Reply;
use crate::group::{Group, GroupKind, Turn};

/// JoinGroup of a consumer group.
pub(crate) fn join_classic(
    group: &mut Group,
    turn: &mut Turn<'_>,
    caller: &Caller,
    request: &JoinGroupRequest,
) {
    let response = join(group, turn, caller, request)
        .unwrap_or_else(|refusal| refused(request.member_id.detached(), refusal.code));
    let response = in_version(response, caller.version);
    turn.reply(caller, Reply::JoinGroup(response));
}

fn join(
    group: &mut Group,
    turn: &mut Turn<'_>,
    caller: &Caller,
    request: &JoinGroupRequest,
) -> Result<JoinGroupResponse, Refusal> {
    let group_id = group.id.clone();
    let config = turn.config.consumer_group(&group_id);
    let mut draft = convert::open(group, turn, Purpose::Other)?;
    let is_unknown = request.member_id.is_empty();
    let member_id = if is_unknown {
        // As Kafka does here: random alone, without the client's name that ids in classic groups begin with.
        Str::from(turn.context.random.to_string().as_str())
    } else {
        request.member_id.detached()
    };
    let who = (&*member_id, request.group_instance_id.as_ref());
    refuse_if_full(&draft, who, config, turn.context.now)?;
    check_protocols(&draft.state, request)?;
    if is_unknown
        && request.group_instance_id.is_none()
        && caller.version >= KNOWN_MEMBER_ID_VERSION
    {
        return Ok(refused(member_id, ErrorCode::MemberIdRequired));
    }
    let subscription = subscription_of(request)?;
    let owned = owned_partitions(&subscription, turn.context.topics);
    let claim = Claim {
        member_id: &member_id,
        instance_id: request.group_instance_id.as_ref(),
        epoch: 0,
        owned: Some(&owned),
        joins: request.group_instance_id.is_none() || is_unknown,
        speaks_classic: true,
    };
    let known = request
        .group_instance_id
        .as_ref()
        .map(|_| draft.state.clone());
    let (before, replaced) = claim.member(&mut draft, group, turn)?;
    if let Some(known) = known.filter(|_| replaced.is_some()) {
        // An id may be much longer than the one whose place it takes.
        subscription::check_room(&known, &draft.state, turn)?;
    }
    let mut subscribed = Member::clone(&before);
    take_over(&mut subscribed, request, &subscription, caller);
    let change = subscription::write(&mut draft, &before, &subscribed, turn)?;
    target::follow(&mut draft, config, turn, change);
    let after = reconcile(&mut draft, &claim, change, turn)?;
    let protocol_name = classic_protocols(&after)
        .next()
        .map(|protocol| protocol.name.clone());
    let response = JoinGroupResponse {
        member_id: after.member_id.clone(),
        generation_id: after.epoch,
        protocol_type: Some(Str::from_static(CONSUMER_PROTOCOL_TYPE)),
        protocol_name,
        ..JoinGroupResponse::default()
    };
    if replaced.is_some()
        && let Some(value) = convert::downgraded(&draft, &[], turn)
    {
        let rebalance = if change == Change::Nothing {
            Rebalance::NotNeeded
        } else {
            Rebalance::Needed
        };
        convert::downgrade(draft, group, turn, &value, rebalance);
        return Ok(response);
    }
    let consumer = commit(draft, group, turn)?;
    if let Some(replaced) = replaced {
        consumer.soft.forget(&replaced);
    }
    let now = turn.context.now;
    consumer
        .soft
        .heard_of(&after.member_id, now, millis(request.session_timeout_ms));
    consumer.soft.change(&after.member_id, |timers| {
        timers.rebalance = None;
        timers.join = None;
        timers.sync = Some(now.after(millis(rebalance_timeout_ms(request))));
    });
    consumer.note_deadline(turn);
    Ok(response)
}

fn refused(member_id: Str, error: ErrorCode) -> JoinGroupResponse {
    JoinGroupResponse {
        error_code: error.code(),
        member_id,
        generation_id: -1,
        protocol_name: None,
        ..JoinGroupResponse::default()
    }
}

/// What the member subscribes to under the protocol that it likes best.
fn subscription_of(request: &JoinGroupRequest) -> Result<ConsumerProtocolSubscription, Refusal> {
    let first = request.protocols.first();
    let subscription = first.and_then(|first| convert::subscription_of(&first.metadata));
    let subscription = subscription.ok_or_else(|| {
        Refusal::new(
            ErrorCode::InconsistentGroupProtocol,
            "Malformed embedded consumer protocol in subscription deserialization.",
        )
    })?;
    subscription::check_names(subscription.topics.len())?;
    Ok(subscription)
}

/// The member must be a consumer, and share a protocol with all others that speak the classic one.
fn check_protocols(state: &State, request: &JoinGroupRequest) -> Result<(), Refusal> {
    let names = request.protocols.iter().map(|protocol| &protocol.name);
    if &*request.protocol_type == CONSUMER_PROTOCOL_TYPE && state.supports_classic(names) {
        return Ok(());
    }
    Err(Refusal::new(
        ErrorCode::InconsistentGroupProtocol,
        "The member's protocols are not supported.",
    ))
}

/// What the member owns, by topic id. Topics that are gone it owns no longer.
fn owned_partitions(
    subscription: &ConsumerProtocolSubscription,
    topics: &dyn Topics,
) -> Vec<OwnedPartitions> {
    subscription
        .owned_partitions
        .iter()
        .filter_map(|owned| {
            Some(OwnedPartitions {
                topic_id: topics.by_name(&owned.topic)?.id,
                partitions: owned.partitions.clone(),
            })
        })
        .collect()
}

/// Changes a member into what a JoinGroup says about it.
fn take_over(
    member: &mut Member,
    request: &JoinGroupRequest,
    subscription: &ConsumerProtocolSubscription,
    caller: &Caller,
) {
    if let Some(instance_id) = &request.group_instance_id {
        member.instance_id = Some(instance_id.detached());
    }
    if let Some(rack_id) = subscription
        .rack_id
        .as_ref()
        .filter(|rack| !rack.is_empty())
    {
        member.rack_id = Some(rack_id.detached());
    }
    member.rebalance_timeout_ms = rebalance_timeout_ms(request);
    member.names = Names::of(&subscription.topics);
    member.client_id = caller.client_id.detached();
    member.client_host = caller.client_host.detached();
    member.classic = Some(ClassicMemberMetadata {
        session_timeout_ms: request.session_timeout_ms,
        supported_protocols: request
            .protocols
            .iter()
            .map(|protocol| ClassicProtocol {
                name: protocol.name.detached(),
                metadata: Bytes::copy_from_slice(&protocol.metadata),
            })
            .collect(),
    });
}

/// SyncGroup of a consumer group.
pub(crate) fn sync_classic(
    group: &mut Group,
    turn: &mut Turn<'_>,
    caller: &Caller,
    request: &SyncGroupRequest,
) {
    let response = sync(group, turn, request).unwrap_or_else(|refusal| SyncGroupResponse {
        error_code: refusal.code.code(),
        ..SyncGroupResponse::default()
    });
    turn.reply(caller, Reply::SyncGroup(response));
}

fn sync(
    group: &mut Group,
    turn: &mut Turn<'_>,
    request: &SyncGroupRequest,
) -> Result<SyncGroupResponse, Refusal> {
    let draft = convert::open(group, turn, Purpose::Other)?;
    let member = classic_member(
        &draft,
        &request.member_id,
        request.group_instance_id.as_ref(),
        request.generation_id,
    )?;
    let protocol = classic_protocols(&member).next();
    let is_consumer = request
        .protocol_type
        .as_deref()
        .is_none_or(|name| name == CONSUMER_PROTOCOL_TYPE);
    let is_agreed = request
        .protocol_name
        .as_ref()
        .is_none_or(|name| protocol.is_some_and(|protocol| protocol.name == *name));
    if !is_consumer || !is_agreed {
        return Err(Refusal::new(
            ErrorCode::InconsistentGroupProtocol,
            "The protocol is not that of the join response.",
        ));
    }
    let GroupKind::Consumer(consumer) = &mut group.kind else {
        return Err(unknown_member());
    };
    let now = turn.context.now;
    // One that has partitions to give away has joined again already; it is to do that first.
    let config = turn.config.consumer_group(&group.id);
    let is_behind = member.state != MemberState::UnrevokedPartitions
        && target::has_news_for(&member, &draft.state, &draft.looked, config, turn.context);
    if is_behind {
        expect_join(consumer, &member, turn);
        return Err(Refusal::new(
            ErrorCode::RebalanceInProgress,
            "A new rebalance is triggered, and the member should rejoin to catch up.",
        ));
    }
    let session = super::session_timeout(&member, &group.id, turn);
    consumer.soft.heard_of(&member.member_id, now, session);
    consumer
        .soft
        .change(&member.member_id, |timers| timers.sync = None);
    consumer.note_deadline(turn);
    let version = protocol.map_or(0, |protocol| convert::version_of(&protocol.metadata));
    Ok(SyncGroupResponse {
        protocol_type: request.protocol_type.as_ref().map(Str::detached),
        protocol_name: request.protocol_name.as_ref().map(Str::detached),
        assignment: convert::embedded_assignment(
            member
                .assigned
                .iter()
                .map(|(topic, partitions)| (*topic, partitions.keys().copied().collect())),
            version,
            turn.context.topics,
        ),
        ..SyncGroupResponse::default()
    })
}

/// Heartbeat of a consumer group's classic member.
pub(crate) fn heartbeat_classic(
    group: &mut Group,
    turn: &mut Turn<'_>,
    caller: &Caller,
    request: &HeartbeatRequest,
) {
    let error = match beat(group, turn, request) {
        Ok(()) => ErrorCode::None,
        Err(refusal) => refusal.code,
    };
    turn.reply(
        caller,
        Reply::Heartbeat(HeartbeatResponse {
            error_code: error.code(),
            ..HeartbeatResponse::default()
        }),
    );
}

fn beat(group: &mut Group, turn: &mut Turn<'_>, request: &HeartbeatRequest) -> Result<(), Refusal> {
    let draft = convert::open(group, turn, Purpose::Other)?;
    let member = classic_member(
        &draft,
        &request.member_id,
        request.group_instance_id.as_ref(),
        request.generation_id,
    )?;
    let session = super::session_timeout(&member, &group.id, turn);
    let GroupKind::Consumer(consumer) = &mut group.kind else {
        return Err(unknown_member());
    };
    consumer
        .soft
        .heard_of(&member.member_id, turn.context.now, session);
    consumer.note_deadline(turn);
    let state = &consumer.state;
    let config = turn.config.consumer_group(&group.id);
    let is_to_join =
        target::has_news_for(&member, state, &consumer.soft.looked, config, turn.context)
            || member.state == MemberState::UnrevokedPartitions
            || (member.state == MemberState::UnreleasedPartitions && !waits(state, &member));
    if !is_to_join {
        return Ok(());
    }
    expect_join(consumer, &member, turn);
    Err(Refusal::new(ErrorCode::RebalanceInProgress, ""))
}

/// Whether somebody else holds a partition still that this member is to have.
fn waits(state: &State, member: &Member) -> bool {
    let target = state.targets.get(&*member.member_id);
    target
        .iter()
        .flat_map(|target| target.iter())
        .any(|(topic, partitions)| {
            let mine = member.assigned.get(topic);
            partitions.iter().any(|partition| {
                mine.is_none_or(|mine| !mine.contains_key(partition))
                    && state.owner(*topic, *partition).is_some()
            })
        })
}

/// Gives a member that was told to join again its rebalance timeout for it, unless it was told before.
fn expect_join(consumer: &mut super::ConsumerGroup, member: &Member, turn: &mut Turn<'_>) {
    let at = turn.context.now.after(millis(member.rebalance_timeout_ms));
    consumer.soft.change(&member.member_id, |timers| {
        timers.join.get_or_insert(at);
    });
    consumer.note_deadline(turn);
}

/// LeaveGroup of a consumer group's members, also of those that an administrator removes.
pub(crate) fn leave_classic(
    group: &mut Group,
    turn: &mut Turn<'_>,
    caller: &Caller,
    request: &LeaveGroupRequest,
) {
    let response =
        leave(group, turn, caller, request).unwrap_or_else(|refusal| LeaveGroupResponse {
            error_code: refusal.code.code(),
            ..LeaveGroupResponse::default()
        });
    turn.reply(caller, Reply::LeaveGroup(response));
}

fn leave(
    group: &mut Group,
    turn: &mut Turn<'_>,
    caller: &Caller,
    request: &LeaveGroupRequest,
) -> Result<LeaveGroupResponse, Refusal> {
    let draft = convert::open(group, turn, Purpose::Other)?;
    let only = [MemberIdentity {
        member_id: request.member_id.clone(),
        ..MemberIdentity::default()
    }];
    let is_batched = caller.version >= BATCHED_LEAVE_VERSION;
    let identities = if is_batched {
        request.members.as_slice()
    } else {
        &only
    };
    let mut leaving: Vec<Rc<Member>> = Vec::new();
    let mut known = BTreeSet::new();
    let mut members = Vec::new();
    for identity in identities {
        let found = leaver(&draft, identity);
        let error = match &found {
            Ok(_) => ErrorCode::None,
            Err(refusal) => refusal.code,
        };
        members.push(MemberResponse {
            // As it was asked for: an administrator names static members by their instance ids alone.
            member_id: identity.member_id.detached(),
            group_instance_id: identity.group_instance_id.as_ref().map(Str::detached),
            error_code: error.code(),
        });
        if let Ok(member) = found
            && known.insert(member.member_id.clone())
        {
            leaving.push(member);
        }
    }
    if !leaving.is_empty() {
        fence::remove(draft, group, turn, &leaving)?;
        for member in &leaving {
            fence::note_removal(group, turn, member, fence::LEFT);
        }
    }
    if is_batched {
        return Ok(LeaveGroupResponse {
            members,
            ..LeaveGroupResponse::default()
        });
    }
    Ok(LeaveGroupResponse {
        error_code: members.first().map_or(0, |member| member.error_code),
        ..LeaveGroupResponse::default()
    })
}

/// The member that is to leave, whichever protocol it speaks. An administrator names static members by their instance ids
/// alone.
fn leaver(draft: &Draft, identity: &MemberIdentity) -> Result<Rc<Member>, Refusal> {
    match &identity.group_instance_id {
        None => existing_member(&draft.state, &draft.group_id, &identity.member_id),
        Some(instance_id) if identity.member_id.is_empty() => draft
            .state
            .static_member(instance_id)
            .map(Rc::clone)
            .ok_or_else(unknown_member),
        Some(instance_id) => existing_static_member(&draft.state, instance_id, &identity.member_id),
    }
}

/// A member that speaks the classic protocol, at the generation that it says.
fn classic_member(
    draft: &Draft,
    member_id: &Str,
    instance_id: Option<&Str>,
    generation: i32,
) -> Result<Rc<Member>, Refusal> {
    let member = match instance_id {
        None => existing_member(&draft.state, &draft.group_id, member_id)?,
        Some(instance_id) => existing_static_member(&draft.state, instance_id, member_id)?,
    };
    let member = speaks_classic(member)?;
    if member.epoch != generation {
        return Err(Refusal::new(ErrorCode::IllegalGeneration, ""));
    }
    Ok(member)
}

fn speaks_classic(member: Rc<Member>) -> Result<Rc<Member>, Refusal> {
    if member.classic.is_some() {
        Ok(member)
    } else {
        Err(unknown_member())
    }
}

fn unknown_member() -> Refusal {
    Refusal::new(ErrorCode::UnknownMemberId, "")
}
