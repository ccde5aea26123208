//! Every version that ApiVersions offers is answered, with what succeeds and with what is refused: a response that
//! sets a field which its version cannot carry would show as a closed connection.

use std::collections::BTreeMap;

use crate::alterations;
use bytes::Bytes;
use protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use protocol::messages::delete_topics_request::DeleteTopicState;
use protocol::messages::describe_configs_request::DescribeConfigsResource;
use protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use protocol::messages::describe_topic_partitions_request::TopicRequest;
use protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::metadata_request::MetadataRequestTopic;
use protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol::messages::update_features_request::FeatureUpdateKey;
use protocol::messages::{
    ApiVersionsRequest, CreateTopicsRequest, DeleteTopicsRequest, DescribeClusterRequest,
    DescribeConfigsRequest, DescribeQuorumRequest, DescribeTopicPartitionsRequest, FetchRequest,
    InitProducerIdRequest, ListOffsetsRequest, MetadataRequest, OffsetForLeaderEpochRequest,
    ProduceRequest, UpdateFeaturesRequest,
};
use protocol::{ApiKey, Records};
use records::Compression;
use tests::{Broker, Launch, Wire, batch_of, create_topic, error_of, temporary_directory};
use types::{ErrorCode, Uuid};

use crate::{groups, log_dirs, moves, retention};

/// The topic that is there; its partitions lie on both shards.
const TOPIC: &str = "known";
const PARTITIONS: i32 = 4;

/// The first versions that name topics by their ids alone.
const PRODUCE_BY_ID: i16 = 13;
const FETCH_BY_ID: i16 = 13;

#[test]
fn every_advertised_version_is_answered_by_one_node() {
    answer_every_version("single");
}

#[test]
fn every_advertised_version_is_answered_by_shards_as_nodes() {
    answer_every_version("per-shard");
}

fn answer_every_version(advertise: &str) {
    let directory = temporary_directory();
    let launch = Launch::in_directory(directory.path()).with("shard.advertise", advertise);
    let broker = launch.start();
    create_topic(&broker, TOPIC, PARTITIONS, &[]);
    let asker = Asker::new(&broker);
    let offered = offers(&broker);
    assert!(offered.len() >= 14, "{offered:?}");
    for (key, (first, last)) in offered {
        let key = ApiKey::from_code(key).expect("what is offered is known");
        let first = if key == ApiKey::Produce { 3 } else { first };
        for version in first..=last {
            asker.ask(key, version);
        }
    }
    assert_eq!(broker.stop().code(), 0);
}

/// Key, first and last version.
fn offers(broker: &Broker) -> BTreeMap<i16, (i16, i16)> {
    let response = broker.wire().call(4, &api_versions());
    let offers = response.api_keys.iter();
    offers
        .map(|offer| (offer.api_key, (offer.min_version, offer.max_version)))
        .collect()
}

fn api_versions() -> ApiVersionsRequest {
    ApiVersionsRequest {
        client_software_name: "test".into(),
        client_software_version: "1".into(),
    }
}

/// Asks each API for what is there and for what is not.
struct Asker<'a> {
    broker: &'a Broker,
    topic_id: Uuid,
}

impl<'a> Asker<'a> {
    fn new(broker: &'a Broker) -> Self {
        let topic = broker
            .client()
            .describe_topic(TOPIC)
            .expect("it was created");
        Self {
            broker,
            topic_id: topic.id,
        }
    }

    fn wire(&self) -> Wire {
        self.broker.wire()
    }

