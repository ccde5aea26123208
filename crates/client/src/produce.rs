//! Produce requests of one batch for one partition, and their responses.

use bytes::Bytes;
use protocol::messages::ProduceResponse;
use protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use protocol::messages::produce_response::PartitionProduceResponse;
use protocol::{ApiKey, Records};
use types::{ErrorCode, LeaderEpoch, NodeId, Offset, PartitionIndex, TimestampMs};

use crate::cluster::{Cluster, Leader, LeaderHint, NodeAddress};
use crate::connection::SubmitOptions;
use crate::{Acks, Client, ClientError, ResponseFault};

/// The last version that names topics instead of giving their ids.
const VERSION_WITH_NAMES: i16 = 12;

/// What a broker says about an appended batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Produced {
    /// The offset of the first record; `None` where the broker does not tell (acks=0, or a known duplicate).
    pub base_offset: Option<Offset>,
    /// The broker's time of the append, for topics with LogAppendTime.
    pub append_time: Option<TimestampMs>,
}

impl Client {
    /// Appends one batch, which must have been built for offset 0, and waits for what `acks` asks for.
    ///
    /// # Errors
    /// [`ClientError`]. After a lost connection or a timeout the batch is sent again, so without a producer id it may
    /// be there twice.
    pub fn produce(
        &mut self,
        topic: &str,
        partition: PartitionIndex,
        batch: &Bytes,
        acks: Acks,
    ) -> Result<Produced, ClientError> {
        let timeout_ms = self.broker_timeout_ms();
        self.with_leader(topic, partition, |client, leader| {
            let request = produce_request(topic, partition, leader, batch, acks, timeout_ms);
            let connection = client.node(leader.node)?;
            if acks == Acks::None {
                connection.submit_unanswered(&request, options(leader))?;
                return Ok(UNANSWERED);
            }
            let ticket = connection.submit(&request, options(leader))?;
            let response = connection.complete(ticket)?;
            client.produced(topic, partition, leader, &response)
        })
    }

    /// What a response says about the one partition that was asked for; leaders that it names are followed.
    pub(crate) fn produced(
        &mut self,
        topic: &str,
        partition: PartitionIndex,
        leader: Leader,
        response: &ProduceResponse,
    ) -> Result<Produced, ClientError> {
        let api = ApiKey::Produce.name();
        let answer = response
            .responses
            .iter()
            .flat_map(|topic| &topic.partition_responses)
            .find(|answer| answer.index == partition.0);
        let Some(answer) = answer else {
            let fault = ResponseFault::Missing(format!("{topic}-{partition}"));
            return Err(self.node(leader.node)?.bad_response(api, fault));
        };
        follow(&mut self.cluster, topic, partition, answer, response);
        if answer.error_code == ErrorCode::DuplicateSequenceNumber.code() {
            return Ok(UNANSWERED);
        }
        ClientError::check(api, answer.error_code, detail(answer).as_deref(), || {
            format!("to {topic}-{partition}")
        })?;
        Ok(Produced {
            base_offset: (answer.base_offset >= 0).then_some(Offset(answer.base_offset)),
            append_time: (answer.log_append_time_ms >= 0)
                .then_some(TimestampMs(answer.log_append_time_ms)),
        })
    }
}

/// Nothing is known about where the batch is.
pub(crate) const UNANSWERED: Produced = Produced {
    base_offset: None,
    append_time: None,
};

/// Versions from 13 on need the topic's id.
pub(crate) fn options(leader: Leader) -> SubmitOptions {
    SubmitOptions {
        version_max: if leader.topic_id.is_zero() {
            VERSION_WITH_NAMES
        } else {
            i16::MAX
        },
        ..SubmitOptions::default()
    }
}

pub(crate) fn produce_request(
    topic: &str,
    partition: PartitionIndex,
    leader: Leader,
    batch: &Bytes,
    acks: Acks,
    timeout_ms: i32,
) -> ProduceRequest {
    ProduceRequest {
        transactional_id: None,
        acks: acks.code(),
        timeout_ms,
        topic_data: vec![TopicProduceData {
            name: topic.into(),
            topic_id: leader.topic_id,
            partition_data: vec![PartitionProduceData {
                index: partition.0,
                records: Some(Records::from(batch.clone())),
            }],
        }],
    }
}

fn follow(
    cluster: &mut Cluster,
    topic: &str,
    partition: PartitionIndex,
    answer: &PartitionProduceResponse,
    response: &ProduceResponse,
) {
    if answer.current_leader.leader_id < 0 {
        return;
    }
    let hint = LeaderHint {
        node: NodeId(answer.current_leader.leader_id),
        epoch: LeaderEpoch(answer.current_leader.leader_epoch),
    };
    let endpoints = response.node_endpoints.iter().map(|end| {
        let address = NodeAddress::new(&end.host, end.port, end.rack.as_deref());
        (NodeId(end.node_id), address)
    });
    cluster.follow(topic, partition, hint, endpoints);
}

/// The broker's words, and what it says about the first record unless that is among them.
fn detail(answer: &PartitionProduceResponse) -> Option<String> {
    let message = answer.error_message.as_deref().unwrap_or_default();
    let record = answer.record_errors.first().and_then(|record| {
        let text = record.batch_index_error_message.as_deref()?;
        let is_said = message.contains(text);
        (!is_said).then(|| format!("record {} of the batch: {text}", record.batch_index))
    });
    match (message, record) {
        ("", record) => record,
        (message, None) => Some(message.to_owned()),
        (message, Some(record)) => Some(format!("{message}; {record}")),
    }
}

#[cfg(test)]
mod tests {
    use protocol::messages::produce_response::BatchIndexAndErrorMessage;

    use super::*;

    fn detail_of(message: Option<&str>, record: Option<&str>) -> Option<String> {
        let record_errors = record.map(|text| BatchIndexAndErrorMessage {
            batch_index: 3,
            batch_index_error_message: Some(text.into()),
        });
        detail(&PartitionProduceResponse {
            error_message: message.map(Into::into),
            record_errors: record_errors.into_iter().collect(),
            ..PartitionProduceResponse::default()
        })
    }

    #[test]
    fn nothing_is_said_twice() {
        assert_eq!(detail_of(None, None), None);
        assert_eq!(
            detail_of(Some("a [b]"), Some("b")).as_deref(),
            Some("a [b]")
        );
        let joined = detail_of(Some("a"), Some("b"));
        assert_eq!(joined.as_deref(), Some("a; record 3 of the batch: b"));
        let alone = detail_of(None, Some("b"));
        assert_eq!(alone.as_deref(), Some("record 3 of the batch: b"));
    }
}
