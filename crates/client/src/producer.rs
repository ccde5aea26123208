//! A producer: open batches for each partition, a bounded pipeline to each leader, retries in order.
//!
//! It belongs to one thread and sends only when it is called: a batch leaves when it is full, when the buffer is, or
//! on [`Producer::flush`]. Batches of one partition keep their order, also when they are sent again.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use protocol::messages::ProduceRequest;
use protocol::{ApiKey, Str};
use records::{BatchBuilder, Compression, NewRecord};
use types::{ErrorCode, Offset, PartitionIndex, ProducerEpoch, ProducerId};

use crate::cluster::Leader;
use crate::connection::Ticket;
use crate::produce::{Produced, UNANSWERED, options, produce_request};
use crate::retry::Backoff;
use crate::{Acks, Client, ClientError, Partitioner};

/// Beyond this a record does not fit a request, whatever the broker says.
const RECORD_MAX_BYTES: usize = 1 << 30;

/// Batches that an idempotent producer may have open for a partition: brokers remember as many.
const IDEMPOTENT_IN_FLIGHT_MAX: usize = 5;

/// How a [`Producer`] sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerConfig {
    /// What must have happened before a batch counts as delivered.
    pub acks: Acks,
    /// The codec of batches.
    pub compression: Compression,
    /// Whether brokers shall recognise a batch that is sent twice; needs [`Acks::All`].
    pub is_idempotent: bool,
    /// A batch leaves when it has as many bytes before compression. A larger record travels alone.
    pub batch_max_bytes: usize,
    /// All open batches leave when they have as many bytes together.
    pub buffer_max_bytes: usize,
}

/// What was delivered to a partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartitionTotals {
    /// Records.
    pub records: u64,
    /// Batches.
    pub batches: u64,
    /// Bytes of the batches as sent.
    pub bytes: u64,
    /// The offset of the first record, where the broker told one.
    pub first_offset: Option<Offset>,
    /// The offset of the last record, where the broker told one.
    pub last_offset: Option<Offset>,
}

/// Sends records to any number of topics.
#[derive(Debug)]
pub struct Producer {
    client: Client,
    config: ProducerConfig,
    identity: Option<(ProducerId, ProducerEpoch)>,
    topics: BTreeMap<Str, Topic>,
    /// In the order of sending.
    in_flight: VecDeque<InFlight>,
    buffered_bytes: usize,
}

#[derive(Debug)]
struct Topic {
    partitioner: Partitioner,
    partitions: Vec<Partition>,
}

#[derive(Debug, Default)]
struct Partition {
    open: Option<BatchBuilder>,
    next_sequence: i32,
    totals: PartitionTotals,
}

/// A batch that is ready to be sent, and again.
#[derive(Clone, Debug)]
struct Sealed {
    topic: Str,
    partition: PartitionIndex,
    batch: Bytes,
    records: i32,
}

/// A batch that was sent, or could not be.
#[derive(Debug)]
struct InFlight {
    sealed: Sealed,
    sent: Result<Sent, ClientError>,
}

#[derive(Debug)]
struct Sent {
    leader: Leader,
    /// `None` for acks=0.
    ticket: Option<Ticket<ProduceRequest>>,
}

impl Default for ProducerConfig {
    fn default() -> Self {
        Self {
            acks: Acks::All,
            compression: Compression::None,
            is_idempotent: true,
            batch_max_bytes: 256 << 10,
            buffer_max_bytes: 32 << 20,
        }
    }
}

impl Producer {
    /// A producer that uses `client`.
    ///
    /// # Errors
    /// [`ClientError::InvalidConfig`] for an idempotent producer without [`Acks::All`], or with more than five
    /// requests in flight.
    pub fn new(client: Client, config: ProducerConfig) -> Result<Self, ClientError> {
        if config.is_idempotent && config.acks != Acks::All {
            return Err(ClientError::InvalidConfig(
                "an idempotent producer needs acks=all: without them it cannot tell what was stored"
                    .to_owned(),
            ));
        }
        let in_flight_max = client.config().in_flight_max;
        if config.is_idempotent && in_flight_max > IDEMPOTENT_IN_FLIGHT_MAX {
            return Err(ClientError::InvalidConfig(format!(
                "an idempotent producer may have {IDEMPOTENT_IN_FLIGHT_MAX} requests in flight, not {in_flight_max}"
            )));
        }
        Ok(Self {
            client,
            config,
            identity: None,
            topics: BTreeMap::new(),
            in_flight: VecDeque::new(),
            buffered_bytes: 0,
        })
    }

