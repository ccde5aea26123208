//! The configuration of the cores, as the broker's keys and the groups' own say it.

use std::time::Duration;

use config::GroupMigration;
use groups::{ConsumerGroupConfig, GroupConfig, MigrationPolicy};
use metadata::Configs;
use records::Compression;

use super::topic::OFFSETS_TOPIC;
use crate::topics::View;

/// What groups are held to now.
pub(super) fn of(view: &View) -> GroupConfig {
    let values = &view.config.values;
    GroupConfig {
        session_timeout_min: millis(values.group_min_session_timeout_ms),
        session_timeout_max: millis(values.group_max_session_timeout_ms),
        initial_rebalance_delay: millis(values.group_initial_rebalance_delay_ms),
        classic_members_max: count(values.group_max_size),
        offset_metadata_len_max: count(values.offset_metadata_max_bytes),
        offsets_retention: Duration::from_secs(
            60 * u64::try_from(values.offsets_retention_minutes).unwrap_or(0),
        ),
        offsets_retention_check_interval: Duration::from_millis(
            u64::try_from(values.offsets_retention_check_interval_ms).unwrap_or(0),
        ),
        batch_len_max_bytes: batch_len_max(view),
        consumer: consumer(view),
        groups: view
            .image
            .group_configs()
            .iter()
            .map(|(group, own)| (group.clone(), own_of(view, own)))
            .collect(),
    }
}

/// The codec of the batches that coordinators write. Kafka ends at the start on a number that is none.
pub(super) fn codec(view: &View) -> Compression {
    let id = view.config.values.offsets_topic_compression_codec;
    let id = i16::try_from(id).ok();
    id.and_then(Compression::from_id)
        .unwrap_or(Compression::None)
}

/// `max.message.bytes` of the topic.
fn batch_len_max(view: &View) -> usize {
    let topic = view.image.topic_named(OFFSETS_TOPIC);
    let settings = topic.and_then(|topic| view.settings(topic.id));
    settings.map_or_else(
        || GroupConfig::default().batch_len_max_bytes,
        |settings| settings.rules.batch_size_max_bytes,
    )
}

fn consumer(view: &View) -> ConsumerGroupConfig {
    let values = &view.config.values;
    ConsumerGroupConfig {
        session_timeout: millis(values.group_consumer_session_timeout_ms),
        heartbeat_interval: millis(values.group_consumer_heartbeat_interval_ms),
        assignment_interval: millis(values.group_consumer_assignment_interval_ms),
        members_max: count(values.group_consumer_max_size),
        assignors: values
            .group_consumer_assignors
            .iter()
            .map(|name| name.as_str().into())
            .collect(),
        migration: match values.group_consumer_migration_policy {
            GroupMigration::Disabled => MigrationPolicy::Disabled,
            GroupMigration::Downgrade => MigrationPolicy::Downgrade,
            GroupMigration::Upgrade => MigrationPolicy::Upgrade,
            GroupMigration::Bidirectional => MigrationPolicy::Bidirectional,
        },
        regex_refresh_interval: millis(values.group_consumer_regex_refresh_interval_ms),
    }
}

/// What a group with values of its own is held to.
fn own_of(view: &View, own: &Configs) -> ConsumerGroupConfig {
    let own = own
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()));
    // The controller checked them; a limit of the broker that changed since may contradict them.
    let group = view.config.group(own).unwrap_or_else(|error| {
        tracing::warn!(%error, "a group's configuration is not valid; the defaults apply");
        view.config.group_defaults()
    });
    ConsumerGroupConfig {
        session_timeout: millis(group.consumer_session_timeout_ms),
        heartbeat_interval: millis(group.consumer_heartbeat_interval_ms),
        assignment_interval: millis(group.consumer_assignment_interval_ms),
        ..consumer(view)
    }
}

fn millis(value: i32) -> Duration {
    Duration::from_millis(u64::try_from(value).unwrap_or(0))
}

fn count(value: i32) -> usize {
    usize::try_from(value).unwrap_or(0)
}
