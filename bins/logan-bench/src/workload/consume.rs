//! Consuming: catching up with what is there, or following what comes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Duration;

use client::{Acks, OffsetSpec};
use command_line::Failure;
use protocol::ApiKey;
use records::Compression;

use super::Context;
use super::group::{self, GroupPlan, Joined};
use super::measure::{Setup, drop_caches, may_drop_caches, measure};
use super::produce::SendPlan;
use crate::cli::{ConsumeOptions, FetchArgs, GroupProtocol, Span, StartOption, TopicArgs};
use crate::engine::{
    ConsumerLane, FetchOptions, Lane, MemberLane, Place, ProducerOptions, Reading,
};
use crate::load::{Keys, Pool, PoolOptions};
use crate::target::{Node, Target};
use crate::watch::Watched;

/// Batches that a topic is filled with.
const FILL_BATCH_BYTES: usize = 64 << 10;

type Offsets = BTreeMap<(String, i32), i64>;

/// Where reading begins and ends.
#[derive(Clone, Debug)]
pub(crate) struct FetchPlan {
    pub(crate) has_stamps: bool,
    pub(crate) starts: Offsets,
    /// `None` follows what comes.
    pub(crate) ends: Option<Offsets>,
}

/// `logan-bench consume`.
pub(crate) fn consume(options: &ConsumeOptions, context: &Context<'_>) -> Result<(), Failure> {
    check(options)?;
    let watched = options.run.pid.map(Watched::new).transpose()?;
    let mut target = match &options.topic {
        Some(topic) => Target::existing(context.global.client_config("logan-bench"), topic)?,
        None => filled(options, context)?,
    };
    let nodes = target.nodes()?;
    let catches_up = options.from == StartOption::Earliest;
    let fetch = FetchPlan {
        has_stamps: false,
        starts: target.offsets(if catches_up {
            OffsetSpec::Earliest
        } else {
            OffsetSpec::Latest
        })?,
        ends: if catches_up {
            Some(target.offsets(OffsetSpec::Latest)?)
        } else {
            None
        },
    };
    if catches_up && fetch.ends.as_ref() == Some(&fetch.starts) {
        let advice = "name a topic that has records, or leave out --topic to have one filled";
        return Err(Failure::usage("there is nothing to read", advice));
    }
    let lanes = consumers(&options.fetch, &fetch, &nodes, &mut target, context)?;
    if options.drop_caches {
        drop_caches()?;
    }
    let measured = measure(
        Setup {
            lanes,
            warmup: if catches_up {
                Duration::ZERO
            } else {
                options.run.warmup.0
            },
            duration: (!catches_up).then_some(options.run.duration.0),
            fan_out: 0,
        },
        &options.run,
        watched,
        context.interrupted,
    )?;
    let report = context.report("consume", options, &measured);
    context.finish(&report, &options.run, measured.failure)
}

fn check(options: &ConsumeOptions) -> Result<(), Failure> {
    if options.drop_caches {
        may_drop_caches()?;
    }
    if options.run.ceiling.is_some() {
        return Err(Failure::usage("--ceiling is for producing", "leave it out"));
    }
    if options.from == StartOption::Latest && options.topic.is_none() {
        let advice = "name a --topic that somebody writes to, or use `logan-bench end-to-end`";
        return Err(Failure::usage(
            "nothing comes to a topic that is made for the run",
            advice,
        ));
    }
    Ok(())
}

/// A topic with as many bytes as are asked for.
fn filled(options: &ConsumeOptions, context: &Context<'_>) -> Result<Target, Failure> {
    let topics = TopicArgs {
        topic: None,
        topics: 1,
        partitions_per_topic: options.partitions_per_topic,
        replication_factor: 1,
        topic_configs: Vec::new(),
        keep_topics: false,
    };
    let target = Target::prepare(context.global.client_config("logan-bench"), &topics)?;
    let nodes = target.nodes()?;
    let pool = PoolOptions {
        sizes: options.record_size.clone(),
        compress_ratio: 1.0,
        codec: Compression::None,
        batch_bytes: FILL_BATCH_BYTES,
        keys: Keys::None,
        seed: 1,
    };
    let pool = Pool::new(&pool, 1)
        .map_err(|problem| Failure::usage(problem, "use a smaller --record-size"))?;
    let count = crate::load::whole((options.fill as f64 / options.record_size.mean()).ceil());
    let plan = SendPlan {
        options: ProducerOptions {
            version: target.version(&nodes[0], ApiKey::Produce)?,
            acks: Acks::All,
            in_flight_max: 5,
            linger: Duration::ZERO,
            request_timeout: context.global.timeout,
            records_left: Some(Arc::new(AtomicU64::new(count.max(1)))),
        },
        pool,
        plan: None,
    };
    let mut lanes = Vec::new();
    for node in &nodes {
        let link = target.link(node)?;
        lanes.push(plan.lane(link, node, (lanes.len() as u64, 1), None));
    }
    let setup = Setup {
        lanes,
        warmup: Duration::ZERO,
        duration: None,
        fan_out: 0,
    };
    let measured = measure(setup, &options.run, None, context.interrupted)?;
    match measured.failure {
        Some(failure) => Err(failure),
        None => Ok(target),
    }
}

