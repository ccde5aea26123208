//! Offsets that nobody needs any more expire; those of topics that a member subscribes to do not, however idle it is.

use bytes::Bytes;
use protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerProtocolSubscription};
use protocol::wire::encode_versioned;
use protocol::{Encoder, Str};
use tests::{Broker, Launch, create_topic, temporary_directory};
use types::{ErrorCode, Uuid};

use super::forge::{self, Commit};
use super::{JOIN, commit, committed, coordinator, join_request, launch, sync, until};

const MINUTE_MS: i64 = 60_000;

/// A broker that looks for what has expired all the time. A minute is the shortest retention there is.
fn forgetful(directory: &std::path::Path) -> Launch {
    launch(directory)
        .with("offsets.topic.num.partitions", "1")
        .with("offsets.retention.minutes", "1")
        .with("offsets.retention.check.interval.ms", "50")
        // As long as the test may take on any machine.
        .with("group.consumer.max.session.timeout.ms", "1800000")
        .with("group.consumer.session.timeout.ms", "1800000")
}

fn id_of(broker: &Broker, topic: &str) -> Uuid {
    let described = broker.client().describe_topic(topic);
    described.expect("it is there").id
}

/// What a Java consumer says in JoinGroup: that it subscribes to these topics.
fn subscription(topics: &[&str]) -> Bytes {
    let subscription = ConsumerProtocolSubscription {
        topics: topics.iter().map(|topic| Str::from(*topic)).collect(),
        ..ConsumerProtocolSubscription::default()
    };
    let mut encoder = Encoder::with_capacity(64);
    encoder.i16(1);
    encode_versioned(&mut encoder, &subscription, 1).expect("short names");
    encoder.finish().to_bytes()
}

/// A member of a classic group that keeps still for half an hour.
fn idle_classic_member(broker: &Broker, group: &str, topic: &str) {
    let mut wire = coordinator(broker, group);
    let mut request = join_request(group, "", 1_800_000);
    request.protocols[0].metadata = subscription(&[topic]);
    request.member_id = wire.call(JOIN, &request).member_id;
    let joined = wire.call(JOIN, &request);
    assert_eq!(joined.error_code, 0, "{joined:?}");
    let synced = sync(&mut wire, group, &joined);
    assert_eq!(synced.error_code, 0, "{synced:?}");
}

/// A member of a consumer group that keeps still.
fn idle_consumer(broker: &Broker, group: &str, topic: &str) {
    let request = ConsumerGroupHeartbeatRequest {
        group_id: group.into(),
        member_id: "AAAAAAAAAAAAAAAAAAAAAA".into(),
        rebalance_timeout_ms: 60_000,
        subscribed_topic_names: Some(vec![topic.into()]),
        topic_partitions: Some(Vec::new()),
        ..ConsumerGroupHeartbeatRequest::default()
    };
    let response = coordinator(broker, group).call(1, &request);
    assert_eq!(response.error_code, 0, "{response:?}");
}

#[test]
fn offsets_expire_unless_somebody_subscribes_to_their_topic() {
    let directory = temporary_directory();
    let launch = forgetful(directory.path());
    let broker = launch.start();
    create_topic(&broker, "t", 1, &[]);
    create_topic(&broker, "u", 1, &[]);
    let (t, u) = (id_of(&broker, "t"), id_of(&broker, "u"));
    idle_classic_member(&broker, "classic", "t");
    idle_consumer(&broker, "consumer", "t");
    assert_eq!(broker.stop().code(), 0);
    let groups = ["gone", "classic", "consumer"];
    let old = |group, topic, topic_id| Commit {
        group,
        topic,
        topic_id,
        partition: 0,
        offset: 5,
        age_ms: 10 * MINUTE_MS,
    };
    let commits: Vec<_> = groups
        .into_iter()
        .flat_map(|group| [old(group, "t", t), old(group, "u", u)])
        .collect();
    forge::append(directory.path(), &commits);

    let broker = launch.start();
    let mut wire = coordinator(&broker, "gone");
    assert_eq!(commit(&mut wire, "young", "t", &[7]), [ErrorCode::None]);
    for group in groups {
        until("what nobody subscribes to expires", || {
            committed_by_hand(&mut wire, group, "u") == -1
        });
        let expected = if group == "gone" { -1 } else { 5 };
        assert_eq!(
            committed_by_hand(&mut wire, group, "t"),
            expected,
            "{group}"
        );
    }
    assert_eq!(committed(&mut wire, "young", "t", 1), [7]);
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn offsets_of_a_few_minutes_are_kept_for_a_week_unless_told_otherwise() {
    let directory = temporary_directory();
    let launch = launch(directory.path())
        .with("offsets.topic.num.partitions", "1")
        .with("offsets.retention.check.interval.ms", "50");
    let broker = launch.start();
    create_topic(&broker, "t", 1, &[]);
    let topic_id = id_of(&broker, "t");
    let mut wire = coordinator(&broker, "old");
    // So that the log has a segment.
    assert_eq!(commit(&mut wire, "new", "t", &[7]), [ErrorCode::None]);
    assert_eq!(broker.stop().code(), 0);
    let week_ms = 7 * 24 * 60 * MINUTE_MS;
    let old = |group, age_ms| Commit {
        group,
        topic: "t",
        topic_id,
        partition: 0,
        offset: 5,
        age_ms,
    };
    let commits = [
        old("young", 10 * MINUTE_MS),
        old("old", week_ms + MINUTE_MS),
    ];
    forge::append(directory.path(), &commits);
    let broker = launch.start();
    let mut wire = coordinator(&broker, "old");
    until("after a week they expire", || {
        committed(&mut wire, "old", "t", 1) == [-1]
    });
    assert_eq!(committed(&mut wire, "young", "t", 1), [5]);
    assert_eq!(committed(&mut wire, "new", "t", 1), [7]);
    assert_eq!(broker.stop().code(), 0);
}

/// The committed offset of partition 0, as who is not a member asks for it.
fn committed_by_hand(wire: &mut tests::Wire, group: &str, topic: &str) -> i64 {
    committed(wire, group, topic, 1)[0]
}
