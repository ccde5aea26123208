//! OffsetDelete (key 47, versions 0).
//!
//! Source: KIP-496; `KafkaApis.handleOffsetDeleteRequest` of Kafka 4.3.1.

use io::Io;
use protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse};
use types::ErrorCode;

use super::one_group;
use crate::api::{Call, Outcome};

pub(in crate::api) async fn handle<I: Io>(
    call: Call<I>,
    request: OffsetDeleteRequest,
) -> Outcome<OffsetDeleteResponse> {
    one_group!(call, request, OffsetDelete, refused)
}

fn refused(code: ErrorCode) -> OffsetDeleteResponse {
    OffsetDeleteResponse {
        error_code: code.code(),
        ..OffsetDeleteResponse::default()
    }
}
