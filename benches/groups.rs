//! What a rebalance of a large consumer group costs its coordinator: no log, no network, one core.
//!
//! `join` is the heartbeat of a new member in a group of 1,000 members on 10,000 partitions, with the target assignment
//! that it sets off; `heartbeat` is that of a member with nothing to say that waits for partitions of others.
//!
//! `load` decodes and applies the records of a million committed offsets of 1,000 groups, as a start does; `snapshot`
//! encodes what such a coordinator keeps, group by group.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use groups::{
    Caller, Context, Decision, GroupConfig, GroupCoordinator, GroupRecord, Instant, Reply, Request,
    Ticket, Topic, Topics,
};
use protocol::Str;
use protocol::messages::{ConsumerGroupHeartbeatRequest, OffsetCommitKey, OffsetCommitValue};
use types::{TimestampMs, Uuid};

const MEMBERS: usize = 1_000;
const TOPICS: u64 = 100;
const PARTITIONS_PER_TOPIC: i32 = 100;

struct Cluster(BTreeMap<String, Topic>);

impl Topics for Cluster {
    fn by_name(&self, name: &str) -> Option<Topic> {
        self.0.get(name).copied()
    }

    fn by_id(&self, id: Uuid) -> Option<(&str, Topic)> {
        let mut topics = self.0.iter();
        topics
            .find(|(_, topic)| topic.id == id)
            .map(|(name, topic)| (name.as_str(), *topic))
    }

    fn names(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        Box::new(self.0.keys().map(String::as_str))
    }

    fn version(&self) -> u64 {
        1
    }
}

fn cluster() -> Cluster {
    let topics = (0..TOPICS).map(|number| {
        let mut id = [1; 16];
        id[8..].copy_from_slice(&number.to_be_bytes());
        let topic = Topic {
            id: Uuid(id),
            partitions: PARTITIONS_PER_TOPIC,
        };
        (format!("topic-{number}"), topic)
    });
    Cluster(topics.collect())
}

fn config(assignor: &'static str, interval: Duration) -> GroupConfig {
    let mut config = GroupConfig {
        batch_len_max_bytes: usize::MAX,
        ..GroupConfig::default()
    };
    config.consumer.assignors = vec![Str::from_static(assignor)];
    config.consumer.assignment_interval = interval;
    config
}

fn request(member: usize, epoch: i32, topics: Vec<Str>) -> ConsumerGroupHeartbeatRequest {
    let joins = epoch == 0;
    ConsumerGroupHeartbeatRequest {
        group_id: Str::from_static("group"),
        member_id: Str::from(format!("member-{member:04}").as_str()),
        member_epoch: epoch,
        rebalance_timeout_ms: if joins { 60_000 } else { -1 },
        subscribed_topic_names: joins.then_some(topics),
        topic_partitions: joins.then(Vec::new),
        ..ConsumerGroupHeartbeatRequest::default()
    }
}

fn beat(
    coordinator: &mut GroupCoordinator,
    cluster: &Cluster,
    request: ConsumerGroupHeartbeatRequest,
) -> Decision {
    let context = Context {
        now: Instant::default(),
        wall_clock: TimestampMs(1),
        random: Uuid::ZERO,
        topics: cluster,
        memory_elsewhere_bytes: 0,
    };
    let caller = Caller {
        ticket: Ticket(0),
        version: 1,
        client_id: Str::from_static("bench"),
        client_host: Str::from_static("/127.0.0.1"),
    };
    let decision = coordinator.decide(&context, &caller, Request::ConsumerGroupHeartbeat(request));
    for record in &decision.records {
        coordinator.apply(record);
    }
    decision
}

/// Every second member leaves one topic out in a heterogeneous group.
fn subscription(member: usize, is_heterogeneous: bool) -> Vec<Str> {
    (0..TOPICS)
        .filter(|topic| !is_heterogeneous || member.is_multiple_of(2) || *topic != 0)
        .map(|topic| Str::from(format!("topic-{topic}").as_str()))
        .collect()
}

fn group(config: GroupConfig, cluster: &Cluster, is_heterogeneous: bool) -> GroupCoordinator {
    // Assigned once, with the last member: a thousand assignments on the way there would take their time.
    let mut gathering = config.clone();
    gathering.consumer.assignment_interval = Duration::from_secs(3_600);
    let mut coordinator = GroupCoordinator::new(gathering);
    for member in 0..MEMBERS {
        let topics = subscription(member, is_heterogeneous);
        beat(&mut coordinator, cluster, request(member, 0, topics));
    }
    coordinator.configure(Rc::new(config));
    beat(&mut coordinator, cluster, request(0, 2, Vec::new()));
    coordinator
}

