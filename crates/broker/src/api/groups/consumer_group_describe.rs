//! ConsumerGroupDescribe (key 69, versions 0 and 1).
//!
//! Source: KIP-848; `KafkaApis.handleConsumerGroupDescribe` of Kafka 4.3.1.

use groups::{Reply, Request};
use io::Io;
use protocol::Str;
use protocol::messages::consumer_group_describe_response::DescribedGroup;
use protocol::messages::{ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse};
use types::ErrorCode;

use super::{AUTHORIZED_OPERATIONS, ask_each, distinct, serves_consumer_groups};
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
    let tells_operations = request.include_authorized_operations;
    let answer = move |group, answered| match answered {
        Ok(Reply::ConsumerGroupDescribe(mut answer)) => {
            if tells_operations && answer.error_code == ErrorCode::None.code() {
                answer.authorized_operations = AUTHORIZED_OPERATIONS;
            }
            answer
        }
        Ok(_) => refused(group, ErrorCode::UnknownServerError),
        Err(code) => refused(group, code),
    };
    let answers = match ask_each(&call, groups, Request::ConsumerGroupDescribe, answer).await {
        Ok(answers) => answers,
        Err(target) => return Outcome::Migrate(target),
    };
    Outcome::Later(Box::pin(async move {
        Finished::Answer(response(answers.await))
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
