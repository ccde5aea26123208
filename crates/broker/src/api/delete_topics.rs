//! DeleteTopics (key 20, versions 1 to 6).
//!
//! Source: KIP-4, KIP-516; `ControllerApis.deleteTopics` of Kafka 4.3.1.

use std::rc::Rc;

use io::Io;
use metadata::{DeletedTopic, Refusal, TopicSelector};
use protocol::Str;
use protocol::messages::delete_topics_response::DeletableTopicResult;
use protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse};
use types::{ErrorCode, Uuid};

use super::journal::Who;
use super::{Call, Finished, Outcome};
use crate::controller::{Command, CommandResult};

/// The first version that selects topics by name or by id.
const SELECTORS_SINCE: i16 = 6;

pub(super) async fn handle<I: Io>(
    call: Call<I>,
    request: DeleteTopicsRequest,
) -> Outcome<DeleteTopicsResponse> {
    let selectors: Vec<TopicSelector> = if call.version >= SELECTORS_SINCE {
        let selector =
            |topic: protocol::messages::delete_topics_request::DeleteTopicState| TopicSelector {
                name: topic.name.as_ref().map(Str::detached),
                id: topic.topic_id,
            };
        request.topics.into_iter().map(selector).collect()
    } else {
        let selector = |name: Str| TopicSelector {
            name: Some(name.detached()),
            id: Uuid::ZERO,
        };
        request.topic_names.into_iter().map(selector).collect()
    };
    let shard = Rc::clone(&call.shard);
    let who = Who::of(&call);
    if !shard.config().values.delete_topic_enable {
        let code = if call.version < 3 {
            ErrorCode::InvalidRequest
        } else {
            ErrorCode::TopicDeletionDisabled
        };
        return Outcome::Answer(respond(refused(
            selectors,
            &Refusal::new(code, "Topic deletion is disabled."),
        )));
    }
    Outcome::Later(Box::pin(async move {
        let deleted = match shard.decide(Command::DeleteTopics(selectors.clone())).await {
            CommandResult::DeletedTopics(deleted) => deleted,
            CommandResult::Refused(refusal) => refused(selectors, &refusal),
            _ => Vec::new(),
        };
        let gone = deleted.iter().filter(|topic| topic.verdict.is_ok());
        let gone = gone.map(|topic| match &topic.name {
            Some(name) => name.to_string(),
            None => topic.id.to_string(),
        });
        who.has(&shard, "deleted topics", gone);
        Finished::Answer(respond(deleted))
    }))
}

fn refused(selectors: Vec<TopicSelector>, refusal: &Refusal) -> Vec<DeletedTopic> {
    let verdict = |selector: TopicSelector| DeletedTopic {
        name: selector.name,
        id: selector.id,
        verdict: Err(refusal.clone()),
    };
    selectors.into_iter().map(verdict).collect()
}

fn respond(deleted: Vec<DeletedTopic>) -> DeleteTopicsResponse {
    let result = |topic: DeletedTopic| {
        let refusal = topic.verdict.err();
        DeletableTopicResult {
            name: topic.name,
            topic_id: topic.id,
            error_code: refusal.as_ref().map_or(0, |refusal| refusal.code.code()),
            error_message: refusal.map(|refusal| refusal.message.into()),
        }
    };
    DeleteTopicsResponse {
        throttle_time_ms: 0,
        responses: deleted.into_iter().map(result).collect(),
    }
}
