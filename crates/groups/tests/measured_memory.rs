//! What groups are counted for is what the allocator gives them, or somewhat more.
//!
//! The allocator counts for the whole process: this file has a single test, so that nothing else allocates meanwhile. It knows
//! what was asked for; what it spends beyond that on each piece is why an eighth more has to be counted.

use std::time::Duration;

use bytes::Bytes;
use groups::{
    Caller, Context, Decision, GroupConfig, GroupCoordinator, Instant, Reply, Request, Ticket,
    Topic, Topics,
};
use peak_alloc::PeakAlloc;
use protocol::Str;
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use protocol::messages::{
    ConsumerGroupHeartbeatRequest, JoinGroupRequest, OffsetCommitRequest, SyncGroupRequest,
};
use types::{TimestampMs, Uuid};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Topics of one partition, by the numbers at the end of their names, and one that has many.
struct Cluster;

const TOPICS: u32 = 2_000;
const MANY: i32 = 50_000;

fn topic(number: u32) -> Topic {
    let mut id = [9; 16];
    id[..4].copy_from_slice(&number.to_be_bytes());
    Topic {
        id: Uuid(id),
        partitions: if number == TOPICS { MANY } else { 1 },
    }
}

impl Topics for Cluster {
    fn by_name(&self, name: &str) -> Option<Topic> {
        let number = name.strip_prefix("topic-")?.parse().ok()?;
        (number <= TOPICS).then(|| topic(number))
    }

    fn by_id(&self, id: Uuid) -> Option<(&str, Topic)> {
        let number = u32::from_be_bytes(id.0[..4].try_into().ok()?);
        // The names live as long as the process, and are made once.
        let name = NAMES.with(|names| names.get(usize::try_from(number).ok()?).copied());
        Some((name?, topic(number)))
    }

    fn names(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        Box::new(std::iter::empty())
    }

    fn version(&self) -> u64 {
        1
    }
}

thread_local! {
    static NAMES: Vec<&'static str> = (0..=TOPICS)
        .map(|number| &*Box::leak(format!("topic-{number}").into_boxed_str()))
        .collect();
}

struct World {
    coordinator: GroupCoordinator,
    calls: u64,
}

impl World {
    fn new() -> Self {
        let mut config = GroupConfig {
            initial_rebalance_delay: Duration::ZERO,
            batch_len_max_bytes: 64 << 20,
            memory_max_bytes: usize::MAX >> 1,
            ..GroupConfig::default()
        };
        config.consumer.assignment_interval = Duration::ZERO;
        Self {
            coordinator: GroupCoordinator::new(config),
            calls: 0,
        }
    }

