//! A member of a consumer group, beside the lanes that fetch for it: heartbeats, and commits of how far they are.
//!
//! The group is stable before a run begins (see [`crate::workload`]), and nobody joins or leaves while it lasts. A changed
//! assignment would change what is measured, so it ends the run. One request is under way at a time, as latencies of commits
//! count from when they are due. Source: KIP-848.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use client::{ClientError, ResponseFault};
use protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use protocol::messages::{ConsumerGroupHeartbeatRequest, OffsetCommitRequest};
use types::ErrorCode;

use super::link::{Link, bad, response};
use super::stats::SideStats;
use super::{Place, Shared, Window, nanos};
use crate::load::{Nanos, Stamp};

const HEARTBEAT: &str = "ConsumerGroupHeartbeat";
const COMMIT: &str = "OffsetCommit";

/// The epoch by which a member says that it goes.
const LEAVING: i32 = -1;

/// Between two looks whether the members' lanes are done.
const LOOK_AGAIN: Nanos = 50_000_000;

/// Who a member is.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) group: protocol::Str,
    pub(crate) id: protocol::Str,
    pub(crate) epoch: i32,
    pub(crate) heartbeat_version: i16,
    pub(crate) commit_version: i16,
    pub(crate) heartbeat_interval: Duration,
    pub(crate) commit_interval: Duration,
    pub(crate) request_timeout: Duration,
}

/// How far a partition has been read, written by the lane that reads it.
pub(crate) type Position = Arc<AtomicI64>;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Heartbeat,
    Commit { due: Nanos },
    Leave,
}

/// What becomes of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Reading,
    /// Everything is read; the last positions are committed, then it leaves.
    LastCommit,
    Leaving,
    Gone,
}

/// A connection to the group's coordinator.
#[derive(Debug)]
pub(crate) struct MemberLane {
    pub(crate) link: Link,
    member: Member,
    /// Places of one topic stand together; beside each what was committed of it.
    positions: Vec<(Place, Position, i64)>,
    open: Option<(i32, Nanos, Asked)>,
    heartbeat_at: Nanos,
    commit_at: Nanos,
    stage: Stage,
}

