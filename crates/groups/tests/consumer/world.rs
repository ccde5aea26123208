//! A coordinator with its log, its clock and its topics, and consumers that talk to it.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use groups::{
    Caller, Context, Decision, GroupConfig, GroupCoordinator, GroupRecord, Instant, Reply, Request,
    Ticket, Topic, Topics,
};
use protocol::Str;
use protocol::messages::consumer_group_describe_response::DescribedGroup;
use protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use types::{ErrorCode, TimestampMs, Uuid};

/// The group that all tests are about.
pub(crate) const GROUP: &str = "group";

/// What the wall clock shows when the monotonic clock is at zero.
const EPOCH_MS: i64 = 1_700_000_000_000;

/// The topics of a cluster.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cluster {
    topics: BTreeMap<String, Topic>,
    version: u64,
    /// How often a topic was asked for by its name.
    pub(crate) looked_up: Rc<Cell<usize>>,
}

impl Topics for Cluster {
    fn by_name(&self, name: &str) -> Option<Topic> {
        self.looked_up.set(self.looked_up.get() + 1);
        self.topics.get(name).copied()
    }

    fn by_id(&self, id: Uuid) -> Option<(&str, Topic)> {
        self.topics
            .iter()
            .find(|(_, topic)| topic.id == id)
            .map(|(name, topic)| (name.as_str(), *topic))
    }

    fn names(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        Box::new(self.topics.keys().map(String::as_str))
    }

    fn version(&self) -> u64 {
        self.version
    }
}

/// A coordinator and everything around it.
pub(crate) struct World {
    pub(crate) config: GroupConfig,
    pub(crate) coordinator: GroupCoordinator,
    pub(crate) cluster: Cluster,
    pub(crate) now: Duration,
    /// What clients call themselves.
    pub(crate) client_id: Str,
    /// What is durable.
    pub(crate) log: Vec<GroupRecord>,
    calls: u64,
}

impl World {
    /// A world whose assignments are not put off.
    pub(crate) fn new() -> Self {
        let mut config = GroupConfig::default();
        config.consumer.assignment_interval = Duration::ZERO;
        Self::with(config)
    }

    pub(crate) fn with(config: GroupConfig) -> Self {
        Self {
            coordinator: GroupCoordinator::new(config.clone()),
            config,
            cluster: Cluster::default(),
            now: Duration::ZERO,
            client_id: Str::from_static("client"),
            log: Vec::new(),
            calls: 0,
        }
    }

    /// Makes a topic, or changes the number of its partitions.
    pub(crate) fn topic(&mut self, name: &str, partitions: i32) -> Uuid {
        self.cluster.version += 1;
        let number = self.cluster.version;
        let topic = self
            .cluster
            .topics
            .entry(name.to_owned())
            .or_insert_with(|| {
                let mut id = [7; 16];
                id[8..].copy_from_slice(&number.to_be_bytes());
                Topic {
                    id: Uuid(id),
                    partitions,
                }
            });
        topic.partitions = partitions;
        topic.id
    }

    /// The id of a topic that is there.
    pub(crate) fn cluster_topic(&self, name: &str) -> Uuid {
        self.cluster.by_name(name).expect("it was made").id
    }

    pub(crate) fn delete_topic(&mut self, name: &str) {
        self.cluster.version += 1;
        self.cluster.topics.remove(name);
    }