    /// Adds a record to its partition's batch: to `partition`, else where its key belongs. It may send batches, and
    /// wait for earlier ones.
    ///
    /// # Errors
    /// [`ClientError`] for an unknown topic or partition, and for any batch that was given up: its records are lost,
    /// those of other batches are not.
    pub fn send(
        &mut self,
        topic: &str,
        partition: Option<PartitionIndex>,
        record: &NewRecord<'_>,
    ) -> Result<PartitionIndex, ClientError> {
        let size_bytes = size_of_record(record);
        if size_bytes > RECORD_MAX_BYTES {
            return Err(ClientError::RecordTooLarge {
                size_bytes,
                max_bytes: RECORD_MAX_BYTES,
            });
        }
        self.learn(topic)?;
        let partition = self.choose(topic, partition, record.key)?;
        let is_full = self
            .state(topic, partition)
            .open
            .as_ref()
            .is_some_and(|open| {
                open.uncompressed_len_bytes() + size_bytes > self.config.batch_max_bytes
            });
        if is_full {
            self.dispatch(topic, partition)?;
        } else if self.buffered_bytes + size_bytes > self.config.buffer_max_bytes {
            self.dispatch_all()?;
        }
        let codec = self.config.compression;
        let open = &mut self.state_mut(topic, partition).open;
        let open = open.get_or_insert_with(|| BatchBuilder::new(codec));
        let before = open.uncompressed_len_bytes();
        open.push(record);
        let added = open.uncompressed_len_bytes() - before;
        self.buffered_bytes += added;
        Ok(partition)
    }

    /// Sends everything and waits until it is delivered as `acks` says.
    ///
    /// # Errors
    /// [`ClientError`] of the first batch that was given up.
    pub fn flush(&mut self) -> Result<(), ClientError> {
        let mut outcome = self.dispatch_all();
        while !self.in_flight.is_empty() {
            outcome = outcome.and(self.complete_oldest());
        }
        outcome
    }

    /// What was delivered, by topic and partition.
    pub fn totals(&self) -> impl Iterator<Item = (&str, PartitionIndex, PartitionTotals)> {
        self.topics.iter().flat_map(|(name, topic)| {
            let numbered = topic.partitions.iter().zip(0..);
            numbered
                .filter(|(partition, _)| partition.totals.batches > 0)
                .map(|(partition, index)| (&**name, PartitionIndex(index), partition.totals))
        })
    }

    /// The client, for other uses. Open batches are dropped: flush first.
    #[must_use]
    pub fn into_client(self) -> Client {
        self.client
    }

    /// Learns how many partitions a topic has. That may grow later; this producer does not notice.
    fn learn(&mut self, name: &str) -> Result<(), ClientError> {
        if self.topics.contains_key(name) {
            return Ok(());
        }
        let description = self.client.describe_topic(name)?;
        let count = u32::try_from(description.partitions.len()).unwrap_or(u32::MAX);
        if count == 0 {
            return Err(ClientError::UnknownPartition {
                topic: name.to_owned(),
                partition: PartitionIndex(0),
                count: 0,
            });
        }
        // The clock spreads the first keyless batches of many short-lived producers.
        let seed = std::time::SystemTime::UNIX_EPOCH
            .elapsed()
            .map_or(0, |elapsed| elapsed.subsec_micros());
        let topic = Topic {
            partitioner: Partitioner::new(count, seed),
            partitions: (0..count).map(|_| Partition::default()).collect(),
        };
        self.topics.insert(name.into(), topic);
        Ok(())
    }

    fn choose(
        &self,
        topic: &str,
        partition: Option<PartitionIndex>,
        key: Option<&[u8]>,
    ) -> Result<PartitionIndex, ClientError> {
        let state = &self.topics[topic];
        let Some(partition) = partition else {
            return Ok(state.partitioner.partition(key));
        };
        let count = state.partitions.len();
        let exists = usize::try_from(partition.0).is_ok_and(|index| index < count);
        if exists {
            return Ok(partition);
        }
        Err(ClientError::UnknownPartition {
            topic: topic.to_owned(),
            partition,
            count,
        })
    }

    fn state(&self, topic: &str, partition: PartitionIndex) -> &Partition {
        &self.topics[topic].partitions[index(partition)]
    }

