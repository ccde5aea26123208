//! Groups change from the classic protocol to the consumer protocol and back, while their members go on.

use std::time::Duration;

use bytes::Bytes;
use groups::{GroupConfig, GroupRecord, MigrationPolicy, Reply, Request};
use protocol::messages::consumer_protocol_subscription::TopicPartition;
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::leave_group_request::MemberIdentity;
use protocol::messages::{
    ConsumerProtocolAssignment, ConsumerProtocolSubscription, HeartbeatRequest, JoinGroupRequest,
    LeaveGroupRequest, SyncGroupRequest,
};
use protocol::wire::{decode_versioned, encode_versioned};
use protocol::{Decoder, Encoder, Message, Str};
use types::ErrorCode;

use super::world::{GROUP, World, assigned, beat, code, join, owned};

fn embed<M: Message>(message: &M, version: i16) -> Bytes {
    let mut encoder = Encoder::with_capacity(64);
    encoder.i16(version);
    encode_versioned(&mut encoder, message, version).expect("a small message");
    encoder.finish().to_bytes()
}

/// A consumer that speaks the classic protocol and hands partitions over cooperatively.
#[derive(Debug, Default)]
pub(crate) struct Classic {
    pub(crate) member_id: Str,
    instance_id: Option<&'static str>,
    generation: i32,
    owned: Vec<i32>,
    protocols: Vec<&'static str>,
    /// What its assignor says beside.
    user_data: Bytes,
}

impl Classic {
    fn new() -> Self {
        Self {
            generation: -1,
            protocols: vec!["cooperative-sticky", "range"],
            ..Self::default()
        }
    }

    fn join_request(&self) -> JoinGroupRequest {
        let subscription = ConsumerProtocolSubscription {
            topics: vec![Str::from_static("orders")],
            owned_partitions: vec![TopicPartition {
                topic: Str::from_static("orders"),
                partitions: self.owned.clone(),
            }],
            user_data: Some(self.user_data.clone()),
            ..ConsumerProtocolSubscription::default()
        };
        let metadata = embed(&subscription, 1);
        JoinGroupRequest {
            group_id: Str::from_static(GROUP),
            session_timeout_ms: 10_000,
            rebalance_timeout_ms: 20_000,
            member_id: self.member_id.clone(),
            group_instance_id: self.instance_id.map(Str::from_static),
            protocol_type: Str::from_static("consumer"),
            protocols: self
                .protocols
                .iter()
                .map(|name| JoinGroupRequestProtocol {
                    name: Str::from_static(name),
                    metadata: metadata.clone(),
                })
                .collect(),
            ..JoinGroupRequest::default()
        }
    }

    /// Joins, where that is answered at once.
    fn join(&mut self, world: &mut World) -> ErrorCode {
        let Reply::JoinGroup(response) = world.ask(9, Request::JoinGroup(self.join_request()))
        else {
            unreachable!("a join is answered as such");
        };
        if code(response.error_code) == ErrorCode::MemberIdRequired {
            self.member_id = response.member_id;
            return self.join(world);
        }
        if code(response.error_code) == ErrorCode::None {
            self.member_id = response.member_id;
            self.generation = response.generation_id;
        }
        code(response.error_code)
    }

    fn sync(&mut self, world: &mut World) -> ErrorCode {
        let request = SyncGroupRequest {
            group_id: Str::from_static(GROUP),
            generation_id: self.generation,
            member_id: self.member_id.clone(),
            group_instance_id: self.instance_id.map(Str::from_static),
            protocol_type: Some(Str::from_static("consumer")),
            protocol_name: Some(Str::from_static(self.protocols[0])),
            ..SyncGroupRequest::default()
        };
        let Reply::SyncGroup(response) = world.ask(5, Request::SyncGroup(request)) else {
            unreachable!("a sync is answered as such");
        };
        if code(response.error_code) == ErrorCode::None {
            self.owned = partitions(&response.assignment);
        }
        code(response.error_code)
    }

