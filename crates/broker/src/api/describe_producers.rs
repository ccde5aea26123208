//! DescribeProducers (key 61, version 0): the producers that partitions remember.
//!
//! A partition that a request names twice is answered once and then with INVALID_REQUEST: a small request could
//! otherwise cause an answer of any size.
//!
//! Source: KIP-664; `KafkaApis.handleDescribeProducersRequest` of Kafka 4.3.1.

use std::rc::Rc;

use io::Io;
use metadata::validate_topic_name;
use protocol::Str;
use protocol::messages::describe_producers_response::{
    PartitionResponse, ProducerState, TopicResponse,
};
use protocol::messages::{DescribeProducersRequest, DescribeProducersResponse};
use rustc_hash::FxHashSet;
use storage::ActiveProducer;
use types::{ErrorCode, Uuid};

use super::{Call, Finished, Outcome};
use crate::lookup;
use crate::message::{PartitionKey, ProducersResult};

/// What Kafka says of a topic that it does not know.
const NOT_HOSTED: &str = "This server does not host this topic-partition.";

/// Why a whole topic is refused.
type TopicError = Option<(ErrorCode, Str)>;

pub(super) async fn handle<I: Io>(
    call: Call<I>,
    request: DescribeProducersRequest,
) -> Outcome<DescribeProducersResponse> {
    let shard = Rc::clone(&call.shard);
    let view = shard.view();
    let mut keys = Vec::new();
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let known = view.topic(&topic.name, Uuid::ZERO).map(|topic| topic.id);
        let error: TopicError = match (validate_topic_name(&topic.name), known) {
            (Err(message), _) => Some((ErrorCode::InvalidTopicException, message.into())),
            (Ok(()), None) => Some((ErrorCode::UnknownTopicOrPartition, NOT_HOSTED.into())),
            (Ok(()), Some(_)) => None,
        };
        let topic_id = known.unwrap_or(Uuid::ZERO);
        let named = |index: &i32| PartitionKey {
            topic_id,
            index: *index,
        };
        keys.extend(topic.partition_indexes.iter().map(named));
        topics.push((topic.name.detached(), topic.partition_indexes.len(), error));
    }
    Outcome::Later(Box::pin(async move {
        let mut seen = FxHashSet::default();
        let first: Vec<_> = keys
            .iter()
            .copied()
            .filter(|key| seen.insert(*key))
            .collect();
        let mut found = lookup::producers_anywhere(&shard, &first).await.into_iter();
        let mut unanswered = seen;
        let mut answers = keys.iter().map(|key| {
            let answer = if unanswered.remove(key) {
                found.next()
            } else {
                None
            };
            let repeated = Err(ErrorCode::InvalidRequest);
            (key.index, answer.unwrap_or(repeated))
        });
        let topic = |(name, count, error): (Str, usize, TopicError)| TopicResponse {
            name,
            partitions: answers
                .by_ref()
                .take(count)
                .map(|(index, result)| partition(index, result, error.as_ref()))
                .collect(),
        };
        let topics = topics.into_iter().map(topic).collect();
        Finished::Answer(DescribeProducersResponse {
            throttle_time_ms: 0,
            topics,
        })
    }))
}

fn partition(
    partition_index: i32,
    result: ProducersResult,
    topic_error: Option<&(ErrorCode, Str)>,
) -> PartitionResponse {
    let (error_code, error_message, active_producers) = match (topic_error, result) {
        (Some((code, message)), _) => (*code, Some(message.clone()), Vec::new()),
        (None, Ok(producers)) => {
            let producers = producers.iter().map(producer).collect();
            (ErrorCode::None, None, producers)
        }
        (None, Err(code)) => (code, None, Vec::new()),
    };
    PartitionResponse {
        partition_index,
        error_code: error_code.code(),
        error_message,
        active_producers,
    }
}

fn producer(producer: &ActiveProducer) -> ProducerState {
    ProducerState {
        producer_id: producer.producer_id.0,
        producer_epoch: i32::from(producer.epoch.0),
        last_sequence: producer.last_sequence,
        last_timestamp: producer.last_timestamp.0,
        coordinator_epoch: producer.coordinator_epoch,
        current_txn_start_offset: producer.transaction_first_offset.map_or(-1, |it| it.0),
    }
}
