//! ListConfigResources (key 74, versions 0 and 1).
//!
//! Source: KIP-1142; `KafkaApis.handleListConfigResources` of Kafka 4.3.1.

use io::Io;
use protocol::messages::list_config_resources_response::ConfigResource;
use protocol::messages::{ListConfigResourcesRequest, ListConfigResourcesResponse};
use types::ErrorCode;

use super::config_resources::{BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC};
use super::{Call, Outcome};

/// The types that a request of version 1 means that names none.
const ALL: [i8; 5] = [TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP];

pub(super) async fn handle<I: Io>(
    call: Call<I>,
    request: ListConfigResourcesRequest,
) -> Outcome<ListConfigResourcesResponse> {
    let mut kinds: Vec<i8> = match (call.version, request.resource_types.as_slice()) {
        (0, _) => vec![CLIENT_METRICS],
        (_, []) => ALL.to_vec(),
        (_, kinds) => kinds.to_vec(),
    };
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.iter().any(|kind| !ALL.contains(kind)) {
        return Outcome::Answer(ListConfigResourcesResponse {
            error_code: ErrorCode::UnsupportedVersion.code(),
            ..ListConfigResourcesResponse::default()
        });
    }
    let resources = kinds.into_iter().flat_map(|kind| resources(&call, kind));
    Outcome::Answer(ListConfigResourcesResponse {
        config_resources: resources.collect(),
        ..ListConfigResourcesResponse::default()
    })
}

/// There are no loggers and subscriptions that have a configuration.
fn resources<I: Io>(call: &Call<I>, kind: i8) -> Vec<ConfigResource> {
    let resource = |name| ConfigResource {
        resource_name: name,
        resource_type: kind,
    };
    match kind {
        TOPIC => {
            let view = call.shard.view();
            let topics = view.image.topics();
            topics.map(|topic| resource(topic.name.clone())).collect()
        }
        BROKER => {
            let connection = &call.connection;
            let nodes = call
                .shard
                .advertise()
                .nodes(connection.listener, connection.audience.get());
            let names = nodes.iter().map(|node| node.id.to_string());
            names.map(|name| resource(name.into())).collect()
        }
        GROUP => {
            let view = call.shard.view();
            let groups = view.image.group_configs().keys();
            groups.map(|group| resource(group.clone())).collect()
        }
        _ => Vec::new(),
    }
}