    fn ask(&self, key: ApiKey, version: i16) {
        match key {
            ApiKey::Produce => self.produce(version),
            ApiKey::Fetch => self.fetch(version),
            ApiKey::ListOffsets => self.list_offsets(version),
            ApiKey::Metadata => self.metadata(version),
            ApiKey::ApiVersions => self.api_versions(version),
            ApiKey::CreateTopics | ApiKey::DeleteTopics => self.create_and_delete(version),
            ApiKey::DeleteRecords => retention::ask(self.wire(), TOPIC, version),
            ApiKey::InitProducerId => self.init_producer_id(version),
            ApiKey::OffsetForLeaderEpoch => self.offset_for_leader_epoch(version),
            ApiKey::DescribeConfigs => self.describe_configs(version),
            ApiKey::AlterConfigs => alterations::alter_configs(self.broker, TOPIC, version),
            ApiKey::IncrementalAlterConfigs => {
                alterations::incremental_alter_configs(self.broker, TOPIC, version)
            }
            ApiKey::ListConfigResources => {
                alterations::list_config_resources(self.broker, TOPIC, version)
            }
            ApiKey::CreatePartitions => alterations::create_partitions(self.broker, version),
            ApiKey::AlterReplicaLogDirs => log_dirs::ask_to_move(self.wire(), TOPIC, version),
            ApiKey::DescribeLogDirs => log_dirs::ask_directories(self.wire(), TOPIC, version),
            ApiKey::DescribeClientQuotas => log_dirs::ask_quotas(self.wire(), version),
            ApiKey::DescribeProducers => log_dirs::ask_producers(self.wire(), TOPIC, version),
            ApiKey::AlterPartitionReassignments => {
                moves::ask_reassignments(self.wire(), TOPIC, version);
            }
            ApiKey::ListPartitionReassignments => moves::ask_ongoing(self.wire(), TOPIC, version),
            ApiKey::ElectLeaders => moves::ask_elections(self.wire(), TOPIC, version),
            ApiKey::FindCoordinator
            | ApiKey::JoinGroup
            | ApiKey::SyncGroup
            | ApiKey::Heartbeat
            | ApiKey::LeaveGroup
            | ApiKey::OffsetCommit
            | ApiKey::OffsetFetch
            | ApiKey::OffsetDelete
            | ApiKey::DeleteGroups
            | ApiKey::DescribeGroups
            | ApiKey::ListGroups
            | ApiKey::ConsumerGroupHeartbeat
            | ApiKey::ConsumerGroupDescribe => {
                groups::versions::ask(self.broker, TOPIC, key, version)
            }
            ApiKey::DescribeQuorum => self.describe_quorum(version),
            ApiKey::UpdateFeatures => self.update_features(version),
            ApiKey::DescribeCluster => self.describe_cluster(version),
            ApiKey::DescribeTopicPartitions => self.describe_topic_partitions(version),
            key => unreachable!("{} is offered and has no test here", key.name()),
        }
    }

    /// All partitions of the topic, one that it does not have, and a topic that is not there; one batch is damaged.
    fn produce(&self, version: i16) {
        let batch = batch_of(Compression::None, &[b"value"]);
        let mut damaged = batch.to_vec();
        damaged[17] ^= 1;
        let data = |index, records: Bytes| PartitionProduceData {
            index,
            records: Some(Records::from(records)),
        };
        let mut partitions: Vec<_> = (0..=PARTITIONS).map(|at| data(at, batch.clone())).collect();
        partitions[0] = data(0, damaged.into());
        let request = ProduceRequest {
            acks: -1,
            timeout_ms: 10_000,
            topic_data: self.both_topics(version >= PRODUCE_BY_ID, |name, topic_id| {
                TopicProduceData {
                    name,
                    topic_id,
                    partition_data: partitions.clone(),
                }
            }),
            ..ProduceRequest::default()
        };
        let response = self.wire().call(version, &request);
        let answers = response
            .responses
            .iter()
            .flat_map(|topic| &topic.partition_responses);
        let codes: Vec<_> = answers.map(|answer| error_of(answer.error_code)).collect();
        assert_eq!(
            codes.len(),
            2 * partitions.len(),
            "v{version}: {response:?}"
        );
        let taken = codes
            .iter()
            .filter(|code| **code == ErrorCode::None)
            .count();
        assert!(taken > 0, "v{version}: {response:?}");
        assert!(
            codes.contains(&ErrorCode::CorruptMessage),
            "v{version}: {response:?}"
        );
    }

    fn fetch(&self, version: i16) {
        let partition = |partition, fetch_offset| FetchPartition {
            partition,
            fetch_offset,
            partition_max_bytes: 1 << 20,
            ..FetchPartition::default()
        };
        let mut partitions: Vec<_> = (0..=PARTITIONS).map(|at| partition(at, 0)).collect();
        partitions[1].fetch_offset = 1 << 40;
        let request = FetchRequest {
            replica_id: -1,
            max_wait_ms: 100,
            min_bytes: 1,
            max_bytes: 1 << 20,
            session_epoch: if version >= 7 { 0 } else { -1 },
            topics: self.both_topics(version >= FETCH_BY_ID, |topic, topic_id| FetchTopic {
                topic,
                topic_id,
                partitions: partitions.clone(),
            }),
            ..FetchRequest::default()
        };
        let response = self.wire().call(version, &request);
        let answers = response
            .responses
            .iter()
            .flat_map(|topic| &topic.partitions);
        assert!(
            answers.count() > partitions.len(),
            "v{version}: {response:?}"
        );
    }