    fn call(
        &mut self,
        work: impl FnOnce(&mut GroupCoordinator, &Context<'_>, Ticket) -> Decision,
    ) -> Vec<Reply> {
        self.calls += 1;
        let mut random = [1; 16];
        random[..8].copy_from_slice(&self.calls.to_be_bytes());
        let context = Context {
            now: Instant(Duration::ZERO),
            wall_clock: TimestampMs(1_700_000_000_000),
            random: Uuid(random),
            topics: &Cluster,
            memory_elsewhere_bytes: 0,
        };
        let decision = work(&mut self.coordinator, &context, Ticket(self.calls));
        for record in &decision.records {
            self.coordinator.apply(record);
        }
        decision.replies.into_iter().map(|it| it.1).collect()
    }

    fn ask(&mut self, version: i16, request: Request) -> Vec<Reply> {
        let mut replies = self.call(|coordinator, context, ticket| {
            let caller = Caller {
                ticket,
                version,
                client_id: Str::from_static("client"),
                client_host: Str::from_static("/127.0.0.1"),
            };
            coordinator.decide(context, &caller, request)
        });
        replies.extend(self.call(|coordinator, context, _| coordinator.on_deadline(context)));
        replies
    }

    fn heartbeat(&mut self, group: &str, member: &str, names: &[String]) {
        let names = names.iter().map(|name| Str::from(name.as_str()));
        let request = ConsumerGroupHeartbeatRequest {
            group_id: Str::from(group),
            member_id: Str::from(member),
            member_epoch: 0,
            rebalance_timeout_ms: 60_000,
            subscribed_topic_names: Some(names.collect()),
            topic_partitions: Some(Vec::new()),
            ..ConsumerGroupHeartbeatRequest::default()
        };
        match &*self.ask(1, Request::ConsumerGroupHeartbeat(request)) {
            [Reply::ConsumerGroupHeartbeat(response)] => {
                assert_eq!(response.error_code, 0, "{:?}", response.error_message);
            }
            other => unreachable!("{other:?}"),
        }
    }

    /// A member of a group of its own, with its assignment.
    fn classic(&mut self, group: &str, protocols: usize, metadata_len: usize, assigned_len: usize) {
        let protocols = (0..protocols).map(|number| JoinGroupRequestProtocol {
            name: Str::from(format!("{number:06}")),
            metadata: Bytes::from(vec![0; metadata_len]),
        });
        let join = JoinGroupRequest {
            group_id: Str::from(group),
            session_timeout_ms: 60_000,
            rebalance_timeout_ms: 60_000,
            protocol_type: Str::from_static("consumer"),
            protocols: protocols.collect(),
            ..JoinGroupRequest::default()
        };
        let replies = self.ask(3, Request::JoinGroup(join));
        let Some(Reply::JoinGroup(joined)) = replies.first() else {
            unreachable!("{replies:?}");
        };
        assert_eq!(joined.error_code, 0);
        let sync = SyncGroupRequest {
            group_id: Str::from(group),
            generation_id: joined.generation_id,
            member_id: joined.member_id.clone(),
            assignments: vec![SyncGroupRequestAssignment {
                member_id: joined.member_id.clone(),
                assignment: Bytes::from(vec![1; assigned_len]),
            }],
            ..SyncGroupRequest::default()
        };
        let replies = self.ask(4, Request::SyncGroup(sync));
        let [Reply::SyncGroup(synced)] = &*replies else {
            unreachable!("{replies:?}");
        };
        assert_eq!(synced.error_code, 0);
    }

    fn commit(&mut self, group: &str, topics: std::ops::Range<u32>, metadata_len: usize) {
        let topics = topics.map(|number| OffsetCommitRequestTopic {
            name: Str::from(format!("topic-{number}")),
            partitions: vec![OffsetCommitRequestPartition {
                committed_offset: 1,
                committed_metadata: Some(Str::from("m".repeat(metadata_len))),
                ..OffsetCommitRequestPartition::default()
            }],
            ..OffsetCommitRequestTopic::default()
        });
        let request = OffsetCommitRequest {
            group_id: Str::from(group),
            topics: topics.collect(),
            generation_id_or_member_epoch: -1,
            ..OffsetCommitRequest::default()
        };
        self.ask(8, Request::OffsetCommit(request));
    }

    /// Offsets of one topic.
    fn commit_many(&mut self, group: &str, partitions: i32) {
        let partitions = (0..partitions).map(|partition_index| OffsetCommitRequestPartition {
            partition_index,
            committed_offset: 1,
            ..OffsetCommitRequestPartition::default()
        });
        let request = OffsetCommitRequest {
            group_id: Str::from(group),
            topics: vec![OffsetCommitRequestTopic {
                name: Str::from(format!("topic-{TOPICS}")),
                partitions: partitions.collect(),
                ..OffsetCommitRequestTopic::default()
            }],
            generation_id_or_member_epoch: -1,
            ..OffsetCommitRequest::default()
        };
        self.ask(8, Request::OffsetCommit(request));
    }
}

/// Names of topics, of which the first are those that exist.
fn names(first: u32, count: u32) -> Vec<String> {
    (first..first + count)
        .map(|number| format!("topic-{number}"))
        .collect()
}

/// Holds what is counted against what is taken: an eighth more at least, and not more than `times_max` as much.
fn check(what: &str, times_max: usize, work: impl FnOnce(&mut World)) {
    NAMES.with(Vec::len);
    let before = ALLOCATOR.current_usage();
    let mut world = World::new();
    work(&mut world);
    let taken = ALLOCATOR.current_usage() - before;
    let counted = world.coordinator.memory_bytes();
    assert!(
        8 * counted >= 9 * taken && counted <= times_max * taken,
        "{what}: {counted} bytes are counted, {taken} are taken"
    );
    drop(world);
}

/// A heartbeat that says nothing new about a member with many names must not touch them: they are not copied.
fn check_heartbeat() {
    let mut world = World::new();
    world.heartbeat("g", "m", &names(10_000, 9_900));
    world.heartbeat("g", "n", &names(0, 1));
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let request = ConsumerGroupHeartbeatRequest {
        group_id: Str::from_static("g"),
        member_id: Str::from_static("m"),
        member_epoch: 2,
        rebalance_timeout_ms: -1,
        ..ConsumerGroupHeartbeatRequest::default()
    };
    let replies = world.ask(1, Request::ConsumerGroupHeartbeat(request));
    let peak = ALLOCATOR.peak_usage() - before;
    let [Reply::ConsumerGroupHeartbeat(response)] = &*replies else {
        unreachable!("{replies:?}");
    };
    assert_eq!((response.error_code, response.member_epoch), (0, 3));
    assert!(peak < 20_000, "{peak} bytes");
}

#[test]
fn groups_are_counted_for_what_they_take() {
    check_heartbeat();
    check("names that all members share", 8, |world| {
        for member in 0..24 {
            world.heartbeat("g", &format!("{member}"), &names(10_000, 9_900));
        }
    });
    check(
        "names that members share in lists of their own",
        4,
        |world| {
            for member in 0..24 {
                world.heartbeat("g", &format!("{member}"), &names(10_000 + member, 9_900));
            }
        },
    );
    check("names of each member alone", 4, |world| {
        for member in 0..24 {
            world.heartbeat(
                "g",
                &format!("{member}"),
                &names(10_000 + 400 * member, 400),
            );
        }
    });
    check("members of one group", 4, |world| {
        for member in 0..1_500 {
            world.heartbeat("g", &format!("{member:036}"), &names(10_000, 1));
        }
    });
    check("partitions of topics with one", 4, |world| {
        world.heartbeat("g", "m", &names(0, TOPICS));
    });
    check("partitions of one topic", 8, |world| {
        world.heartbeat("g", "m", &names(TOPICS, 1));
    });
    check("groups with a member", 4, |world| {
        for group in 0..1_000 {
            world.heartbeat(&format!("group-{group}"), "m", &names(0, 1));
        }
    });
    check("classic protocols", 4, |world| {
        for group in 0..24 {
            world.classic(&format!("{group}"), 10_000, 1, 10);
        }
    });
    check("classic groups", 4, |world| {
        for group in 0..1_000 {
            world.classic(&format!("group-{group}"), 2, 50, 100);
        }
    });
    check("large classic members", 4, |world| {
        for group in 0..20 {
            world.classic(&format!("group-{group}"), 2, 50_000, 50_000);
        }
    });
    check("groups with an offset", 4, |world| {
        for group in 0..2_000 {
            world.commit(&format!("group-{group}"), 0..1, 0);
        }
    });
    check("offsets of topics with one", 4, |world| {
        world.commit("g", 0..TOPICS, 20);
    });
    check("offsets of one topic", 4, |world| {
        world.commit_many("g", MANY);
    });
    check("offsets with metadata", 4, |world| {
        for group in 0..20 {
            world.commit(&format!("group-{group}"), 0..100, 1_000);
        }
    });
}
