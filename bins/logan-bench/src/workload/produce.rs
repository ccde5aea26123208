//! Producing, alone or with consumers beside it.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use client::{Acks, OffsetSpec};
use command_line::Failure;
use protocol::ApiKey;
use records::Compression;

use super::consume::{FetchPlan, consumers};
use super::measure::{Measured, Setup, measure};
use super::{Context, sink};
use crate::cli::{EndToEndOptions, FetchArgs, ProduceOptions, RunArgs, SendArgs};
use crate::engine::{Identity, Lane, Link, Pacing, ProducerLane, ProducerOptions};
use crate::load::{Plan, Pool, PoolOptions, Rate, STAMP_BYTES};
use crate::results::{Ceiling, ReadBack};
use crate::target::{Node, Target};
use crate::watch::Watched;

/// Requests under way that a broker keeps in order for an idempotent producer.
const IDEMPOTENT_IN_FLIGHT_MAX: u16 = 5;

/// What producing lanes are made of.
#[derive(Clone, Debug)]
pub(crate) struct SendPlan {
    pub(crate) options: ProducerOptions,
    pub(crate) pool: Arc<Pool>,
    pub(crate) plan: Option<Arc<Plan>>,
}

/// `logan-bench produce`.
pub(crate) fn produce(options: &ProduceOptions, context: &Context<'_>) -> Result<(), Failure> {
    check(&options.send, false)?;
    let watched = options.run.pid.map(Watched::new).transpose()?;
    let mut target = Target::prepare(context.global.client_config("logan-bench"), &options.topics)?;
    let nodes = target.nodes()?;
    let plan = SendPlan::new(&options.send, &options.run, &target, &nodes, context)?;
    let ceiling = ceiling(&options.send, &options.run, &plan, &nodes, context)?;
    let measured = measure(
        Setup {
            lanes: producers(&options.send, &plan, &nodes, &mut target)?,
            warmup: options.run.warmup.0,
            duration: Some(options.run.duration.0),
            fan_out: 0,
        },
        &options.run,
        watched,
        context.interrupted,
    )?;
    let mut failure = None;
    let read_back = if options.read_back && measured.failure.is_none() {
        read_back(
            &options.run,
            measured.produced.records,
            &mut target,
            context,
        )
        .map_err(|why| failure = Some(why))
        .ok()
    } else {
        None
    };
    let mut measured = measured;
    measured.failure = measured.failure.or(failure);
    let mut report = context.report("produce", options, &measured);
    report.ceiling = ceiling;
    report.read_back = read_back;
    context.finish(&report, &options.run, measured.failure)
}

/// Reads all that is in the topics, and holds the counts against each other.
fn read_back(
    run: &RunArgs,
    acknowledged: u64,
    target: &mut Target,
    context: &Context<'_>,
) -> Result<ReadBack, Failure> {
    let nodes = target.nodes()?;
    let fetch = FetchPlan {
        has_stamps: false,
        starts: target.offsets(OffsetSpec::Earliest)?,
        ends: Some(target.offsets(OffsetSpec::Latest)?),
    };
    let expected = fetch.records();
    let setup = Setup {
        lanes: consumers(&FetchArgs::to_read_back(), &fetch, &nodes, target, context)?,
        warmup: Duration::ZERO,
        duration: None,
        fan_out: 0,
    };
    let measured = measure(setup, run, None, context.interrupted)?;
    if let Some(failure) = measured.failure {
        return Err(failure);
    }
    let records = measured.consumed.records;
    if records != expected || records < acknowledged {
        let problem = format!(
            "{records} records were read back, the offsets promise {expected}, and {acknowledged} were acknowledged while it was measured"
        );
        return Err(Failure::refused(problem, "the broker has lost records"));
    }
    Ok(ReadBack {
        records,
        bytes: measured.consumed.bytes,
        mb_per_second: measured.consumed.bytes as f64 / 1e6 / measured.seconds.max(f64::EPSILON),
    })
}

/// `logan-bench end-to-end`.
pub(crate) fn end_to_end(options: &EndToEndOptions, context: &Context<'_>) -> Result<(), Failure> {
    check(&options.send, true)?;
    let watched = options.run.pid.map(Watched::new).transpose()?;
    let mut target = Target::prepare(context.global.client_config("logan-bench"), &options.topics)?;
    let nodes = target.nodes()?;
    let plan = SendPlan::new(&options.send, &options.run, &target, &nodes, context)?;
    let fetch = FetchPlan {
        has_stamps: true,
        starts: target.offsets(OffsetSpec::Latest)?,
        ends: None,
    };
    let mut lanes = consumers(&options.fetch, &fetch, &nodes, &mut target, context)?;
    lanes.extend(producers(&options.send, &plan, &nodes, &mut target)?);
    let ceiling = ceiling(&options.send, &options.run, &plan, &nodes, context)?;
    let measured = measure(
        Setup {
            lanes,
            warmup: options.run.warmup.0,
            duration: Some(options.run.duration.0),
            fan_out: u64::from(options.fetch.subscriptions),
        },
        &options.run,
        watched,
        context.interrupted,
    )?;
    let mut report = context.report("end-to-end", options, &measured);
    report.ceiling = ceiling;
    context.finish(&report, &options.run, measured.failure)
}

