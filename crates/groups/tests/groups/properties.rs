//! What holds whatever clients do: members that join, sync, commit, leave, crash, sleep and come back, a broker that
//! restarts, all in any order and at any time.
//!
//! After each step, replaying the log gives what is durable. A commit is taken in its own generation only, and
//! committed offsets do not go back. At the end, everybody behaves, and the group becomes stable.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use groups::{GroupConfig, GroupRecord, Reply, Request, Ticket};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop};
use proptest::{prop_oneof, proptest};
use protocol::Str;
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::leave_group_request::MemberIdentity;
use protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use protocol::messages::{
    HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, OffsetCommitRequest, SyncGroupRequest,
};
use types::ErrorCode;

use crate::script::subscription;
use crate::world::World;

const GROUP: Str = Str::from_static("g");

/// Partitions of the topic `t` that the leader spreads.
const PARTITIONS: u8 = 6;

/// The longest session and rebalance timeout of all clients, and the time that newcomers get.
const PATIENCE: Duration = Duration::from_secs(5 * 60 + 60);

/// How often a client that behaves does something.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// What a client does next.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// What is right in its place.
    Behave,
    /// Sends JoinGroup, whatever it waits for.
    Join,
    /// Sends SyncGroup of the generation that it knows, whether or not it has joined.
    Sync,
    Heartbeat,
    /// Consumes, and commits in the generation that it knows.
    Commit,
    /// A commit that it sent before it joined last arrives only now.
    LateCommit,
    Leave,
    /// Forgets everything and has a new process.
    Crash,
    /// Is not heard of again, unless it crashes.
    Vanish,
}

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Event {
    Client(usize, Step),
    Wait(u64),
    Restart,
}

/// A client's view.
#[derive(Clone, Debug, Default)]
struct Client {
    name: String,
    instance_id: Option<Str>,
    version: i16,
    member_id: Str,
    generation: i32,
    /// Joined this generation, and has to sync.
    joined: bool,
    members: Vec<Str>,
    /// What it owns, with the next position of each.
    owned: BTreeMap<i32, i64>,
    /// What it owned in which generation before it joined last.
    owned_before: (i32, BTreeMap<i32, i64>),
    stable: bool,
    waits_for: Option<Ticket>,
    is_gone: bool,
}

struct Play {
    world: World,
    clients: Vec<Client>,
    /// Who asked, and what a commit was about.
    asked: BTreeMap<Ticket, (usize, i32)>,
    committed: BTreeMap<i32, i64>,
}

fn config() -> GroupConfig {
    GroupConfig {
        initial_rebalance_delay: Duration::from_secs(1),
        offsets_retention_check_interval: Duration::from_secs(100_000),
        ..GroupConfig::default()
    }
}

impl Play {
    fn new(versions: &[i16]) -> Self {
        let clients = versions.iter().enumerate().map(|(index, version)| Client {
            name: format!("c{index}"),
            // Every second client that can have an instance id has one.
            instance_id: (*version >= 5 && index % 2 == 0).then(|| Str::from(format!("i{index}"))),
            version: *version,
            ..Client::default()
        });
        Self {
            world: World::new(config()),
            clients: clients.collect(),
            asked: BTreeMap::new(),
            committed: BTreeMap::new(),
        }
    }

    fn play(&mut self, event: Event) {
        match event {
            Event::Client(index, step) => {
                let index = index % self.clients.len();
                self.step(index, step);
            }
            Event::Wait(span_ms) => self.wait(Duration::from_millis(span_ms)),
            Event::Restart => {
                self.world.restart();
                for client in &mut self.clients {
                    client.waits_for = None;
                }
            }
        }
        self.world.check_replay();
        self.check_offsets();
    }

    fn wait(&mut self, span: Duration) {
        let until = self.world.now + span;
        while self.world.now < until {
            let replies = self.world.step(until);
            self.hear(replies);
        }
    }

    fn step(&mut self, index: usize, step: Step) {
        let client = &self.clients[index];
        if client.is_gone && !matches!(step, Step::Crash) {
            return;
        }
        let request = match step {
            Step::Behave => return self.behave(index),
            Step::Join => join(client),
            Step::Sync => sync(client),
            Step::Heartbeat => heartbeat(client),
            Step::Commit => return self.consume(index),
            Step::LateCommit => {
                let (generation, positions) = client.owned_before.clone();
                return self.commit(index, generation, &positions);
            }
            Step::Leave => leave(client),
            Step::Vanish => {
                self.clients[index].is_gone = true;
                return;
            }
            Step::Crash => {
                let client = &mut self.clients[index];
                *client = Client {
                    name: client.name.clone(),
                    instance_id: client.instance_id.clone(),
                    version: client.version,
                    ..Client::default()
                };
                return;
            }
        };
        self.ask(index, request);
    }