/// Every consumer's connections: one to each node that leads any of its partitions, and for a member of a group one to its
/// coordinator.
pub(crate) fn consumers(
    args: &FetchArgs,
    plan: &FetchPlan,
    nodes: &[Node],
    target: &mut Target,
    context: &Context<'_>,
) -> Result<Vec<Lane>, Failure> {
    let limit = |bytes: u64| i32::try_from(bytes).unwrap_or(i32::MAX);
    let timeout = context.global.timeout;
    let options = FetchOptions {
        version: target.version(&nodes[0], ApiKey::Fetch)?,
        max_bytes: limit(args.fetch_max_bytes),
        partition_max_bytes: limit(args.partition_max_bytes),
        min_bytes: limit(args.fetch_min_bytes),
        wait: args.fetch_max_wait.0,
        check_crcs: args.check_crcs,
        request_timeout: timeout,
        has_stamps: plan.has_stamps,
        in_sessions: args.fetch_sessions,
    };
    let members = usize::from(args.consumers_per_subscription);
    let groups = GroupPlan {
        commit_interval: args.commit_interval.0,
        request_timeout: timeout,
        interrupted: context.interrupted,
    };
    let mut lanes = Vec::new();
    for subscription in 0..args.subscriptions {
        if args.group_protocol == GroupProtocol::Consumer {
            let count = args.consumers_per_subscription;
            for joined in group::join(target, subscription, count, &groups)? {
                member(joined, plan, (nodes, target), options, &mut lanes)?;
            }
            continue;
        }
        for member in 0..members {
            for node in nodes {
                let own = node.places.iter().skip(member).step_by(members);
                let readings = plan.readings(own);
                if !readings.is_empty() {
                    let link = target.link(node)?;
                    lanes.push(Lane::Consumer(ConsumerLane::new(link, options, readings)));
                }
            }
        }
    }
    Ok(lanes)
}

/// The lanes of a member of a group: those that fetch, and the one that commits how far they are.
fn member(
    joined: Joined,
    plan: &FetchPlan,
    (nodes, target): (&[Node], &Target),
    options: FetchOptions,
    lanes: &mut Vec<Lane>,
) -> Result<(), Failure> {
    let mut positions = Vec::new();
    for node in nodes {
        let own = node.places.iter().filter(|place| joined.owns(place));
        let mut readings = plan.readings(own);
        for reading in &mut readings {
            let position = Arc::new(AtomicI64::new(reading.offset));
            reading.position = Some(Arc::clone(&position));
            positions.push((reading.place.clone(), position));
        }
        if !readings.is_empty() {
            let link = target.link(node)?;
            lanes.push(Lane::Consumer(ConsumerLane::new(link, options, readings)));
        }
    }
    // A topic that several nodes lead is named once in a commit.
    positions.sort_by(|(one, _), (other, _)| one.topic.cmp(&other.topic));
    let (connection, member) = joined.into_parts();
    let address = connection.address().to_owned();
    let link = crate::target::link(connection.into_stream(), &address)?;
    lanes.push(Lane::Member(MemberLane::new(link, member, positions)));
    Ok(())
}

impl FetchArgs {
    /// What is read behind a run, to see that it is all there.
    pub(crate) fn to_read_back() -> Self {
        Self {
            subscriptions: 1,
            consumers_per_subscription: 1,
            fetch_max_bytes: 50 << 20,
            partition_max_bytes: 1 << 20,
            fetch_min_bytes: 1,
            fetch_max_wait: Span(Duration::from_millis(500)),
            check_crcs: true,
            fetch_sessions: true,
            group_protocol: GroupProtocol::None,
            commit_interval: Span(Duration::from_secs(5)),
        }
    }
}

impl FetchPlan {
    /// How many records there are from the beginning to the end.
    pub(crate) fn records(&self) -> u64 {
        let ends = self.ends.iter().flatten();
        let counts = ends.map(|(place, end)| end - self.starts.get(place).copied().unwrap_or(0));
        u64::try_from(counts.sum::<i64>()).unwrap_or(0)
    }

    /// A reader's part of a node's partitions, as far as there is something to read.
    fn readings<'a>(&self, own: impl Iterator<Item = &'a Place>) -> Vec<Reading> {
        let readings = own.map(|place| {
            let key = (place.topic.to_string(), place.partition);
            let offset = self.starts.get(&key).copied().unwrap_or(0);
            let ends = self.ends.as_ref();
            let end = ends.map(|ends| ends.get(&key).copied().unwrap_or(0));
            Reading::new(place.clone(), offset, end)
        });
        readings
            .filter(|reading| reading.end.is_none_or(|end| reading.offset < end))
            .collect()
    }
}
