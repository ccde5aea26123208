//! Which configuration values resources get, and in which words changes are refused. Codes and sentences were taken from a
//! running Kafka 4.3.1.

mod common;

use common::{after, created_image};
use metadata::{
    AlterConfigsReply, AlterConfigsRules, BrokerConfigs, CONFIG_BYTES_PER_REQUEST_MAX,
    ConfigChange, ConfigOperation, ConfigResource, Configs, Decision, MetadataImage,
    PARTITIONS_PER_REQUEST_MAX, Refusal, decide_alter_configs,
};
use protocol::Str;
use types::ErrorCode;

fn topic(name: &str) -> ConfigResource {
    ConfigResource::Topic(name.into())
}

fn broker(name: &str) -> ConfigResource {
    ConfigResource::Broker(name.into())
}

fn set(value: &str) -> ConfigOperation {
    ConfigOperation::Set(value.into())
}

fn change(resource: ConfigResource, operations: &[(&str, ConfigOperation)]) -> ConfigChange {
    let operations = operations.iter();
    ConfigChange {
        resource,
        operations: operations
            .map(|(key, operation)| ((*key).into(), operation.clone()))
            .collect(),
        replaces: false,
    }
}

/// `list` is a list with the default `a`; `bad` is refused.
fn decide(image: &MetadataImage, changes: &[ConfigChange]) -> Decision<AlterConfigsReply> {
    let bad = |configs: &Configs| {
        if configs.contains_key("bad") {
            return Err(Refusal::new(ErrorCode::InvalidConfig, "bad is bad"));
        }
        Ok(())
    };
    let one_at_most = |name: &str, brokers: &BrokerConfigs| {
        let configs = brokers.get(name).expect("what is checked is there");
        let others = brokers.iter().filter(|(other, _)| other.as_str() != name);
        if others
            .flat_map(|(_, configs)| configs.keys())
            .any(|key| configs.contains_key(key))
        {
            return Err(Refusal::new(ErrorCode::InvalidRequest, "another has it"));
        }
        bad(configs)
    };
    let rules = AlterConfigsRules {
        check_group: &|_| Ok(()),
        list_default: &|_, key| (key == "list").then_some("a"),
        check_topic: &bad,
        check_broker: &one_at_most,
    };
    decide_alter_configs(image, changes, &rules).expect("a request of possible size")
}

fn refusal(image: &MetadataImage, change: ConfigChange) -> (ErrorCode, String) {
    let mut decision = decide(image, &[change]);
    assert_eq!(decision.records, []);
    let refusal = decision.reply.remove(0).expect_err("impossible");
    (refusal.code, refusal.message)
}