    /// What a real client does: it waits for its replies, joins, syncs, then sends heartbeats.
    fn behave(&mut self, index: usize) {
        let client = &self.clients[index];
        if client
            .waits_for
            .is_some_and(|ticket| self.world.is_waiting(ticket))
            || client.is_gone
        {
            return;
        }
        let request = if client.stable {
            heartbeat(client)
        } else if client.joined {
            sync(client)
        } else {
            join(client)
        };
        self.ask(index, request);
    }

    fn consume(&mut self, index: usize) {
        let client = &mut self.clients[index];
        for position in client.owned.values_mut() {
            *position += 1;
        }
        let positions = client.owned.clone();
        let generation = client.generation;
        self.commit(index, generation, &positions);
    }

    fn commit(&mut self, index: usize, generation: i32, positions: &BTreeMap<i32, i64>) {
        if positions.is_empty() {
            return;
        }
        let client = &self.clients[index];
        let partitions = positions
            .iter()
            .map(|(index, position)| OffsetCommitRequestPartition {
                partition_index: *index,
                committed_offset: *position,
                ..OffsetCommitRequestPartition::default()
            });
        let request = Request::OffsetCommit(OffsetCommitRequest {
            group_id: GROUP,
            generation_id_or_member_epoch: generation,
            member_id: client.member_id.clone(),
            group_instance_id: client.instance_id.clone(),
            topics: vec![OffsetCommitRequestTopic {
                name: Str::from_static("t"),
                partitions: partitions.collect(),
                ..OffsetCommitRequestTopic::default()
            }],
            ..OffsetCommitRequest::default()
        });
        self.ask(index, request);
    }

    fn ask(&mut self, index: usize, request: Request) {
        let client = &mut self.clients[index];
        let waits = matches!(request, Request::JoinGroup(_) | Request::SyncGroup(_));
        let version = match request {
            Request::JoinGroup(_) => client.version,
            Request::SyncGroup(_) | Request::LeaveGroup(_) => 5,
            _ => 4,
        };
        if matches!(request, Request::JoinGroup(_)) {
            // It has given up its partitions: the protocol is eager.
            if !client.owned.is_empty() {
                client.owned_before = (client.generation, std::mem::take(&mut client.owned));
            }
            client.stable = false;
            client.joined = false;
        }
        let generation = match &request {
            Request::OffsetCommit(request) => request.generation_id_or_member_epoch,
            _ => client.generation,
        };
        let name = client.name.clone();
        let (ticket, replies) = self.world.call(&name, version, request);
        if waits {
            self.clients[index].waits_for = Some(ticket);
        }
        self.asked.insert(ticket, (index, generation));
        self.hear(replies);
        let replies = self.world.settle();
        self.hear(replies);
    }

    fn hear(&mut self, replies: Vec<(Ticket, Reply)>) {
        for (ticket, reply) in replies {
            let (index, generation) = self.asked.remove(&ticket).expect("somebody asked");
            if let Reply::OffsetCommit(response) = &reply {
                if response.topics[0].partitions[0].error_code == 0 {
                    assert_eq!(
                        generation,
                        self.durable_generation(),
                        "an old commit is taken"
                    );
                }
                continue;
            }
            let client = &mut self.clients[index];
            let awaited = client.waits_for == Some(ticket);
            if awaited {
                client.waits_for = None;
            }
            match reply {
                Reply::JoinGroup(response) if awaited => client.hear_join(response),
                Reply::SyncGroup(response) if awaited => {
                    client.joined = false;
                    client.stable = response.error_code == 0;
                    if client.stable {
                        let committed = &self.committed;
                        let position = |index: i32| committed.get(&index).copied().unwrap_or(0);
                        let assigned = response.assignment.iter().copied().map(i32::from);
                        client.owned = assigned.map(|index| (index, position(index))).collect();
                    }
                }
                Reply::Heartbeat(response) if response.error_code != 0 => client.stable = false,
                _ => {}
            }
        }
    }

    /// The generation that the log knows.
    fn durable_generation(&self) -> i32 {
        let records = self.world.coordinator.snapshot_of("g");
        let generation = records.iter().find_map(|record| match record {
            GroupRecord::GroupMetadata { value, .. } => {
                value.as_ref().map(|value| value.generation)
            }
            _ => None,
        });
        generation.expect("a group with members is in the log")
    }

    /// Committed offsets do not go back.
    fn check_offsets(&mut self) {
        for record in self.world.written.drain(..) {
            if let GroupRecord::OffsetCommit {
                key,
                value: Some(value),
            } = record
            {
                let before = self
                    .committed
                    .insert(key.partition, value.offset)
                    .unwrap_or(0);
                assert!(
                    before <= value.offset,
                    "{before} was committed before {}",
                    value.offset
                );
            }
        }
    }