    pub(crate) fn beat(&self, world: &mut World) -> ErrorCode {
        let request = HeartbeatRequest {
            group_id: Str::from_static(GROUP),
            generation_id: self.generation,
            member_id: self.member_id.clone(),
            group_instance_id: self.instance_id.map(Str::from_static),
        };
        match world.ask(4, Request::Heartbeat(request)) {
            Reply::Heartbeat(response) => code(response.error_code),
            other => unreachable!("a heartbeat is answered as such, not {other:?}"),
        }
    }

    fn leave(&self, world: &mut World) -> ErrorCode {
        let request = LeaveGroupRequest {
            group_id: Str::from_static(GROUP),
            members: vec![MemberIdentity {
                member_id: self.member_id.clone(),
                ..MemberIdentity::default()
            }],
            ..LeaveGroupRequest::default()
        };
        let decision = world.decide(5, Request::LeaveGroup(request));
        match &decision.replies[0].1 {
            Reply::LeaveGroup(response) => code(response.members[0].error_code),
            other => unreachable!("a leave is answered as such, not {other:?}"),
        }
    }

    /// Does what a heartbeat asks for.
    fn follow(&mut self, world: &mut World) {
        match self.beat(world) {
            ErrorCode::None => {}
            ErrorCode::RebalanceInProgress => {
                assert_eq!(self.join(world), ErrorCode::None);
                assert_eq!(self.sync(world), ErrorCode::None);
            }
            other => unreachable!("not expected: {other:?}"),
        }
    }
}

fn partitions(assignment: &Bytes) -> Vec<i32> {
    let mut decoder = Decoder::new(assignment.clone());
    let version = decoder.i16().expect("a version");
    let assignment: ConsumerProtocolAssignment =
        decode_versioned(&mut decoder, version).expect("an assignment");
    let topics = assignment.assigned_partitions.into_iter();
    topics.flat_map(|topic| topic.partitions).collect()
}

#[test]
fn a_classic_member_of_a_consumer_group_gets_an_id_that_fits_whatever_it_calls_itself() {
    let mut world = World::new();
    world.topic("orders", 4);
    world.heartbeat(join("a", &["orders"]));
    world.client_id = Str::from("c".repeat(32_767).as_str());
    let mut classic = Classic::new();
    assert_eq!(classic.join(&mut world), ErrorCode::None);
    assert_eq!(classic.member_id.len(), 22, "as Kafka's");
    world.check_replay();
}

#[test]
fn a_classic_member_goes_on_while_changes_are_gathered() {
    let mut config = GroupConfig::default();
    config.consumer.assignment_interval = Duration::from_secs(5);
    let mut world = World::with(config);
    world.topic("orders", 4);
    world.heartbeat(join("a", &["orders"]));
    let mut classic = Classic::new();
    // The group epoch has risen, and nothing is assigned for it yet: joining again would change nothing.
    assert_eq!(classic.join(&mut world), ErrorCode::None);
    assert_eq!(classic.sync(&mut world), ErrorCode::None);
    assert_eq!(classic.beat(&mut world), ErrorCode::None);
    world.pass(Duration::from_secs(5));
    assert_eq!(classic.beat(&mut world), ErrorCode::RebalanceInProgress);
    assert_eq!(classic.join(&mut world), ErrorCode::None);
    assert_eq!(classic.sync(&mut world), ErrorCode::None);
    assert_eq!(classic.beat(&mut world), ErrorCode::None);
    world.check_replay();
}

#[test]
fn an_administrator_removes_members_of_either_protocol() {
    let mut world = World::new();
    world.topic("orders", 4);
    world.heartbeat(join("a", &["orders"]));
    let native = Classic {
        member_id: Str::from_static("a"),
        ..Classic::new()
    };
    assert_eq!(native.leave(&mut world), ErrorCode::None);
    assert!(world.describe().members.is_empty());
    assert_eq!(native.leave(&mut world), ErrorCode::UnknownMemberId);
}