fn rebalances(criterion: &mut Criterion) {
    let cluster = cluster();
    let mut benches = criterion.benchmark_group("groups");
    benches.sample_size(10);
    for (name, assignor, is_heterogeneous) in [
        ("join uniform", "uniform", false),
        ("join uniform heterogeneous", "uniform", true),
        ("join range", "range", false),
    ] {
        let config = config(assignor, Duration::ZERO);
        let coordinator = group(config.clone(), &cluster, is_heterogeneous);
        let snapshot = coordinator.snapshot_of("group");
        let topics = subscription(MEMBERS, is_heterogeneous);
        benches.bench_function(name, |bencher| {
            bencher.iter_batched_ref(
                || {
                    let mut coordinator = GroupCoordinator::new(config.clone());
                    for record in &snapshot {
                        coordinator.apply(record);
                    }
                    coordinator
                },
                |coordinator| {
                    let joins = request(MEMBERS, 0, topics.clone());
                    black_box(beat(coordinator, &cluster, joins))
                },
                BatchSize::PerIteration,
            );
        });
    }
    let mut coordinator = group(config("uniform", Duration::ZERO), &cluster, false);
    let member = MEMBERS / 2;
    let joined = beat(
        &mut coordinator,
        &cluster,
        request(member, 0, subscription(0, false)),
    );
    let Some((_, Reply::ConsumerGroupHeartbeat(response))) = joined.replies.first() else {
        unreachable!("a heartbeat is answered as such");
    };
    let epoch = response.member_epoch;
    benches.bench_function("heartbeat", |bencher| {
        bencher.iter(|| {
            black_box(beat(
                &mut coordinator,
                &cluster,
                request(member, epoch, Vec::new()),
            ))
        });
    });
    benches.finish();
}

const GROUPS: usize = 1_000;
const PARTITIONS: i32 = 1_000;

/// Records that the broker applies at a time.
const BULK_RECORDS: usize = 64;

/// The log of groups that have committed offsets of one topic.
fn committed() -> Vec<(Bytes, Option<Bytes>)> {
    let topic = Str::from_static("measured");
    let groups = (0..GROUPS).map(|number| Str::from(format!("group-{number}").as_str()));
    let records = groups.flat_map(|group| {
        let topic = topic.clone();
        (0..PARTITIONS).map(move |partition| {
            let record = GroupRecord::OffsetCommit {
                key: OffsetCommitKey {
                    group: group.clone(),
                    topic: topic.clone(),
                    partition,
                },
                value: Some(OffsetCommitValue {
                    offset: 7,
                    commit_timestamp: 1_700_000_000_000,
                    topic_id: Uuid([7; 16]),
                    ..OffsetCommitValue::default()
                }),
            };
            record.encode()
        })
    });
    records.collect()
}

fn loaded(log: &[(Bytes, Option<Bytes>)]) -> GroupCoordinator {
    let mut coordinator = GroupCoordinator::new(GroupConfig::default());
    let mut bulk = Vec::with_capacity(BULK_RECORDS);
    for records in log.chunks(BULK_RECORDS) {
        let decoded = records.iter().map(|(key, value)| {
            GroupRecord::decode(key, value.as_ref()).expect("it was encoded here")
        });
        bulk.extend(decoded);
        coordinator.apply_all(&bulk);
        bulk.clear();
    }
    coordinator
}

fn loading(criterion: &mut Criterion) {
    let log = committed();
    let mut benches = criterion.benchmark_group("groups");
    benches.sample_size(10);
    benches.bench_function("load", |bencher| {
        bencher.iter_with_large_drop(|| black_box(loaded(&log)));
    });
    let coordinator = loaded(&log);
    benches.bench_function("snapshot", |bencher| {
        bencher.iter(|| {
            let groups = coordinator.group_ids();
            groups
                .flat_map(|group| coordinator.snapshot_of(group))
                .map(|record| record.encode().0.len())
                .sum::<usize>()
        });
    });
    benches.finish();
}

criterion_group!(benches, rebalances, loading);
criterion_main!(benches);
