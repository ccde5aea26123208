//! DescribeGroups (key 15, versions 0 to 6): classic groups.
//!
//! Source: KIP-430, KIP-1043; `KafkaApis.handleDescribeGroupsRequest` of Kafka 4.3.1.

use groups::{Reply, Request};
use io::Io;
use protocol::Str;
use protocol::messages::describe_groups_response::DescribedGroup;
use protocol::messages::{DescribeGroupsRequest, DescribeGroupsResponse};
use types::ErrorCode;

use super::{AUTHORIZED_OPERATIONS, ask_each, distinct};
use crate::api::{Call, Finished, Outcome};

pub(in crate::api) async fn handle<I: Io>(
    call: Call<I>,
    request: DescribeGroupsRequest,
) -> Outcome<DescribeGroupsResponse> {
    let groups = distinct(request.groups);
    let tells_operations = request.include_authorized_operations;
    let answer = move |group, answered| match answered {
        Ok(Reply::DescribeGroup(mut answer)) => {
            if tells_operations && answer.error_code == ErrorCode::None.code() {
                answer.authorized_operations = AUTHORIZED_OPERATIONS;
            }
            answer
        }
        Ok(_) => refused(group, ErrorCode::UnknownServerError),
        Err(code) => refused(group, code),
    };
    let answers = match ask_each(&call, groups, Request::DescribeGroup, answer).await {
        Ok(answers) => answers,
        Err(target) => return Outcome::Migrate(target),
    };
    Outcome::Later(Box::pin(async move {
        Finished::Answer(DescribeGroupsResponse {
            groups: answers.await,
            ..DescribeGroupsResponse::default()
        })
    }))
}

fn refused(group_id: Str, code: ErrorCode) -> DescribedGroup {
    DescribedGroup {
        group_id,
        error_code: code.code(),
        ..DescribedGroup::default()
    }
}
