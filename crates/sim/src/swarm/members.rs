//! Members of a classic group: they join, share the partitions out, commit what they have done, fall silent, and come back
//! with what they knew before.
//!
//! Source: the consumer protocol of Kafka before KIP-848, `ConsumerCoordinator` and `GroupCoordinator`.

use std::io::{Error, Result};
use std::time::Duration;

use ::io::Io as _;
use bytes::Bytes;
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::leave_group_request::MemberIdentity;
use protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use protocol::messages::{
    HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, SyncGroupRequest,
};
use types::ErrorCode;

use super::stage::{Actor, succeed};
use crate::client::Client;

pub(crate) const GROUP: &str = "group";
const PROTOCOL: &str = "sim";
const JOIN_VERSION: i16 = 5;
const SYNC_VERSION: i16 = 3;
const HEARTBEAT_VERSION: i16 = 3;
const LEAVE_VERSION: i16 = 3;
const SESSION_TIMEOUT_MS: i32 = 300;
const REBALANCE_TIMEOUT_MS: i32 = 500;
const PAUSE_MAX_MS: u64 = 40;
/// Longer than a session.
const SILENCE: Duration = Duration::from_millis(450);

/// What a member remembers from connection to connection.
#[derive(Clone, Debug, Default)]
struct Member {
    /// What it joins with; empty when it joins as somebody new.
    id: String,
    /// Under which id it is in the present generation.
    known_as: String,
    generation: i32,
    /// Its partitions, each with the offset that it has come to.
    positions: Vec<(i32, i64)>,
    /// The membership before this one.
    former: Option<Box<Self>>,
}

/// Is a member of the group until it is over.
pub(crate) async fn keep_membership(actor: Actor) {
    let mut member = Member::default();
    while !actor.stage.is_over.get() {
        if let Err(error) = live_on(&actor, &mut member).await {
            actor.tell(|| format!("begins again: {error}"));
            // A commit may still be on its way: as somebody new, the member waits for a generation that refuses it.
            member.id.clear();
        }
        actor.back_off().await;
    }
}

/// One connection: joins, works until the group rebalances or refuses it, and joins again.
async fn live_on(actor: &Actor, member: &mut Member) -> Result<()> {
    let mut client = actor.stage.classic.find(actor).await?;
    while !actor.stage.is_over.get() {
        join(actor, &mut client, member).await?;
        let worked = work(actor, &mut client, member).await;
        match worked.as_ref().map_err(ToString::to_string) {
            Ok(()) => return Ok(()),
            Err(text) if text.contains("RebalanceInProgress") => {}
            Err(text) if is_forgotten(&text) => member.id.clear(),
            Err(_) => return worked,
        }
    }
    Ok(())
}

fn is_forgotten(error: &str) -> bool {
    error.contains("UnknownMemberId") || error.contains("IllegalGeneration")
}

/// Joins and gets partitions.
async fn join(actor: &Actor, client: &mut Client, member: &mut Member) -> Result<()> {
    let ownership = &actor.stage.classic.known;
    let floor = ownership.borrow().generation();
    let joined = ask_to_join(actor, client, member).await?;
    let generation = joined.generation_id;
    let is_leader = joined.leader == joined.member_id;
    let request = SyncGroupRequest {
        group_id: GROUP.into(),
        generation_id: generation,
        member_id: joined.member_id.clone(),
        assignments: if is_leader {
            share_out(&joined, actor.stage.mix.partitions)
        } else {
            Vec::new()
        },
        ..SyncGroupRequest::default()
    };
    let response = client.call(SYNC_VERSION, &request).await?;
    actor.stage.story.operation("sync group");
    succeed(response.error_code)?;
    let partitions = decode(&response.assignment);
    actor.tell(|| format!("has {partitions:?} in generation {generation}"));
    let membership = (generation, floor);
    let verdict = ownership
        .borrow_mut()
        .assigned(membership, &member.id, &partitions);
    actor.stage.hold(verdict);
    let former = member.memory();
    *member = Member {
        id: member.id.clone(),
        known_as: member.id.clone(),
        generation,
        positions: Vec::new(),
        former,
    };
    member.positions = actor.stage.classic.look(actor, client, &partitions).await?;
    Ok(())
}

impl Member {
    /// What it will remember of this membership once there is another one.
    fn memory(&self) -> Option<Box<Self>> {
        let is_worth_it = self.generation > 0 && !self.positions.is_empty();
        is_worth_it.then(|| {
            Box::new(Self {
                id: self.known_as.clone(),
                former: None,
                ..self.clone()
            })
        })
    }
}

