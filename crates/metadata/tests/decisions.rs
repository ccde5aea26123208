//! What is decided about deletions, producer ids, features and brokers, and in which words. Codes and sentences were
//! taken from a running Kafka 4.3.1.

mod common;

use common::{after, created_image, id, machine_image, register};
use metadata::{
    DeletedTopic, FeatureUpdate, MetadataImage, MetadataRecord, SUPPORTED_FEATURES,
    SupportedFeature, TopicSelector, UpgradeType, decide_bootstrap, decide_delete_topics,
    decide_producer_ids, decide_register_broker, decide_update_features,
};
use types::{ErrorCode, NodeId, Offset, ProducerId, Uuid};

#[test]
fn topics_are_deleted_by_name_or_id() {
    let image = created_image(&["foo", "bar", "baz"]);
    let bar = image.topic_named("bar").expect("created").id;
    let selectors = [
        TopicSelector {
            name: Some("foo".into()),
            id: Uuid::ZERO,
        },
        TopicSelector {
            name: None,
            id: bar,
        },
    ];
    let decision = decide_delete_topics(&image, &selectors);
    let after = after(&image, &decision.records);
    assert_eq!(
        after
            .topics()
            .map(|topic| topic.name.to_string())
            .collect::<Vec<_>>(),
        ["baz"]
    );
    assert_eq!(
        decision.reply[1],
        DeletedTopic {
            name: Some("bar".into()),
            id: bar,
            verdict: Ok(())
        }
    );
    assert!(after.topic(bar).is_none());
}

#[test]
fn the_version_of_the_topics_moves_with_topics_alone() {
    let image = created_image(&["foo"]);
    let version = image.topics_version();
    let grown = after(&image, &register(7).records);
    assert!(grown.end_offset() > image.end_offset());
    assert_eq!(grown.topics_version(), version);
    let selector = TopicSelector {
        name: Some("foo".into()),
        id: Uuid::ZERO,
    };
    let deleted = after(&image, &decide_delete_topics(&image, &[selector]).records);
    assert!(deleted.topics_version() > version);
    assert!(created_image(&["foo", "bar"]).topics_version() > version);
}

#[test]
fn deletions_are_refused_as_kafka_refuses_them() {
    let image = created_image(&["foo", "bar"]);
    let foo = image.topic_named("foo").expect("created").id;
    let named = |name: &str| TopicSelector {
        name: Some(name.into()),
        id: Uuid::ZERO,
    };
    let with_id = |id| TopicSelector { name: None, id };
    for (selectors, code, message) in [
        (
            vec![named("nope")],
            ErrorCode::UnknownTopicOrPartition,
            "This server does not host this topic-partition.",
        ),
        (
            vec![named("__cluster_metadata")],
            ErrorCode::UnknownTopicOrPartition,
            "This server does not host this topic-partition.",
        ),
        (
            vec![with_id(id(77))],
            ErrorCode::UnknownTopicId,
            "This server does not host this topic ID.",
        ),
        (
            vec![with_id(Uuid::ZERO)],
            ErrorCode::InvalidRequest,
            "Neither topic name nor id were specified.",
        ),
        (
            vec![TopicSelector {
                id: foo,
                ..named("foo")
            }],
            ErrorCode::InvalidRequest,
            "You may not specify both topic name and topic id.",
        ),
        (
            vec![named("foo"), named("foo")],
            ErrorCode::InvalidRequest,
            "Duplicate topic name.",
        ),
        (
            vec![with_id(foo), with_id(foo)],
            ErrorCode::InvalidRequest,
            "Duplicate topic id.",
        ),
        (
            vec![with_id(foo), named("foo")],
            ErrorCode::InvalidRequest,
            "The provided topic name maps to an ID that was already supplied.",
        ),
    ] {
        let decision = decide_delete_topics(&image, &selectors);
        assert_eq!(decision.records, []);
        for deleted in decision.reply {
            let refusal = deleted.verdict.expect_err("impossible");
            assert_eq!((refusal.code, refusal.message.as_str()), (code, message));
        }
    }
}

#[test]
fn producer_ids_come_in_blocks_that_never_overlap() {
    let image = machine_image();
    let first = decide_producer_ids(&image, NodeId(1)).expect("ids are left");
    assert_eq!((first.reply.first, first.reply.len), (ProducerId(0), 1000));
    let image = after(&image, &first.records);
    assert_eq!(
        decide_producer_ids(&image, NodeId(1))
            .expect("ids are left")
            .reply
            .first,
        ProducerId(1000)
    );
    assert_eq!(
        decide_producer_ids(&image, NodeId(9))
            .expect_err("unknown")
            .code,
        ErrorCode::BrokerIdNotRegistered
    );
}