    fn call(
        &mut self,
        work: impl FnOnce(&mut GroupCoordinator, &Context<'_>, u64) -> Decision,
    ) -> Decision {
        self.calls += 1;
        let mut random = [0; 16];
        random[8..].copy_from_slice(&self.calls.to_be_bytes());
        let context = Context {
            now: Instant(self.now),
            wall_clock: TimestampMs(
                EPOCH_MS + i64::try_from(self.now.as_millis()).expect("tests are short"),
            ),
            random: Uuid(random),
            topics: &self.cluster,
            memory_elsewhere_bytes: 0,
        };
        let decision = work(&mut self.coordinator, &context, self.calls);
        for batch in decision.batches() {
            let mut len = 0;
            for record in batch {
                let (key, value) = record.encode();
                len += key.len() + value.map_or(0, |value| value.len());
                self.coordinator.apply(record);
                self.log.push(record.clone());
            }
            let only_deletes = batch.iter().all(GroupRecord::is_tombstone);
            let len_max = self.config.batch_len_max_bytes;
            assert!(only_deletes || len <= len_max, "{len} bytes");
        }
        decision
    }

    /// Asks, and returns what is decided. Its records are applied and durable.
    pub(crate) fn decide(&mut self, version: i16, request: Request) -> Decision {
        let client_id = self.client_id.clone();
        self.call(|coordinator, context, call| {
            let caller = Caller {
                ticket: Ticket(call),
                version,
                client_id,
                client_host: Str::from_static("/127.0.0.1"),
            };
            coordinator.decide(context, &caller, request)
        })
    }

    /// Asks a broker that is killed when so many batches of the decision are durable. Returns how many there were.
    pub(crate) fn lose_behind(&mut self, batches: usize, request: Request) -> usize {
        let durable = self.log.len();
        let decision = self.decide(1, request);
        let lens = decision.batches().map(<[GroupRecord]>::len);
        let kept: usize = lens.take(batches).sum();
        self.log.truncate(durable + kept);
        self.restart();
        decision.batches().count()
    }

    /// Asks, and returns the answer that must come at once.
    pub(crate) fn ask(&mut self, version: i16, request: Request) -> Reply {
        let mut replies = self.decide(version, request).replies;
        assert_eq!(replies.len(), 1, "one answer at once");
        replies.remove(0).1
    }

    pub(crate) fn heartbeat(
        &mut self,
        request: ConsumerGroupHeartbeatRequest,
    ) -> ConsumerGroupHeartbeatResponse {
        match self.ask(1, Request::ConsumerGroupHeartbeat(request)) {
            Reply::ConsumerGroupHeartbeat(response) => response,
            other => unreachable!("a heartbeat is answered as such, not {other:?}"),
        }
    }

    /// The error of a heartbeat.
    pub(crate) fn error(&mut self, request: ConsumerGroupHeartbeatRequest) -> ErrorCode {
        code(self.heartbeat(request).error_code)
    }

    pub(crate) fn describe(&mut self) -> DescribedGroup {
        match self.ask(1, Request::ConsumerGroupDescribe(Str::from_static(GROUP))) {
            Reply::ConsumerGroupDescribe(group) => group,
            other => unreachable!("a description is answered as such, not {other:?}"),
        }
    }

    pub(crate) fn state(&mut self) -> String {
        self.describe().group_state.as_str().to_owned()
    }

    /// Lets time pass, and everything happen that is due meanwhile. Returns all decisions in one.
    pub(crate) fn pass(&mut self, span: Duration) -> Decision {
        let end = self.now + span;
        let mut all = Decision::default();
        for _ in 0..10_000 {
            let Some(Instant(at)) = self.coordinator.next_deadline() else {
                break;
            };
            if at > end {
                break;
            }
            self.now = self.now.max(at);
            let decision = self.call(|coordinator, context, _| coordinator.on_deadline(context));
            all.records.extend(decision.records);
            all.replies.extend(decision.replies);
            all.notes.extend(decision.notes);
        }
        self.now = end;
        all
    }

    /// Lets what is due next happen, once.
    pub(crate) fn due(&mut self) -> Decision {
        let Instant(at) = self.coordinator.next_deadline().expect("something is due");
        self.now = self.now.max(at);
        self.call(|coordinator, context, _| coordinator.on_deadline(context))
    }

    /// The broker is killed and comes back: what is not in the log is gone. Records take the way through their bytes.
    pub(crate) fn restart(&mut self) {
        self.coordinator = self.replayed();
        self.call(|coordinator, context, _| coordinator.loaded(context));
    }

    /// A coordinator that has replayed the log.
    pub(crate) fn replayed(&self) -> GroupCoordinator {
        let mut coordinator = GroupCoordinator::new(self.config.clone());
        for record in &self.log {
            let (key, value) = record.encode();
            let decoded = GroupRecord::decode(&key, value.as_ref()).expect("was just encoded");
            coordinator.apply(&decoded);
        }
        coordinator
    }

    /// That replaying the log gives the state that is there.
    pub(crate) fn check_replay(&self) {
        assert_eq!(
            self.replayed().snapshot_of(GROUP),
            self.coordinator.snapshot_of(GROUP)
        );
        // And so does the snapshot.
        let mut coordinator = GroupCoordinator::new(self.config.clone());
        for record in self.coordinator.snapshot_of(GROUP) {
            coordinator.apply(&record);
        }
        assert_eq!(
            coordinator.snapshot_of(GROUP),
            self.coordinator.snapshot_of(GROUP)
        );
    }
}

/// An error code of a response.
pub(crate) fn code(code: i16) -> ErrorCode {
    ErrorCode::from_code(code).expect("one of Kafka's")
}

/// The heartbeat with which a member joins.
pub(crate) fn join(member_id: &str, topics: &[&str]) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest {
        group_id: Str::from_static(GROUP),
        member_id: Str::from(member_id),
        member_epoch: 0,
        rebalance_timeout_ms: 60_000,
        subscribed_topic_names: Some(topics.iter().map(|topic| Str::from(*topic)).collect()),
        topic_partitions: Some(Vec::new()),
        ..ConsumerGroupHeartbeatRequest::default()
    }
}

/// The heartbeat of a member that has nothing to say.
pub(crate) fn beat(member_id: &str, epoch: i32) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest {
        group_id: Str::from_static(GROUP),
        member_id: Str::from(member_id),
        member_epoch: epoch,
        rebalance_timeout_ms: -1,
        ..ConsumerGroupHeartbeatRequest::default()
    }
}