impl MemberLane {
    pub(crate) fn new(link: Link, member: Member, positions: Vec<(Place, Position)>) -> Self {
        let committed = |(place, position): (Place, Position)| {
            let at = position.load(Ordering::Relaxed);
            (place, position, at)
        };
        Self {
            link,
            heartbeat_at: nanos(member.heartbeat_interval),
            commit_at: nanos(member.commit_interval),
            member,
            positions: positions.into_iter().map(committed).collect(),
            open: None,
            stage: Stage::Reading,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.stage == Stage::Gone
    }

    /// Asks what is due; when to come back, if not for an answer.
    pub(crate) fn tick(
        &mut self,
        window: &Window,
        shared: &Shared,
    ) -> Result<Option<Nanos>, ClientError> {
        let now = window.now();
        if shared.stop.load(Ordering::Relaxed) {
            self.stage = Stage::Gone;
            return Ok(None);
        }
        if self.open.is_some() || self.stage == Stage::Gone {
            return Ok(None);
        }
        if self.stage == Stage::Reading && shared.consumers_open.load(Ordering::Acquire) == 0 {
            self.stage = Stage::LastCommit;
        }
        if self.stage == Stage::LastCommit {
            self.stage = Stage::Leaving;
            if self.commit(now, now)? {
                return Ok(None);
            }
        }
        if self.stage == Stage::Leaving {
            self.heartbeat(now, Asked::Leave)?;
        } else if now >= self.commit_at {
            let due = self.commit_at;
            self.commit_at = due + nanos(self.member.commit_interval);
            if self.commit(due, now)? {
                return Ok(None);
            }
        } else if now >= self.heartbeat_at {
            self.heartbeat_at = now + nanos(self.member.heartbeat_interval);
            self.heartbeat(now, Asked::Heartbeat)?;
        }
        let next = self.heartbeat_at.min(self.commit_at);
        Ok(Some(next.min(now + LOOK_AGAIN)))
    }

    fn heartbeat(&mut self, now: Nanos, asked: Asked) -> Result<(), ClientError> {
        let epoch = if asked == Asked::Leave {
            LEAVING
        } else {
            self.member.epoch
        };
        // What is absent has not changed.
        let request = ConsumerGroupHeartbeatRequest {
            group_id: self.member.group.clone(),
            member_id: self.member.id.clone(),
            member_epoch: epoch,
            ..ConsumerGroupHeartbeatRequest::default()
        };
        let id = self.link.queue(self.member.heartbeat_version, &request)?;
        self.open = Some((id, now, asked));
        self.link.flush(HEARTBEAT)
    }

    /// Commits what has moved; whether there was anything.
    fn commit(&mut self, due: Nanos, now: Nanos) -> Result<bool, ClientError> {
        let mut topics: Vec<OffsetCommitRequestTopic> = Vec::new();
        for (place, position, committed) in &mut self.positions {
            let at = position.load(Ordering::Relaxed);
            if at == *committed {
                continue;
            }
            *committed = at;
            if topics.last().is_none_or(|topic| topic.name != place.topic) {
                topics.push(OffsetCommitRequestTopic {
                    name: place.topic.clone(),
                    topic_id: place.id,
                    ..OffsetCommitRequestTopic::default()
                });
            }
            let topic = topics.last_mut().expect("one was pushed if there was none");
            topic.partitions.push(OffsetCommitRequestPartition {
                partition_index: place.partition,
                committed_offset: at,
                ..OffsetCommitRequestPartition::default()
            });
        }
        if topics.is_empty() {
            return Ok(false);
        }
        let request = OffsetCommitRequest {
            group_id: self.member.group.clone(),
            member_id: self.member.id.clone(),
            generation_id_or_member_epoch: self.member.epoch,
            topics,
            ..OffsetCommitRequest::default()
        };
        let id = self.link.queue(self.member.commit_version, &request)?;
        self.open = Some((id, now, Asked::Commit { due }));
        self.link.flush(COMMIT)?;
        Ok(true)
    }

    /// Fails when the request should have been answered by now.
    pub(crate) fn check_deadline(&self, now: Nanos) -> Result<(), ClientError> {
        let waited = self.member.request_timeout;
        match self.open {
            Some((_, sent, asked)) if now > sent + nanos(waited) => Err(ClientError::TimedOut {
                address: self.link.address().to_owned(),
                api: asked.api(),
                waited,
            }),
            _ => Ok(()),
        }
    }

    /// Reads the answer if it has come. `stats` counts commits.
    pub(crate) fn receive(
        &mut self,
        window: &Window,
        stats: &mut SideStats,
    ) -> Result<(), ClientError> {
        let api = self.open.map_or(HEARTBEAT, |(_, _, asked)| asked.api());
        if !self.link.fill(api)? {
            return Ok(());
        }
        let now = window.now();
        let address = self.link.address().to_owned();
        let Self {
            link,
            member,
            open,
            stage,
            ..
        } = self;
        link.frames(api, |body: Bytes| {
            let Some((id, _, asked)) = open.take() else {
                let fault = ResponseFault::Missing("a request that it answers".to_owned());
                return Err(bad(&address, api, fault));
            };
            match asked {
                Asked::Heartbeat => still_member(&address, body, id, member),
                Asked::Commit { due } => {
                    let partitions = committed(&address, body, id, member)?;
                    if window.holds(now) {
                        let since_begin = now - window.begin;
                        let due = Stamp {
                            first: due,
                            last: due,
                        };
                        stats.count(since_begin, partitions, 0);
                        stats.latencies(since_begin, now, due, 1);
                    }
                    Ok(())
                }
                Asked::Leave => {
                    *stage = Stage::Gone;
                    Ok(())
                }
            }
        })
    }
}

impl Asked {
    fn api(self) -> &'static str {
        match self {
            Self::Heartbeat | Self::Leave => HEARTBEAT,
            Self::Commit { .. } => COMMIT,
        }
    }
}

/// Refuses an answer by which the member would have to read other partitions.
fn still_member(address: &str, body: Bytes, id: i32, member: &Member) -> Result<(), ClientError> {
    let version = member.heartbeat_version;
    let answer = response::<ConsumerGroupHeartbeatRequest>(address, body, version, Some(id))?;
    let refused = |code, message: Option<&str>| ClientError::Broker {
        api: HEARTBEAT,
        subject: format!("of group {}", member.group),
        code,
        message: message.map(str::to_owned),
    };
    if answer.error_code != ErrorCode::None.code() {
        let code = ErrorCode::from_code(answer.error_code).unwrap_or(ErrorCode::UnknownServerError);
        return Err(refused(code, answer.error_message.as_deref()));
    }
    if answer.member_epoch != member.epoch || answer.assignment.is_some() {
        let why = "the group was rebalanced while it was measured";
        return Err(refused(ErrorCode::RebalanceInProgress, Some(why)));
    }
    Ok(())
}

/// How many partitions were committed.
fn committed(address: &str, body: Bytes, id: i32, member: &Member) -> Result<u64, ClientError> {
    let answer = response::<OffsetCommitRequest>(address, body, member.commit_version, Some(id))?;
    let partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
    let mut count = 0;
    for partition in partitions {
        if partition.error_code != ErrorCode::None.code() {
            let code = ErrorCode::from_code(partition.error_code);
            return Err(ClientError::Broker {
                api: COMMIT,
                subject: format!("of partition {}", partition.partition_index),
                code: code.unwrap_or(ErrorCode::UnknownServerError),
                message: None,
            });
        }
        count += 1;
    }
    Ok(count)
}
