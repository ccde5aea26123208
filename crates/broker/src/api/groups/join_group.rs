//! JoinGroup (key 11, versions 0 to 9).
//!
//! Source: KIP-345, KIP-394, KIP-559, KIP-800, KIP-814; `KafkaApis.handleJoinGroupRequest` of Kafka 4.3.1.

use io::Io;
use protocol::messages::{JoinGroupRequest, JoinGroupResponse};

use super::one_group;
use crate::api::{Call, Outcome};

pub(in crate::api) async fn handle<I: Io>(
    call: Call<I>,
    request: JoinGroupRequest,
) -> Outcome<JoinGroupResponse> {
    let version = call.version;
    one_group!(call, request, JoinGroup, |code| groups::join_group_error(
        code, version
    ))
}