    fn list_offsets(&self, version: i16) {
        // Earliest, latest, and from the versions that know them on: greatest timestamp, and two of tiered storage.
        for timestamp in [-2, -1, 1_700_000_000_000, -3, -4, -5, -99] {
            let partition = |partition_index| ListOffsetsPartition {
                partition_index,
                timestamp,
                ..ListOffsetsPartition::default()
            };
            let topic = |name: &str| ListOffsetsTopic {
                name: name.into(),
                partitions: (0..=PARTITIONS).map(partition).collect(),
            };
            let request = ListOffsetsRequest {
                replica_id: -1,
                topics: vec![topic(TOPIC), topic("unknown")],
                ..ListOffsetsRequest::default()
            };
            let response = self.wire().call(version, &request);
            assert_eq!(response.topics.len(), 2, "v{version}: {response:?}");
        }
    }

    fn metadata(&self, version: i16) {
        let by_name = |name: &str| MetadataRequestTopic {
            name: Some(name.into()),
            ..MetadataRequestTopic::default()
        };
        let by_id = |topic_id| MetadataRequestTopic {
            topic_id,
            name: None,
        };
        let mut wire = self.wire();
        let mut ask = |topics: Option<Vec<_>>, is_created: bool| {
            let request = MetadataRequest {
                topics,
                allow_auto_topic_creation: is_created,
                ..MetadataRequest::default()
            };
            wire.call(version, &request)
        };
        let created = format!("created-by-metadata-{version}");
        let named = vec![by_name(TOPIC), by_name("not a name"), by_name(&created)];
        assert_eq!(ask(Some(named), true).topics.len(), 3, "v{version}");
        // Version 0 says "all" by an empty list.
        let all = if version == 0 { Some(Vec::new()) } else { None };
        assert!(!ask(all, true).topics.is_empty(), "v{version}");
        if version >= 4 {
            let response = ask(Some(vec![by_name("unknown")]), false);
            let code = error_of(response.topics[0].error_code);
            assert_eq!(code, ErrorCode::UnknownTopicOrPartition);
        }
        if version >= 12 {
            let response = ask(
                Some(vec![by_id(self.topic_id), by_id(Uuid([9; 16]))]),
                false,
            );
            let topics = response.topics.iter();
            let mut codes: Vec<_> = topics.map(|topic| error_of(topic.error_code)).collect();
            codes.sort_by_key(|code| code.code());
            assert_eq!(codes, [ErrorCode::None, ErrorCode::UnknownTopicId]);
        }
    }

    fn api_versions(&self, version: i16) {
        let response = self.wire().call(version, &api_versions());
        assert_eq!(response.error_code, 0);
        if version >= 3 {
            let unnamed = ApiVersionsRequest::default();
            let response = self.wire().call(version, &unnamed);
            let code = error_of(response.error_code);
            assert_eq!(code, ErrorCode::InvalidRequest);
        }
    }

    fn create_and_delete(&self, version: i16) {
        let name = |kind: &str| format!("created-{version}-{kind}");
        let topic = |name: &str, num_partitions, value: &str| CreatableTopic {
            name: name.into(),
            num_partitions,
            replication_factor: 1,
            configs: vec![CreatableTopicConfig {
                name: "segment.bytes".into(),
                value: Some(value.into()),
            }],
            ..CreatableTopic::default()
        };
        let request = CreateTopicsRequest {
            topics: vec![
                topic(&name("good"), 3, "1048576"),
                topic(&name("zero"), 0, "1048576"),
                topic(&name("config"), 1, "much"),
                topic("not a name", 1, "1048576"),
                topic(TOPIC, 1, "1048576"),
            ],
            timeout_ms: 10_000,
            validate_only: false,
        };
        if (2..=7).contains(&version) {
            let response = self.wire().call(version, &request);
            let codes = response
                .topics
                .iter()
                .map(|topic| error_of(topic.error_code));
            let codes: Vec<_> = codes.collect();
            // Deletions of the same version may have come before.
            assert!(matches!(
                codes[0],
                ErrorCode::None | ErrorCode::TopicAlreadyExists
            ));
            assert_eq!(
                codes[1..],
                [
                    ErrorCode::InvalidPartitions,
                    ErrorCode::InvalidConfig,
                    ErrorCode::InvalidTopicException,
                    ErrorCode::TopicAlreadyExists,
                ],
                "v{version}"
            );
        }
        let by_name = |name: String| DeleteTopicState {
            name: Some(name.as_str().into()),
            topic_id: Uuid::ZERO,
        };
        if (1..=6).contains(&version) {
            let mut request = DeleteTopicsRequest {
                timeout_ms: 10_000,
                ..DeleteTopicsRequest::default()
            };
            if version == 6 {
                request.topics = vec![by_name(name("good")), by_name("unknown".to_owned())];
                request.topics.push(DeleteTopicState {
                    name: None,
                    topic_id: Uuid([9; 16]),
                });
            } else {
                request.topic_names = vec![name("good").as_str().into(), "unknown".into()];
            }
            let response = self.wire().call(version, &request);
            assert!(response.responses.len() >= 2, "v{version}: {response:?}");
        }
    }

