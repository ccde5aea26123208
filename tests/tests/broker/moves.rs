//! Partitions between shards: by request, refused, over a change of the number of shards, and under the eyes of a consumer
//! that waits in a fetch session.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use client::Acks;
use protocol::Records;
use protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use protocol::messages::elect_leaders_request::TopicPartitions;
use protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsTopics;
use protocol::messages::metadata_request::MetadataRequestTopic;
use protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol::messages::{
    AlterPartitionReassignmentsRequest, ApiVersionsRequest, ElectLeadersRequest, FetchRequest,
    ListPartitionReassignmentsRequest, MetadataRequest, ProduceRequest, ProduceResponse,
};
use records::Compression;
use tests::{
    Broker, Launch, Wire, batch_of, create_topic, error_of, read_values, temporary_directory,
    within,
};
use types::{ErrorCode, PartitionIndex, Uuid};

const TOPIC: &str = "moving";
const PARTITIONS: i32 = 6;
const TIME_MAX: Duration = Duration::from_secs(60);
const NODE: i32 = 0;
const SHARD_1: i32 = NODE + 100_000;
const FETCH_VERSION: i16 = 17;
const PRODUCE_VERSION: i16 = 13;

/// Partition, replicas and what is expected.
type Case<'a> = (i32, Option<&'a [i32]>, ErrorCode);

fn reassign(wire: &mut Wire, version: i16, cases: &[Case<'_>]) {
    let partition = |(index, replicas, _): &Case<'_>| ReassignablePartition {
        partition_index: *index,
        replicas: replicas.map(<[i32]>::to_vec),
    };
    let request = AlterPartitionReassignmentsRequest {
        timeout_ms: 30_000,
        allow_replication_factor_change: true,
        topics: vec![ReassignableTopic {
            name: TOPIC.into(),
            partitions: cases.iter().map(partition).collect(),
        }],
    };
    let response = wire.call(version, &request);
    assert_eq!(response.error_code, 0, "{response:?}");
    let answers: Vec<_> = response
        .responses
        .iter()
        .flat_map(|topic| &topic.partitions)
        .map(|answer| (answer.partition_index, error_of(answer.error_code)))
        .collect();
    let expected: Vec<_> = cases.iter().map(|(at, _, code)| (*at, *code)).collect();
    assert_eq!(answers, expected, "{response:?}");
}

/// A connection of a client that is shown a node for each shard.
fn aware(broker: &Broker) -> Wire {
    let mut wire = broker.wire();
    let introduction = ApiVersionsRequest {
        client_software_name: "logan".into(),
        client_software_version: "1".into(),
    };
    wire.call(3, &introduction);
    wire
}

/// Leader and epoch of each partition.
fn leaders(broker: &Broker) -> BTreeMap<i32, (i32, i32)> {
    let request = MetadataRequest {
        topics: Some(vec![MetadataRequestTopic {
            name: Some(TOPIC.into()),
            ..MetadataRequestTopic::default()
        }]),
        ..MetadataRequest::default()
    };
    let response = aware(broker).call(12, &request);
    let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
    partitions
        .map(|it| (it.partition_index, (it.leader_id, it.leader_epoch)))
        .collect()
}

fn leader_counts(broker: &Broker) -> BTreeMap<i32, usize> {
    let mut counts = BTreeMap::new();
    for (leader, _) in leaders(broker).into_values() {
        *counts.entry(leader).or_default() += 1;
    }
    counts
}

fn produce(broker: &Broker, partition: i32, value: &[u8]) {
    let batch = batch_of(Compression::None, &[value]);
    let mut client = broker.client();
    let produced = client.produce(TOPIC, PartitionIndex(partition), &batch, Acks::All);
    produced.expect("it is taken");
}

/// Asks each of the three APIs in a version, of a topic that is there and has at least two partitions.
pub(crate) fn ask_reassignments(mut wire: Wire, topic: &str, version: i16) {
    let partition = |partition_index, replicas| ReassignablePartition {
        partition_index,
        replicas,
    };
    let request = AlterPartitionReassignmentsRequest {
        timeout_ms: 1000,
        topics: vec![ReassignableTopic {
            name: topic.into(),
            partitions: vec![partition(0, Some(vec![77])), partition(1, None)],
        }],
        ..AlterPartitionReassignmentsRequest::default()
    };
    let response = wire.call(version, &request);
    let answers = &response.responses[0].partitions;
    let codes: Vec<_> = answers.iter().map(|it| error_of(it.error_code)).collect();
    let expected = [
        ErrorCode::InvalidReplicaAssignment,
        ErrorCode::NoReassignmentInProgress,
    ];
    assert_eq!(codes, expected, "v{version}: {response:?}");
}