    fn state_mut(&mut self, topic: &str, partition: PartitionIndex) -> &mut Partition {
        let topic = self.topics.get_mut(topic).expect("the topic was learned");
        &mut topic.partitions[index(partition)]
    }

    fn dispatch_all(&mut self) -> Result<(), ClientError> {
        let open: Vec<_> = self
            .topics
            .iter()
            .flat_map(|(name, topic)| {
                let numbered = topic.partitions.iter().zip(0..);
                numbered
                    .filter(|(partition, _)| partition.open.is_some())
                    .map(|(_, index)| (name.clone(), PartitionIndex(index)))
            })
            .collect();
        let mut outcome = Ok(());
        for (topic, partition) in open {
            outcome = outcome.and(self.dispatch(&topic, partition));
        }
        outcome
    }

    /// Closes a partition's batch and sends it.
    fn dispatch(&mut self, topic: &str, partition: PartitionIndex) -> Result<(), ClientError> {
        if self.config.is_idempotent && self.identity.is_none() {
            self.identity = Some(self.client.init_producer_id()?);
        }
        let identity = self.identity;
        let state = self.state_mut(topic, partition);
        let Some(mut open) = state.open.take() else {
            return Ok(());
        };
        let buffered = open.uncompressed_len_bytes();
        let records = open.count();
        if let Some((id, epoch)) = identity {
            open = open.producer(id, epoch, state.next_sequence);
            state.next_sequence = state.next_sequence.wrapping_add(records) & i32::MAX;
        }
        self.buffered_bytes = self.buffered_bytes.saturating_sub(buffered);
        let topic_state = self.topics.get_mut(topic).expect("the topic was learned");
        if topic_state.partitioner.partition(None) == partition {
            topic_state.partitioner.advance();
        }
        let sealed = Sealed {
            topic: topic.into(),
            partition,
            batch: open.build().map_err(ClientError::Compress)?.into(),
            records,
        };
        self.pipeline(sealed)
    }

    /// Sends a batch behind those that are in flight, waiting for room.
    fn pipeline(&mut self, sealed: Sealed) -> Result<(), ClientError> {
        let in_flight_max = self.client.config().in_flight_max.max(1);
        let mut outcome = Ok(());
        let leader = loop {
            let leader = match self.client.leader(&sealed.topic, sealed.partition) {
                Ok(leader) => leader,
                Err(error) => break Err(error),
            };
            let is_there = |entry: &&InFlight| {
                let sent = entry.sent.as_ref();
                sent.is_ok_and(|sent| sent.leader.node == leader.node && sent.ticket.is_some())
            };
            if self.in_flight.iter().filter(is_there).count() < in_flight_max {
                break Ok(leader);
            }
            outcome = outcome.and(self.complete_oldest());
        };
        let sent = leader.and_then(|leader| self.submit(&sealed, leader));
        let failed = sent.is_err();
        self.in_flight.push_back(InFlight { sealed, sent });
        if failed {
            outcome = outcome.and(self.recover());
        }
        outcome
    }

    fn submit(&mut self, sealed: &Sealed, leader: Leader) -> Result<Sent, ClientError> {
        let (acks, timeout_ms) = (self.config.acks, self.client.broker_timeout_ms());
        let (topic, partition) = (&sealed.topic, sealed.partition);
        let request = produce_request(topic, partition, leader, &sealed.batch, acks, timeout_ms);
        let submitted = self.client.node(leader.node).and_then(|connection| {
            if acks == Acks::None {
                connection.submit_unanswered(&request, options(leader))?;
                return Ok(None);
            }
            connection.submit(&request, options(leader)).map(Some)
        });
        match submitted {
            Ok(ticket) => Ok(Sent { leader, ticket }),
            Err(error) => {
                self.client.doubt_leader(topic, partition, leader, &error);
                Err(error)
            }
        }
    }

    /// Waits for the oldest batch; when it has failed, everything in flight is settled, and what can be is sent again.
    fn complete_oldest(&mut self) -> Result<(), ClientError> {
        let Some(InFlight { sealed, sent }) = self.in_flight.pop_front() else {
            return Ok(());
        };
        if let Err(error) = sent.and_then(|sent| self.settle(&sealed, sent)) {
            let sent = Err(error);
            self.in_flight.push_front(InFlight { sealed, sent });
            return self.recover();
        }
        Ok(())
    }

