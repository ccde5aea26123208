//! ListGroups (key 16, versions 0 to 5).
//!
//! All shards lie behind one port, so a request does not say which of their nodes it means: it is answered with the
//! groups of all of them, unless each has a port of its own.
//!
//! Source: KIP-518, KIP-848; `KafkaApis.handleListGroupsRequest` of Kafka 4.3.1.

use std::rc::Rc;

use futures_util::future::join_all;
use io::Io;
use protocol::messages::{ListGroupsRequest, ListGroupsResponse};

use crate::api::{Call, Finished, Outcome};
use crate::groups::ListedGroups;

pub(in crate::api) async fn handle<I: Io>(
    call: Call<I>,
    request: ListGroupsRequest,
) -> Outcome<ListGroupsResponse> {
    let shard = Rc::clone(&call.shard);
    let own = shard.list_groups_here(&request);
    if shard.advertise().has_port_per_shard() {
        return Outcome::Answer(response(vec![own]));
    }
    Outcome::Later(Box::pin(async move {
        let others = shard.mesh.shards().filter(|other| *other != shard.id());
        let asked = others.map(|other| shard.list_groups_of(other, request.clone()));
        let mut all = join_all(asked).await;
        all.push(own);
        Finished::Answer(response(all))
    }))
}

fn response(all: Vec<ListedGroups>) -> ListGroupsResponse {
    let mut response = ListGroupsResponse::default();
    for listed in all {
        match listed {
            Ok(groups) => response.groups.extend(groups),
            Err(code) => {
                return ListGroupsResponse {
                    error_code: code.code(),
                    ..ListGroupsResponse::default()
                };
            }
        }
    }
    response
}
