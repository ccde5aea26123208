//! What the tests of every version ask of the APIs that change configurations and add partitions.

use protocol::messages::create_partitions_request::CreatePartitionsTopic;
use protocol::messages::{
    AlterConfigsRequest, CreatePartitionsRequest, IncrementalAlterConfigsRequest,
    ListConfigResourcesRequest, alter_configs_request, incremental_alter_configs_request,
};
use tests::{Broker, create_topic, error_of};
use types::ErrorCode;

pub(crate) fn alter_configs(broker: &Broker, topic: &str, version: i16) {
    let resource = |resource_type, name: &str| alter_configs_request::AlterConfigsResource {
        resource_type,
        resource_name: name.into(),
        configs: vec![alter_configs_request::AlterableConfig {
            name: "flush.ms".into(),
            value: Some("60000".into()),
        }],
    };
    let request = AlterConfigsRequest {
        resources: vec![
            resource(2, topic),
            resource(2, "unknown"),
            resource(77, "what"),
        ],
        validate_only: false,
    };
    let responses = broker.wire().call(version, &request).responses;
    let codes: Vec<ErrorCode> = responses.iter().map(|it| error_of(it.error_code)).collect();
    let unknown = ErrorCode::UnknownTopicOrPartition;
    assert_eq!(
        codes,
        [ErrorCode::None, unknown, ErrorCode::InvalidRequest],
        "v{version}"
    );
}

pub(crate) fn incremental_alter_configs(broker: &Broker, topic: &str, version: i16) {
    let resource =
        |resource_type, name: &str| incremental_alter_configs_request::AlterConfigsResource {
            resource_type,
            resource_name: name.into(),
            configs: vec![incremental_alter_configs_request::AlterableConfig {
                name: "flush.ms".into(),
                config_operation: 0,
                value: Some("70000".into()),
            }],
        };
    let request = IncrementalAlterConfigsRequest {
        resources: vec![
            resource(2, topic),
            resource(2, "unknown"),
            resource(77, "what"),
        ],
        validate_only: false,
    };
    let responses = broker.wire().call(version, &request).responses;
    let codes: Vec<ErrorCode> = responses.iter().map(|it| error_of(it.error_code)).collect();
    let unknown = ErrorCode::UnknownTopicOrPartition;
    assert_eq!(
        codes,
        [ErrorCode::None, unknown, ErrorCode::InvalidRequest],
        "v{version}"
    );
}

pub(crate) fn list_config_resources(broker: &Broker, topic: &str, version: i16) {
    let response = broker
        .wire()
        .call(version, &ListConfigResourcesRequest::default());
    assert_eq!(error_of(response.error_code), ErrorCode::None, "v{version}");
    let names: Vec<&str> = response
        .config_resources
        .iter()
        .map(|resource| resource.resource_name.as_str())
        .collect();
    // Before version 1 the request asks for client metrics alone.
    assert_eq!(names.contains(&topic), version > 0, "v{version}: {names:?}");
}

pub(crate) fn create_partitions(broker: &Broker, version: i16) {
    let name = format!("grown-v{version}");
    create_topic(broker, &name, 1, &[]);
    let topic = |name: &str, count| CreatePartitionsTopic {
        name: name.into(),
        count,
        assignments: None,
    };
    let request = CreatePartitionsRequest {
        topics: vec![topic(&name, 3), topic("unknown", 3)],
        timeout_ms: 10_000,
        validate_only: false,
    };
    let results = broker.wire().call(version, &request).results;
    let codes: Vec<ErrorCode> = results.iter().map(|it| error_of(it.error_code)).collect();
    assert_eq!(
        codes,
        [ErrorCode::None, ErrorCode::UnknownTopicOrPartition],
        "v{version}"
    );
    let grown = broker.client().describe_topic(&name).expect("it is there");
    assert_eq!(grown.partitions.len(), 3, "v{version}");
}
