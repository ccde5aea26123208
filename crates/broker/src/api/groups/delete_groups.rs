//! DeleteGroups (key 42, versions 0 to 2).
//!
//! Source: KIP-229; `KafkaApis.handleDeleteGroupsRequest` of Kafka 4.3.1.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use groups::{Reply, Request};
use io::Io;
use protocol::Str;
use protocol::messages::delete_groups_response::DeletableGroupResult;
use protocol::messages::{DeleteGroupsRequest, DeleteGroupsResponse};
use types::ErrorCode;

use super::{ask, foreign_target};
use crate::api::{Call, Finished, Outcome};

pub(in crate::api) async fn handle<I: Io>(
    call: Call<I>,
    request: DeleteGroupsRequest,
) -> Outcome<DeleteGroupsResponse> {
    // As in Kafka each group is deleted, and answered, once.
    let groups: BTreeSet<Str> = request.groups_names.into_iter().collect();
    if let Some(target) = groups
        .first()
        .and_then(|group| foreign_target(&call, group))
    {
        return Outcome::Migrate(target);
    }
    let mut asked = Vec::with_capacity(groups.len());
    for group in groups {
        let asking = ask(&call, &group, Request::DeleteGroup(group.clone())).await;
        asked.push((group, asking));
    }
    Outcome::Later(Box::pin(async move {
        let answers = asked.into_iter().map(|(group, asking)| async move {
            match asking.answer().await {
                Ok(Reply::DeleteGroup(result)) => result,
                Ok(_) => refused(group, ErrorCode::UnknownServerError),
                Err(code) => refused(group, code),
            }
        });
        Finished::Answer(DeleteGroupsResponse {
            results: join_all(answers).await,
            ..DeleteGroupsResponse::default()
        })
    }))
}

fn refused(group_id: Str, code: ErrorCode) -> DeletableGroupResult {
    DeletableGroupResult {
        group_id,
        error_code: code.code(),
    }
}