pub(crate) fn ask_ongoing(mut wire: Wire, topic: &str, version: i16) {
    let named = ListPartitionReassignmentsTopics {
        name: topic.into(),
        partition_indexes: vec![0, 99],
    };
    for topics in [None, Some(vec![named])] {
        let request = ListPartitionReassignmentsRequest {
            timeout_ms: 1000,
            topics,
        };
        let response = wire.call(version, &request);
        assert_eq!((response.error_code, response.topics.len()), (0, 0));
    }
}

pub(crate) fn ask_elections(mut wire: Wire, topic: &str, version: i16) {
    let named = TopicPartitions {
        topic: topic.into(),
        partitions: vec![0, 99],
    };
    let request = ElectLeadersRequest {
        topic_partitions: Some(vec![named]),
        timeout_ms: 1000,
        ..ElectLeadersRequest::default()
    };
    let response = wire.call(version, &request);
    let answers = &response.replica_election_results[0].partition_result;
    let codes: Vec<_> = answers.iter().map(|it| error_of(it.error_code)).collect();
    let expected = [
        ErrorCode::ElectionNotNeeded,
        ErrorCode::UnknownTopicOrPartition,
    ];
    assert_eq!(codes, expected, "v{version}: {response:?}");
    let all = ElectLeadersRequest {
        topic_partitions: None,
        ..request
    };
    let response = wire.call(version, &all);
    assert_eq!(response.replica_election_results, [], "none needs one");
}

