//! ConsumerGroupHeartbeat (key 68, versions 0 and 1).
//!
//! Source: KIP-848; `KafkaApis.handleConsumerGroupHeartbeat` of Kafka 4.3.1.

use io::Io;
use protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use types::ErrorCode;

use super::{one_group, serves_consumer_groups};
use crate::api::{Call, Outcome};

pub(in crate::api) async fn handle<I: Io>(
    call: Call<I>,
    request: ConsumerGroupHeartbeatRequest,
) -> Outcome<ConsumerGroupHeartbeatResponse> {
    if !serves_consumer_groups(&call) {
        return Outcome::Answer(refused(ErrorCode::UnsupportedVersion));
    }
    one_group!(call, request, ConsumerGroupHeartbeat, refused)
}

fn refused(code: ErrorCode) -> ConsumerGroupHeartbeatResponse {
    ConsumerGroupHeartbeatResponse {
        error_code: code.code(),
        ..ConsumerGroupHeartbeatResponse::default()
    }
}
