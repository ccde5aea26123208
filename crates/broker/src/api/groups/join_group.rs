//! JoinGroup (key 11, versions 0 to 9).
//!
//! Source: KIP-345, KIP-394, KIP-559, KIP-800, KIP-814; `KafkaApis.handleJoinGroupRequest` of Kafka 4.3.1.

use io::Io;
use protocol::Str;
use protocol::messages::{JoinGroupRequest, JoinGroupResponse};
use types::ErrorCode;

use super::one_group;
use crate::api::{Call, Outcome};

/// From this version on an answer without a protocol has no name for it.
const NULL_NAMES_SINCE: i16 = 7;

pub(in crate::api) async fn handle<I: Io>(
    call: Call<I>,
    request: JoinGroupRequest,
) -> Outcome<JoinGroupResponse> {
    let version = call.version;
    one_group!(call, request, JoinGroup, |code| refused(code, version))
}

fn refused(code: ErrorCode, version: i16) -> JoinGroupResponse {
    JoinGroupResponse {
        error_code: code.code(),
        protocol_name: (version < NULL_NAMES_SINCE).then(Str::default),
        ..JoinGroupResponse::default()
    }
}