#[test]
fn a_reassignment_moves_a_partition_and_bad_ones_are_refused_by_name() {
    let directory = temporary_directory();
    let broker = Launch::in_directory(directory.path()).start();
    create_topic(&broker, TOPIC, 2, &[]);
    produce(&broker, 0, b"before");
    let before = leaders(&broker);
    assert_eq!((before[&0], before[&1]), ((NODE, 0), (SHARD_1, 0)));
    use ErrorCode as E;
    for version in [0, 1] {
        let cases: [Case<'_>; 6] = [
            (0, Some(&[NODE + 200_000]), E::InvalidReplicaAssignment),
            (0, Some(&[-3]), E::InvalidReplicaAssignment),
            (0, Some(&[NODE + 1]), E::InvalidReplicaAssignment),
            (0, Some(&[NODE, SHARD_1]), E::InvalidReplicaAssignment),
            (2, Some(&[NODE]), E::UnknownTopicOrPartition),
            (1, None, E::NoReassignmentInProgress),
        ];
        reassign(&mut aware(&broker), version, &cases);
    }
    assert_eq!(leaders(&broker), before, "nothing has moved");

    let both: [Case<'_>; 2] = [(0, Some(&[SHARD_1]), E::None), (1, Some(&[NODE]), E::None)];
    reassign(&mut aware(&broker), 1, &both);
    let swapped = leaders(&broker);
    assert_eq!((swapped[&0], swapped[&1]), ((SHARD_1, 1), (NODE, 1)));
    produce(&broker, 0, b"after");
    let values = read_values(&mut broker.client(), TOPIC, PartitionIndex(0));
    assert_eq!(values, [b"before".to_vec(), b"after".to_vec()]);

    // One that is named twice goes to where it is named last.
    let twice: [Case<'_>; 2] = [(0, Some(&[NODE]), E::None), (0, Some(&[SHARD_1]), E::None)];
    reassign(&mut aware(&broker), 1, &twice);
    assert_eq!(leaders(&broker), swapped);

    // Who sees one node means the machine by its id, and can name a shard all the same.
    reassign(&mut broker.wire(), 1, &[(0, Some(&[NODE]), E::None)]);
    assert_eq!(leaders(&broker), swapped);
    reassign(&mut broker.wire(), 1, &[(0, Some(&[-1]), E::None)]);
    assert_eq!(leaders(&broker)[&0], (NODE, 2));
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn topics_are_created_while_many_partitions_move() {
    const MANY: i32 = 800;
    let directory = temporary_directory();
    let broker = Launch::in_directory(directory.path()).start();
    create_topic(&broker, TOPIC, MANY, &[]);
    let is_on_shard_1 = || {
        let leaders = leaders(&broker);
        leaders
            .values()
            .filter(|(node, _)| *node == SHARD_1)
            .count()
    };
    let before = is_on_shard_1();
    let cases: Vec<Case<'_>> = (0..MANY)
        .map(|index| (index, Some(&[SHARD_1][..]), ErrorCode::None))
        .collect();
    thread::scope(|scope| {
        let moving = scope.spawn(|| reassign(&mut aware(&broker), 1, &cases));
        assert!(within(TIME_MAX, || is_on_shard_1() > before));
        create_topic(&broker, "meanwhile", 1, &[]);
        assert!(
            !moving.is_finished(),
            "the topic had to wait for all of them"
        );
        moving.join().expect("they move");
    });
    assert_eq!(is_on_shard_1(), usize::try_from(MANY).expect("positive"));
    assert_eq!(broker.stop().code(), 0);
}

/// The inode of the first segment of each partition.
fn segments(directory: &Path) -> Vec<u64> {
    let inode = |partition| {
        let segment = format!("{TOPIC}-{partition}/00000000000000000000.log");
        let metadata = directory.join(segment).metadata();
        metadata.expect("every partition has a segment").ino()
    };
    (0..PARTITIONS).map(inode).collect()
}

#[test]
fn a_changed_number_of_shards_spreads_the_partitions_anew() {
    let directory = temporary_directory();
    let mut files = None;
    for (start, shards) in ["2", "1", "2", "2"].into_iter().enumerate() {
        let launch = Launch::in_directory(directory.path()).with("shard.cores", shards);
        let broker = launch.start();
        if start == 0 {
            create_topic(&broker, TOPIC, PARTITIONS, &[]);
        }
        let counts = leader_counts(&broker);
        let expected = match shards {
            "1" => BTreeMap::from([(NODE, 6)]),
            _ => BTreeMap::from([(NODE, 3), (SHARD_1, 3)]),
        };
        assert_eq!(counts, expected, "start {start}");
        for partition in 0..PARTITIONS {
            produce(&broker, partition, format!("at {start}").as_bytes());
            let values = read_values(&mut broker.client(), TOPIC, PartitionIndex(partition));
            let expected: Vec<_> = (0..=start)
                .map(|at| format!("at {at}").into_bytes())
                .collect();
            assert_eq!(values, expected);
        }
        let found = segments(directory.path());
        assert_eq!(
            files.get_or_insert(found.clone()),
            &found,
            "nothing is copied"
        );
        // Once by SIGTERM and once by kill -9: both ways the next start finds everything.
        if start == 1 {
            drop(broker.kill());
        } else {
            assert_eq!(broker.stop().code(), 0);
        }
    }
}

#[test]
fn a_fetch_that_waits_in_a_session_is_told_the_new_leader() {
    let directory = temporary_directory();
    let broker = Launch::in_directory(directory.path()).start();
    create_topic(&broker, TOPIC, 2, &[]);
    let topic_id = broker.client().describe_topic(TOPIC).expect("there").id;
    let partition = FetchPartition {
        partition: 0,
        current_leader_epoch: 0,
        last_fetched_epoch: -1,
        log_start_offset: -1,
        partition_max_bytes: 1 << 20,
        ..FetchPartition::default()
    };
    let mut request = FetchRequest {
        replica_id: -1,
        session_epoch: 0,
        min_bytes: 1,
        max_bytes: 1 << 20,
        topics: vec![FetchTopic {
            topic_id,
            partitions: vec![partition],
            ..FetchTopic::default()
        }],
        ..FetchRequest::default()
    };
    let mut wire = aware(&broker);
    let begun = wire.call(FETCH_VERSION, &request);
    assert!(begun.session_id != 0, "{begun:?}");
    request.session_id = begun.session_id;
    request.session_epoch = 1;
    request.topics.clear();
    request.max_wait_ms = 60_000;
    let waiting = wire.send_request(FETCH_VERSION, &request);
    reassign(
        &mut aware(&broker),
        1,
        &[(0, Some(&[SHARD_1]), ErrorCode::None)],
    );
    let told = wire.receive::<FetchRequest>(FETCH_VERSION, waiting);
    let data = &told.responses[0].partitions[0];
    assert_eq!(error_of(data.error_code), ErrorCode::NotLeaderOrFollower);
    let leader = &data.current_leader;
    assert_eq!((leader.leader_id, leader.leader_epoch), (SHARD_1, 1));
    let endpoint = told.node_endpoints.iter().find(|it| it.node_id == SHARD_1);
    assert!(endpoint.is_some(), "{told:?}");
    assert_eq!(broker.stop().code(), 0);
}

fn batch(value: &[u8]) -> Bytes {
    batch_of(Compression::None, &[value])
}

/// A produce request of some batches, each for a partition.
fn batches(topic_id: Uuid, batches: &[(i32, &Bytes)]) -> ProduceRequest {
    let partition = |(index, batch): &(i32, &Bytes)| PartitionProduceData {
        index: *index,
        records: Some(Records::from_chunks(vec![Bytes::clone(batch)])),
    };
    ProduceRequest {
        acks: -1,
        timeout_ms: 30_000,
        topic_data: vec![TopicProduceData {
            topic_id,
            partition_data: batches.iter().map(partition).collect(),
            ..TopicProduceData::default()
        }],
        ..ProduceRequest::default()
    }
}

fn codes(response: &ProduceResponse) -> Vec<ErrorCode> {
    let answers = response.responses.iter();
    let answers = answers.flat_map(|it| &it.partition_responses);
    answers.map(|it| error_of(it.error_code)).collect()
}

const OK: ErrorCode = ErrorCode::None;
const ELSEWHERE: ErrorCode = ErrorCode::NotLeaderOrFollower;

/// Two shards with a partition each: which one is on shard 0, and which on shard 1.
fn one_each(broker: &Broker) -> (i32, i32) {
    let leaders = leaders(broker);
    let on = |node| leaders.iter().find(|(_, (leader, _))| *leader == node);
    let of = |node| *on(node).expect("each shard has one").0;
    (of(NODE), of(SHARD_1))
}

#[test]
fn a_connection_by_what_has_moved_lately_is_served_from_anywhere() {
    let directory = temporary_directory();
    let broker = Launch::in_directory(directory.path()).start();
    create_topic(&broker, TOPIC, 2, &[]);
    let topic_id = broker.client().describe_topic(TOPIC).expect("there").id;
    let (here, there) = one_each(&broker);
    reassign(
        &mut aware(&broker),
        1,
        &[(here, Some(&[SHARD_1]), OK), (there, Some(&[NODE]), OK)],
    );
    // The client believes that both are where they were, and has a connection for each.
    for stale in [here, there] {
        let mut wire = aware(&broker);
        for partition in [stale, 1 - stale, stale] {
            let response = wire.call(
                PRODUCE_VERSION,
                &batches(topic_id, &[(partition, &batch(b"x"))]),
            );
            assert_eq!(codes(&response), [OK], "{response:?}");
        }
    }
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn a_connection_that_is_asked_again_for_what_it_refused_goes_to_the_leader() {
    let directory = temporary_directory();
    let broker = Launch::in_directory(directory.path()).start();
    create_topic(&broker, TOPIC, 2, &[]);
    let topic_id = broker.client().describe_topic(TOPIC).expect("there").id;
    let (here, there) = one_each(&broker);
    let mut wire = aware(&broker);
    let [a, b, c, d, e] = [b"a", b"b", b"c", b"d", b"e"].map(|value| batch(value));
    let mut send = |wanted: &[(i32, &Bytes)]| {
        let response = wire.call(PRODUCE_VERSION, &batches(topic_id, wanted));
        (codes(&response), response)
    };
    // It is meant for shard 1 but begins with a partition of shard 0, as if that had just been moved.
    assert_eq!(send(&[(here, &a)]).0, [OK]);
    // Batches that were under way together are each refused once, and the leader is named.
    let (refused, response) = send(&[(there, &b)]);
    assert_eq!(refused, [ELSEWHERE]);
    let told = &response.responses[0].partition_responses[0].current_leader;
    assert_eq!(told.leader_id, SHARD_1);
    assert_eq!(send(&[(here, &c), (there, &d)]).0, [OK, ELSEWHERE]);
    // Coming again they show which shard is meant.
    assert_eq!(send(&[(there, &b)]).0, [OK]);
    assert_eq!(send(&[(there, &d)]).0, [OK]);
    assert_eq!(send(&[(here, &e)]).0, [ELSEWHERE]);
    let values = |index| read_values(&mut broker.client(), TOPIC, PartitionIndex(index));
    assert_eq!(values(here), [b"a", b"c"]);
    assert_eq!(values(there), [b"b", b"d"]);
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn a_consumer_on_the_wrong_shard_gets_to_the_right_one() {
    let directory = temporary_directory();
    let broker = Launch::in_directory(directory.path()).start();
    create_topic(&broker, TOPIC, 2, &[]);
    let topic_id = broker.client().describe_topic(TOPIC).expect("there").id;
    let (here, there) = one_each(&broker);
    produce(&broker, there, b"there");
    let mut wire = aware(&broker);
    let response = wire.call(PRODUCE_VERSION, &batches(topic_id, &[(here, &batch(b"x"))]));
    assert_eq!(codes(&response), [OK]);
    let request = FetchRequest {
        replica_id: -1,
        session_epoch: -1,
        min_bytes: 1,
        max_bytes: 1 << 20,
        topics: vec![FetchTopic {
            topic_id,
            partitions: vec![FetchPartition {
                partition: there,
                current_leader_epoch: -1,
                last_fetched_epoch: -1,
                log_start_offset: -1,
                partition_max_bytes: 1 << 20,
                ..FetchPartition::default()
            }],
            ..FetchTopic::default()
        }],
        ..FetchRequest::default()
    };
    let mut code = || {
        let response = wire.call(FETCH_VERSION, &request);
        error_of(response.responses[0].partitions[0].error_code)
    };
    let found: Vec<_> = (0..6).map(|_| code()).collect();
    assert_eq!(found, [ELSEWHERE, ELSEWHERE, ELSEWHERE, ELSEWHERE, OK, OK]);
    assert_eq!(broker.stop().code(), 0);
}