/// A world with a classic group of one member, which has partitions 0 to 3 of "orders".
pub(crate) fn classic_group(config: GroupConfig) -> (World, Classic) {
    classic_group_with(config, &[0, 1, 2, 3])
}

/// The same, whose leader assigns these partitions.
fn classic_group_with(config: GroupConfig, claimed: &[i32]) -> (World, Classic) {
    let mut world = World::with(config);
    world.topic("orders", 4);
    let mut member = Classic::new();
    let Reply::JoinGroup(response) = world.ask(9, Request::JoinGroup(member.join_request())) else {
        unreachable!("a join is answered as such");
    };
    assert_eq!(code(response.error_code), ErrorCode::MemberIdRequired);
    member.member_id = response.member_id;
    let mut decision = world.decide(9, Request::JoinGroup(member.join_request()));
    decision
        .replies
        .extend(world.pass(Duration::from_secs(4)).replies);
    let Some((_, Reply::JoinGroup(response))) = decision.replies.pop() else {
        unreachable!("the join ends with the initial delay");
    };
    assert_eq!(code(response.error_code), ErrorCode::None);
    member.generation = response.generation_id;
    let assignment = ConsumerProtocolAssignment {
        assigned_partitions: vec![
            protocol::messages::consumer_protocol_assignment::TopicPartition {
                topic: Str::from_static("orders"),
                partitions: claimed.to_vec(),
            },
        ],
        user_data: None,
    };
    let request = SyncGroupRequest {
        group_id: Str::from_static(GROUP),
        generation_id: member.generation,
        member_id: member.member_id.clone(),
        protocol_type: Some(Str::from_static("consumer")),
        protocol_name: Some(Str::from_static(member.protocols[0])),
        assignments: vec![
            protocol::messages::sync_group_request::SyncGroupRequestAssignment {
                member_id: member.member_id.clone(),
                assignment: embed(&assignment, 1),
            },
        ],
        ..SyncGroupRequest::default()
    };
    let Reply::SyncGroup(response) = world.ask(5, Request::SyncGroup(request)) else {
        unreachable!("a sync is answered as such");
    };
    member.owned = partitions(&response.assignment);
    assert_eq!(member.owned, claimed);
    (world, member)
}

pub(crate) fn at_once() -> GroupConfig {
    let mut config = GroupConfig::default();
    config.consumer.assignment_interval = Duration::ZERO;
    config
}

fn group_type(world: &World) -> &'static str {
    let snapshot = world.coordinator.snapshot_of(GROUP);
    let is_classic = snapshot
        .iter()
        .any(|record| matches!(record, GroupRecord::GroupMetadata { .. }));
    if is_classic { "classic" } else { "consumer" }
}

#[test]
fn a_classic_group_becomes_a_consumer_group_with_the_first_such_member() {
    let (mut world, mut classic) = classic_group(at_once());
    let topic = world.cluster_topic("orders");
    let generation = classic.generation;
    let response = world.heartbeat(join("new", &["orders"]));
    assert_eq!(code(response.error_code), ErrorCode::None);
    assert_eq!(
        (response.member_epoch, assigned(&response)),
        (generation + 1, Some(vec![]))
    );
    assert_eq!(group_type(&world), "consumer");
    assert_eq!(world.describe().members.len(), 2);
    // The classic member learns it at its heartbeat, joins again, and gives half of its partitions away.
    assert_eq!(classic.beat(&mut world), ErrorCode::RebalanceInProgress);
    assert_eq!(classic.join(&mut world), ErrorCode::None);
    assert_eq!(classic.sync(&mut world), ErrorCode::None);
    assert_eq!(classic.owned, [0, 1]);
    assert_eq!(
        assigned(&world.heartbeat(beat("new", generation + 1))),
        None
    );
    classic.follow(&mut world);
    assert_eq!(
        (classic.generation, classic.owned.as_slice()),
        (generation + 1, &[0, 1][..])
    );
    let response = world.heartbeat(beat("new", generation + 1));
    assert_eq!(assigned(&response), Some(vec![2, 3]));
    assert_eq!(classic.beat(&mut world), ErrorCode::None);
    let mut settled = beat("new", generation + 1);
    settled.topic_partitions = owned(topic, &[2, 3]);
    world.heartbeat(settled);
    assert_eq!(world.state(), "Stable");
    world.check_replay();
    world.restart();
    assert_eq!(classic.beat(&mut world), ErrorCode::None);
}

