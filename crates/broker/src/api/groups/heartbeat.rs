//! Heartbeat (key 12, versions 0 to 4).
//!
//! Source: KIP-345; `KafkaApis.handleHeartbeatRequest` of Kafka 4.3.1.

use io::Io;
use protocol::messages::{HeartbeatRequest, HeartbeatResponse};
use types::ErrorCode;

use super::one_group;
use crate::api::{Call, Outcome};

pub(in crate::api) async fn handle<I: Io>(
    call: Call<I>,
    request: HeartbeatRequest,
) -> Outcome<HeartbeatResponse> {
    one_group!(call, request, Heartbeat, refused)
}

/// While the group is loaded its members are told that all is well, as in Kafka: sessions begin anew then, and aiokafka
/// gives up at any other answer.
fn refused(code: ErrorCode) -> HeartbeatResponse {
    let code = match code {
        ErrorCode::CoordinatorLoadInProgress => ErrorCode::None,
        code => code,
    };
    HeartbeatResponse {
        error_code: code.code(),
        ..HeartbeatResponse::default()
    }
}
