//! DescribeGroups (key 15, versions 0 to 6): classic groups.
//!
//! Source: KIP-430, KIP-1043; `KafkaApis.handleDescribeGroupsRequest` of Kafka 4.3.1.

use futures_util::future::join_all;
use groups::{Reply, Request};
use io::Io;
use protocol::Str;
use protocol::messages::describe_groups_response::DescribedGroup;
use protocol::messages::{DescribeGroupsRequest, DescribeGroupsResponse};
use types::ErrorCode;

use super::{ask, distinct, foreign_target};
use crate::api::{Call, Finished, Outcome};

pub(in crate::api) async fn handle<I: Io>(
    call: Call<I>,
    request: DescribeGroupsRequest,
) -> Outcome<DescribeGroupsResponse> {
    let groups = distinct(request.groups);
    if let Some(target) = groups
        .first()
        .and_then(|group| foreign_target(&call, group))
    {
        return Outcome::Migrate(target);
    }
    let mut asked = Vec::with_capacity(groups.len());
    for group in groups {
        let asking = ask(&call, &group, Request::DescribeGroup(group.clone())).await;
        asked.push((group, asking));
    }
    Outcome::Later(Box::pin(async move {
        let answers = asked.into_iter().map(|(group, asking)| async move {
            match asking.answer().await {
                Ok(Reply::DescribeGroup(described)) => described,
                Ok(_) => refused(group, ErrorCode::UnknownServerError),
                Err(code) => refused(group, code),
            }
        });
        Finished::Answer(DescribeGroupsResponse {
            groups: join_all(answers).await,
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
