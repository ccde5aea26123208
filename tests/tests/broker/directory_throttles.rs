//! Moves between log directories go no faster than Kafka's throttles let them, and a throttle that is lifted counts at
//! once.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use client::Acks;
use records::Compression;
use tests::{Broker, Launch, batch_of, create_topic, temporary_directory, within};
use types::{ErrorCode, PartitionIndex};

use crate::dynamic::{BROKER_RESOURCE, TOPIC_RESOURCE, alter};
use crate::log_dirs::{logs, place_of, wish};

const TOPIC: &str = "throttled";

/// What the log has, in batches of `VALUE_BYTES`.
const BATCHES: u64 = 32;
const VALUE_BYTES: usize = 64 << 10;

/// So slow that the copy would take minutes.
const RATE: u64 = 10_000;

/// What a copy may take ahead of its rate, with the heads of batches.
const AHEAD_BYTES: u64 = 384 << 10;

/// How long a throttled copy is watched.
const WATCHED: Duration = Duration::from_secs(2);

const PATIENCE: Duration = Duration::from_secs(60);

const LEADER_RATE: &str = "leader.replication.throttled.rate";
const LEADER_REPLICAS: &str = "leader.replication.throttled.replicas";
const FOLLOWER_RATE: &str = "follower.replication.throttled.rate";
const FOLLOWER_REPLICAS: &str = "follower.replication.throttled.replicas";
const MOVES_RATE: &str = "replica.alter.log.dirs.io.max.bytes.per.second";

struct Machine {
    broker: Broker,
    paths: [PathBuf; 2],
}

impl Machine {
    fn start(directory: &Path) -> Self {
        let paths = ["one", "two"].map(|name| directory.join(name));
        let broker = Launch::in_directories(&[&paths[0], &paths[1]]).start();
        create_topic(&broker, TOPIC, 1, &[]);
        let mut client = broker.client();
        let value = vec![7; VALUE_BYTES];
        for _ in 0..BATCHES {
            let batch = batch_of(Compression::None, &[&value]);
            let produced = client.produce(TOPIC, PartitionIndex(0), &batch, Acks::All);
            produced.expect("there is room");
        }
        Self { broker, paths }
    }

    fn set(&self, resource: (i8, &str), key: &str, value: Option<&str>) {
        let code = alter(&mut self.broker.wire(), resource, key, value);
        assert_eq!(code, ErrorCode::None, "{key}={value:?}");
    }

    fn place(&self) -> Option<PathBuf> {
        place_of(&mut self.broker.client(), TOPIC, 0).expect("the broker answers")
    }

    /// Wishes the log into the directory in which it is not.
    fn wish_away(&self) -> PathBuf {
        let here = self.place();
        let target = self.paths.iter().find(|path| Some(*path) != here.as_ref());
        let target = target.expect("there are two");
        let wished = wish(&mut self.broker.client(), TOPIC, 0, target);
        assert_eq!(wished.expect("the broker answers"), ErrorCode::None);
        target.clone()
    }

    fn expect_throttled(&self) -> PathBuf {
        let began = Instant::now();
        let target = self.wish_away();
        let arrives = within(WATCHED, || self.place().as_ref() == Some(&target));
        assert!(!arrives, "the copy is not throttled");
        let copied = logs(&self.broker, TOPIC).remove(&(0, true));
        let (_, copied) = copied.expect("the copy grows");
        let copied = u64::try_from(copied.partition_size).expect("a size");
        let allowed = AHEAD_BYTES + RATE * (began.elapsed().as_secs() + 1);
        assert!(copied <= allowed, "{copied} bytes, not {allowed}");
        target
    }

    fn expect_arrival(&self, target: &Path) {
        let arrived = within(PATIENCE, || self.place().as_deref() == Some(target));
        assert!(arrived, "{}", self.broker.log());
    }
}

#[test]
fn copies_of_partitions_that_a_topic_names_are_throttled() {
    let directory = temporary_directory();
    let machine = Machine::start(directory.path());
    let (topic, all) = ((TOPIC_RESOURCE, TOPIC), (BROKER_RESOURCE, ""));
    let slow = RATE.to_string();
    for (rate, replicas) in [
        (LEADER_RATE, LEADER_REPLICAS),
        (FOLLOWER_RATE, FOLLOWER_REPLICAS),
    ] {
        machine.set(all, rate, Some(&slow));
        machine.expect_arrival(&machine.wish_away());
        machine.set(topic, replicas, Some("1:0"));
        machine.expect_arrival(&machine.wish_away());
        machine.set(topic, replicas, Some("0:0"));
        let target = machine.expect_throttled();
        machine.set(topic, replicas, None);
        machine.expect_arrival(&target);
        machine.set(topic, replicas, Some("*"));
        let target = machine.expect_throttled();
        machine.set(all, rate, None);
        machine.expect_arrival(&target);
        machine.set(topic, replicas, None);
    }
    assert_eq!(machine.broker.stop().code(), 0);
}

#[test]
fn every_copy_is_throttled_by_the_rate_of_moves_between_directories() {
    let directory = temporary_directory();
    let machine = Machine::start(directory.path());
    let own = (BROKER_RESOURCE, "0");
    machine.set(own, MOVES_RATE, Some(&RATE.to_string()));
    let target = machine.expect_throttled();
    machine.set(own, MOVES_RATE, Some("1000000000"));
    machine.expect_arrival(&target);
    assert_eq!(machine.broker.stop().code(), 0);
}