/// Refuses what cannot be combined.
fn check(send: &SendArgs, needs_stamps: bool) -> Result<(), Failure> {
    if send.idempotence && send.acks.acks() != Acks::All {
        let advice = "use --acks all, or leave out --idempotence";
        return Err(Failure::usage(
            "an idempotent producer waits for all replicas",
            advice,
        ));
    }
    if send.idempotence && send.in_flight > IDEMPOTENT_IN_FLIGHT_MAX {
        let problem = format!(
            "an idempotent producer has at most {IDEMPOTENT_IN_FLIGHT_MAX} requests in flight"
        );
        return Err(Failure::usage(
            problem,
            "use --in-flight 5, or leave out --idempotence",
        ));
    }
    if send.throughput == Rate::Max && !send.linger.0.is_zero() {
        let advice = "give a --throughput, or leave out --linger";
        return Err(Failure::usage(
            "at the greatest rate every batch is full, so that none lingers",
            advice,
        ));
    }
    if !needs_stamps {
        return Ok(());
    }
    if send.compression.codec() != Compression::None {
        let advice = "leave out --compression, or measure `produce` and `consume` on their own";
        return Err(Failure::usage(
            "what is due cannot be written into compressed batches",
            advice,
        ));
    }
    if usize::try_from(send.record_size.min()).is_ok_and(|size| size < STAMP_BYTES) {
        let problem =
            format!("records of less than {STAMP_BYTES} bytes cannot say when they were due");
        return Err(Failure::usage(problem, "use a larger --record-size"));
    }
    if send.acks.acks() == Acks::None {
        let advice = "use --acks leader or --acks all";
        return Err(Failure::usage(
            "without acknowledgements nothing says when everything has been delivered",
            advice,
        ));
    }
    Ok(())
}

impl SendPlan {
    pub(crate) fn new(
        send: &SendArgs,
        run: &RunArgs,
        target: &Target,
        nodes: &[Node],
        context: &Context<'_>,
    ) -> Result<Self, Failure> {
        let batch_bytes = usize::try_from(send.batch_size).unwrap_or(usize::MAX);
        let options = PoolOptions {
            sizes: send.record_size.clone(),
            compress_ratio: send.compress_ratio,
            codec: send.compression.codec(),
            batch_bytes,
            keys: send.keys,
            seed: send.seed,
        };
        let pool = Pool::new(&options, target.partitions())
            .map_err(|problem| Failure::usage(problem, "see logan-bench produce --help"))?;
        let plan = send
            .throughput
            .plan(send.record_size.mean(), run.warmup.0, run.duration.0);
        Ok(Self {
            options: ProducerOptions {
                version: target.version(&nodes[0], ApiKey::Produce)?,
                acks: send.acks.acks(),
                in_flight_max: usize::from(send.in_flight),
                linger: send.linger.0,
                request_timeout: context.global.timeout,
                records_left: send
                    .num_records
                    .map(|count| Arc::new(AtomicU64::new(count))),
            },
            pool,
            plan: plan.map(Arc::new),
        })
    }

    pub(crate) fn lane(
        &self,
        link: Link,
        node: &Node,
        (number, lanes): (u64, u64),
        identity: Option<Identity>,
    ) -> Lane {
        let pacing = match &self.plan {
            None => Pacing::Closed,
            Some(plan) => Pacing::Open {
                plan: Arc::clone(plan),
                next: number,
                stride: lanes,
            },
        };
        let work = (node.places.clone(), Arc::clone(&self.pool));
        let at = usize::try_from(number).unwrap_or(0);
        Lane::Producer(ProducerLane::new(
            link,
            self.options.clone(),
            work,
            (pacing, identity),
            at,
        ))
    }
}

/// Every producer's connections, one to each node.
pub(crate) fn producers(
    send: &SendArgs,
    plan: &SendPlan,
    nodes: &[Node],
    target: &mut Target,
) -> Result<Vec<Lane>, Failure> {
    let count = u64::from(send.producers) * nodes.len() as u64;
    let mut lanes = Vec::new();
    for _ in 0..send.producers {
        let id = if send.idempotence {
            Some(target.producer_id()?)
        } else {
            None
        };
        for node in nodes {
            let identity = id.map(|(id, epoch)| Identity {
                id,
                epoch,
                sequences: vec![0; node.places.len()],
            });
            let link = target.link(node)?;
            lanes.push(plan.lane(link, node, (lanes.len() as u64, count), identity));
        }
    }
    Ok(lanes)
}

/// What the same producers reach against a sink.
fn ceiling(
    send: &SendArgs,
    run: &RunArgs,
    plan: &SendPlan,
    nodes: &[Node],
    context: &Context<'_>,
) -> Result<Option<Ceiling>, Failure> {
    let Some(duration) = run.ceiling else {
        return Ok(None);
    };
    let sink = sink::Sink::start(plan.options.version)?;
    let closed = SendPlan {
        plan: None,
        options: ProducerOptions {
            records_left: None,
            // Without answers nothing would say what has arrived.
            acks: Acks::All,
            ..plan.options.clone()
        },
        ..plan.clone()
    };
    let mut lanes = Vec::new();
    for number in 0..u64::from(send.producers) {
        for node in nodes {
            lanes.push(closed.lane(sink.link()?, node, (number, 1), None));
        }
    }
    let setup = Setup {
        lanes,
        warmup: Duration::from_millis(200),
        duration: Some(duration.0),
        fan_out: 0,
    };
    let measured: Measured = measure(setup, run, None, context.interrupted)?;
    if let Some(failure) = measured.failure {
        return Err(failure);
    }
    let seconds = measured.seconds.max(f64::EPSILON);
    let bytes = measured.produced.bytes;
    Ok(Some(Ceiling {
        mb_per_second: bytes as f64 / 1e6 / seconds,
        records_per_second: measured.produced.records as f64 / seconds,
        own_cpu_seconds_per_gb: crate::watch::per_gb(measured.own_cpu.as_secs_f64(), bytes),
    }))
}
