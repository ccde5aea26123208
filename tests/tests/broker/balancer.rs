//! The balancer on a real broker: switched on while it runs, it parts hot partitions that share a shard, and then rests.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use client::{Acks, Client, ConfigChange, ConfigResource};
use records::Compression;
use tests::{Broker, Launch, batch_of, create_topic, read_values, temporary_directory, within};
use types::{NodeId, PartitionIndex};

const TOPIC: &str = "hot";
const PARTITIONS: i32 = 4;
const TIME_MAX: Duration = Duration::from_secs(60);
const VALUE_BYTES: usize = 100_000;

fn set(broker: &Broker, changes: &[(&str, &str)]) {
    let change = |(key, value): &(&str, &str)| ConfigChange::Set((*key).into(), (*value).into());
    let changes: Vec<_> = changes.iter().map(change).collect();
    let resource = ConfigResource::BrokerDefault;
    let altered = broker.client().alter_configs(&resource, &changes, false);
    altered.expect("the keys can be set while the broker runs");
}

/// The node that leads each partition.
fn leaders(client: &mut Client) -> BTreeMap<i32, NodeId> {
    let topic = client.describe_topic(TOPIC).expect("it is there");
    let partitions = topic.partitions.into_iter();
    let leader = |(index, it): (PartitionIndex, client::PartitionDescription)| {
        (index.0, it.leader.expect("each has a leader"))
    };
    partitions.map(leader).collect()
}

/// The partitions of the shard that leads the first one.
fn beside_the_first(client: &mut Client) -> Vec<i32> {
    let leaders = leaders(client);
    let beside = leaders.iter().filter(|(_, node)| **node == leaders[&0]);
    beside.map(|(index, _)| *index).collect()
}

/// Writes to some partitions and counts what they have.
struct Writer {
    client: Client,
    batch: Bytes,
    written: BTreeMap<i32, usize>,
}

impl Writer {
    fn write(&mut self, partitions: &[i32]) {
        for index in partitions {
            let partition = PartitionIndex(*index);
            let produced = self
                .client
                .produce(TOPIC, partition, &self.batch, Acks::All);
            produced.expect("the client follows moves");
            *self.written.entry(*index).or_default() += 1;
        }
    }
}

#[test]
fn hot_partitions_that_share_a_shard_part_and_then_stay() {
    let directory = temporary_directory();
    let broker = Launch::in_directory(directory.path()).start();
    create_topic(&broker, TOPIC, PARTITIONS, &[]);
    let mut client = broker.client();
    let hot = beside_the_first(&mut client);
    assert_eq!(hot.len(), 2, "four partitions on two shards");
    let mut writer = Writer {
        client: broker.client(),
        batch: batch_of(Compression::None, &[&[7; VALUE_BYTES]]),
        written: BTreeMap::new(),
    };
    let before = leaders(&mut client);
    writer.write(&hot);
    set(
        &broker,
        &[
            ("logan.balancer.interval.ms", "200"),
            ("logan.balancer.threshold.percent", "50"),
            ("logan.balancer.partition.pause.ms", "0"),
            ("logan.balancer.enable", "true"),
        ],
    );
    let have_parted = || {
        writer.write(&hot);
        let leaders = leaders(&mut client);
        leaders[&hot[0]] != leaders[&hot[1]]
    };
    assert!(within(TIME_MAX, have_parted), "{}", broker.log());
    let parted = leaders(&mut client);
    let moved = |index: &&i32| before[*index] != parted[*index];
    assert_eq!(before.keys().filter(moved).count(), 1, "one is enough");
    // While the same load goes on nothing moves back.
    for _ in 0..200 {
        writer.write(&hot);
        assert_eq!(leaders(&mut client), parted);
    }
    set(&broker, &[("logan.balancer.enable", "false")]);
    for (index, count) in &writer.written {
        let values = read_values(&mut client, TOPIC, PartitionIndex(*index));
        assert_eq!(values.len(), *count);
    }
    assert_eq!(broker.stop().code(), 0);
}
