//! Consumer groups that are stable before a run begins: members join, until every partition is somebody's.
//!
//! The broker assigns (KIP-848, `group.protocol=consumer`). Members that join one after the other make it move partitions from
//! one to the other; so all of them are asked in turn, each saying what it has, until a whole turn changes nothing.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use client::{ClientError, Connection};
use protocol::ApiKey;
use protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use types::{ErrorCode, Uuid};

use command_line::Failure;

use crate::engine::{Member, Place};
use crate::target::Target;

/// How long a group may take until it is stable.
const STABLE_MAX: Duration = Duration::from_secs(120);

const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// How long members may take to give partitions back.
const REBALANCE_TIMEOUT_MS: i32 = 60_000;

/// The greatest version of OffsetCommit that names topics.
const COMMIT_VERSION_WITH_NAMES: i16 = 9;

/// A member with what was assigned to it.
#[derive(Debug)]
pub(crate) struct Joined {
    connection: Connection,
    pub(crate) member: Member,
    owned: BTreeSet<(Uuid, i32)>,
}

/// What all members of a run have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GroupPlan<'a> {
    pub(crate) commit_interval: Duration,
    pub(crate) request_timeout: Duration,
    pub(crate) interrupted: &'a AtomicBool,
}

/// What a heartbeat has brought.
enum Step {
    Settled,
    Changed,
    /// The coordinator has moved, or is not ready yet.
    Elsewhere,
}

/// Lets `count` members join a group of this number, and waits until they share all partitions.
pub(crate) fn join(
    target: &mut Target,
    number: u16,
    count: u16,
    plan: &GroupPlan<'_>,
) -> Result<Vec<Joined>, Failure> {
    let group = target.group(number);
    let mut members = Vec::with_capacity(usize::from(count));
    for id in 0..count {
        let connection = target.coordinator(&group)?;
        let member = Member {
            group: group.as_str().into(),
            id: format!("{group}-member-{id}").into(),
            epoch: 0,
            heartbeat_version: connection.version_of(ApiKey::ConsumerGroupHeartbeat, i16::MAX)?,
            commit_version: connection
                .version_of(ApiKey::OffsetCommit, COMMIT_VERSION_WITH_NAMES)?,
            heartbeat_interval: Duration::ZERO,
            commit_interval: plan.commit_interval,
            request_timeout: plan.request_timeout,
        };
        members.push(Joined {
            connection,
            member,
            owned: BTreeSet::new(),
        });
    }
    let topics = target.topic_names();
    let deadline = Instant::now() + STABLE_MAX;
    loop {
        let mut has_changed = false;
        for joined in &mut members {
            match joined.heartbeat(&topics)? {
                Step::Settled => {}
                Step::Changed => has_changed = true,
                Step::Elsewhere => {
                    has_changed = true;
                    joined.connection = target.coordinator(&group)?;
                }
            }
        }
        let assigned: usize = members.iter().map(|joined| joined.owned.len()).sum();
        let epochs: BTreeSet<i32> = members.iter().map(|joined| joined.member.epoch).collect();
        if !has_changed && assigned == target.places() && epochs.len() == 1 {
            return Ok(members);
        }
        if plan.interrupted.load(Ordering::Relaxed) {
            return Err(Failure::Interrupted);
        }
        if Instant::now() > deadline {
            let problem = format!(
                "group {group} was not stable after {} s: its members have {assigned} of {} partitions",
                STABLE_MAX.as_secs(),
                target.places()
            );
            return Err(Failure::refused(problem, "the broker's log may say why"));
        }
        thread::sleep(LOOK_AGAIN);
    }
}

impl Joined {
    /// Says what it has, and takes what it is given.
    fn heartbeat(&mut self, topics: &[String]) -> Result<Step, ClientError> {
        let is_new = self.member.epoch == 0;
        let request = ConsumerGroupHeartbeatRequest {
            group_id: self.member.group.clone(),
            member_id: self.member.id.clone(),
            member_epoch: self.member.epoch,
            rebalance_timeout_ms: if is_new { REBALANCE_TIMEOUT_MS } else { -1 },
            subscribed_topic_names: is_new
                .then(|| topics.iter().map(|topic| topic.as_str().into()).collect()),
            topic_partitions: Some(self.owned_topics()),
            ..ConsumerGroupHeartbeatRequest::default()
        };
        let answer = self.connection.call(&request)?;
        match ErrorCode::from_code(answer.error_code) {
            Some(ErrorCode::None) => Ok(self.adopt(answer)),
            // The coordinator is being made, or read.
            Some(
                ErrorCode::CoordinatorLoadInProgress
                | ErrorCode::CoordinatorNotAvailable
                | ErrorCode::UnknownTopicOrPartition,
            ) => Ok(Step::Changed),
            Some(ErrorCode::NotCoordinator) => Ok(Step::Elsewhere),
            code => Err(ClientError::Broker {
                api: "ConsumerGroupHeartbeat",
                subject: format!("of group {}", self.member.group),
                code: code.unwrap_or(ErrorCode::UnknownServerError),
                message: answer.error_message.as_deref().map(str::to_owned),
            }),
        }
    }

    fn adopt(&mut self, answer: ConsumerGroupHeartbeatResponse) -> Step {
        let interval = u64::try_from(answer.heartbeat_interval_ms).unwrap_or(0);
        self.member.heartbeat_interval = Duration::from_millis(interval.max(1));
        let mut has_changed = self.member.epoch != answer.member_epoch;
        self.member.epoch = answer.member_epoch;
        if let Some(assignment) = answer.assignment {
            let owned = assignment.topic_partitions.into_iter().flat_map(|topic| {
                let id = topic.topic_id;
                topic.partitions.into_iter().map(move |index| (id, index))
            });
            let owned = owned.collect();
            has_changed |= owned != self.owned;
            self.owned = owned;
        }
        if has_changed {
            Step::Changed
        } else {
            Step::Settled
        }
    }

    fn owned_topics(&self) -> Vec<TopicPartitions> {
        let mut topics: Vec<TopicPartitions> = Vec::new();
        for (id, partition) in &self.owned {
            if topics.last().is_none_or(|topic| topic.topic_id != *id) {
                topics.push(TopicPartitions {
                    topic_id: *id,
                    ..TopicPartitions::default()
                });
            }
            let topic = topics.last_mut().expect("one was pushed if there was none");
            topic.partitions.push(*partition);
        }
        topics
    }

    /// Whether a partition was assigned to it.
    pub(crate) fn owns(&self, place: &Place) -> bool {
        self.owned.contains(&(place.id, place.partition))
    }

    /// Its connection to the coordinator, and who it is.
    pub(crate) fn into_parts(self) -> (Connection, Member) {
        (self.connection, self.member)
    }
}
