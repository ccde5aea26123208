//! A host for one coordinator: virtual time, a log in memory, and checks that hold after every call.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use groups::{
    Caller, Context, Decision, GroupConfig, GroupCoordinator, GroupRecord, Instant, Note, Reply,
    Request, Ticket, Topic, Topics,
};
use protocol::Str;
use types::{TimestampMs, Uuid};

/// The wall clock at virtual time zero.
const EPOCH_MS: i64 = 1_700_000_000_000;

/// Calls of `on_deadline` at one time, before it counts as a loop.
const CALLS_PER_INSTANT_MAX: usize = 1_000;

/// The cluster's topics.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cluster {
    topics: BTreeMap<String, Topic>,
    version: u64,
}

impl Topics for Cluster {
    fn by_name(&self, name: &str) -> Option<Topic> {
        self.topics.get(name).copied()
    }

    fn by_id(&self, id: Uuid) -> Option<(&str, Topic)> {
        let mut topics = self.topics.iter();
        let found = topics.find(|(_, topic)| topic.id == id);
        found.map(|(name, topic)| (name.as_str(), *topic))
    }

    fn names(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        Box::new(self.topics.keys().map(String::as_str))
    }

    fn version(&self) -> u64 {
        self.version
    }
}

/// The host.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) coordinator: GroupCoordinator,
    pub(crate) config: GroupConfig,
    pub(crate) now: Duration,
    pub(crate) cluster: Cluster,
    /// What was written, as bytes, with the topic id in the record's header.
    pub(crate) log: Vec<(Bytes, Option<Bytes>, Option<Uuid>)>,
    /// What was written since somebody took it.
    pub(crate) written: Vec<GroupRecord>,
    /// What was noted since somebody took it.
    pub(crate) notes: Vec<Note>,
    /// What other coordinators' groups take.
    pub(crate) memory_elsewhere_bytes: usize,
    /// The address of the client that calls.
    pub(crate) client_host: &'static str,
    unanswered: BTreeSet<Ticket>,
    next_ticket: u64,
    next_random: u128,
}

impl World {
    /// A host of an empty coordinator, in a cluster with the topics `t` and `u` of 24 partitions each.
    pub(crate) fn new(config: GroupConfig) -> Self {
        let mut world = Self {
            coordinator: GroupCoordinator::new(config.clone()),
            config,
            now: Duration::ZERO,
            cluster: Cluster::default(),
            log: Vec::new(),
            written: Vec::new(),
            notes: Vec::new(),
            memory_elsewhere_bytes: 0,
            client_host: "/127.0.0.1",
            unanswered: BTreeSet::new(),
            next_ticket: 1,
            next_random: 1,
        };
        world.create_topic("t", 24);
        world.create_topic("u", 24);
        world.load();
        world
    }

    /// Sends a request. The replies that come with it may be of earlier ones, too.
    pub(crate) fn call(
        &mut self,
        client_id: &str,
        version: i16,
        request: Request,
    ) -> (Ticket, Vec<(Ticket, Reply)>) {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.unanswered.insert(ticket);
        let caller = Caller {
            ticket,
            version,
            client_id: Str::from(client_id),
            client_host: Str::from_static(self.client_host),
        };
        let replies =
            self.with_context(|coordinator, context| coordinator.decide(context, &caller, request));
        (ticket, replies)
    }

    /// Lets what is due at this time happen.
    pub(crate) fn settle(&mut self) -> Vec<(Ticket, Reply)> {
        let mut replies = Vec::new();
        for _ in 0..CALLS_PER_INSTANT_MAX {
            let due = self.coordinator.next_deadline();
            if due.is_none_or(|at| at.0 > self.now) {
                return replies;
            }
            replies.extend(self.with_context(GroupCoordinator::on_deadline));
        }
        unreachable!("the coordinator is never done at {:?}", self.now);
    }

    /// Moves to the next deadline, but not beyond `until`, and lets happen what is due.
    pub(crate) fn step(&mut self, until: Duration) -> Vec<(Ticket, Reply)> {
        let next = self.coordinator.next_deadline();
        let next = next.map_or(until, |at| at.0.min(until));
        self.now = self.now.max(next);
        self.settle()
    }

    /// Replaces the coordinator by one that has read the log. Nobody who waits gets a reply any more.
    pub(crate) fn restart(&mut self) {
        self.coordinator = self.replayed();
        self.unanswered.clear();
        self.load();
    }

