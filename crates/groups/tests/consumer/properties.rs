//! Many consumers that join, leave, crash, stall and lose replies, under a coordinator that is killed meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use groups::{GroupConfig, Request};
use proptest::prelude::{Just, ProptestConfig, Strategy, prop_oneof, proptest};
use types::Uuid;

use super::world::{Consumer, GROUP, World, beat, settle};

const TOPICS: [&str; 3] = ["orders", "payments", "returns"];

/// What happens next. Numbers choose among the consumers that are there.
#[derive(Clone, Debug)]
enum Step {
    Join {
        topics: usize,
        is_static: bool,
    },
    Leave(usize),
    /// Stops without a word.
    Crash(usize),
    Beat(usize),
    /// A heartbeat whose answer never arrives.
    LoseReply(usize),
    /// A heartbeat of whose records only so many batches reach the log, because the broker is killed.
    LoseRecords(usize, usize),
    Pass(u64),
    Grow(usize),
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (1..8usize, proptest::bool::weighted(0.2))
            .prop_map(|(topics, is_static)| Step::Join { topics, is_static }),
        1 => (0..8usize).prop_map(Step::Leave),
        1 => (0..8usize).prop_map(Step::Crash),
        14 => (0..8usize).prop_map(Step::Beat),
        2 => (0..8usize).prop_map(Step::LoseReply),
        1 => (0..8usize, 0..3usize).prop_map(|(who, batches)| Step::LoseRecords(who, batches)),
        4 => (1..20_000u64).prop_map(Step::Pass),
        1 => (0..TOPICS.len()).prop_map(Step::Grow),
        1 => Just(Step::Restart),
    ];
    proptest::collection::vec(step, 1..80)
}

struct Group {
    world: World,
    consumers: Vec<Consumer>,
    joined: usize,
}

impl Group {
    fn new(interval: Duration, batch_len_max_bytes: usize) -> Self {
        let mut config = GroupConfig {
            batch_len_max_bytes,
            ..GroupConfig::default()
        };
        config.consumer.assignment_interval = interval;
        let mut world = World::with(config);
        for (topic, partitions) in TOPICS.iter().zip([5, 3, 1]) {
            world.topic(topic, partitions);
        }
        Self {
            world,
            consumers: Vec::new(),
            joined: 0,
        }
    }

    fn take(&mut self, step: &Step) {
        let count = self.consumers.len();
        match *step {
            Step::Join { topics, is_static } => self.join(topics, is_static),
            Step::Pass(ms) => {
                self.world.pass(Duration::from_millis(ms));
            }
            Step::Grow(topic) => {
                use groups::Topics as _;
                let name = TOPICS[topic];
                let partitions = self.world.cluster.by_name(name).expect("there").partitions;
                self.world.topic(name, (partitions + 2).min(12));
            }
            Step::Restart => {
                self.world.check_replay();
                self.world.restart();
            }
            Step::Leave(_)
            | Step::Crash(_)
            | Step::Beat(_)
            | Step::LoseReply(_)
            | Step::LoseRecords(..)
                if count == 0 => {}
            Step::Leave(index) => {
                let consumer = self.consumers.swap_remove(index % count);
                let mut request = beat(&consumer.member_id, -1);
                request.instance_id = consumer.request().instance_id;
                self.world.heartbeat(request);
            }
            Step::Crash(index) => {
                self.consumers.swap_remove(index % count);
            }
            Step::Beat(index) => self.consumers[index % count].beat(&mut self.world),
            Step::LoseRecords(index, batches) => self.lose_records(index % count, batches),
            Step::LoseReply(index) => {
                let consumer = &mut self.consumers[index % count];
                let request = consumer.request();
                consumer.is_unsure = true;
                self.world.heartbeat(request);
            }
        }
        self.check();
    }

    fn lose_records(&mut self, index: usize, batches: usize) {
        let consumer = &mut self.consumers[index];
        let request = consumer.request();
        consumer.is_unsure = true;
        let request = Request::ConsumerGroupHeartbeat(request);
        self.world.lose_behind(batches, request);
    }

    fn join(&mut self, topics: usize, is_static: bool) {
        self.joined += 1;
        let names: Vec<&str> = TOPICS
            .iter()
            .enumerate()
            .filter(|(index, _)| topics & (1 << index) != 0)
            .map(|(_, name)| *name)
            .collect();
        let mut consumer = Consumer::new(&format!("member-{}", self.joined), &names);
        consumer.instance_id = is_static.then_some("static");
        if is_static {
            // A second consumer of this id is the first one come back: that one is dead.
            self.consumers.retain(|other| other.instance_id.is_none());
        }
        consumer.beat(&mut self.world);
        self.consumers.push(consumer);
    }

    /// No two members own a partition, going by what they were told. Who was given up, and does not know it yet,
    /// does not count: its commits are refused.
    fn check(&mut self) {
        let members = self.world.describe().members;
        let mut owners: BTreeMap<(Uuid, i32), &str> = BTreeMap::new();
        for consumer in &self.consumers {
            let is_member = members
                .iter()
                .any(|member| member.member_id.as_str() == consumer.member_id);
            if !is_member {
                continue;
            }
            for partition in &consumer.owned {
                let other = owners.insert(*partition, &consumer.member_id);
                assert_eq!(
                    other, None,
                    "{partition:?} is also owned by {}",
                    consumer.member_id
                );
            }
        }
    }

    /// Whoever lives goes on: everything is owned, once, by somebody who subscribes to it.
    fn converge(&mut self) {
        for _ in 0..60 {
            self.world.pass(Duration::from_secs(2));
            for consumer in &mut self.consumers {
                consumer.beat(&mut self.world);
            }
            self.check();
        }
        self.world.check_replay();
        if self.consumers.is_empty() {
            assert!(self.world.describe().members.is_empty());
            return;
        }
        let mut consumers: Vec<&mut Consumer> = self.consumers.iter_mut().collect();
        settle(&mut self.world, &mut consumers, 1);
        let mut owned = BTreeMap::new();
        for consumer in &self.consumers {
            for partition in &consumer.owned {
                assert!(owned.insert(*partition, &consumer.member_id).is_none());
            }
        }
        for topic in TOPICS {
            use groups::Topics as _;
            let found = self.world.cluster.by_name(topic).expect("there");
            let is_subscribed = self
                .consumers
                .iter()
                .any(|consumer| consumer.topics.iter().any(|name| name == topic));
            for partition in 0..found.partitions {
                assert_eq!(
                    owned.contains_key(&(found.id, partition)),
                    is_subscribed,
                    "{topic}-{partition}"
                );
            }
        }
        assert_eq!(self.world.describe().members.len(), self.consumers.len());
        assert_eq!(
            self.world
                .coordinator
                .group_ids()
                .next()
                .map(|id| id.as_str()),
            Some(GROUP)
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn partitions_have_one_owner_at_a_time_and_everybody_converges(
        steps in steps(),
        interval_ms in prop_oneof![Just(0_u64), Just(1_000)],
        // As short as a static member's change of its id allows, so that an assignment takes several.
        batch_len_max_bytes in prop_oneof![Just(1_500_usize), Just(1_048_588)],
    ) {
        let interval = Duration::from_millis(interval_ms);
        let mut group = Group::new(interval, batch_len_max_bytes);
        for step in &steps {
            group.take(step);
        }
        group.converge();
    }
}
