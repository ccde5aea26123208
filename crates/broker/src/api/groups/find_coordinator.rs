//! FindCoordinator (key 10, versions 0 to 6), for one key or, from version 4 on, for several.
//!
//! Source: KIP-699, KIP-932; `KafkaApis.handleFindCoordinatorRequest` of Kafka 4.3.1. The topic of the groups is created
//! here when it is first needed, and the answer waits for that; Kafka lets the client ask again.

use std::rc::Rc;

use io::Io;
use protocol::Str;
use protocol::messages::find_coordinator_response::Coordinator;
use protocol::messages::{FindCoordinatorRequest, FindCoordinatorResponse};
use types::ErrorCode;

use super::distinct;
use crate::advertise::Audience;
use crate::api::{Call, Finished, Outcome};
use crate::shard::Shard;

/// The type of a key that is a group's id.
const GROUP: i8 = 0;

/// The type of a key that is a transactional id.
const TRANSACTION: i8 = 1;

/// The type of a key that names a share group's partition.
const SHARE: i8 = 2;

/// The first version that has several keys.
const KEYS_SINCE: i16 = 4;

/// The first version that knows [`SHARE`].
const SHARE_SINCE: i16 = 6;

/// Kafka's "no node".
const NO_NODE: i32 = -1;

pub(in crate::api) async fn handle<I: Io>(
    call: Call<I>,
    request: FindCoordinatorRequest,
) -> Outcome<FindCoordinatorResponse> {
    let (shard, version) = (Rc::clone(&call.shard), call.version);
    let (listener, audience) = (call.connection.listener, call.connection.audience.get());
    let kind = request.key_type;
    let keys = if version >= KEYS_SINCE {
        distinct(request.coordinator_keys)
    } else {
        vec![request.key]
    };
    Outcome::Later(Box::pin(async move {
        let mut found = Vec::with_capacity(keys.len());
        for key in keys {
            let coordinator = match refusal(kind, version) {
                Some((code, message)) => refused(key, code, message),
                None => find(&shard, listener, audience, key).await,
            };
            found.push(coordinator);
        }
        Finished::Answer(response(found, version))
    }))
}

/// Why there is no coordinator for keys of this type.
fn refusal(kind: i8, version: i16) -> Option<(ErrorCode, &'static str)> {
    match kind {
        GROUP => None,
        TRANSACTION => Some((
            ErrorCode::TransactionalIdAuthorizationFailed,
            "There are no transactions here.",
        )),
        SHARE if version >= SHARE_SINCE => {
            Some((ErrorCode::InvalidRequest, "There are no share groups here."))
        }
        _ => Some((ErrorCode::InvalidRequest, "Unknown coordinator type.")),
    }
}

async fn find<I: Io>(
    shard: &Shard<I>,
    listener: usize,
    audience: Audience,
    key: Str,
) -> Coordinator {
    let owner = match shard.require_group_partition(&key).await {
        Ok(partition) => shard.view().owner(partition),
        Err(_) => None,
    };
    let Some(owner) = owner else {
        return refused(key, ErrorCode::CoordinatorNotAvailable, "");
    };
    let node = shard.advertise().node(listener, owner, audience);
    Coordinator {
        key,
        node_id: node.id.0,
        host: node.host,
        port: node.port,
        ..Coordinator::default()
    }
}

fn refused(key: Str, code: ErrorCode, message: &'static str) -> Coordinator {
    Coordinator {
        key,
        node_id: NO_NODE,
        port: NO_NODE,
        error_code: code.code(),
        error_message: (!message.is_empty()).then(|| message.into()),
        ..Coordinator::default()
    }
}

fn response(mut found: Vec<Coordinator>, version: i16) -> FindCoordinatorResponse {
    if version >= KEYS_SINCE {
        return FindCoordinatorResponse {
            coordinators: found,
            ..FindCoordinatorResponse::default()
        };
    }
    let found = found.pop().unwrap_or_default();
    FindCoordinatorResponse {
        error_code: found.error_code,
        error_message: found.error_message,
        node_id: found.node_id,
        host: found.host,
        port: found.port,
        ..FindCoordinatorResponse::default()
    }
}