    /// A coordinator that has read the log and nothing else.
    pub(crate) fn replayed(&self) -> GroupCoordinator {
        let mut coordinator = GroupCoordinator::new(self.config.clone());
        let records: Vec<_> = self.log.iter().map(decode).collect();
        coordinator.apply_all(&records);
        coordinator
    }

    /// Whether a request has no reply yet.
    pub(crate) fn is_waiting(&self, ticket: Ticket) -> bool {
        self.unanswered.contains(&ticket)
    }

    pub(crate) fn create_topic(&mut self, name: &str, partitions: i32) {
        self.cluster.version += 1;
        let id = Uuid::from_random(u128::from(self.cluster.version).to_be_bytes());
        self.cluster
            .topics
            .insert(name.to_owned(), Topic { id, partitions });
        self.topics_changed();
    }

    pub(crate) fn delete_topic(&mut self, name: &str) {
        self.cluster.version += 1;
        self.cluster.topics.remove(name);
        self.topics_changed();
    }

    /// Says that topics have changed, although none has that anybody looks at.
    pub(crate) fn change_topics(&mut self) {
        self.cluster.version += 1;
        self.topics_changed();
    }

    /// Lets a part of what is due at this time happen.
    pub(crate) fn call_on_deadline(&mut self) -> Vec<(Ticket, Reply)> {
        self.with_context(GroupCoordinator::on_deadline)
    }

    /// What is durable, group by group.
    pub(crate) fn durable(coordinator: &GroupCoordinator) -> BTreeMap<Str, Vec<GroupRecord>> {
        let ids = coordinator.group_ids();
        let groups = ids.map(|id| (id.clone(), coordinator.snapshot_of(id)));
        groups.filter(|(_, records)| !records.is_empty()).collect()
    }

    /// Replaying the log gives what is there, and so do the snapshots of all groups. What is durable takes as much memory
    /// on each way, and what is there no less.
    pub(crate) fn check_replay(&self) {
        let durable = Self::durable(&self.coordinator);
        let replayed = self.replayed();
        assert_eq!(durable, Self::durable(&replayed), "log");
        let mut restored = GroupCoordinator::new(self.config.clone());
        for record in durable.values().flatten() {
            restored.apply(record);
        }
        assert_eq!(durable, Self::durable(&restored), "snapshot");
        let memory_bytes = restored.memory_bytes();
        assert_eq!(memory_bytes, replayed.memory_bytes(), "bytes");
        assert!(self.coordinator.memory_bytes() >= memory_bytes, "bytes");
    }

    fn topics_changed(&mut self) {
        self.with_context(GroupCoordinator::topics_changed);
    }

    fn load(&mut self) {
        self.with_context(GroupCoordinator::loaded);
        self.settle();
    }

    fn with_context(
        &mut self,
        work: impl FnOnce(&mut GroupCoordinator, &Context<'_>) -> Decision,
    ) -> Vec<(Ticket, Reply)> {
        let random = self.next_random;
        self.next_random += 1;
        let context = Context {
            now: Instant(self.now),
            wall_clock: self.wall_clock(),
            random: Uuid(random.to_be_bytes()),
            topics: &self.cluster,
            memory_elsewhere_bytes: self.memory_elsewhere_bytes,
        };
        let decision = work(&mut self.coordinator, &context);
        for batch in decision.batches() {
            self.append(batch);
        }
        for (ticket, _) in &decision.replies {
            assert!(
                self.unanswered.remove(ticket),
                "{ticket:?} is answered twice"
            );
        }
        self.notes.extend(decision.notes);
        decision.replies
    }

    fn wall_clock(&self) -> TimestampMs {
        let passed = i64::try_from(self.now.as_millis()).expect("virtual time is short");
        TimestampMs(EPOCH_MS + passed)
    }

    fn append(&mut self, records: &[GroupRecord]) {
        let only_deletes = records.iter().all(GroupRecord::is_tombstone);
        let mut len = 0;
        for record in records {
            let (key, value) = record.encode();
            len += key.len() + value.as_ref().map_or(0, Bytes::len);
            let written = (key, value, record.topic_id_beside());
            let decoded = decode(&written);
            assert_eq!(decoded, *record);
            self.coordinator.apply(&decoded);
            self.log.push(written);
            self.written.push(record.clone());
        }
        assert!(
            only_deletes || len <= self.config.batch_len_max_bytes,
            "{len} bytes"
        );
    }
}

fn decode((key, value, topic_id): &(Bytes, Option<Bytes>, Option<Uuid>)) -> GroupRecord {
    let mut record = GroupRecord::decode(key, value.as_ref()).expect("it was written here");
    if let Some(id) = topic_id {
        record.take_topic_id(&id.0);
    }
    record
}