/// Partitions of a topic, as requests and responses have them.
pub(crate) fn owned(topic_id: Uuid, partitions: &[i32]) -> Option<Vec<TopicPartitions>> {
    Some(vec![TopicPartitions {
        topic_id,
        partitions: partitions.to_vec(),
    }])
}

/// What a response assigns: `None` if it says nothing about it.
pub(crate) fn assigned(response: &ConsumerGroupHeartbeatResponse) -> Option<Vec<i32>> {
    let assignment = response.assignment.as_ref()?;
    Some(
        assignment
            .topic_partitions
            .iter()
            .flat_map(|topic| topic.partitions.iter().copied())
            .collect(),
    )
}

/// A consumer as clients are: it owns what it was told, gives away at once what it is to give away, and says so with
/// its next heartbeat.
#[derive(Clone, Debug)]
pub(crate) struct Consumer {
    pub(crate) member_id: String,
    pub(crate) instance_id: Option<&'static str>,
    pub(crate) topics: Vec<String>,
    pub(crate) epoch: i32,
    pub(crate) owned: BTreeSet<(Uuid, i32)>,
    /// Whether what it owns has changed since it last said so.
    pub(crate) is_dirty: bool,
    /// Whether an answer did not arrive: then it says everything once more, as clients do.
    pub(crate) is_unsure: bool,
}

impl Consumer {
    pub(crate) fn new(member_id: &str, topics: &[&str]) -> Self {
        Self {
            member_id: member_id.to_owned(),
            instance_id: None,
            topics: topics.iter().map(|&topic| topic.to_owned()).collect(),
            epoch: 0,
            owned: BTreeSet::new(),
            is_dirty: false,
            is_unsure: false,
        }
    }

    /// What it sends next.
    pub(crate) fn request(&self) -> ConsumerGroupHeartbeatRequest {
        let topics: Vec<&str> = self.topics.iter().map(String::as_str).collect();
        let mut request = if self.epoch == 0 {
            join(&self.member_id, &topics)
        } else if self.is_unsure {
            let mut request = join(&self.member_id, &topics);
            request.member_epoch = self.epoch;
            request.topic_partitions = Some(self.owned_partitions());
            request
        } else {
            let mut request = beat(&self.member_id, self.epoch);
            request.topic_partitions = self.is_dirty.then(|| self.owned_partitions());
            request
        };
        request.instance_id = self.instance_id.map(Str::from_static);
        request
    }

    fn owned_partitions(&self) -> Vec<TopicPartitions> {
        let mut topics: BTreeMap<Uuid, Vec<i32>> = BTreeMap::new();
        for (topic, partition) in &self.owned {
            topics.entry(*topic).or_default().push(*partition);
        }
        topics
            .into_iter()
            .map(|(topic_id, partitions)| TopicPartitions {
                topic_id,
                partitions,
            })
            .collect()
    }

    /// Takes over what it is told.
    pub(crate) fn receive(&mut self, response: &ConsumerGroupHeartbeatResponse) {
        self.is_unsure = false;
        match code(response.error_code) {
            ErrorCode::None => {
                self.epoch = response.member_epoch;
                self.is_dirty = false;
                if let Some(assignment) = &response.assignment {
                    let told: BTreeSet<(Uuid, i32)> = assignment
                        .topic_partitions
                        .iter()
                        .flat_map(|topic| {
                            topic
                                .partitions
                                .iter()
                                .map(|partition| (topic.topic_id, *partition))
                        })
                        .collect();
                    self.is_dirty = told != self.owned;
                    self.owned = told;
                }
            }
            ErrorCode::FencedMemberEpoch
            | ErrorCode::UnknownMemberId
            | ErrorCode::GroupIdNotFound => {
                self.epoch = 0;
                self.owned.clear();
                self.is_dirty = false;
            }
            ErrorCode::UnreleasedInstanceId => {}
            other => unreachable!("no other error is expected: {other:?}"),
        }
    }

    /// One heartbeat and its answer.
    pub(crate) fn beat(&mut self, world: &mut World) {
        let response = world.heartbeat(self.request());
        self.receive(&response);
    }

    pub(crate) fn partitions(&self) -> Vec<i32> {
        self.owned.iter().map(|(_, partition)| *partition).collect()
    }
}

/// Lets all consumers heartbeat until nothing changes any more, at most `rounds` times.
pub(crate) fn settle(world: &mut World, consumers: &mut [&mut Consumer], rounds: usize) {
    for _ in 0..rounds {
        for consumer in consumers.iter_mut() {
            consumer.beat(world);
        }
        if world.state() == "Stable" && consumers.iter().all(|consumer| !consumer.is_dirty) {
            return;
        }
        world.pass(Duration::from_secs(1));
    }
    unreachable!("the group does not settle: {:?}", world.describe());
}