    /// Reads the response to a batch that was sent.
    fn settle(&mut self, sealed: &Sealed, sent: Sent) -> Result<(), ClientError> {
        let Some(ticket) = sent.ticket else {
            self.count(sealed, UNANSWERED);
            return Ok(());
        };
        let leader = sent.leader;
        let (topic, partition) = (&sealed.topic, sealed.partition);
        let connection = self.client.open_node(leader.node);
        let connection = connection.expect("a request was sent to this node");
        let produced = connection
            .complete(ticket)
            .and_then(|response| self.client.produced(topic, partition, leader, &response));
        match produced {
            Ok(produced) => {
                self.count(sealed, produced);
                Ok(())
            }
            Err(error) => {
                self.client.doubt_leader(topic, partition, leader, &error);
                Err(error)
            }
        }
    }

    fn count(&mut self, sealed: &Sealed, produced: Produced) {
        let totals = &mut self.state_mut(&sealed.topic, sealed.partition).totals;
        let records = u64::try_from(sealed.records).expect("a count is not negative");
        totals.records += records;
        totals.batches += 1;
        totals.bytes += u64::try_from(sealed.batch.len()).unwrap_or(u64::MAX);
        if let Some(base) = produced.base_offset {
            totals.first_offset.get_or_insert(base);
            totals.last_offset = Some(Offset(base.0 + i64::from(sealed.records) - 1));
        }
    }

    /// Settles everything in flight, then sends again what has failed, one batch after the other.
    fn recover(&mut self) -> Result<(), ClientError> {
        let mut backoff = Backoff::new(self.client.config().retry);
        let mut outcome = Ok(());
        let mut again: VecDeque<Sealed> = VecDeque::new();
        while let Some(InFlight { sealed, sent }) = self.in_flight.pop_front() {
            let Err(error) = sent.and_then(|sent| self.settle(&sealed, sent)) else {
                continue;
            };
            // A batch behind one that failed is out of order for no other reason.
            let is_behind = error.code() == Some(ErrorCode::OutOfOrderSequenceNumber)
                && again.iter().any(|earlier| earlier.is_for_same_as(&sealed));
            if is_retriable(&error) || is_behind {
                again.push_back(sealed);
            } else {
                outcome = outcome.and(Err(error));
            }
        }
        while let Some(sealed) = again.front() {
            let sealed = sealed.clone();
            match self.send_alone(&sealed) {
                Ok(()) => drop(again.pop_front()),
                Err(error) if is_retriable(&error) && backoff.pause() => {}
                Err(error) => {
                    outcome = outcome.and(Err(error));
                    again.pop_front();
                }
            }
        }
        if outcome.is_err() {
            self.begin_anew();
        }
        outcome
    }

    fn send_alone(&mut self, sealed: &Sealed) -> Result<(), ClientError> {
        let leader = self.client.leader(&sealed.topic, sealed.partition)?;
        let sent = self.submit(sealed, leader)?;
        self.settle(sealed, sent)
    }

    /// After a lost batch the sequence has a gap, which only a new identity closes.
    fn begin_anew(&mut self) {
        self.identity = None;
        for topic in self.topics.values_mut() {
            for partition in &mut topic.partitions {
                partition.next_sequence = 0;
            }
        }
    }
}

impl Sealed {
    fn is_for_same_as(&self, other: &Self) -> bool {
        self.partition == other.partition && self.topic == other.topic
    }
}

/// A topic that the producer has seen and that is gone stays gone.
fn is_retriable(error: &ClientError) -> bool {
    let is_gone = matches!(
        error,
        ClientError::Broker { api, code: ErrorCode::UnknownTopicOrPartition, .. }
            if *api == ApiKey::Metadata.name()
    );
    error.is_retriable() && !is_gone
}

fn index(partition: PartitionIndex) -> usize {
    usize::try_from(partition.0).expect("the partition was checked when it was chosen")
}

/// Bytes of a record's contents, without the few that frame them.
fn size_of_record(record: &NewRecord<'_>) -> usize {
    let headers = record
        .headers
        .iter()
        .map(|(key, value)| key.len() + value.map_or(0, <[u8]>::len));
    let key = record.key.map_or(0, <[u8]>::len);
    let value = record.value.map_or(0, <[u8]>::len);
    key + value + headers.sum::<usize>()
}
