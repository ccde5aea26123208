//! ListGroups (key 16, versions 0 to 5).
//!
//! All shards lie behind one port, so a request does not say which of their nodes it means: it is answered with the
//! groups of all of them, unless each has a port of its own.
//!
//! Source: KIP-518, KIP-848; `KafkaApis.handleListGroupsRequest` of Kafka 4.3.1.

use std::rc::Rc;

use futures_util::future::{join, join_all};
use groups::GroupFilter;
use io::Io;
use protocol::messages::{ListGroupsRequest, ListGroupsResponse};

use crate::api::{Call, Finished, Outcome};
use crate::groups::ListedGroups;

pub(in crate::api) async fn handle<I: Io>(
    call: Call<I>,
    request: ListGroupsRequest,
) -> Outcome<ListGroupsResponse> {
    let shard = Rc::clone(&call.shard);
    let filter = GroupFilter::new(&request);
    Outcome::Later(Box::pin(async move {
        let others = shard.mesh.shards().filter(|other| *other != shard.id());
        let others = others.filter(|_| !shard.advertise().has_port_per_shard());
        let asked = others.map(|other| shard.list_groups_of(other, filter.clone()));
        let (mut all, own) = join(join_all(asked), shard.list_groups_here(&filter)).await;
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
