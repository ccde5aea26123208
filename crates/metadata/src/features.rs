//! Features: what this version can do, and deciding which levels are in force.
//!
//! Source: `org.apache.kafka.controller.FeatureControlManager`; the sentences are Kafka 4.3.1's.

use protocol::Str;
use types::{ErrorCode, NodeId};

use crate::Decision;
use crate::error::Refusal;
use crate::image::MetadataImage;
use crate::record::{FeatureLevelRecord, MetadataRecord};

/// The feature whose level says how metadata records look.
pub const METADATA_VERSION: &str = "metadata.version";

/// Kafka's 4.3-IV0: the records that this version writes.
pub const METADATA_VERSION_LEVEL: i16 = 30;

/// The feature whose level 1 permits the consumer protocol (KIP-848).
pub const GROUP_VERSION: &str = "group.version";

/// Kafka's GV_1.
const GROUP_VERSION_LEVEL: i16 = 1;

/// A feature with the levels that this version can work at. Level 0, where it is included, is "switched off".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SupportedFeature {
    /// The feature.
    pub name: &'static str,
    /// The lowest level.
    pub level_min: i16,
    /// The highest level.
    pub level_max: i16,
}

/// What this version of Logan supports. A feature is added with the code that implements it: clients switch to
/// transactions v2, the consumer protocol and share groups when they see the level.
pub const SUPPORTED_FEATURES: &[SupportedFeature] = &[
    SupportedFeature {
        name: METADATA_VERSION,
        level_min: METADATA_VERSION_LEVEL,
        level_max: METADATA_VERSION_LEVEL,
    },
    SupportedFeature {
        name: GROUP_VERSION,
        level_min: 0,
        level_max: GROUP_VERSION_LEVEL,
    },
];

/// What may happen to a feature's level.
///
/// Source: KIP-584 and `UpdateFeaturesRequest.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpgradeType {
    /// It may rise.
    Upgrade,
    /// It may fall if nothing is lost.
    SafeDowngrade,
    /// It may fall.
    UnsafeDowngrade,
}

impl UpgradeType {
    /// The type of this number in a request, or `None` if there is no such type.
    #[must_use]
    pub const fn from_code(code: i8) -> Option<Self> {
        match code {
            1 => Some(Self::Upgrade),
            2 => Some(Self::SafeDowngrade),
            3 => Some(Self::UnsafeDowngrade),
            _ => None,
        }
    }
}

/// A change that somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureUpdate {
    /// The feature.
    pub name: Str,
    /// Its new level; 0 switches it off.
    pub level: i16,
    /// What the client permits; `None` if its number is unknown.
    pub upgrade_type: Option<UpgradeType>,
}

/// Decides on a request: all changes or none. For a request that only wants to validate, the caller drops the
/// records.
///
/// # Errors
///
/// `INVALID_UPDATE_VERSION` with the first change that is impossible.
pub fn decide_update_features(
    image: &MetadataImage,
    updates: &[FeatureUpdate],
    supported: &[SupportedFeature],
    node: NodeId,
) -> Result<Decision<()>, Refusal> {
    let mut records = Vec::new();
    for update in updates {
        check(image, update, supported, node).map_err(|problem| {
            let message = format!("The update failed for all features since the following feature had an error: {problem}");
            Refusal::new(ErrorCode::InvalidUpdateVersion, message)
        })?;
        records.push(MetadataRecord::FeatureLevel(FeatureLevelRecord {
            name: update.name.clone(),
            feature_level: update.level,
        }));
    }
    Ok(Decision { records, reply: () })
}

fn check(
    image: &MetadataImage,
    update: &FeatureUpdate,
    supported: &[SupportedFeature],
    node: NodeId,
) -> Result<(), String> {
    let (name, level) = (&*update.name, update.level);
    let invalid = |why: String| {
        Err(format!(
            "Invalid update version {level} for feature {name}. {why}"
        ))
    };
    let Some(upgrade_type) = update.upgrade_type else {
        return invalid("The controller does not support the given upgrade type.".to_owned());
    };
    if level < 0 {
        return invalid("A feature version cannot be less than 0.".to_owned());
    }
    let Some(feature) = supported.iter().find(|feature| feature.name == name) else {
        return invalid(format!(
            "Local controller {node} does not support this feature."
        ));
    };
    if !(feature.level_min..=feature.level_max).contains(&level) {
        let (min, max) = (feature.level_min, feature.level_max);
        return invalid(format!(
            "Local controller {node} only supports versions {min}-{max}"
        ));
    }
    let current = image.feature(name);
    if level < current && upgrade_type == UpgradeType::Upgrade {
        let why = "Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe downgrade.";
        return invalid(why.to_owned());
    }
    if level > current && upgrade_type != UpgradeType::Upgrade {
        return invalid("Can't downgrade to a newer version.".to_owned());
    }
    Ok(())
}
