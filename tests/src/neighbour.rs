//! A well-behaved client beside the one that misbehaves.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use client::{Acks, Client, FetchLimits, NewTopic, visit_records};
use records::{BatchBuilder, Compression, NewRecord};
use types::{Offset, PartitionIndex, TimestampMs};

use crate::{Broker, within};

/// How long the first round, or the next one, may take.
const ROUND_MAX: Duration = Duration::from_secs(30);

/// Produces and fetches all the time, each record by itself, and remembers what was acknowledged.
#[derive(Debug)]
pub struct Neighbour {
    topic: String,
    stop: Arc<AtomicBool>,
    rounds: Arc<AtomicU64>,
    thread: JoinHandle<Duration>,
}

impl Neighbour {
    /// Begins, and returns when the first round has succeeded.
    ///
    /// # Panics
    /// When it does not.
    #[must_use]
    pub fn beside(broker: &Broker) -> Self {
        let topic = "neighbour".to_owned();
        create_topic(broker, &topic, 2, &[]);
        let stop = Arc::new(AtomicBool::new(false));
        let rounds = Arc::new(AtomicU64::new(0));
        let thread = thread::spawn({
            let client = broker.impatient_client();
            let (stop, rounds, topic) = (Arc::clone(&stop), Arc::clone(&rounds), topic.clone());
            move || produce_and_fetch(client, &topic, &stop, &rounds)
        });
        let neighbour = Self {
            topic,
            stop,
            rounds,
            thread,
        };
        neighbour.expect_progress();
        neighbour
    }

    /// Waits for two more rounds: one of them has begun after this call.
    ///
    /// # Panics
    /// When they fail, or do not come.
    pub fn expect_progress(&self) {
        let before = self.rounds.load(Ordering::Relaxed);
        let has_progress = within(ROUND_MAX, || {
            self.rounds.load(Ordering::Relaxed) >= before + 2 || self.thread.is_finished()
        });
        assert!(has_progress, "the neighbour is stuck after {before} rounds");
        assert!(!self.thread.is_finished(), "the neighbour has failed");
    }

    /// Ends it, and checks that nothing failed and that all it was acknowledged is there, once and in order. Returns
    /// the longest time that a round has taken.
    ///
    /// # Panics
    /// When it was harmed.
    pub fn expect_unharmed(self, broker: &Broker) -> Duration {
        self.expect_progress();
        self.stop.store(true, Ordering::Relaxed);
        let slowest = self.thread.join().expect("the neighbour was not harmed");
        let rounds = self.rounds.load(Ordering::Relaxed);
        let mut client = broker.client();
        for partition in [0, 1] {
            let expected = (0..rounds).filter(|round| round % 2 == partition);
            let expected: Vec<_> = expected.map(value_of).collect();
            let partition = PartitionIndex(i32::try_from(partition).expect("0 or 1"));
            let found = read_values(&mut client, &self.topic, partition);
            assert_eq!(found, expected, "acknowledged to the neighbour");
        }
        slowest
    }
}

fn value_of(round: u64) -> Vec<u8> {
    format!("round {round}").into_bytes()
}

fn produce_and_fetch(
    mut client: Client,
    topic: &str,
    stop: &AtomicBool,
    rounds: &AtomicU64,
) -> Duration {
    let mut slowest = Duration::ZERO;
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        let round = rounds.load(Ordering::Relaxed);
        let value = value_of(round);
        let partition = PartitionIndex(i32::try_from(round % 2).expect("0 or 1"));
        let batch = batch_of(Compression::None, &[&value]);
        let produced = client.produce(topic, partition, &batch, Acks::All);
        let offset = produced
            .expect("the neighbour's batch is taken")
            .base_offset;
        let offset = offset.expect("acks=all names the offset");
        let fetched = client.fetch(topic, partition, offset, FetchLimits::default());
        let fetched = fetched.expect("the neighbour's batch is there");
        let mut found = Vec::new();
        visit_records(&fetched, &mut Vec::new(), |record| {
            found.extend(record.value.map(<[u8]>::to_vec));
            ControlFlow::Break(())
        })
        .expect("it is intact");
        assert_eq!(found, [value]);
        slowest = slowest.max(began.elapsed());
        rounds.fetch_add(1, Ordering::Relaxed);
    }
    slowest
}

/// Creates a topic.
///
/// # Panics
/// When the broker refuses.
pub fn create_topic(broker: &Broker, name: &str, partitions: i32, configs: &[(&str, &str)]) {
    let topic = NewTopic {
        name: name.to_owned(),
        partitions: Some(partitions),
        replication_factor: Some(1),
        configs: configs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        ..NewTopic::default()
    };
    let created = broker.client().create_topic(&topic, false);
    created.expect("the topic is new");
}

/// The wall clock: older records would expire.
fn now() -> TimestampMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let millis = since.map_or(0, |since| since.as_millis());
    TimestampMs(i64::try_from(millis).unwrap_or(i64::MAX))
}

/// A batch as a producer sends it.
///
/// # Panics
/// When the codec fails.
#[must_use]
pub fn batch_of(codec: Compression, values: &[&[u8]]) -> Bytes {
    let mut builder = BatchBuilder::new(codec);
    for value in values {
        builder.push(&NewRecord {
            timestamp: now(),
            key: None,
            value: Some(value),
            headers: &[],
        });
    }
    builder.build().expect("codecs work in memory").into()
}

/// Reads a partition from its beginning to its high watermark, checks that its offsets have no gap, and returns the
/// values.
///
/// # Panics
/// When that fails.
#[must_use]
pub fn read_values(client: &mut Client, topic: &str, partition: PartitionIndex) -> Vec<Vec<u8>> {
    let mut values = Vec::new();
    let mut next = Offset(0);
    let limits = FetchLimits {
        wait_max: Duration::ZERO,
        partition_max_bytes: 16 << 20,
        ..FetchLimits::default()
    };
    loop {
        let fetched = client.fetch(topic, partition, next, limits);
        let fetched = fetched.expect("what was written can be read");
        if fetched.records.is_empty() {
            assert_eq!(
                next, fetched.high_watermark,
                "{topic}-{partition} ends early"
            );
            return values;
        }
        let mut expected = next;
        next = visit_records(&fetched, &mut Vec::new(), |record| {
            assert_eq!(record.offset, expected, "a gap in {topic}-{partition}");
            expected = Offset(expected.0 + 1);
            values.push(record.value.unwrap_or_default().to_vec());
            ControlFlow::Continue(())
        })
        .expect("what was written is intact");
    }
}
