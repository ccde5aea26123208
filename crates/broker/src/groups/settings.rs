//! The configuration of the cores, as the broker's keys and the groups' own say it.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use config::GroupMigration;
use groups::{ConsumerGroupConfig, GroupConfig, MigrationPolicy};
use metadata::Configs;
use records::Compression;

use super::topic::OFFSETS_TOPIC;
use crate::topics::View;

/// What groups are held to now.
pub(super) fn of(view: &View) -> GroupConfig {
    let own = view.image.group_configs().iter();
    GroupConfig {
        groups: own
            .map(|(group, own)| (group.clone(), Rc::new(own_of(view, own))))
            .collect(),
        ..of_all(view)
    }
}

/// What groups are held to with another view, if that is anything else. Values of groups are looked at as far as they differ.
pub(super) fn after(known: &GroupConfig, before: &View, view: &View) -> Option<Rc<GroupConfig>> {
    if !Rc::ptr_eq(&before.config, &view.config) {
        return Some(Rc::new(of(view)));
    }
    let all = of_all(view);
    let (old, new) = (before.image.group_configs(), view.image.group_configs());
    if all.batch_len_max_bytes == known.batch_len_max_bytes && old == new {
        return None;
    }
    let mut groups = known.groups.clone();
    groups.retain(|group, _| new.contains_key(group));
    for (group, own) in new {
        if old.get(group) != Some(own) {
            groups.insert(group.clone(), Rc::new(own_of(view, own)));
        }
    }
    Some(Rc::new(GroupConfig { groups, ..all }))
}

/// The same without what groups have of their own.
fn of_all(view: &View) -> GroupConfig {
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
        memory_max_bytes: usize::try_from(values.logan_group_memory_bytes).unwrap_or(usize::MAX),
        consumer: consumer(view),
        groups: BTreeMap::new(),
    }
}

/// The codec of the batches that coordinators write. Kafka ends at the start on a number that is none.
pub(super) fn codec(view: &View) -> Compression {
    let id = view.config.values.offsets_topic_compression_codec;
    let id = i16::try_from(id).ok();
    id.and_then(Compression::from_id)
        .unwrap_or(Compression::None)
}

/// The longest batch that the topic takes: `max.message.bytes`, or what a segment holds.
pub(super) fn batch_len_max(view: &View) -> usize {
    let topic = view.image.topic_named(OFFSETS_TOPIC);
    let settings = topic.and_then(|topic| view.settings(topic.id));
    settings.map_or_else(
        || GroupConfig::default().batch_len_max_bytes,
        |settings| {
            let segment = usize::try_from(settings.log.segment_bytes).unwrap_or(usize::MAX);
            settings.rules.batch_size_max_bytes.min(segment)
        },
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

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::sync::Arc;
    use std::time::Duration;

    use config::{BrokerConfig, Sources};
    use groups::{GroupConfig, MigrationPolicy};
    use metadata::record::{ConfigRecord, RESOURCE_GROUP};
    use metadata::{MetadataImage, MetadataRecord};
    use records::Compression;

    use super::{after, codec, of};
    use crate::topics::View;

    fn view(settings: &[(&str, &str)]) -> View {
        let mut sources = Sources::empty();
        for (key, value) in settings {
            sources
                .add_override(&format!("{key}={value}"))
                .expect("a key and a value");
        }
        let config = BrokerConfig::from_sources(&sources).expect("they are possible");
        View::new(Arc::new(MetadataImage::new()), None, &Arc::new(config))
    }

    #[test]
    fn a_broker_without_settings_has_kafkas_values() {
        assert_eq!(of(&view(&[])), GroupConfig::default());
        assert_eq!(codec(&view(&[])), Compression::None);
    }

    #[test]
    fn a_change_of_one_group_looks_at_no_other() {
        let with = |before: &View, group: &'static str, value: &'static str| {
            let mut image = MetadataImage::clone(&before.image);
            let record = MetadataRecord::Config(ConfigRecord {
                resource_type: RESOURCE_GROUP,
                resource_name: group.into(),
                name: "consumer.session.timeout.ms".into(),
                value: Some(value.into()),
            });
            image.apply(&record).expect("it is possible");
            View::new(Arc::new(image), Some(before), &before.written)
        };
        let none = view(&[]);
        assert_eq!(after(&of(&none), &none, &none), None);
        let first = with(&none, "first", "46000");
        let before = after(&of(&none), &none, &first).expect("a group has changed");
        assert_eq!(*before, of(&first));
        let both = with(&first, "second", "47000");
        let now = after(&before, &first, &both).expect("a group has changed");
        assert_eq!(*now, of(&both));
        assert!(Rc::ptr_eq(&now.groups["first"], &before.groups["first"]));
    }

    #[test]
    fn every_key_reaches_the_core() {
        let seconds = Duration::from_secs;
        let expect = |settings: &[(&str, &str)], change: &dyn Fn(&mut GroupConfig)| {
            let mut expected = GroupConfig::default();
            change(&mut expected);
            assert_eq!(of(&view(settings)), expected, "{settings:?}");
        };
        expect(&[("group.min.session.timeout.ms", "7000")], &|it| {
            it.session_timeout_min = seconds(7);
        });
        expect(&[("group.max.session.timeout.ms", "90000")], &|it| {
            it.session_timeout_max = seconds(90);
        });
        expect(&[("group.initial.rebalance.delay.ms", "1000")], &|it| {
            it.initial_rebalance_delay = seconds(1);
        });
        expect(&[("group.max.size", "9")], &|it| it.classic_members_max = 9);
        expect(&[("offset.metadata.max.bytes", "9")], &|it| {
            it.offset_metadata_len_max = 9;
        });
        expect(&[("logan.group.memory.bytes", "99999999")], &|it| {
            it.memory_max_bytes = 99_999_999;
        });
        expect(&[("offsets.retention.minutes", "9")], &|it| {
            it.offsets_retention = seconds(9 * 60);
        });
        expect(&[("offsets.retention.check.interval.ms", "9000")], &|it| {
            it.offsets_retention_check_interval = seconds(9);
        });
        expect(&[("group.consumer.session.timeout.ms", "50000")], &|it| {
            it.consumer.session_timeout = seconds(50);
        });
        expect(&[("group.consumer.heartbeat.interval.ms", "9000")], &|it| {
            it.consumer.heartbeat_interval = seconds(9);
        });
        expect(
            &[("group.consumer.assignment.interval.ms", "9000")],
            &|it| {
                it.consumer.assignment_interval = seconds(9);
            },
        );
        expect(&[("group.consumer.max.size", "9")], &|it| {
            it.consumer.members_max = 9
        });
        expect(&[("group.consumer.assignors", "range")], &|it| {
            it.consumer.assignors = vec!["range".into()];
        });
        expect(&[("group.consumer.migration.policy", "upgrade")], &|it| {
            it.consumer.migration = MigrationPolicy::Upgrade;
        });
        expect(
            &[("group.consumer.regex.refresh.interval.ms", "10000")],
            &|it| {
                it.consumer.regex_refresh_interval = seconds(10);
            },
        );
        let gzip = view(&[("offsets.topic.compression.codec", "1")]);
        assert_eq!(codec(&gzip), Compression::Gzip);
    }
}
