//! DeleteGroups (key 42, versions 0 to 2).
//!
//! Source: KIP-229; `KafkaApis.handleDeleteGroupsRequest` of Kafka 4.3.1.

use std::collections::BTreeSet;

use groups::{Reply, Request};
use io::Io;
use protocol::Str;
use protocol::messages::delete_groups_response::DeletableGroupResult;
use protocol::messages::{DeleteGroupsRequest, DeleteGroupsResponse};
use types::ErrorCode;

use super::ask_each;
use crate::api::{Call, Finished, Outcome};

pub(in crate::api) async fn handle<I: Io>(
    call: Call<I>,
    request: DeleteGroupsRequest,
) -> Outcome<DeleteGroupsResponse> {
    // As in Kafka each group is deleted, and answered, once.
    let groups: BTreeSet<Str> = request.groups_names.into_iter().collect();
    let groups = groups.into_iter().collect();
    let answer = |group, answered| match answered {
        Ok(Reply::DeleteGroup(answer)) => answer,
        Ok(_) => refused(group, ErrorCode::UnknownServerError),
        Err(code) => refused(group, code),
    };
    let answers = match ask_each(&call, groups, Request::DeleteGroup, answer).await {
        Ok(answers) => answers,
        Err(target) => return Outcome::Migrate(target),
    };
    Outcome::Later(Box::pin(async move {
        Finished::Answer(DeleteGroupsResponse {
            results: answers.await,
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
