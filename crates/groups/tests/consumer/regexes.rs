//! Subscriptions by regular expression.

use std::time::Duration;

use groups::GroupRecord;
use protocol::Str;
use protocol::messages::ConsumerGroupHeartbeatRequest;
use types::ErrorCode;

use super::world::{World, assigned, beat, join};

fn join_by(member_id: &str, regex: &str) -> ConsumerGroupHeartbeatRequest {
    let mut request = join(member_id, &[]);
    request.subscribed_topic_names = None;
    request.subscribed_topic_regex = Some(Str::from(regex));
    request
}

fn resolved(world: &World) -> Vec<(String, Option<Vec<String>>)> {
    let records = world.log.iter().filter_map(|record| match record {
        GroupRecord::ConsumerGroupRegularExpression { key, value } => Some((
            key.regular_expression.as_str().to_owned(),
            value.as_ref().map(|value| {
                let topics = value.topics.iter();
                topics.map(|topic| topic.as_str().to_owned()).collect()
            }),
        )),
        _ => None,
    });
    records.collect()
}

#[test]
fn an_expression_subscribes_to_what_it_matches() {
    let mut world = World::new();
    world.topic("orders-eu", 1);
    world.topic("orders-us", 1);
    world.topic("payments", 1);
    let response = world.heartbeat(join_by("a", "orders-.*"));
    assert_eq!(
        (response.member_epoch, assigned(&response)),
        (2, Some(vec![0, 0]))
    );
    assert_eq!(
        resolved(&world),
        [(
            "orders-.*".to_owned(),
            Some(vec!["orders-eu".to_owned(), "orders-us".to_owned()])
        )]
    );
    world.check_replay();
}

#[test]
fn new_topics_are_matched_at_the_next_refresh() {
    let mut world = World::new();
    world.topic("orders-eu", 1);
    world.heartbeat(join_by("a", "orders-.*"));
    world.topic("orders-us", 1);
    world.pass(Duration::from_secs(5));
    assert_eq!(
        world.heartbeat(beat("a", 2)).member_epoch,
        2,
        "not so often"
    );
    world.pass(Duration::from_secs(5));
    let response = world.heartbeat(beat("a", 2));
    assert_eq!(
        (response.member_epoch, assigned(&response)),
        (3, Some(vec![0, 0]))
    );
    // Nothing new, nothing written.
    let before = world.log.len();
    world.pass(Duration::from_secs(20));
    world.heartbeat(beat("a", 3));
    assert_eq!(world.log.len(), before);
}

#[test]
fn an_expression_that_nobody_uses_is_forgotten() {
    let mut world = World::new();
    world.topic("orders", 1);
    world.heartbeat(join_by("a", "ord.*"));
    world.heartbeat(join_by("b", "ord.*"));
    let mut by_name = beat("a", 2);
    by_name.subscribed_topic_regex = Some(Str::default());
    by_name.subscribed_topic_names = Some(vec![Str::from_static("orders")]);
    assert_eq!(world.error(by_name), ErrorCode::None);
    assert_eq!(resolved(&world).len(), 1, "the other uses it still");
    assert_eq!(world.error(beat("b", -1)), ErrorCode::None);
    assert_eq!(resolved(&world).last(), Some(&("ord.*".to_owned(), None)));
    world.check_replay();
}

#[test]
fn an_expression_that_does_not_compile_is_refused() {
    let mut world = World::new();
    world.topic("orders", 1);
    for regex in ["(", "a)|(b", "(a{900}){900}", "a++"] {
        assert_eq!(
            world.error(join_by("a", regex)),
            ErrorCode::InvalidRegularExpression,
            "{regex}"
        );
    }
    assert!(world.log.is_empty());
}

#[test]
fn names_and_expressions_add_up() {
    let mut world = World::new();
    world.topic("orders", 1);
    world.topic("payments", 2);
    let mut both = join_by("a", "pay.*");
    both.subscribed_topic_names = Some(vec![
        Str::from_static("orders"),
        Str::from_static("payments"),
    ]);
    assert_eq!(assigned(&world.heartbeat(both)), Some(vec![0, 0, 1]));
}
