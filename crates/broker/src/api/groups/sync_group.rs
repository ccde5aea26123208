//! SyncGroup (key 14, versions 0 to 5).
//!
//! Source: KIP-345, KIP-559; `KafkaApis.handleSyncGroupRequest` of Kafka 4.3.1.

use io::Io;
use protocol::messages::{SyncGroupRequest, SyncGroupResponse};
use types::ErrorCode;

use super::one_group;
use crate::api::{Call, Outcome};

pub(in crate::api) async fn handle<I: Io>(
    call: Call<I>,
    request: SyncGroupRequest,
) -> Outcome<SyncGroupResponse> {
    one_group!(call, request, SyncGroup, refused)
}

fn refused(code: ErrorCode) -> SyncGroupResponse {
    SyncGroupResponse {
        error_code: code.code(),
        ..SyncGroupResponse::default()
    }
}
