//! Requests in few words.

use protocol::messages::alter_configs_request as replacing;
use protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsTopic,
};
use protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use protocol::messages::describe_configs_request::DescribeConfigsResource;
use protocol::messages::incremental_alter_configs_request as incremental;
use protocol::messages::{
    AlterConfigsRequest, CreatePartitionsRequest, CreateTopicsRequest, DescribeConfigsRequest,
    IncrementalAlterConfigsRequest,
};

pub(super) const SET: i8 = 0;
pub(super) const DELETE: i8 = 1;
pub(super) const APPEND: i8 = 2;
pub(super) const SUBTRACT: i8 = 3;

pub(super) const TOPIC: i8 = 2;
pub(super) const BROKER: i8 = 4;
pub(super) const BROKER_LOGGER: i8 = 8;
pub(super) const CLIENT_METRICS: i8 = 16;
pub(super) const GROUP: i8 = 32;

/// A topic of a CreateTopics request; `partitions` and replicas as they are sent.
pub(super) fn topic(name: &str, partitions: i32, replicas: i16) -> CreatableTopic {
    CreatableTopic {
        name: name.into(),
        num_partitions: partitions,
        replication_factor: replicas,
        ..CreatableTopic::default()
    }
}

/// One partition with these configuration values.
pub(super) fn configured(name: &str, configs: &[(&str, Option<&str>)]) -> CreatableTopic {
    let configs = configs.iter().map(|(key, value)| CreatableTopicConfig {
        name: (*key).into(),
        value: value.map(Into::into),
    });
    CreatableTopic {
        configs: configs.collect(),
        ..topic(name, 1, 1)
    }
}

/// A topic with these replicas.
pub(super) fn assigned(name: &str, assignments: &[(i32, &[i32])]) -> CreatableTopic {
    let assignments = assignments
        .iter()
        .map(|(partition, brokers)| CreatableReplicaAssignment {
            partition_index: *partition,
            broker_ids: brokers.to_vec(),
        });
    CreatableTopic {
        assignments: assignments.collect(),
        ..topic(name, -1, -1)
    }
}

pub(super) fn creation(topics: Vec<CreatableTopic>, validate_only: bool) -> CreateTopicsRequest {
    CreateTopicsRequest {
        topics,
        timeout_ms: 30_000,
        validate_only,
    }
}

/// More partitions for a topic.
pub(super) fn growth(
    name: &str,
    count: i32,
    assignments: Option<&[&[i32]]>,
) -> CreatePartitionsTopic {
    let assignments = assignments.map(|lists| {
        let assignment = |brokers: &&[i32]| CreatePartitionsAssignment {
            broker_ids: brokers.to_vec(),
        };
        lists.iter().map(assignment).collect()
    });
    CreatePartitionsTopic {
        name: name.into(),
        count,
        assignments,
    }
}

pub(super) fn growing(
    topics: Vec<CreatePartitionsTopic>,
    validate_only: bool,
) -> CreatePartitionsRequest {
    CreatePartitionsRequest {
        topics,
        timeout_ms: 30_000,
        validate_only,
    }
}

/// One resource of an IncrementalAlterConfigs request: operation, key and value.
pub(super) fn change(
    kind: i8,
    name: &str,
    operations: &[(i8, &str, Option<&str>)],
) -> incremental::AlterConfigsResource {
    let configs = operations
        .iter()
        .map(|(operation, key, value)| incremental::AlterableConfig {
            name: (*key).into(),
            config_operation: *operation,
            value: value.map(Into::into),
        });
    incremental::AlterConfigsResource {
        resource_type: kind,
        resource_name: name.into(),
        configs: configs.collect(),
    }
}

pub(super) fn changes(
    resources: Vec<incremental::AlterConfigsResource>,
    validate_only: bool,
) -> IncrementalAlterConfigsRequest {
    IncrementalAlterConfigsRequest {
        resources,
        validate_only,
    }
}

/// One resource of an AlterConfigs request, which replaces all that the resource has.
pub(super) fn replacement(
    kind: i8,
    name: &str,
    configs: &[(&str, Option<&str>)],
) -> replacing::AlterConfigsResource {
    let configs = configs
        .iter()
        .map(|(key, value)| replacing::AlterableConfig {
            name: (*key).into(),
            value: value.map(Into::into),
        });
    replacing::AlterConfigsResource {
        resource_type: kind,
        resource_name: name.into(),
        configs: configs.collect(),
    }
}

pub(super) fn replacements(
    resources: Vec<replacing::AlterConfigsResource>,
    validate_only: bool,
) -> AlterConfigsRequest {
    AlterConfigsRequest {
        resources,
        validate_only,
    }
}

/// A question about these keys, or about all.
pub(super) fn question(
    kind: i8,
    name: &str,
    keys: Option<&[&str]>,
    in_full: bool,
) -> DescribeConfigsRequest {
    let keys = keys.map(|keys| keys.iter().map(|key| (*key).into()).collect());
    DescribeConfigsRequest {
        resources: vec![DescribeConfigsResource {
            resource_type: kind,
            resource_name: name.into(),
            configuration_keys: keys,
        }],
        include_synonyms: in_full,
        include_documentation: in_full,
    }
}
