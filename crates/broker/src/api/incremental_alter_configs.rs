//! IncrementalAlterConfigs (key 44, versions 0 and 1) of topics, groups, this broker and all brokers.
//!
//! Source: KIP-339; `ConfigAdminManager.preprocess` and `ConfigurationControlManager` of Kafka 4.3.1.

use std::rc::Rc;

use io::Io;
use metadata::{ConfigOperation, Refusal};
use protocol::Str;
use protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};
use types::ErrorCode;

use super::config_resources::{Asked, alter, error_of, refuse_nulls, refuse_repeated_keys};
use super::journal::Who;
use super::{Call, Finished, Outcome};

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

pub(super) async fn handle<I: Io>(
    call: Call<I>,
    request: IncrementalAlterConfigsRequest,
) -> Outcome<IncrementalAlterConfigsResponse> {
    let shard = Rc::clone(&call.shard);
    let who = Who::of(&call);
    let asked: Vec<Asked> = request
        .resources
        .iter()
        .map(|resource| Asked {
            kind: resource.resource_type,
            name: resource.resource_name.detached(),
            operations: operations(resource),
        })
        .collect();
    let validate_only = request.validate_only;
    drop(request);
    Outcome::Later(Box::pin(async move {
        let verdicts = alter(&shard, (asked, &who), false, validate_only).await;
        let responses = verdicts.into_iter().map(|(kind, name, verdict)| {
            let (error_code, error_message) = error_of(verdict);
            AlterConfigsResourceResponse {
                error_code,
                error_message,
                resource_type: kind,
                resource_name: name,
            }
        });
        Finished::Answer(IncrementalAlterConfigsResponse {
            throttle_time_ms: 0,
            responses: responses.collect(),
        })
    }))
}

fn operations(resource: &AlterConfigsResource) -> Result<Vec<(Str, ConfigOperation)>, Refusal> {
    refuse_repeated_keys(resource.configs.iter().map(|config| &config.name))?;
    let is_null =
        |config: &&AlterableConfig| config.config_operation != DELETE && config.value.is_none();
    let nulls = resource.configs.iter().filter(is_null);
    let nulls: Vec<&str> = nulls.map(|config| config.name.as_str()).collect();
    refuse_nulls(&nulls)?;
    resource.configs.iter().map(operation).collect()
}

fn operation(config: &AlterableConfig) -> Result<(Str, ConfigOperation), Refusal> {
    let value = config
        .value
        .as_ref()
        .map_or_else(Str::default, Str::detached);
    let operation = match config.config_operation {
        SET => ConfigOperation::Set(value),
        DELETE => ConfigOperation::Delete,
        APPEND => ConfigOperation::Append(value),
        SUBTRACT => ConfigOperation::Subtract(value),
        other => {
            let message = format!("Unknown operations type {other}");
            return Err(Refusal::new(ErrorCode::InvalidRequest, message));
        }
    };
    Ok((config.name.detached(), operation))
}