    fn init_producer_id(&self, version: i16) {
        for transactional_id in [None, Some("".into())] {
            let request = InitProducerIdRequest {
                transactional_id,
                transaction_timeout_ms: 60_000,
                ..InitProducerIdRequest::default()
            };
            let response = self.wire().call(version, &request);
            let is_given = response.error_code == 0;
            assert_eq!(
                is_given,
                response.producer_id >= 0,
                "v{version}: {response:?}"
            );
        }
    }

    fn offset_for_leader_epoch(&self, version: i16) {
        let partition = |partition| OffsetForLeaderPartition {
            partition,
            current_leader_epoch: -1,
            leader_epoch: partition,
        };
        let topic = |name: &str| OffsetForLeaderTopic {
            topic: name.into(),
            partitions: (0..=PARTITIONS).map(partition).collect(),
        };
        let request = OffsetForLeaderEpochRequest {
            replica_id: if version >= 3 { -1 } else { -2 },
            topics: vec![topic(TOPIC), topic("unknown")],
        };
        let response = self.wire().call(version, &request);
        assert_eq!(response.topics.len(), 2, "v{version}: {response:?}");
    }

    fn describe_configs(&self, version: i16) {
        let resource = |resource_type, name: &str| DescribeConfigsResource {
            resource_type,
            resource_name: name.into(),
            configuration_keys: None,
        };
        let node = self.wire().call(
            1,
            &MetadataRequest {
                topics: Some(Vec::new()),
                ..MetadataRequest::default()
            },
        );
        let node = node.brokers[0].node_id.to_string();
        let request = DescribeConfigsRequest {
            resources: vec![
                resource(2, TOPIC),
                resource(2, "unknown"),
                resource(4, &node),
                resource(4, "4711"),
                resource(77, "what"),
            ],
            include_synonyms: true,
            include_documentation: version >= 3,
        };
        let response = self.wire().call(version, &request);
        assert_eq!(response.results.len(), 5, "v{version}: {response:?}");
        assert!(!response.results[0].configs.is_empty(), "v{version}");
        assert!(!response.results[2].configs.is_empty(), "v{version}");
    }

    fn describe_quorum(&self, version: i16) {
        let topic = |name: &str| TopicData {
            topic_name: name.into(),
            partitions: vec![PartitionData { partition_index: 0 }],
        };
        for name in ["__cluster_metadata", TOPIC] {
            let request = DescribeQuorumRequest {
                topics: vec![topic(name)],
            };
            let response = self.wire().call(version, &request);
            assert!(
                response.error_code != 0 || !response.topics.is_empty(),
                "v{version}"
            );
        }
    }

    fn update_features(&self, version: i16) {
        for (feature, level) in [("unknown.feature", 1), ("metadata.version", 9_999)] {
            let request = UpdateFeaturesRequest {
                timeout_ms: 10_000,
                feature_updates: vec![FeatureUpdateKey {
                    feature: feature.into(),
                    max_version_level: level,
                    ..FeatureUpdateKey::default()
                }],
                validate_only: false,
            };
            let response = self.wire().call(version, &request);
            let refused = response.results.iter().any(|result| result.error_code != 0);
            assert!(
                refused || response.error_code != 0,
                "v{version}: {response:?}"
            );
        }
    }

    fn describe_cluster(&self, version: i16) {
        let request = DescribeClusterRequest::default();
        let response = self.wire().call(version, &request);
        assert!(!response.brokers.is_empty(), "v{version}: {response:?}");
        if version >= 1 {
            let controllers = DescribeClusterRequest {
                endpoint_type: 2,
                ..request
            };
            self.wire().call(version, &controllers);
        }
    }

    fn describe_topic_partitions(&self, version: i16) {
        let request = DescribeTopicPartitionsRequest {
            topics: vec![
                TopicRequest { name: TOPIC.into() },
                TopicRequest {
                    name: "unknown".into(),
                },
            ],
            response_partition_limit: 2,
            cursor: None,
        };
        let response = self.wire().call(version, &request);
        assert!(response.next_cursor.is_some(), "v{version}: {response:?}");
    }

    /// The topic that is there, and one that is not.
    fn both_topics<T>(&self, by_id: bool, topic: impl Fn(protocol::Str, Uuid) -> T) -> Vec<T> {
        if by_id {
            vec![
                topic("".into(), self.topic_id),
                topic("".into(), Uuid([9; 16])),
            ]
        } else {
            vec![
                topic(TOPIC.into(), Uuid::ZERO),
                topic("unknown".into(), Uuid::ZERO),
            ]
        }
    }
}
