//! AlterConfigs (key 33, versions 0 to 2): the older way, which takes away every value that is not named.
//!
//! Source: KIP-133; `ConfigAdminManager.preprocess` and `ConfigurationControlManager.legacyAlterConfigs` of Kafka 4.3.1.

use std::rc::Rc;

use io::Io;
use metadata::{ConfigOperation, Refusal};
use protocol::Str;
use protocol::messages::alter_configs_request::AlterConfigsResource;
use protocol::messages::alter_configs_response::AlterConfigsResourceResponse;
use protocol::messages::{AlterConfigsRequest, AlterConfigsResponse};

use super::config_resources::{Asked, alter, error_of, refuse_nulls, refuse_repeated_keys};
use super::journal::Who;
use super::{Call, Finished, Outcome};

pub(super) async fn handle<I: Io>(
    call: Call<I>,
    request: AlterConfigsRequest,
) -> Outcome<AlterConfigsResponse> {
    let shard = Rc::clone(&call.shard);
    let who = Who::of(&call);
    let asked: Vec<Asked> = request
        .resources
        .iter()
        .map(|resource| Asked {
            kind: resource.resource_type,
            name: resource.resource_name.detached(),
            operations: values(resource),
        })
        .collect();
    let validate_only = request.validate_only;
    drop(request);
    Outcome::Later(Box::pin(async move {
        let verdicts = alter(&shard, (asked, &who), true, validate_only).await;
        let responses = verdicts.into_iter().map(|(kind, name, verdict)| {
            let (error_code, error_message) = error_of(verdict);
            AlterConfigsResourceResponse {
                error_code,
                error_message,
                resource_type: kind,
                resource_name: name,
            }
        });
        Finished::Answer(AlterConfigsResponse {
            throttle_time_ms: 0,
            responses: responses.collect(),
        })
    }))
}

fn values(resource: &AlterConfigsResource) -> Result<Vec<(Str, ConfigOperation)>, Refusal> {
    let configs = &resource.configs;
    refuse_repeated_keys(configs.iter().map(|config| &config.name))?;
    let nulls = configs.iter().filter(|config| config.value.is_none());
    let nulls: Vec<&str> = nulls.map(|config| config.name.as_str()).collect();
    refuse_nulls(&nulls)?;
    let set = configs.iter().filter_map(|config| {
        let value = config.value.as_ref()?.detached();
        Some((config.name.detached(), ConfigOperation::Set(value)))
    });
    Ok(set.collect())
}
