//! Members of a consumer group of the new protocol: they take what they are told to, give back what they are to lose when
//! they are done with it, commit, fall silent, leave, and come back.
//!
//! Source: KIP-848, `ConsumerMembershipManager` of Kafka.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Error, Result};
use std::time::Duration;

use ::io::{Instant, Io as _};
use protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use types::Uuid;

use super::stage::{Actor, succeed};
use crate::client::{Client, TOPIC};

pub(crate) const GROUP: &str = "subscribers";
const HEARTBEAT_VERSION: i16 = 1;
/// What the broker is configured with.
const SESSION: Duration = Duration::from_millis(300);
/// Longer than a session.
const SILENCE: Duration = Duration::from_millis(450);
/// So long that nobody loses a partition for giving it back too late.
const REBALANCE_TIMEOUT_MS: i32 = 60_000;
const PAUSE_MAX_MS: u64 = 40;
const LEAVES: i32 = -1;

/// What a member remembers from heartbeat to heartbeat.
#[derive(Clone, Debug, Default)]
struct Subscriber {
    id: String,
    /// 0 before it has joined.
    epoch: i32,
    topic_id: Uuid,
    /// Its partitions, each with the offset that it has come to.
    positions: BTreeMap<i32, i64>,
    /// What it was told to have, if that differs.
    target: Option<BTreeSet<i32>>,
    /// Whether it has been answered since it changed what it has.
    is_told: bool,
    /// Until when its session lasts at least.
    lasts: Instant,
}

impl Subscriber {
    fn positions(&self) -> Vec<(i32, i64)> {
        self.positions.iter().map(|(&at, &to)| (at, to)).collect()
    }
}

/// Is a member of the group, again and again, until it is over.
pub(crate) async fn keep_subscription(actor: Actor, number: usize) {
    let mut lives = 0;
    let mut member = Subscriber::default();
    while !actor.stage.is_over.get() {
        if member.id.is_empty() {
            lives += 1;
            member.id = format!("{number}-{lives}");
        }
        if let Err(error) = live_on(&actor, &mut member).await {
            actor.tell(|| format!("{} begins again: {error}", member.id));
            let is_gone = error.to_string().contains("UnknownMemberId");
            if is_gone {
                drop(come_back(&actor, &member).await);
            }
            // A request may still be on its way: what it had stays its own as long as the broker believes so, and it
            // comes back as somebody else.
            let is_fenced = error.to_string().contains("FencedMemberEpoch");
            if is_gone || is_fenced {
                release(&actor, &member, &BTreeSet::new());
            }
            member = Subscriber::default();
        }
        actor.back_off().await;
    }
}

/// Commits as the member that it was.
async fn come_back(actor: &Actor, former: &Subscriber) -> Result<()> {
    if former.positions.is_empty() {
        return Ok(());
    }
    let group = &actor.stage.subscribed;
    let mut client = group.find(actor).await?;
    let membership = (former.epoch, former.id.as_str());
    group
        .haunt(actor, &mut client, membership, &former.positions())
        .await
}

/// One connection: joins and works.
async fn live_on(actor: &Actor, member: &mut Subscriber) -> Result<()> {
    let mut client = actor.stage.subscribed.find(actor).await?;
    member.is_told = false;
    beat(actor, &mut client, member).await?;
    loop {
        actor.pause(PAUSE_MAX_MS).await;
        if actor.stage.is_over.get() || actor.rng.chance(1, 60) {
            return leave(actor, &mut client, member).await;
        }
        if actor.rng.chance(1, 2) {
            reconcile(actor, &mut client, member).await?;
        }
        match actor.rng.below(40) {
            0 => {
                actor.tell(|| format!("{} falls silent", member.id));
                let io = &actor.stage.io;
                io.sleep_until(io.now() + SILENCE).await;
            }
            1..15 if !member.positions.is_empty() => {
                member.positions.values_mut().for_each(|it| *it += 1);
                let membership = (member.epoch, member.id.as_str());
                let group = &actor.stage.subscribed;
                group
                    .commit(actor, &mut client, membership, &member.positions())
                    .await?;
            }
            15 => {
                let partitions: Vec<i32> = member.positions.keys().copied().collect();
                let group = &actor.stage.subscribed;
                group.look(actor, &mut client, &partitions).await?;
            }
            _ => beat(actor, &mut client, member).await?,
        }
    }
}

