//! DescribeConfigs (key 32, versions 1 to 4) of topics, groups and this broker.
//!
//! Source: KIP-133, KIP-226, KIP-569; `ConfigHelper.describeConfigs` of Kafka 4.3.1.

use std::collections::HashSet;

use config::ConfigEntry;
use io::Io;
use metadata::validate_topic_name;
use protocol::messages::describe_configs_request::DescribeConfigsResource;
use protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};
use types::{ErrorCode, NodeId};

use super::config_resources::{BROKER, GROUP, TOPIC, unsupported};
use super::{Call, Outcome};
use crate::shard::Shard;
use crate::slice::Steps;

/// The resources that one request may ask for.
const RESOURCES_MAX: usize = 10_000;

pub(super) async fn handle<I: Io>(
    call: Call<I>,
    request: DescribeConfigsRequest,
) -> Outcome<DescribeConfigsResponse> {
    let mut seen = HashSet::new();
    let mut steps = Steps::new(&call.shard.io);
    let mut results = Vec::with_capacity(request.resources.len());
    for resource in &request.resources {
        steps.step().await;
        // Repeating one, or asking for groups without end, would make the answer many times as large as the request.
        let described = if seen.len() == RESOURCES_MAX {
            let message = format!("The request names more than {RESOURCES_MAX} resources.");
            Err((ErrorCode::InvalidRequest, message))
        } else if !seen.insert(identity(resource)) {
            let message = "The request names this resource twice.".to_owned();
            Err((ErrorCode::InvalidRequest, message))
        } else {
            describe(&call.shard, resource)
        };
        results.push(result_of(&request, resource, described));
    }
    Outcome::Answer(DescribeConfigsResponse {
        throttle_time_ms: 0,
        results,
    })
}

/// What makes a resource the same as another one: a broker's name is a number, however it is written.
fn identity(resource: &DescribeConfigsResource) -> (i8, Result<i32, &str>) {
    let name = resource.resource_name.as_str();
    let id = match resource.resource_type {
        BROKER => name.parse().map_err(|_not_a_number| name),
        _ => Err(name),
    };
    (resource.resource_type, id)
}

fn result_of(
    request: &DescribeConfigsRequest,
    resource: &DescribeConfigsResource,
    described: Result<Vec<ConfigEntry>, (ErrorCode, String)>,
) -> DescribeConfigsResult {
    let (code, message, entries) = match described {
        Ok(entries) => (ErrorCode::None, None, entries),
        Err((code, message)) => {
            let message = Some(message).filter(|message| !message.is_empty());
            (code, message.map(Into::into), Vec::new())
        }
    };
    let wanted = |entry: &ConfigEntry| {
        let keys = resource.configuration_keys.as_deref();
        keys.is_none_or(|keys| keys.is_empty() || keys.iter().any(|key| key.as_str() == entry.name))
    };
    let result = |entry| {
        describe_entry(
            entry,
            request.include_synonyms,
            request.include_documentation,
        )
    };
    DescribeConfigsResult {
        error_code: code.code(),
        error_message: message,
        resource_type: resource.resource_type,
        resource_name: resource.resource_name.clone(),
        configs: entries.into_iter().filter(wanted).map(result).collect(),
    }
}

fn describe<I: Io>(
    shard: &Shard<I>,
    resource: &DescribeConfigsResource,
) -> Result<Vec<ConfigEntry>, (ErrorCode, String)> {
    let name = resource.resource_name.as_str();
    match resource.resource_type {
        TOPIC => {
            validate_topic_name(name)
                .map_err(|message| (ErrorCode::InvalidTopicException, message))?;
            let view = shard.view();
            let unknown = || (ErrorCode::UnknownTopicOrPartition, String::new());
            let topic = view.image.topic_named(name).ok_or_else(unknown)?;
            let overrides = topic
                .configs
                .iter()
                .map(|(key, value)| (key.as_str(), value.as_str()));
            Ok(shard.config().describe_topic(overrides))
        }
        BROKER if name.is_empty() => Ok(shard.config().describe_cluster()),
        BROKER => {
            let id = name.parse().map_err(|_not_a_number| {
                (
                    ErrorCode::InvalidRequest,
                    format!("Broker id must be an integer, but it is: {name}"),
                )
            })?;
            if !shard.advertise().is_this_machine(NodeId(id)) {
                let own = shard.advertise().machine();
                let message = format!(
                    "Unexpected broker id, expected {own} or empty string, but received {name}"
                );
                return Err((ErrorCode::InvalidRequest, message));
            }
            Ok(shard.config().describe_broker())
        }
        GROUP if name.is_empty() => {
            let message = "Group name must not be empty";
            Err((ErrorCode::InvalidRequest, message.to_owned()))
        }
        GROUP => {
            let view = shard.view();
            let own = view.image.group_configs().get(name);
            let own = own.into_iter().flatten();
            let own = own.map(|(key, value)| (key.as_str(), value.as_str()));
            Ok(shard.config().describe_group(own))
        }
        other => {
            let refusal = unsupported(other);
            Err((refusal.code, refusal.message))
        }
    }
}

fn describe_entry(
    entry: ConfigEntry,
    synonyms: bool,
    documentation: bool,
) -> DescribeConfigsResourceResult {
    DescribeConfigsResourceResult {
        name: entry.name.into(),
        value: entry.value.map(Into::into),
        read_only: entry.read_only,
        config_source: entry.source.code(),
        is_sensitive: entry.is_sensitive,
        synonyms: entry
            .synonyms
            .into_iter()
            .filter(|_| synonyms)
            .map(|synonym| DescribeConfigsSynonym {
                name: synonym.name.into(),
                value: synonym.value.map(Into::into),
                source: synonym.source.code(),
            })
            .collect(),
        config_type: entry.config_type.code(),
        documentation: documentation.then(|| entry.documentation.into()),
    }
}
