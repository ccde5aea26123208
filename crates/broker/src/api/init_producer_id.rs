//! InitProducerId (key 22, versions 0 to 5) for idempotent producers.
//!
//! Source: KIP-98, KIP-360; `TransactionCoordinator.handleInitProducerId` of Kafka 4.3.1 without a transactional id.

use std::rc::Rc;

use io::Io;
use protocol::messages::{InitProducerIdRequest, InitProducerIdResponse};
use types::ErrorCode;

use super::{Call, Finished, Outcome};

pub(super) async fn handle<I: Io>(
    call: Call<I>,
    request: InitProducerIdRequest,
) -> Outcome<InitProducerIdResponse> {
    if request.transactional_id.is_some() {
        // There is no transaction coordinator, and no API that would lead a client to one.
        return Outcome::Answer(refusal(ErrorCode::InvalidRequest));
    }
    let shard = Rc::clone(&call.shard);
    Outcome::Later(Box::pin(async move {
        // A client that had an id gets a new one, as in Kafka: only transactional ids keep theirs.
        Finished::Answer(match shard.producer_ids.allocate(&shard).await {
            Ok(id) => InitProducerIdResponse {
                producer_id: id.0,
                producer_epoch: 0,
                ..InitProducerIdResponse::default()
            },
            Err(code) => refusal(code),
        })
    }))
}

fn refusal(code: ErrorCode) -> InitProducerIdResponse {
    InitProducerIdResponse {
        error_code: code.code(),
        producer_id: -1,
        producer_epoch: -1,
        ..InitProducerIdResponse::default()
    }
}