#[test]
fn a_consumer_group_becomes_a_classic_group_when_the_last_such_member_leaves() {
    let (mut world, mut classic) = classic_group(at_once());
    let joined = world.heartbeat(join("new", &["orders"]));
    for _ in 0..3 {
        classic.follow(&mut world);
    }
    world.heartbeat(beat("new", joined.member_epoch));
    assert_eq!(world.error(beat("new", -1)), ErrorCode::None);
    assert_eq!(group_type(&world), "classic");
    world.check_replay();
    // It has to join again, as after any other leave, and is the leader.
    assert_eq!(classic.beat(&mut world), ErrorCode::RebalanceInProgress);
    let Reply::JoinGroup(response) = world.ask(9, Request::JoinGroup(classic.join_request()))
    else {
        unreachable!("a join is answered as such");
    };
    assert_eq!(code(response.error_code), ErrorCode::None);
    assert_eq!(response.leader, classic.member_id);
    assert!(response.generation_id > joined.member_epoch);
}

#[test]
fn the_last_consumer_member_that_crashes_downgrades_the_group_too() {
    let (mut world, mut classic) = classic_group(at_once());
    world.heartbeat(join("new", &["orders"]));
    for _ in 0..10 {
        world.pass(Duration::from_secs(5));
        if group_type(&world) == "classic" {
            break;
        }
        classic.follow(&mut world);
    }
    assert_eq!(group_type(&world), "classic");
    assert_eq!(classic.beat(&mut world), ErrorCode::RebalanceInProgress);
}

#[test]
fn a_group_that_would_not_fit_a_batch_as_a_classic_one_stays_a_consumer_group() {
    for crashes in [false, true] {
        let mut config = at_once();
        config.batch_len_max_bytes = 8_000;
        let mut world = World::with(config);
        world.topic("orders", 24);
        let joined = world.heartbeat(join("new", &["orders"]));
        let mut rest: Vec<Classic> = (0..3)
            .map(|_| Classic {
                protocols: vec!["range"],
                user_data: Bytes::from(vec![1; 3_000]),
                ..Classic::new()
            })
            .collect();
        for classic in &mut rest {
            assert_eq!(classic.join(&mut world), ErrorCode::None);
            assert_eq!(classic.sync(&mut world), ErrorCode::None);
        }
        if !crashes {
            let leave = beat("new", -1);
            assert!(joined.member_epoch > 0);
            assert_eq!(world.error(leave), ErrorCode::None);
        }
        for _ in 0..20 {
            world.pass(Duration::from_secs(3));
            for classic in &mut rest {
                classic.follow(&mut world);
            }
        }
        assert_eq!(group_type(&world), "consumer");
        assert_eq!(world.describe().members.len(), 3);
        let counters = world.coordinator.counters();
        assert_eq!(counters.consumer_sessions_expired, u64::from(crashes));
        let mut owned: Vec<i32> = rest.iter().flat_map(|it| it.owned.clone()).collect();
        owned.sort_unstable();
        assert_eq!(owned, (0..24).collect::<Vec<_>>());
        // When one more has left, the others fit.
        let last = rest.pop().expect("three");
        assert_eq!(last.leave(&mut world), ErrorCode::None);
        assert_eq!(group_type(&world), "classic");
        world.check_replay();
    }
}

#[test]
fn a_classic_member_that_returns_with_the_new_protocol_keeps_its_partitions() {
    let (mut world, classic) = classic_group(at_once());
    let response = world.heartbeat(join(&classic.member_id, &["orders"]));
    assert_eq!(code(response.error_code), ErrorCode::None);
    assert_eq!(assigned(&response), Some(vec![0, 1, 2, 3]));
    assert_eq!(classic.beat(&mut world), ErrorCode::UnknownMemberId);
    let described = world.describe();
    assert_eq!(
        (described.members.len(), described.members[0].member_type),
        (1, 1)
    );
}

