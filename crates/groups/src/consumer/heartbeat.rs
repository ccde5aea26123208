//! ConsumerGroupHeartbeat: join, stay, change one's mind, leave.
//!
//! Source: KIP-848; `GroupCoordinatorService.throwIfConsumerGroupHeartbeatRequestIsInvalid` and
//! `GroupMetadataManager.consumerGroupHeartbeat` of Apache Kafka 4.3.1, version by version.

use std::rc::Rc;

use protocol::Str;
use protocol::messages::consumer_group_heartbeat_response::{Assignment, TopicPartitions};
use protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use types::ErrorCode;

use super::claim::{Claim, existing_member, existing_static_member};
use super::convert::Purpose;
use super::draft::Draft;
use super::member::{JOIN_EPOCH, LEAVE_EPOCH, Member, STATIC_LEAVE_EPOCH};
use super::names::Names;
use super::subscription::{self, Change};
use super::{Refusal, commit, convert, fence, reconcile, regexes, session_timeout, target};
use crate::config::{ConsumerGroupConfig, GroupConfig};
use crate::context::{Caller, Instant};
use crate::decision::Reply;
use crate::group::{Group, Turn};

/// ConsumerGroupHeartbeat. The group may be of any kind; one that did not exist was just made, and is forgotten if it
/// is vacant once the records are applied.
pub(crate) fn heartbeat(
    group: &mut Group,
    turn: &mut Turn<'_>,
    caller: &Caller,
    request: &ConsumerGroupHeartbeatRequest,
) {
    let outcome =
        validate(request, caller.version, turn.config).and_then(|()| match request.member_epoch {
            LEAVE_EPOCH | STATIC_LEAVE_EPOCH => leave(group, turn, request),
            _ => stay(group, turn, caller, request),
        });
    let response = outcome.unwrap_or_else(|refusal| ConsumerGroupHeartbeatResponse {
        error_code: refusal.code.code(),
        error_message: refusal.message(),
        ..ConsumerGroupHeartbeatResponse::default()
    });
    turn.reply(caller, Reply::ConsumerGroupHeartbeat(response));
}

/// What can be said about a request without looking at its group.
fn validate(
    request: &ConsumerGroupHeartbeatRequest,
    version: i16,
    config: &GroupConfig,
) -> Result<(), Refusal> {
    let invalid = |message: &'static str| Err(Refusal::new(ErrorCode::InvalidRequest, message));
    let is_blank = |text: &str| text.trim().is_empty();
    let epoch = request.member_epoch;
    if (version >= 1 || epoch > JOIN_EPOCH || epoch == LEAVE_EPOCH) && is_blank(&request.member_id)
    {
        return invalid("MemberId can't be empty.");
    }
    if is_blank(&request.group_id) {
        return invalid("GroupId can't be empty.");
    }
    if request.instance_id.as_deref().is_some_and(is_blank) {
        return invalid("InstanceId can't be empty.");
    }
    if request.rack_id.as_deref().is_some_and(is_blank) {
        return invalid("RackId can't be empty.");
    }
    if epoch == JOIN_EPOCH {
        if request.rebalance_timeout_ms == -1 {
            return invalid("RebalanceTimeoutMs must be provided in first request.");
        }
        if request
            .topic_partitions
            .as_ref()
            .is_none_or(|owned| !owned.is_empty())
        {
            return invalid("TopicPartitions must be empty when (re-)joining.");
        }
        if request.subscribed_topic_names.is_none() && request.subscribed_topic_regex.is_none() {
            return invalid(
                "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.",
            );
        }
    } else if epoch == STATIC_LEAVE_EPOCH && request.instance_id.is_none() {
        return invalid("InstanceId can't be null.");
    } else if epoch < STATIC_LEAVE_EPOCH {
        return invalid("MemberEpoch is invalid.");
    }
    let assignors = &config.consumer.assignors;
    if let Some(assignor) = &request.server_assignor
        && !assignors.contains(assignor)
    {
        let known: Vec<&str> = assignors.iter().map(Str::as_str).collect();
        return Err(Refusal::new(
            ErrorCode::UnsupportedAssignor,
            format!(
                "ServerAssignor {} is not supported. Supported assignors: {}.",
                assignor.as_str(),
                known.join(", ")
            ),
        ));
    }
    Ok(())
}

