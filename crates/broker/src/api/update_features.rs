//! UpdateFeatures (key 57, versions 0 to 2).
//!
//! Source: KIP-584; `FeatureControlManager.updateFeatures` of Kafka 4.3.1.

use std::rc::Rc;

use io::Io;
use metadata::{FeatureUpdate, UpgradeType};
use protocol::messages::update_features_response::UpdatableFeatureResult;
use protocol::messages::{UpdateFeaturesRequest, UpdateFeaturesResponse};

use super::{Call, Finished, Outcome};
use crate::controller::{Command, CommandResult};

/// The first version that says what kind of change is permitted, and from this one on
const UPGRADE_TYPE_SINCE: i16 = 1;

/// the last version that reports on each feature.
const RESULTS_UNTIL: i16 = 1;

pub(super) async fn handle<I: Io>(
    call: Call<I>,
    request: UpdateFeaturesRequest,
) -> Outcome<UpdateFeaturesResponse> {
    let (shard, version) = (Rc::clone(&call.shard), call.version);
    let updates: Vec<_> = request
        .feature_updates
        .iter()
        .map(|update| FeatureUpdate {
            name: update.feature.detached(),
            level: update.max_version_level,
            upgrade_type: if version >= UPGRADE_TYPE_SINCE {
                UpgradeType::from_code(update.upgrade_type)
            } else if update.allow_downgrade {
                Some(UpgradeType::SafeDowngrade)
            } else {
                Some(UpgradeType::Upgrade)
            },
        })
        .collect();
    let validate_only = request.validate_only;
    Outcome::Later(Box::pin(async move {
        let names: Vec<_> = updates.iter().map(|update| update.name.clone()).collect();
        let result = shard
            .decide(Command::UpdateFeatures {
                updates,
                validate_only,
            })
            .await;
        let mut response = UpdateFeaturesResponse::default();
        if let CommandResult::Refused(refusal) = result {
            response.error_code = refusal.code.code();
            response.error_message = Some(refusal.message.into());
        } else if version <= RESULTS_UNTIL {
            let succeeded = |feature| UpdatableFeatureResult {
                feature,
                ..UpdatableFeatureResult::default()
            };
            response.results = names.into_iter().map(succeeded).collect();
        }
        Finished::Answer(response)
    }))
}