#[test]
fn a_classic_member_that_does_not_join_again_is_given_up() {
    let (mut world, classic) = classic_group(at_once());
    let joined = world.heartbeat(join("new", &["orders"]));
    assert_eq!(classic.beat(&mut world), ErrorCode::RebalanceInProgress);
    for _ in 0..4 {
        world.pass(Duration::from_secs(5));
        if world.describe().members.len() == 2 {
            classic.beat(&mut world);
        }
        world.heartbeat(beat("new", joined.member_epoch));
    }
    world.pass(Duration::from_millis(1));
    assert_eq!(classic.beat(&mut world), ErrorCode::UnknownMemberId);
}

#[test]
fn a_classic_member_that_does_not_fetch_its_assignment_is_given_up() {
    let mut world = World::new();
    world.topic("orders", 4);
    let mut epoch = world.heartbeat(join("new", &["orders"])).member_epoch;
    let mut classic = Classic::new();
    assert_eq!(classic.join(&mut world), ErrorCode::None);
    for _ in 0..4 {
        assert_eq!(world.describe().members.len(), 2);
        classic.beat(&mut world);
        epoch = world.heartbeat(beat("new", epoch)).member_epoch;
        world.pass(Duration::from_secs(5));
    }
    assert_eq!(classic.beat(&mut world), ErrorCode::UnknownMemberId);
    assert_eq!(world.describe().members.len(), 1);
}

#[test]
fn the_policy_says_which_way_groups_may_go() {
    for (policy, upgrade, downgrade) in [
        (MigrationPolicy::Disabled, false, false),
        (MigrationPolicy::Upgrade, true, false),
        (MigrationPolicy::Downgrade, false, true),
        (MigrationPolicy::Bidirectional, true, true),
    ] {
        let mut config = at_once();
        config.consumer.migration = policy;
        let (mut world, _classic) = classic_group(config);
        let error = world.error(join("new", &["orders"]));
        let expected = if upgrade {
            ErrorCode::None
        } else {
            ErrorCode::GroupIdNotFound
        };
        assert_eq!(error, expected, "{policy:?}");
        if upgrade {
            world.error(beat("new", -1));
            let expected = if downgrade { "classic" } else { "consumer" };
            assert_eq!(group_type(&world), expected, "{policy:?}");
        }
    }
}

#[test]
fn a_classic_member_joins_a_consumer_group() {
    let mut world = World::new();
    world.topic("orders", 4);
    world.heartbeat(join("new", &["orders"]));
    let mut classic = Classic::new();
    assert_eq!(classic.join(&mut world), ErrorCode::None);
    assert_eq!(classic.sync(&mut world), ErrorCode::None);
    assert_eq!((classic.generation, classic.owned.len()), (3, 0));
    // A leader of its own would not be understood here, nor would another type.
    let mut other = classic.join_request();
    other.member_id = Str::default();
    other.protocol_type = Str::from_static("connect");
    let Reply::JoinGroup(response) = world.ask(9, Request::JoinGroup(other)) else {
        unreachable!("a join is answered as such");
    };
    assert_eq!(
        code(response.error_code),
        ErrorCode::InconsistentGroupProtocol
    );
    let mut stranger = Classic::new();
    stranger.protocols = vec!["custom"];
    assert_eq!(
        stranger.join(&mut world),
        ErrorCode::InconsistentGroupProtocol
    );
    // It waits for what the other has still.
    assert_eq!(classic.beat(&mut world), ErrorCode::None);
    let topic = world.cluster_topic("orders");
    world.heartbeat(beat("new", 2));
    let mut done = beat("new", 2);
    done.topic_partitions = owned(topic, &[0, 1]);
    assert_eq!(world.heartbeat(done).member_epoch, 3);
    classic.follow(&mut world);
    assert_eq!(classic.owned, [2, 3]);
    assert_eq!(classic.leave(&mut world), ErrorCode::None);
    assert_eq!(classic.leave(&mut world), ErrorCode::UnknownMemberId);
    assert_eq!(world.describe().members.len(), 1);
    world.check_replay();
}