/// Everything but leaving.
fn stay(
    group: &mut Group,
    turn: &mut Turn<'_>,
    caller: &Caller,
    request: &ConsumerGroupHeartbeatRequest,
) -> Result<ConsumerGroupHeartbeatResponse, Refusal> {
    let group_id = group.id.clone();
    let config = turn.config.consumer_group(&group_id);
    let joins = request.member_epoch == JOIN_EPOCH;
    let mut draft = convert::open(
        group,
        turn,
        if joins { Purpose::Join } else { Purpose::Stay },
    )?;
    convert::check_room(&draft, group, turn)?;
    subscription::check_names(request.subscribed_topic_names.as_ref().map_or(0, Vec::len))?;
    regexes::check(&draft.state, request.subscribed_topic_regex.as_ref())?;
    let who = (&*request.member_id, request.instance_id.as_ref());
    refuse_if_full(&draft, who, config, turn.context.now)?;
    let member_id = if request.member_id.is_empty() {
        Str::from(turn.context.random.to_string().as_str())
    } else {
        request.member_id.detached()
    };
    let claim = Claim {
        member_id: &member_id,
        instance_id: request.instance_id.as_ref(),
        epoch: request.member_epoch,
        owned: request.topic_partitions.as_deref(),
        joins,
        speaks_classic: false,
    };
    let known = request.instance_id.as_ref().map(|_| draft.state.clone());
    let (before, replaced) = claim.member(&mut draft, group, turn)?;
    if let Some(known) = known.filter(|_| replaced.is_some()) {
        // An id may be much longer than the one whose place it takes.
        subscription::check_room(&known, &draft.state, turn)?;
    }
    let change = if has_news(&before, request, caller) {
        let mut subscribed = Member::clone(&before);
        take_over(&mut subscribed, request, caller);
        subscription::write(&mut draft, &before, &subscribed, turn)?
    } else {
        Change::Nothing
    };
    target::follow(&mut draft, config, turn, change);
    let after = reconcile(&mut draft, &claim, change, turn)?;
    let is_full_request = request.rebalance_timeout_ms != -1
        && (request.subscribed_topic_names.is_some() || request.subscribed_topic_regex.is_some())
        && request.topic_partitions.is_some();
    // A member that is behind has missed a reply, and perhaps the assignment in it.
    let is_behind = request.member_epoch != before.epoch;
    let is_told = joins || is_behind || is_full_request || before.assigned != after.assigned;
    let response = ConsumerGroupHeartbeatResponse {
        member_id: Some(after.member_id.clone()),
        member_epoch: after.epoch,
        heartbeat_interval_ms: i32::try_from(config.heartbeat_interval.as_millis())
            .unwrap_or(i32::MAX),
        assignment: is_told.then(|| assignment_of(&after)),
        ..ConsumerGroupHeartbeatResponse::default()
    };
    // What else a member says, or others do, gives it no more time to let go.
    let has_moved = replaced.is_some()
        || before.classic.is_some()
        || (before.state, before.epoch) != (after.state, after.epoch)
        || before.revoking != after.revoking;
    let consumer = commit(draft, group, turn)?;
    if let Some(replaced) = replaced {
        consumer.soft.forget(&replaced);
    }
    let session = session_timeout(&after, &group_id, turn);
    consumer
        .soft
        .heard_of(&after.member_id, turn.context.now, session);
    if has_moved {
        consumer.watch_revocation(&after, turn);
    }
    consumer.note_deadline(turn);
    Ok(response)
}

/// A member leaves for good, or a static one for a while.
fn leave(
    group: &mut Group,
    turn: &mut Turn<'_>,
    request: &ConsumerGroupHeartbeatRequest,
) -> Result<ConsumerGroupHeartbeatResponse, Refusal> {
    let mut draft = convert::open(group, turn, Purpose::Other)?;
    let member = match &request.instance_id {
        None => existing_member(&draft.state, &draft.group_id, &request.member_id)?,
        Some(instance_id) => existing_static_member(&draft.state, instance_id, &request.member_id)?,
    };
    let response = ConsumerGroupHeartbeatResponse {
        member_id: Some(request.member_id.detached()),
        member_epoch: request.member_epoch,
        ..ConsumerGroupHeartbeatResponse::default()
    };
    if request.instance_id.is_some() && request.member_epoch == STATIC_LEAVE_EPOCH {
        let mut away = Member::clone(&member);
        away.epoch = STATIC_LEAVE_EPOCH;
        away.revoking.clear();
        for epoch in away
            .assigned
            .values_mut()
            .flat_map(|topic| topic.values_mut())
        {
            *epoch = 0;
        }
        let record = away.assignment_record(&draft.group_id);
        draft.write(record);
        commit(draft, group, turn)?;
    } else {
        fence::remove(draft, group, turn, &[Rc::clone(&member)])?;
        fence::note_removal(group, turn, &member, fence::LEFT);
    }
    Ok(response)
}

