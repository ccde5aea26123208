//! A ninth member joins a classic group of eight that keep what they have through a rebalance (KIP-429), each on a thread of
//! its own, as a JoinGroup waits for the others.
//!
//! A member that has to give up partitions gives them up at once and joins again, as real clients do when their listeners
//! have run: the partitions go to the ninth in a second rebalance.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use client::Connection;
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::join_group_response::JoinGroupResponseMember;
use protocol::messages::leave_group_request::MemberIdentity;
use protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use protocol::messages::{
    HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, SyncGroupRequest,
};
use types::ErrorCode;

use crate::joins::{MEMBERS, Parts, is_balanced, report};
use crate::{Outcome, PARTITIONS, TIME_MAX, TOPIC, coordinator, expect_none, is_passing, topic_id};

/// Longer than any round.
const SESSION_MS: i32 = 60_000;

const PROTOCOL: &str = "cooperative-sticky";

/// What the members of a group have, by their numbers.
type Owned = Arc<Mutex<Parts>>;

struct Member {
    connection: Connection,
    group: String,
    number: usize,
    id: String,
    generation: i32,
    owned: BTreeSet<i32>,
    all: Owned,
}

impl Member {
    fn new(address: &str, group: &str, number: usize, all: &Owned) -> Outcome<Self> {
        Ok(Self {
            connection: coordinator(address, group, 1)?,
            group: group.to_owned(),
            number,
            id: String::new(),
            generation: -1,
            owned: BTreeSet::new(),
            all: Arc::clone(all),
        })
    }

    /// Joins, asks every `interval` whether there is a rebalance, and leaves.
    fn run(mut self, interval: Duration, stop: &AtomicBool) -> Outcome<()> {
        self.rebalance()?;
        while !stop.load(Ordering::Relaxed) {
            thread::sleep(interval);
            let code = self.connection.call(&self.heartbeat())?.error_code;
            match ErrorCode::from_code(code) {
                Some(ErrorCode::RebalanceInProgress) => self.rebalance()?,
                _ => expect_none("Heartbeat", code)?,
            }
        }
        let request = LeaveGroupRequest {
            group_id: self.group.as_str().into(),
            members: vec![MemberIdentity {
                member_id: self.id.as_str().into(),
                ..MemberIdentity::default()
            }],
            ..LeaveGroupRequest::default()
        };
        expect_none("LeaveGroup", self.connection.call(&request)?.error_code)
    }

    fn heartbeat(&self) -> HeartbeatRequest {
        HeartbeatRequest {
            group_id: self.group.as_str().into(),
            generation_id: self.generation,
            member_id: self.id.as_str().into(),
            group_instance_id: None,
        }
    }

    /// Joins and takes what it is given, until it has nothing to give up.
    fn rebalance(&mut self) -> Outcome<()> {
        loop {
            let joined = self.join()?;
            self.generation = joined.generation_id;
            let is_leader = joined.leader == joined.member_id;
            let assignments = match is_leader {
                true => assign(&joined.members),
                false => Vec::new(),
            };
            let request = SyncGroupRequest {
                group_id: self.group.as_str().into(),
                generation_id: self.generation,
                member_id: self.id.as_str().into(),
                protocol_type: Some("consumer".into()),
                protocol_name: Some(PROTOCOL.into()),
                assignments,
                ..SyncGroupRequest::default()
            };
            let synced = self.connection.call(&request)?;
            if ErrorCode::from_code(synced.error_code) == Some(ErrorCode::RebalanceInProgress) {
                continue;
            }
            expect_none("SyncGroup", synced.error_code)?;
            let assigned = decode(synced.assignment);
            let gives_up = !self.owned.is_subset(&assigned);
            self.owned = assigned;
            let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
            all[self.number].clone_from(&self.owned);
            drop(all);
            if !gives_up {
                return Ok(());
            }
        }
    }

    fn join(&mut self) -> Outcome<JoinGroupResponse> {
        let deadline = Instant::now() + TIME_MAX;
        loop {
            let request = JoinGroupRequest {
                group_id: self.group.as_str().into(),
                session_timeout_ms: SESSION_MS,
                rebalance_timeout_ms: SESSION_MS,
                member_id: self.id.as_str().into(),
                protocol_type: "consumer".into(),
                protocols: vec![JoinGroupRequestProtocol {
                    name: PROTOCOL.into(),
                    metadata: subscription(&self.owned),
                }],
                ..JoinGroupRequest::default()
            };
            let joined = self.connection.call(&request)?;
            if ErrorCode::from_code(joined.error_code) == Some(ErrorCode::MemberIdRequired) {
                self.id = joined.member_id.to_string();
                continue;
            }
            if is_passing(joined.error_code) && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(20));
                continue;
            }
            expect_none("JoinGroup", joined.error_code)?;
            return Ok(joined);
        }
    }
}

/// A subscription to the topic that names what its member has.
///
/// Source: `ConsumerProtocolSubscription.json` of Kafka 4.3, version 1.
fn subscription(owned: &BTreeSet<i32>) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(1);
    bytes.put_i32(1);
    put_topic(&mut bytes);
    bytes.put_i32(-1);
    put_partitions(&mut bytes, owned);
    bytes.freeze()
}

/// Source: `ConsumerProtocolAssignment.json` of Kafka 4.3, version 1.
fn assignment(assigned: &BTreeSet<i32>) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(1);
    put_partitions(&mut bytes, assigned);
    bytes.put_i32(-1);
    bytes.freeze()
}