async fn ask_to_join(
    actor: &Actor,
    client: &mut Client,
    member: &mut Member,
) -> Result<JoinGroupResponse> {
    loop {
        let request = JoinGroupRequest {
            group_id: GROUP.into(),
            session_timeout_ms: SESSION_TIMEOUT_MS,
            rebalance_timeout_ms: REBALANCE_TIMEOUT_MS,
            member_id: member.id.as_str().into(),
            protocol_type: PROTOCOL.into(),
            protocols: vec![JoinGroupRequestProtocol {
                name: PROTOCOL.into(),
                metadata: Bytes::from_static(b"any"),
            }],
            ..JoinGroupRequest::default()
        };
        let response = client.call(JOIN_VERSION, &request).await?;
        actor.stage.story.operation("join group");
        match ErrorCode::from_code(response.error_code) {
            Some(ErrorCode::None) => {
                member.id = response.member_id.to_string();
                return Ok(response);
            }
            Some(ErrorCode::MemberIdRequired) => member.id = response.member_id.to_string(),
            Some(ErrorCode::UnknownMemberId) if !member.id.is_empty() => member.id.clear(),
            code => return Err(Error::other(format!("{code:?}"))),
        }
    }
}

/// One partition after the other, to one member after the other.
fn share_out(joined: &JoinGroupResponse, partitions: i32) -> Vec<SyncGroupRequestAssignment> {
    let count = joined.members.len();
    let share = |index: usize| {
        let mine = (0_i32..partitions)
            .zip((0..count).cycle())
            .filter(|(_, to)| *to == index);
        let mine = mine.flat_map(|(partition, _)| partition.to_be_bytes());
        mine.collect::<Vec<u8>>()
    };
    let members = joined.members.iter().enumerate();
    members
        .map(|(index, member)| SyncGroupRequestAssignment {
            member_id: member.member_id.clone(),
            assignment: share(index).into(),
        })
        .collect()
}

fn decode(assignment: &[u8]) -> Vec<i32> {
    let (partitions, _) = assignment.as_chunks();
    partitions
        .iter()
        .map(|bytes| i32::from_be_bytes(*bytes))
        .collect()
}

/// Heartbeats and commits until the group rebalances, or the member leaves.
async fn work(actor: &Actor, client: &mut Client, member: &mut Member) -> Result<()> {
    if let Some(former) = member.former.take() {
        haunt(actor, client, &former, member.generation).await?;
    }
    while !actor.stage.is_over.get() {
        actor.pause(PAUSE_MAX_MS).await;
        match actor.rng.below(40) {
            0 => return leave(client, member).await,
            1 => {
                actor.tell(|| "falls silent".to_owned());
                let io = &actor.stage.io;
                io.sleep_until(io.now() + SILENCE).await;
            }
            2 => {
                let partitions: Vec<i32> = member.positions.iter().map(|it| it.0).collect();
                let group = &actor.stage.classic;
                group.look(actor, client, &partitions).await?;
            }
            3..20 => {
                for (_, position) in &mut member.positions {
                    *position += 1;
                }
                let membership = (member.generation, member.id.as_str());
                let group = &actor.stage.classic;
                group
                    .commit(actor, client, membership, &member.positions)
                    .await?;
            }
            _ => {
                let request = HeartbeatRequest {
                    group_id: GROUP.into(),
                    generation_id: member.generation,
                    member_id: member.id.as_str().into(),
                    ..HeartbeatRequest::default()
                };
                let response = client.call(HEARTBEAT_VERSION, &request).await?;
                actor.stage.story.operation("heartbeat");
                succeed(response.error_code)?;
            }
        }
    }
    Ok(())
}

/// Commits what it did in a generation that has passed: the group has told this very member of a newer one.
async fn haunt(actor: &Actor, client: &mut Client, former: &Member, generation: i32) -> Result<()> {
    if former.generation >= generation || actor.rng.chance(1, 2) {
        return Ok(());
    }
    let membership = (former.generation, former.id.as_str());
    let group = &actor.stage.classic;
    group
        .haunt(actor, client, membership, &former.positions)
        .await
}

async fn leave(client: &mut Client, member: &mut Member) -> Result<()> {
    let request = LeaveGroupRequest {
        group_id: GROUP.into(),
        members: vec![MemberIdentity {
            member_id: member.id.as_str().into(),
            ..MemberIdentity::default()
        }],
        ..LeaveGroupRequest::default()
    };
    *member = Member::default();
    let response = client.call(LEAVE_VERSION, &request).await?;
    succeed(response.error_code)
}