#[test]
fn producer_ids_end_with_an_error_not_an_overflow() {
    let image = machine_image();
    let mut records = decide_producer_ids(&image, NodeId(1))
        .expect("ids are left")
        .records;
    if let Some(MetadataRecord::ProducerIds(record)) = records.first_mut() {
        record.next_producer_id = i64::MAX - 999;
    }
    let refusal =
        decide_producer_ids(&after(&image, &records), NodeId(1)).expect_err("no ids are left");
    assert_eq!(refusal.code, ErrorCode::UnknownServerError);
}

const FEATURES: &[SupportedFeature] = &[
    SupportedFeature {
        name: "metadata.version",
        level_min: 7,
        level_max: 30,
    },
    SupportedFeature {
        name: "group.version",
        level_min: 0,
        level_max: 1,
    },
];

#[test]
fn features_change_as_kafka_changes_them() {
    let bootstrap = decide_bootstrap(&MetadataImage::new(), id(1), FEATURES).expect("an empty log");
    let image = after(&MetadataImage::new(), &bootstrap.records);
    let update = |name: &str, level, upgrade_type| {
        let update = FeatureUpdate {
            name: name.into(),
            level,
            upgrade_type,
        };
        decide_update_features(&image, &[update], FEATURES, NodeId(1))
    };
    for (name, level, upgrade_type, why) in [
        (
            "metadata.version",
            29,
            Some(UpgradeType::Upgrade),
            "Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe downgrade.",
        ),
        (
            "metadata.version",
            31,
            Some(UpgradeType::Upgrade),
            "Local controller 1 only supports versions 7-30",
        ),
        (
            "group.version",
            2,
            Some(UpgradeType::Upgrade),
            "Local controller 1 only supports versions 0-1",
        ),
        (
            "nosuch",
            1,
            Some(UpgradeType::Upgrade),
            "Local controller 1 does not support this feature.",
        ),
        (
            "group.version",
            -1,
            Some(UpgradeType::SafeDowngrade),
            "A feature version cannot be less than 0.",
        ),
        (
            "group.version",
            0,
            None,
            "The controller does not support the given upgrade type.",
        ),
    ] {
        let refusal = update(name, level, upgrade_type).expect_err("impossible");
        let expected = format!(
            "The update failed for all features since the following feature had an error: Invalid update version {level} for feature {name}. {why}"
        );
        assert_eq!(
            (refusal.code, refusal.message),
            (ErrorCode::InvalidUpdateVersion, expected)
        );
    }
    assert!(update("metadata.version", 30, Some(UpgradeType::Upgrade)).is_ok());
    let off = update("group.version", 0, Some(UpgradeType::SafeDowngrade)).expect("possible");
    assert_eq!(
        (
            image.feature("group.version"),
            after(&image, &off.records).feature("group.version")
        ),
        (1, 0)
    );
}

#[test]
fn a_log_belongs_to_one_cluster() {
    let bootstrap =
        decide_bootstrap(&MetadataImage::new(), id(1), SUPPORTED_FEATURES).expect("an empty log");
    let image = after(&MetadataImage::new(), &bootstrap.records);
    assert_eq!(
        (image.cluster_id(), image.feature("metadata.version")),
        (Some(id(1)), 30)
    );
    assert_eq!(
        decide_bootstrap(&image, id(1), SUPPORTED_FEATURES)
            .expect("the same")
            .records,
        []
    );
    let refusal = decide_bootstrap(&image, id(2), SUPPORTED_FEATURES).expect_err("another cluster");
    assert_eq!(refusal.code, ErrorCode::InconsistentClusterId);
}

#[test]
fn a_broker_is_registered_again_only_when_something_changed() {
    let image = machine_image();
    let known = image.broker(NodeId(1)).expect("registered");
    assert_eq!(known.broker_epoch, 0);
    let same = metadata::record::RegisterBrokerRecord {
        incarnation_id: id(55),
        ..(**known).clone()
    };
    assert_eq!(decide_register_broker(&image, same).records, []);
    let moved = metadata::record::RegisterBrokerRecord {
        rack: Some("r".into()),
        ..(**known).clone()
    };
    let after = after(&image, &decide_register_broker(&image, moved).records);
    assert_eq!(
        after
            .broker(NodeId(1))
            .map(|broker| Offset(broker.broker_epoch)),
        Some(image.end_offset())
    );
}

#[test]
fn topics_are_listed_in_the_order_of_their_names() {
    let image = created_image(&["b", "c", "a"]);
    let names = |topics: &mut dyn Iterator<Item = &std::sync::Arc<metadata::TopicImage>>| {
        topics
            .map(|topic| topic.name.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&mut image.topics()), ["a", "b", "c"]);
    assert_eq!(names(&mut image.topics_from("aa")), ["b", "c"]);
    assert_eq!(image.topic_count(), 3);
    assert!(image.topic_named("foo").is_none());
}