async fn beat(actor: &Actor, client: &mut Client, member: &mut Subscriber) -> Result<()> {
    let sent_at = actor.stage.io.now();
    let request = heartbeat(actor, member);
    let response = client.call(HEARTBEAT_VERSION, &request).await?;
    actor.stage.story.operation("consumer heartbeat");
    succeed(response.error_code)?;
    if actor.stage.io.now() >= sent_at + SESSION {
        // It may have been given up in the meantime.
        return Err(Error::other("the answer came too late"));
    }
    if response.member_epoch < member.epoch {
        let (was, is) = (member.epoch, response.member_epoch);
        let verdict = format!("the epoch of {} fell from {was} to {is}", member.id);
        actor.stage.hold(Err(verdict));
    }
    member.epoch = response.member_epoch;
    member.is_told = request.topic_partitions.is_some() || member.is_told;
    member.lasts = sent_at + SESSION;
    let holders = &actor.stage.holders;
    holders.borrow_mut().renewed(&member.id, member.lasts);
    hear(actor, member, &response);
    Ok(())
}

fn heartbeat(actor: &Actor, member: &Subscriber) -> ConsumerGroupHeartbeatRequest {
    let is_full = !member.is_told || actor.rng.chance(1, 5);
    let own = || {
        let partitions: Vec<i32> = member.positions.keys().copied().collect();
        let topic = TopicPartitions {
            topic_id: member.topic_id,
            partitions,
        };
        if member.positions.is_empty() {
            Vec::new()
        } else {
            vec![topic]
        }
    };
    ConsumerGroupHeartbeatRequest {
        group_id: GROUP.into(),
        member_id: member.id.as_str().into(),
        member_epoch: member.epoch,
        rebalance_timeout_ms: if is_full { REBALANCE_TIMEOUT_MS } else { -1 },
        subscribed_topic_names: is_full.then(|| vec![TOPIC.into()]),
        topic_partitions: is_full.then(own),
        ..ConsumerGroupHeartbeatRequest::default()
    }
}

/// What an answer says of partitions.
fn hear(actor: &Actor, member: &mut Subscriber, response: &ConsumerGroupHeartbeatResponse) {
    let Some(assignment) = &response.assignment else {
        return;
    };
    let topic = assignment.topic_partitions.first();
    let target: BTreeSet<i32> = topic
        .map(|topic| topic.partitions.iter().copied().collect())
        .unwrap_or_default();
    if let Some(topic) = topic {
        member.topic_id = topic.topic_id;
    }
    actor.tell(|| format!("{} is to have {target:?} at {}", member.id, member.epoch));
    let partitions: Vec<i32> = target.iter().copied().collect();
    let known = &actor.stage.subscribed.known;
    let verdict = known
        .borrow_mut()
        .assigned((member.epoch, 0), &member.id, &partitions);
    actor.stage.hold(verdict);
    promised(actor, member, &partitions);
    member.target = Some(target);
}

/// Nobody else holds what is given to it.
fn promised(actor: &Actor, member: &Subscriber, partitions: &[i32]) {
    let now = actor.stage.io.now();
    for partition in partitions {
        let holders = actor.stage.holders.borrow();
        let verdict = holders.promised(*partition, &member.id, now);
        actor.stage.hold(verdict);
    }
}

/// Gives back what it is to lose; takes what it is to get.
async fn reconcile(actor: &Actor, client: &mut Client, member: &mut Subscriber) -> Result<()> {
    let Some(target) = member.target.take() else {
        return Ok(());
    };
    if actor.stage.io.now() >= member.lasts {
        return Err(Error::other("its session may be over"));
    }
    release(actor, member, &target);
    member.positions.retain(|at, _| target.contains(at));
    let missing = |at: &&i32| !member.positions.contains_key(at);
    let new: Vec<i32> = target.iter().filter(missing).copied().collect();
    promised(actor, member, &new);
    for partition in &new {
        let holders = &actor.stage.holders;
        holders
            .borrow_mut()
            .taken(*partition, &member.id, member.lasts);
        member.positions.insert(*partition, 0);
    }
    member.is_told = false;
    let found = actor.stage.subscribed.look(actor, client, &new).await?;
    member.positions.extend(found);
    Ok(())
}

/// Ends its work on all partitions but `kept`.
fn release(actor: &Actor, member: &Subscriber, kept: &BTreeSet<i32>) {
    let mut holders = actor.stage.holders.borrow_mut();
    let all = member.positions.keys();
    for partition in all.filter(|at| !kept.contains(at)) {
        holders.released(*partition, &member.id);
    }
}

async fn leave(actor: &Actor, client: &mut Client, member: &mut Subscriber) -> Result<()> {
    release(actor, member, &BTreeSet::new());
    actor.tell(|| format!("{} leaves", member.id));
    let request = ConsumerGroupHeartbeatRequest {
        member_epoch: LEAVES,
        rebalance_timeout_ms: -1,
        subscribed_topic_names: None,
        topic_partitions: None,
        ..heartbeat(actor, member)
    };
    *member = Subscriber::default();
    let response = client.call(HEARTBEAT_VERSION, &request).await?;
    actor.stage.story.operation("consumer heartbeat");
    succeed(response.error_code)
}