    /// Everybody behaves from now on.
    fn become_stable(&mut self) {
        // The last one stays.
        if let Some(client) = self.clients.last_mut() {
            client.is_gone = false;
        }
        let until = self.world.now + PATIENCE;
        while self.world.now < until {
            for index in 0..self.clients.len() {
                self.behave(index);
            }
            self.wait(HEARTBEAT);
        }
        self.world.check_replay();
        self.check_offsets();
        let mut owned: Vec<i32> = Vec::new();
        for client in self.clients.iter().filter(|client| !client.is_gone) {
            assert!(client.stable, "{client:?} is stuck");
            owned.extend(client.owned.keys());
        }
        owned.sort_unstable();
        let all: Vec<i32> = (0..i32::from(PARTITIONS)).collect();
        assert_eq!(owned, all, "every partition has one owner");
        let census = self.world.coordinator.census();
        assert_eq!(census.classic.get("Stable"), Some(&1));
    }
}

impl Client {
    fn hear_join(&mut self, response: protocol::messages::JoinGroupResponse) {
        self.joined = false;
        match ErrorCode::from_code(response.error_code) {
            Some(ErrorCode::None) => {
                self.member_id = response.member_id;
                self.generation = response.generation_id;
                if self.owned_before.0 == self.generation {
                    // Nothing has changed hands: a commit that is late within a generation is the client's affair.
                    self.owned_before.1.clear();
                }
                self.members = response
                    .members
                    .into_iter()
                    .map(|member| member.member_id)
                    .collect();
                if response.skip_assignment {
                    self.members.clear();
                }
                self.joined = true;
            }
            Some(ErrorCode::MemberIdRequired) => self.member_id = response.member_id,
            _ => self.member_id = Str::default(),
        }
    }
}

fn join(client: &Client) -> Request {
    Request::JoinGroup(JoinGroupRequest {
        group_id: GROUP,
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 20_000,
        member_id: client.member_id.clone(),
        group_instance_id: client.instance_id.clone(),
        protocol_type: Str::from_static("consumer"),
        protocols: vec![JoinGroupRequestProtocol {
            name: Str::from_static("range"),
            metadata: subscription(&["t"]),
        }],
        reason: None,
    })
}

/// A leader spreads the partitions over the members; an assignment is a byte for each.
fn sync(client: &Client) -> Request {
    let count = client.members.len().max(1);
    let assignments = client.members.iter().enumerate().map(|(index, member_id)| {
        let partitions = (0..PARTITIONS).filter(|one| usize::from(*one) % count == index);
        SyncGroupRequestAssignment {
            member_id: member_id.clone(),
            assignment: partitions.collect::<Bytes>(),
        }
    });
    Request::SyncGroup(SyncGroupRequest {
        group_id: GROUP,
        generation_id: client.generation,
        member_id: client.member_id.clone(),
        group_instance_id: client.instance_id.clone(),
        protocol_type: Some(Str::from_static("consumer")),
        protocol_name: Some(Str::from_static("range")),
        assignments: assignments.collect(),
    })
}

fn heartbeat(client: &Client) -> Request {
    Request::Heartbeat(HeartbeatRequest {
        group_id: GROUP,
        generation_id: client.generation,
        member_id: client.member_id.clone(),
        group_instance_id: client.instance_id.clone(),
    })
}

fn leave(client: &Client) -> Request {
    Request::LeaveGroup(LeaveGroupRequest {
        group_id: GROUP,
        members: vec![MemberIdentity {
            member_id: client.member_id.clone(),
            group_instance_id: client.instance_id.clone(),
            reason: None,
        }],
        ..LeaveGroupRequest::default()
    })
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => Just(Step::Behave),
        1 => Just(Step::Join),
        1 => Just(Step::Sync),
        1 => Just(Step::Heartbeat),
        4 => Just(Step::Commit),
        2 => Just(Step::LateCommit),
        1 => Just(Step::Leave),
        1 => Just(Step::Crash),
        1 => Just(Step::Vanish),
    ]
}

fn events() -> impl Strategy<Value = Event> {
    prop_oneof![
        20 => (any::<usize>(), steps()).prop_map(|(client, step)| Event::Client(client, step)),
        3 => (1..3_000u64).prop_map(Event::Wait),
        1 => (3_000..40_000u64).prop_map(Event::Wait),
        1 => Just(Event::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn classic_groups_survive_everything(
        versions in prop::collection::vec(0..=9i16, 1..5),
        events in prop::collection::vec(events(), 1..120),
    ) {
        let mut play = Play::new(&versions);
        for event in events {
            play.play(event);
        }
        play.become_stable();
    }
}
