//! ConsumerGroupDescribe (key 69, versions 0 and 1).
//!
//! Source: KIP-848; `KafkaApis.handleConsumerGroupDescribe` of Kafka 4.3.1.

use futures_util::future::join_all;
use groups::{Reply, Request};
use io::Io;
use protocol::Str;
use protocol::messages::consumer_group_describe_response::DescribedGroup;
use protocol::messages::{ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse};
use types::ErrorCode;

use super::{ask, distinct, foreign_target, serves_consumer_groups};
use crate::api::{Call, Finished, Outcome};

pub(in crate::api) async fn handle<I: Io>(
    call: Call<I>,
    request: ConsumerGroupDescribeRequest,
) -> Outcome<ConsumerGroupDescribeResponse> {
    let groups = distinct(request.group_ids);
    if !serves_consumer_groups(&call) {
        let groups = groups.into_iter();
        let refused = groups.map(|group| refused(group, ErrorCode::UnsupportedVersion));
        return Outcome::Answer(response(refused.collect()));
    }
    if let Some(target) = groups
        .first()
        .and_then(|group| foreign_target(&call, group))
    {
        return Outcome::Migrate(target);
    }
    let mut asked = Vec::with_capacity(groups.len());
    for group in groups {
        let wanted = Request::ConsumerGroupDescribe(group.clone());
        let asking = ask(&call, &group, wanted).await;
        asked.push((group, asking));
    }
    Outcome::Later(Box::pin(async move {
        let answers = asked.into_iter().map(|(group, asking)| async move {
            match asking.answer().await {
                Ok(Reply::ConsumerGroupDescribe(described)) => described,
                Ok(_) => refused(group, ErrorCode::UnknownServerError),
                Err(code) => refused(group, code),
            }
        });
        Finished::Answer(response(join_all(answers).await))
    }))
}

fn response(groups: Vec<DescribedGroup>) -> ConsumerGroupDescribeResponse {
    ConsumerGroupDescribeResponse {
        groups,
        ..ConsumerGroupDescribeResponse::default()
    }
}

fn refused(group_id: Str, code: ErrorCode) -> DescribedGroup {
    DescribedGroup {
        group_id,
        error_code: code.code(),
        ..DescribedGroup::default()
    }
}