/// Whether a heartbeat says anything about its member that is not known. Most do not, and cost nothing then.
fn has_news(member: &Member, request: &ConsumerGroupHeartbeatRequest, caller: &Caller) -> bool {
    let is_new = |said: &Option<Str>, known: &Option<Str>| said.is_some() && said != known;
    let names = request.subscribed_topic_names.as_ref();
    member.previous_epoch < JOIN_EPOCH
        || member.classic.is_some()
        || member.client_id != caller.client_id
        || member.client_host != caller.client_host
        || is_new(&request.instance_id, &member.instance_id)
        || is_new(&request.rack_id, &member.rack_id)
        || is_new(&request.server_assignor, &member.assignor)
        || is_new(&request.subscribed_topic_regex, &member.regex)
        || (request.rebalance_timeout_ms != -1
            && request.rebalance_timeout_ms != member.rebalance_timeout_ms)
        || names.is_some_and(|names| {
            names.len() != member.names.len() || names.iter().any(|name| !member.names.has(name))
        })
}

/// Changes a member into what a heartbeat says about it. What the heartbeat leaves out stays.
fn take_over(member: &mut Member, request: &ConsumerGroupHeartbeatRequest, caller: &Caller) {
    if let Some(instance_id) = &request.instance_id {
        member.instance_id = Some(instance_id.detached());
    }
    if let Some(rack_id) = &request.rack_id {
        member.rack_id = Some(rack_id.detached());
    }
    if request.rebalance_timeout_ms != -1 {
        member.rebalance_timeout_ms = request.rebalance_timeout_ms;
    }
    if let Some(assignor) = &request.server_assignor {
        member.assignor = Some(assignor.detached());
    }
    if let Some(names) = &request.subscribed_topic_names {
        member.names = Names::of(names);
    }
    if let Some(regex) = &request.subscribed_topic_regex {
        member.regex = Some(regex.detached());
    }
    member.client_id = caller.client_id.detached();
    member.client_host = caller.client_host.detached();
    member.classic = None;
}

/// Moves a member on, and returns it as it is then.
pub(super) fn reconcile(
    draft: &mut Draft,
    claim: &Claim<'_>,
    change: Change,
    turn: &Turn<'_>,
) -> Result<Rc<Member>, Refusal> {
    let member = existing_member(&draft.state, &draft.group_id, claim.member_id)?;
    let next = reconcile::step(
        &draft.state,
        &member,
        claim.owned,
        change != Change::Nothing,
        turn.context.topics,
    )?;
    let Some(next) = next else { return Ok(member) };
    let record = next.assignment_record(&draft.group_id);
    // What it subscribes to and is to have may be there without it: then it takes this step again.
    draft.write_apart(record, turn.config.batch_len_max_bytes);
    existing_member(&draft.state, &draft.group_id, claim.member_id)
}

/// Refuses who is no member yet, if there are enough of them, or if the group's target assignment has just not fitted and
/// it takes no static member's place.
pub(super) fn refuse_if_full(
    draft: &Draft,
    (member_id, instance_id): (&str, Option<&Str>),
    config: &ConsumerGroupConfig,
    now: Instant,
) -> Result<(), Refusal> {
    let state = &draft.state;
    if state.member(member_id).is_some() {
        return Ok(());
    }
    // Once the time is over, whoever comes first tries again: of the members perhaps nobody does any more.
    let put_off = draft.looked.target_put_off;
    let returns = instance_id.is_some_and(|id| state.static_member(id).is_some());
    if !returns && put_off.is_some_and(|until| until > now) {
        return Err(Refusal::new(
            ErrorCode::GroupMaxSizeReached,
            "The consumer group's assignment does not fit the memory that groups may take, or a member's does not fit one batch of the offsets topic.",
        ));
    }
    if state.members.size() < config.members_max {
        return Ok(());
    }
    Err(Refusal::new(
        ErrorCode::GroupMaxSizeReached,
        format!(
            "The consumer group has reached its maximum capacity of {} members.",
            config.members_max
        ),
    ))
}

fn assignment_of(member: &Member) -> Assignment {
    Assignment {
        topic_partitions: member
            .assigned
            .iter()
            .map(|(topic_id, partitions)| TopicPartitions {
                topic_id: *topic_id,
                partitions: partitions.keys().copied().collect(),
            })
            .collect(),
    }
}