#[test]
fn a_static_member_goes_back_to_the_classic_protocol_and_takes_the_group_along() {
    let mut world = World::new();
    world.topic("orders", 4);
    let mut request = join("new", &["orders"]);
    request.instance_id = Some(Str::from_static("one"));
    world.heartbeat(request);
    let mut classic = Classic::new();
    classic.instance_id = Some("one");
    assert_eq!(classic.join(&mut world), ErrorCode::None);
    assert_eq!(group_type(&world), "classic");
    assert_eq!(classic.sync(&mut world), ErrorCode::None);
    assert_eq!(classic.owned, [0, 1, 2, 3], "it has what it had");
    world.check_replay();
}

#[test]
fn the_oldest_clients_have_their_session_for_a_rebalance() {
    let mut world = World::with(at_once());
    world.topic("orders", 2);
    world.heartbeat(join("a", &["orders"]));
    let mut request = Classic::new().join_request();
    request.rebalance_timeout_ms = -1;
    let Reply::JoinGroup(response) = world.ask(0, Request::JoinGroup(request)) else {
        unreachable!("a join is answered as such");
    };
    assert_eq!(code(response.error_code), ErrorCode::None);
    world.pass(Duration::from_secs(9));
    assert_eq!(world.describe().members.len(), 2);
    world.pass(Duration::from_secs(2));
    assert_eq!(world.describe().members.len(), 1);
}

#[test]
fn the_oldest_clients_have_their_session_to_join_again() {
    let mut world = World::with(at_once());
    world.topic("orders", 2);
    world.heartbeat(join("a", &["orders"]));
    let mut oldest = Classic::new();
    let mut request = oldest.join_request();
    request.rebalance_timeout_ms = -1;
    let Reply::JoinGroup(response) = world.ask(0, Request::JoinGroup(request)) else {
        unreachable!("a join is answered as such");
    };
    oldest.member_id = response.member_id;
    oldest.generation = response.generation_id;
    assert_eq!(oldest.sync(&mut world), ErrorCode::None);
    world.heartbeat(join("b", &["orders"]));
    assert_eq!(oldest.beat(&mut world), ErrorCode::RebalanceInProgress);
    world.pass(Duration::from_secs(5));
    assert_eq!(world.describe().members.len(), 3);
}

#[test]
fn no_group_has_an_empty_id() {
    let mut world = World::new();
    let request = Request::ConsumerGroupDescribe(Str::default());
    let Reply::ConsumerGroupDescribe(group) = world.ask(1, request) else {
        unreachable!("a description is answered as such");
    };
    assert_eq!(code(group.error_code), ErrorCode::InvalidGroupId);
}

#[test]
fn a_classic_group_becomes_a_consumer_group_if_there_is_room_for_it() {
    let (mut world, classic) = classic_group(at_once());
    world.config.memory_max_bytes = 1_000;
    world.restart();
    let error = world.error(join("new", &["orders"]));
    assert_eq!(error, ErrorCode::GroupMaxSizeReached);
    assert_eq!(group_type(&world), "classic");
    drop(classic);
}

#[test]
fn partitions_that_a_leader_makes_up_are_no_partitions_of_a_consumer_group() {
    let claimed: Vec<i32> = (-3..1_000).collect();
    let (mut world, _classic) = classic_group_with(at_once(), &claimed);
    assert_eq!(world.error(join("new", &["orders"])), ErrorCode::None);
    let describe = world.describe();
    let assigned = describe.members.iter().map(|member| &member.assignment);
    let assigned = assigned.flat_map(|assignment| &assignment.topic_partitions);
    let assigned: usize = assigned.map(|topic| topic.partitions.len()).sum();
    assert!(assigned <= 4, "{describe:?}");
}