fn configs_of(image: &MetadataImage, name: &str) -> Vec<(String, String)> {
    let topic = image.topic_named(name).expect("it is there");
    let text = |text: &Str| text.to_string();
    topic
        .configs
        .iter()
        .map(|(key, value)| (text(key), text(value)))
        .collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let pairs = pairs.iter();
    pairs
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn operations_work_one_after_the_other() {
    let mut image = created_image(&["foo"]);
    let append = |value: &str| ConfigOperation::Append(value.into());
    let subtract = |value: &str| ConfigOperation::Subtract(value.into());
    for (key, operation, expected) in [
        ("x", set("1"), &[("x", "1")][..]),
        ("x", set("2"), &[("x", "2")]),
        ("y", ConfigOperation::Delete, &[("x", "2")]),
        ("list", append("b,c"), &[("list", "a,b,c"), ("x", "2")]),
        ("list", append("b,d"), &[("list", "a,b,c,d"), ("x", "2")]),
        ("list", subtract("a,c,z"), &[("list", "b,d"), ("x", "2")]),
        ("list", subtract("b,d"), &[("list", ""), ("x", "2")]),
        ("list", append("e"), &[("list", "e"), ("x", "2")]),
        ("x", ConfigOperation::Delete, &[("list", "e")]),
    ] {
        let decision = decide(&image, &[change(topic("foo"), &[(key, operation.clone())])]);
        assert_eq!(decision.reply, [Ok(())], "{operation:?}");
        image = after(&image, &decision.records);
        assert_eq!(configs_of(&image, "foo"), pairs(expected), "{operation:?}");
    }
}

#[test]
fn a_replacement_takes_away_what_it_does_not_name() {
    let image = created_image(&["foo"]);
    let first = decide(
        &image,
        &[change(topic("foo"), &[("x", set("1")), ("y", set("2"))])],
    );
    let image = after(&image, &first.records);
    let mut replacement = change(topic("foo"), &[("y", set("3"))]);
    replacement.replaces = true;
    let image = after(&image, &decide(&image, &[replacement]).records);
    assert_eq!(configs_of(&image, "foo"), pairs(&[("y", "3")]));
}

#[test]
fn what_changes_nothing_is_not_written() {
    let image = created_image(&["foo"]);
    let same = change(topic("foo"), &[("x", set("1"))]);
    let image = after(&image, &decide(&image, std::slice::from_ref(&same)).records);
    assert_eq!(decide(&image, &[same]).records, []);
}

#[test]
fn changes_are_refused_as_kafka_refuses_them() {
    let image = created_image(&["foo"]);
    let append = ConfigOperation::Append("b".into());
    let subtract = ConfigOperation::Subtract("b".into());
    for (change, code, message) in [
        (
            change(topic("nope"), &[("x", set("1"))]),
            ErrorCode::UnknownTopicOrPartition,
            "The topic 'nope' does not exist.",
        ),
        (
            change(topic("foo"), &[("x", append.clone())]),
            ErrorCode::InvalidConfig,
            "Can't APPEND to key x because its type is not LIST.",
        ),
        (
            change(topic("foo"), &[("x", subtract)]),
            ErrorCode::InvalidConfig,
            "Can't SUBTRACT to key x because its type is not LIST.",
        ),
        (
            change(broker("1"), &[("x", append)]),
            ErrorCode::InvalidConfig,
            "Config value append is not allowed for config key: x",
        ),
        (
            change(topic("foo"), &[("y", set("1")), ("bad", set("1"))]),
            ErrorCode::InvalidConfig,
            "bad is bad",
        ),
        (
            change(
                topic("foo"),
                &[("y", set("1")), ("y", ConfigOperation::Delete)],
            ),
            ErrorCode::InvalidRequest,
            "Error due to duplicate config keys",
        ),
    ] {
        assert_eq!(refusal(&image, change), (code, message.to_owned()));
    }
}

#[test]
fn a_resource_that_is_named_twice_is_refused_each_time_and_the_others_change() {
    let image = created_image(&["foo", "bar"]);
    let of = |name: &str, key: &str| change(topic(name), &[(key, set("1"))]);
    let decision = decide(&image, &[of("foo", "x"), of("bar", "x"), of("foo", "y")]);
    let codes: Vec<_> = decision
        .reply
        .iter()
        .map(|verdict| verdict.as_ref().err().map(|refusal| refusal.code))
        .collect();
    let twice = Some(ErrorCode::InvalidRequest);
    assert_eq!(codes, [twice, None, twice]);
    let after = after(&image, &decision.records);
    assert_eq!(configs_of(&after, "foo"), []);
    assert_eq!(configs_of(&after, "bar"), pairs(&[("x", "1")]));
}

#[test]
fn brokers_are_judged_together_with_what_the_request_gave_others_before() {
    let image = created_image(&[]);
    let of = |name: &str, key: &str| change(broker(name), &[(key, set("1"))]);
    let decision = decide(&image, &[of("", "x"), of("1", "x"), of("2", "y")]);
    assert_eq!(decision.reply[0], Ok(()));
    let refusal = decision.reply[1]
        .as_ref()
        .expect_err("the shared one has it");
    assert_eq!(refusal.message, "another has it");
    let after = after(&image, &decision.records);
    let names: Vec<&str> = after.broker_configs().keys().map(|name| &**name).collect();
    assert_eq!(names, ["", "2"]);
}

#[test]
fn a_brokers_last_value_takes_its_entry_along() {
    let image = created_image(&[]);
    let of = |operation| change(broker("1"), &[("x", operation)]);
    let image = after(&image, &decide(&image, &[of(set("1"))]).records);
    let image = after(
        &image,
        &decide(&image, &[of(ConfigOperation::Delete)]).records,
    );
    assert!(image.broker_configs().is_empty());
}

#[test]
fn strings_that_no_record_can_hold_are_refused() {
    let image = created_image(&["foo"]);
    let long = "x".repeat(40_000);
    for (key, value) in [(long.as_str(), "1"), ("x", long.as_str())] {
        let change = change(topic("foo"), &[(key, set(value))]);
        assert_eq!(refusal(&image, change).0, ErrorCode::InvalidConfig);
    }
}

#[test]
fn lists_keep_their_order_and_lose_one_item_for_each_that_is_taken() {
    let mut image = created_image(&["foo"]);
    for (operation, expected) in [
        (ConfigOperation::Set("b,a,b,c,a".into()), "b,a,b,c,a"),
        (ConfigOperation::Subtract("a,b".into()), "b,c,a"),
        (ConfigOperation::Append("d,a,d,e".into()), "b,c,a,d,e"),
        (ConfigOperation::Subtract("e,e,x".into()), "b,c,a,d"),
    ] {
        let decision = decide(&image, &[change(topic("foo"), &[("list", operation)])]);
        image = after(&image, &decision.records);
        assert_eq!(configs_of(&image, "foo"), pairs(&[("list", expected)]));
    }
}

#[test]
fn requests_beyond_their_bounds_are_refused_before_any_work() {
    let image = created_image(&["foo"]);
    let rules = AlterConfigsRules {
        check_group: &|_| Ok(()),
        list_default: &|_, _| Some(""),
        check_topic: &|_| Ok(()),
        check_broker: &|_, _| Ok(()),
    };
    let code = |changes: &[ConfigChange]| {
        let decided = decide_alter_configs(&image, changes, &rules);
        decided.map(drop).map_err(|refusal| refusal.code)
    };
    let value = "x".repeat(1 << 15);
    let changes = |count: usize, value: &str| -> Vec<ConfigChange> {
        let names = (0..count).map(|number| format!("topic{number}"));
        names
            .map(|name| change(topic(&name), &[("key", set(value))]))
            .collect()
    };
    let fitting = CONFIG_BYTES_PER_REQUEST_MAX / (value.len() + "key".len());
    assert_eq!(code(&changes(fitting, &value)), Ok(()));
    let refused = Err(ErrorCode::PolicyViolation);
    assert_eq!(code(&changes(fitting + 1, &value)), refused);
    assert_eq!(code(&changes(PARTITIONS_PER_REQUEST_MAX, "")), Ok(()));
    assert_eq!(code(&changes(PARTITIONS_PER_REQUEST_MAX + 1, "")), refused);
}
