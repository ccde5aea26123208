//! LeaveGroup (key 13, versions 0 to 5).
//!
//! Source: KIP-345, KIP-800; `KafkaApis.handleLeaveGroupRequest` of Kafka 4.3.1.

use io::Io;
use protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};
use types::ErrorCode;

use super::one_group;
use crate::api::{Call, Outcome};

pub(in crate::api) async fn handle<I: Io>(
    call: Call<I>,
    request: LeaveGroupRequest,
) -> Outcome<LeaveGroupResponse> {
    one_group!(call, request, LeaveGroup, refused)
}

fn refused(code: ErrorCode) -> LeaveGroupResponse {
    LeaveGroupResponse {
        error_code: code.code(),
        ..LeaveGroupResponse::default()
    }
}
