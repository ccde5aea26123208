//! A ninth member joins a KIP-848 group of eight, all of them lean ones of one thread.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use client::Connection;
use protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use types::Uuid;

use crate::{
    Outcome, PARTITIONS, TIME_MAX, TOPIC, Times, coordinator, expect_none, is_passing, topic_id,
};

/// Members of the group that another one joins.
pub(crate) const MEMBERS: usize = 8;

/// What the members of a group have.
pub(crate) type Parts = Vec<BTreeSet<i32>>;

/// A member of a KIP-848 group that does at once what it is told.
struct Consumer {
    connection: Connection,
    request: ConsumerGroupHeartbeatRequest,
    owned: BTreeSet<i32>,
    next: Instant,
}

impl Consumer {
    fn new(address: &str, group: &str, number: usize) -> Outcome<Self> {
        Ok(Self {
            connection: coordinator(address, group, 1)?,
            request: ConsumerGroupHeartbeatRequest {
                group_id: group.into(),
                member_id: format!("member-{number}").into(),
                rebalance_timeout_ms: 60_000,
                subscribed_topic_names: Some(vec![TOPIC.into()]),
                topic_partitions: Some(Vec::new()),
                ..ConsumerGroupHeartbeatRequest::default()
            },
            owned: BTreeSet::new(),
            next: Instant::now(),
        })
    }

    /// A heartbeat, if it is due. As real clients do, it answers a changed assignment at once with what it owns now.
    fn run(&mut self, interval: Duration, id: Uuid) -> Outcome<()> {
        while Instant::now() >= self.next {
            self.next = Instant::now() + interval;
            let response = self.connection.call(&self.request)?;
            if is_passing(response.error_code) {
                return Ok(());
            }
            self.take(&response, interval, id)?;
        }
        Ok(())
    }

    fn take(
        &mut self,
        response: &ConsumerGroupHeartbeatResponse,
        interval: Duration,
        id: Uuid,
    ) -> Outcome<()> {
        expect_none("ConsumerGroupHeartbeat", response.error_code)?;
        self.request.member_epoch = response.member_epoch;
        self.request.member_id = response
            .member_id
            .clone()
            .unwrap_or_else(|| self.request.member_id.clone());
        self.request.rebalance_timeout_ms = -1;
        self.request.subscribed_topic_names = None;
        self.request.topic_partitions = None;
        let Some(assignment) = &response.assignment else {
            return Ok(());
        };
        let topics = assignment.topic_partitions.iter();
        let assigned: BTreeSet<i32> = topics.flat_map(|it| it.partitions.clone()).collect();
        if assigned != self.owned {
            self.owned = assigned;
            // What it owns, told at once.
            self.request.topic_partitions = Some(vec![TopicPartitions {
                topic_id: id,
                partitions: self.owned.iter().copied().collect(),
            }]);
            self.next = self.next.checked_sub(interval).unwrap_or(self.next);
        }
        Ok(())
    }
}

/// Whether each of the partitions has one owner, and the owners have as many as one another, but for one.
pub(crate) fn is_balanced(parts: &[BTreeSet<i32>]) -> bool {
    let owned: usize = parts.iter().map(BTreeSet::len).sum();
    let all: BTreeSet<i32> = parts.iter().flatten().copied().collect();
    let least = parts.iter().map(BTreeSet::len).min();
    let most = parts.iter().map(BTreeSet::len).max();
    let partitions = usize::try_from(PARTITIONS).unwrap_or(0);
    owned == partitions && all.len() == partitions && most.unwrap_or(0) <= least.unwrap_or(0) + 1
}

fn parts(consumers: &[Consumer]) -> Parts {
    consumers.iter().map(|it| it.owned.clone()).collect()
}

fn settle(consumers: &mut [Consumer], interval: Duration, id: Uuid) -> Outcome<()> {
    let deadline = Instant::now() + TIME_MAX;
    while !is_balanced(&parts(consumers)) {
        for consumer in &mut *consumers {
            consumer.run(interval, id)?;
        }
        if Instant::now() > deadline {
            return Err("the group is not balanced".into());
        }
        thread::sleep(Duration::from_micros(200));
    }
    Ok(())
}

/// How long it takes from a ninth member's first heartbeat until all partitions are spread over nine.
pub(crate) fn measure(address: &str, interval: Duration, rounds: usize) -> Outcome<()> {
    let id = topic_id(address)?;
    let mut took = Vec::new();
    let mut moved = 0;
    for round in 0..rounds {
        let group = format!(
            "joined-{}-{round}-{}",
            interval.as_millis(),
            std::process::id()
        );
        let mut consumers = Vec::new();
        for number in 0..MEMBERS {
            consumers.push(Consumer::new(address, &group, number)?);
        }
        settle(&mut consumers, interval, id)?;
        // Until the last assignment is long ago, as in a group that has been quiet.
        let quiet = Instant::now() + Duration::from_millis(1_500);
        while Instant::now() < quiet {
            for consumer in &mut consumers {
                consumer.run(interval, id)?;
            }
            thread::sleep(Duration::from_millis(1));
        }
        let before = parts(&consumers);
        consumers.push(Consumer::new(address, &group, MEMBERS)?);
        let began = Instant::now();
        settle(&mut consumers, interval, id)?;
        took.push(began.elapsed());
        let kept = before.iter().zip(&consumers);
        moved += kept
            .map(|(before, now)| before.difference(&now.owned).count())
            .sum::<usize>();
    }
    report(interval, took, moved);
    Ok(())
}

/// Prints what the rounds took, and how many partitions went to another member in all of them.
pub(crate) fn report(interval: Duration, took: Vec<Duration>, moved: usize) {
    let rounds = took.len();
    let took = Times::new(took);
    println!(
        r#"{{"interval_ms": {}, "rounds": {rounds}, "balanced_p50_ms": {:.1}, "balanced_max_ms": {:.1}, "partitions_moved_each": {:.1}}}"#,
        interval.as_millis(),
        took.at(500),
        took.at(1_000),
        moved as f64 / rounds as f64
    );
}