fn put_topic(bytes: &mut BytesMut) {
    bytes.put_i16(i16::try_from(TOPIC.len()).expect("a short name"));
    bytes.put_slice(TOPIC.as_bytes());
}

fn put_partitions(bytes: &mut BytesMut, partitions: &BTreeSet<i32>) {
    bytes.put_i32(1);
    put_topic(bytes);
    bytes.put_i32(i32::try_from(partitions.len()).expect("a few"));
    for partition in partitions {
        bytes.put_i32(*partition);
    }
}

/// The partitions that [`put_partitions`] has written behind a version, or the whole of an assignment.
fn decode(mut bytes: Bytes) -> BTreeSet<i32> {
    let head = size_of::<i16>() + size_of::<i32>() + size_of::<i16>() + TOPIC.len();
    bytes.advance(head.min(bytes.len()));
    let count = bytes.try_get_i32().unwrap_or(0);
    (0..count).map_while(|_| bytes.try_get_i32().ok()).collect()
}

/// What the member of this metadata has.
fn owned(member: &JoinGroupResponseMember) -> BTreeSet<i32> {
    let mut metadata = member.metadata.clone();
    // The topics, with their number, and the user data, which there is none of, stand before what is owned; the version of
    // that, which `decode` passes over, is the end of the user data's length.
    let head = size_of::<i16>() + size_of::<i32>() + size_of::<i16>() + TOPIC.len();
    metadata.advance((head + size_of::<i32>() - size_of::<i16>()).min(metadata.len()));
    decode(metadata)
}

/// As even a spread as there is, in which everybody keeps what fits and gets only what nobody has.
fn assign(members: &[JoinGroupResponseMember]) -> Vec<SyncGroupRequestAssignment> {
    let mut parts: Vec<_> = members.iter().map(|it| (it, owned(it))).collect();
    parts.sort_by_key(|(_, owned)| std::cmp::Reverse(owned.len()));
    let taken: BTreeSet<i32> = parts.iter().flat_map(|(_, owned)| owned.clone()).collect();
    let mut free = (0..PARTITIONS).filter(|it| !taken.contains(it));
    let count = usize::try_from(PARTITIONS).expect("a few");
    let (least, more) = (count / parts.len(), count % parts.len());
    let assignments = parts.iter().enumerate().map(|(at, (member, owned))| {
        let share = least + usize::from(at < more);
        let mut assigned: BTreeSet<i32> = owned.iter().copied().take(share).collect();
        let missing = share - assigned.len();
        assigned.extend(free.by_ref().take(missing));
        SyncGroupRequestAssignment {
            member_id: member.member_id.clone(),
            assignment: assignment(&assigned),
        }
    });
    assignments.collect()
}

/// A group whose members are threads.
struct Group<'a> {
    address: &'a str,
    name: String,
    interval: Duration,
    all: Owned,
    stop: Arc<AtomicBool>,
    members: Vec<JoinHandle<Outcome<()>>>,
}

impl Group<'_> {
    /// A member that is connected, and a place for what it will have.
    fn member(&self) -> Outcome<Member> {
        let number = self.members.len();
        let member = Member::new(self.address, &self.name, number, &self.all)?;
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(BTreeSet::new());
        drop(all);
        Ok(member)
    }

    fn join(&mut self, member: Member) {
        let (interval, stop) = (self.interval, Arc::clone(&self.stop));
        self.members
            .push(thread::spawn(move || member.run(interval, &stop)));
    }

    fn parts(&self) -> Parts {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.clone()
    }

    fn settle(&self) -> Outcome<()> {
        let deadline = Instant::now() + TIME_MAX;
        while !is_balanced(&self.parts()) {
            if Instant::now() > deadline || self.members.iter().any(JoinHandle::is_finished) {
                return Err("the group is not balanced".into());
            }
            thread::sleep(Duration::from_micros(200));
        }
        Ok(())
    }

    fn end(self) -> Outcome<()> {
        self.stop.store(true, Ordering::Relaxed);
        for member in self.members {
            member.join().map_err(|_panic| "a thread panicked")??;
        }
        Ok(())
    }
}

/// How long it takes from a ninth member's first JoinGroup until all partitions are spread over nine.
pub(crate) fn measure(address: &str, interval: Duration, rounds: usize) -> Outcome<()> {
    topic_id(address)?;
    let mut took = Vec::new();
    let mut moved = 0;
    for round in 0..rounds {
        let mut group = Group {
            address,
            name: format!(
                "rebalanced-{}-{round}-{}",
                interval.as_millis(),
                std::process::id()
            ),
            interval,
            all: Owned::default(),
            stop: Arc::default(),
            members: Vec::new(),
        };
        for _ in 0..MEMBERS {
            let member = group.member()?;
            group.join(member);
        }
        group.settle()?;
        // Until the last rebalance is long ago, as in a group that has been quiet.
        thread::sleep(Duration::from_millis(1_500));
        let before = group.parts();
        let ninth = group.member()?;
        let began = Instant::now();
        group.join(ninth);
        group.settle()?;
        took.push(began.elapsed());
        let now = group.parts();
        let kept = before.iter().zip(&now);
        moved += kept
            .map(|(before, now)| before.difference(now).count())
            .sum::<usize>();
        group.end()?;
    }
    report(interval, took, moved);
    Ok(())
}
