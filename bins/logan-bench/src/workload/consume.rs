//! Consuming: catching up with what is there, or following what comes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use client::{Acks, OffsetSpec};
use protocol::ApiKey;
use records::Compression;

use super::Context;
use super::measure::{Setup, drop_caches, measure};
use super::produce::SendPlan;
use crate::cli::{ConsumeOptions, FetchArgs, StartOption, TopicArgs};
use crate::engine::{ConsumerLane, FetchOptions, Lane, ProducerOptions, Reading};
use crate::failure::Failure;
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
        Some(topic) => Target::existing(context.global.client_config(), topic)?,
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
    if options.drop_caches {
        drop_caches()?;
    }
    let timeout = context.global.timeout.0;
    let lanes = consumers(&options.fetch, &fetch, &nodes, &target, timeout)?;
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
    let target = Target::prepare(context.global.client_config(), &topics)?;
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
            request_timeout: context.global.timeout.0,
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

/// Every consumer's connections, one to each node that leads any of its partitions.
pub(crate) fn consumers(
    args: &FetchArgs,
    plan: &FetchPlan,
    nodes: &[Node],
    target: &Target,
    timeout: Duration,
) -> Result<Vec<Lane>, Failure> {
    let limit = |bytes: u64| i32::try_from(bytes).unwrap_or(i32::MAX);
    let options = FetchOptions {
        version: target.version(&nodes[0], ApiKey::Fetch)?,
        max_bytes: limit(args.fetch_max_bytes),
        partition_max_bytes: limit(args.partition_max_bytes),
        min_bytes: limit(args.fetch_min_bytes),
        wait: args.fetch_max_wait.0,
        check_crcs: args.check_crcs,
        request_timeout: timeout,
        has_stamps: plan.has_stamps,
    };
    let members = usize::from(args.consumers_per_subscription);
    let mut lanes = Vec::new();
    for _ in 0..args.subscriptions {
        for member in 0..members {
            for node in nodes {
                let readings = plan.readings(node, member, members);
                if !readings.is_empty() {
                    let link = target.link(node)?;
                    lanes.push(Lane::Consumer(ConsumerLane::new(link, options, readings)));
                }
            }
        }
    }
    Ok(lanes)
}

impl FetchPlan {
    /// A member's part of a node's partitions, as far as there is something to read.
    fn readings(&self, node: &Node, member: usize, members: usize) -> Vec<Reading> {
        let own = node.places.iter().skip(member).step_by(members);
        let readings = own.map(|place| {
            let key = (place.topic.to_string(), place.partition);
            Reading {
                offset: self.starts.get(&key).copied().unwrap_or(0),
                end: self
                    .ends
                    .as_ref()
                    .map(|ends| ends.get(&key).copied().unwrap_or(0)),
                place: place.clone(),
            }
        });
        readings
            .filter(|reading| reading.end.is_none_or(|end| reading.offset < end))
            .collect()
    }
}
