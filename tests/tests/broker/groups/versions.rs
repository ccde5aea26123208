//! Every version of the coordinators' APIs, with what is there and with what is not.

use protocol::messages::leave_group_request::MemberIdentity;
use protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use protocol::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse,
    DeleteGroupsRequest, DescribeGroupsRequest, FindCoordinatorRequest, HeartbeatRequest,
    JoinGroupResponse, LeaveGroupRequest, ListGroupsRequest, OffsetDeleteRequest,
    OffsetFetchRequest,
};
use protocol::{ApiKey, Str};
use tests::{Broker, Wire, error_of};
use types::{ErrorCode, Uuid};

use super::{commit_request, coordinator, join_request, sync_request};

/// Asks one API in one version.
pub(crate) fn ask(broker: &Broker, topic: &str, key: ApiKey, version: i16) {
    let group = format!("{}-{version}", key.name());
    let mut wire = coordinator(broker, &group);
    match key {
        ApiKey::FindCoordinator => find(&mut wire, &group, version),
        ApiKey::JoinGroup => drop(join(&mut wire, &group, version)),
        ApiKey::SyncGroup => sync(&mut wire, &group, version),
        ApiKey::Heartbeat => heartbeat(&mut wire, &group, version),
        ApiKey::LeaveGroup => leave(&mut wire, &group, version),
        ApiKey::OffsetCommit | ApiKey::OffsetFetch => {
            offsets(&mut wire, &group, topic, key, version)
        }
        ApiKey::OffsetDelete => delete_offsets(&mut wire, &group, topic),
        ApiKey::DeleteGroups => delete(&mut wire, version),
        ApiKey::DescribeGroups => describe(&mut wire, &group, version),
        ApiKey::ListGroups => list(&mut wire, &group, version),
        ApiKey::ConsumerGroupHeartbeat => consumer_heartbeat(&mut wire, &group, topic, version),
        ApiKey::ConsumerGroupDescribe => consumer_describe(&mut wire, &group, topic, version),
        key => unreachable!("{} is no API of coordinators", key.name()),
    }
}

fn find(wire: &mut Wire, group: &str, version: i16) {
    let mut request = FindCoordinatorRequest::default();
    if version >= 4 {
        request.coordinator_keys = vec![group.into(), "another".into()];
    } else {
        request.key = group.into();
    }
    let response = wire.call(version, &request);
    if version >= 4 {
        assert_eq!(response.coordinators.len(), 2, "v{version}: {response:?}");
        assert!(response.coordinators.iter().all(|it| it.error_code == 0));
    } else {
        assert_eq!(response.error_code, 0, "v{version}: {response:?}");
    }
    if version >= 1 {
        request.key_type = 9;
        let response = wire.call(version, &request);
        let refused = response.coordinators.first();
        let code = refused.map_or(response.error_code, |it| it.error_code);
        assert_eq!(error_of(code), ErrorCode::InvalidRequest, "v{version}");
    }
}

fn join(wire: &mut Wire, group: &str, version: i16) -> JoinGroupResponse {
    let mut request = join_request(group, "", 30_000);
    if version == 0 {
        request.rebalance_timeout_ms = -1;
    }
    let mut response = wire.call(version, &request);
    if error_of(response.error_code) == ErrorCode::MemberIdRequired {
        assert!(version >= 4, "v{version}");
        request.member_id = response.member_id.clone();
        response = wire.call(version, &request);
    }
    assert_eq!(response.error_code, 0, "v{version}: {response:?}");
    assert_eq!(response.members.len(), 1, "v{version}: {response:?}");
    request.member_id = "forged".into();
    let refused = wire.call(version, &request);
    assert_eq!(error_of(refused.error_code), ErrorCode::UnknownMemberId);
    response
}

fn sync(wire: &mut Wire, group: &str, version: i16) {
    let joined = join(wire, group, 9);
    let mut request = sync_request(&joined, group);
    if version < 5 {
        (request.protocol_type, request.protocol_name) = (None, None);
    }
    let response = wire.call(version, &request);
    assert_eq!(response.error_code, 0, "v{version}: {response:?}");
    assert_eq!(response.assignment, joined.member_id.as_bytes());
    request.generation_id += 7;
    let refused = wire.call(version, &request);
    assert_eq!(error_of(refused.error_code), ErrorCode::IllegalGeneration);
}

fn heartbeat(wire: &mut Wire, group: &str, version: i16) {
    let joined = super::single_member(wire, group);
    let mut request = HeartbeatRequest {
        group_id: group.into(),
        generation_id: joined.generation_id,
        member_id: joined.member_id,
        group_instance_id: None,
    };
    assert_eq!(wire.call(version, &request).error_code, 0, "v{version}");
    request.generation_id += 7;
    let refused = wire.call(version, &request);
    assert_eq!(error_of(refused.error_code), ErrorCode::IllegalGeneration);
}

fn leave(wire: &mut Wire, group: &str, version: i16) {
    let joined = super::single_member(wire, group);
    let request = |member: &Str| {
        let mut request = LeaveGroupRequest {
            group_id: group.into(),
            ..LeaveGroupRequest::default()
        };
        if version >= 3 {
            request.members.push(MemberIdentity {
                member_id: member.clone(),
                ..MemberIdentity::default()
            });
        } else {
            request.member_id = member.clone();
        }
        request
    };
    let mut answer = |member: &Str| {
        let response = wire.call(version, &request(member));
        let own = response.members.first();
        error_of(own.map_or(response.error_code, |it| it.error_code))
    };
    assert_eq!(answer(&joined.member_id), ErrorCode::None, "v{version}");
    assert_eq!(
        answer(&"forged".into()),
        ErrorCode::UnknownMemberId,
        "v{version}"
    );
}

fn offsets(wire: &mut Wire, group: &str, topic: &str, key: ApiKey, version: i16) {
    let id = topic_id(wire, topic);
    let by_id = version >= 10;
    let named = |name: &str| {
        if by_id { Str::default() } else { name.into() }
    };
    let id_of = |id: Uuid| if by_id { id } else { Uuid::ZERO };
    let mut request = commit_request(group, topic, &[5, 6]);
    let commit_version = if key == ApiKey::OffsetCommit {
        version
    } else {
        9
    };
    if commit_version >= 10 {
        request.topics[0].name = Str::default();
        request.topics[0].topic_id = id;
    }
    if commit_version < 5 {
        request.retention_time_ms = -1;
    }
    let response = wire.call(commit_version, &request);
    let codes: Vec<i16> = response.topics[0]
        .partitions
        .iter()
        .map(|it| it.error_code)
        .collect();
    assert_eq!(codes, [0, 0], "v{commit_version}: {response:?}");
    if key == ApiKey::OffsetCommit {
        return;
    }
    let name = group;
    let mut request = OffsetFetchRequest::default();
    if version >= 8 {
        let wanted = |name: &str, id| OffsetFetchRequestTopics {
            name: named(name),
            topic_id: id_of(id),
            partition_indexes: vec![0, 1, 77],
        };
        let group = |group: &str, topics| OffsetFetchRequestGroup {
            group_id: group.into(),
            topics,
            ..OffsetFetchRequestGroup::default()
        };
        let topics = vec![wanted(topic, id), wanted("unknown", Uuid([9; 16]))];
        request.groups = vec![group(name, Some(topics)), group("unknown", None)];
    } else {
        request.group_id = group.into();
        request.topics = Some(vec![OffsetFetchRequestTopic {
            name: topic.into(),
            partition_indexes: vec![0, 1, 77],
        }]);
    }
    let response = wire.call(version, &request);
    let found: Vec<i64> = if version >= 8 {
        assert_eq!(response.groups.len(), 2, "v{version}: {response:?}");
        let own = response.groups.iter().find(|it| it.group_id == *group);
        let topics = &own.expect("the group is answered").topics;
        topics[0]
            .partitions
            .iter()
            .map(|it| it.committed_offset)
            .collect()
    } else {
        let partitions = response.topics[0].partitions.iter();
        partitions.map(|it| it.committed_offset).collect()
    };
    assert_eq!(found, [5, 6, -1], "v{version}: {response:?}");
    if (2..8).contains(&version) {
        request.topics = None;
        let response = wire.call(version, &request);
        assert_eq!(
            response.topics[0].partitions.len(),
            2,
            "v{version}: {response:?}"
        );
    }
}

fn topic_id(wire: &mut Wire, topic: &str) -> Uuid {
    let request = protocol::messages::MetadataRequest {
        topics: Some(vec![
            protocol::messages::metadata_request::MetadataRequestTopic {
                name: Some(topic.into()),
                ..Default::default()
            },
        ]),
        ..Default::default()
    };
    wire.call(12, &request).topics[0].topic_id
}

fn delete_offsets(wire: &mut Wire, group: &str, topic: &str) {
    let committed = super::commit(wire, group, topic, &[5]);
    assert_eq!(committed, [ErrorCode::None]);
    let wanted = |name: &str| OffsetDeleteRequestTopic {
        name: name.into(),
        partitions: vec![OffsetDeleteRequestPartition { partition_index: 0 }],
    };
    let request = OffsetDeleteRequest {
        group_id: group.into(),
        topics: vec![wanted(topic), wanted("unknown")],
    };
    let response = wire.call(0, &request);
    assert_eq!(response.error_code, 0, "{response:?}");
    assert_eq!(response.topics.len(), 2, "{response:?}");
}

fn delete(wire: &mut Wire, version: i16) {
    let request = DeleteGroupsRequest {
        groups_names: vec!["unknown".into(), "".into(), "unknown".into()],
    };
    let response = wire.call(version, &request);
    assert_eq!(response.results.len(), 2, "v{version}: {response:?}");
}

/// The first version of DescribeGroups that can ask what the caller may do (KIP-430).
const OPERATIONS_VERSION: i16 = 3;

/// What Kafka 4.3.1 without an authorizer says that may be done with a group.
const GROUP_OPERATIONS: i32 = 0xd48;

fn describe(wire: &mut Wire, group: &str, version: i16) {
    super::single_member(wire, group);
    let request = DescribeGroupsRequest {
        groups: vec![group.into(), "unknown".into()],
        include_authorized_operations: version >= OPERATIONS_VERSION,
    };
    let response = wire.call(version, &request);
    assert_eq!(response.groups.len(), 2, "v{version}: {response:?}");
    let own = response.groups.iter().find(|it| it.group_id == *group);
    let own = own.expect("it is answered");
    assert_eq!(own.group_state, "Stable", "v{version}: {response:?}");
    assert_eq!(own.members.len(), 1, "v{version}: {response:?}");
    if version >= OPERATIONS_VERSION {
        assert_eq!(own.authorized_operations, GROUP_OPERATIONS, "v{version}");
    }
}

fn list(wire: &mut Wire, group: &str, version: i16) {
    super::single_member(wire, group);
    let response = wire.call(version, &ListGroupsRequest::default());
    assert_eq!(response.error_code, 0, "v{version}: {response:?}");
    let is_listed = |response: &protocol::messages::ListGroupsResponse| {
        response.groups.iter().any(|it| it.group_id == *group)
    };
    assert!(is_listed(&response), "v{version}: {response:?}");
    if version >= 4 {
        let request = ListGroupsRequest {
            states_filter: vec!["Dead".into()],
            ..ListGroupsRequest::default()
        };
        assert!(!is_listed(&wire.call(version, &request)), "v{version}");
    }
}

/// A member of a consumer group with a subscription; its answer.
fn consumer_join(
    wire: &mut Wire,
    group: &str,
    topic: &str,
    version: i16,
) -> ConsumerGroupHeartbeatResponse {
    let request = ConsumerGroupHeartbeatRequest {
        group_id: group.into(),
        member_id: if version == 0 {
            ""
        } else {
            "AAAAAAAAAAAAAAAAAAAAAA"
        }
        .into(),
        rebalance_timeout_ms: 60_000,
        subscribed_topic_names: Some(vec![topic.into()]),
        topic_partitions: Some(Vec::new()),
        ..ConsumerGroupHeartbeatRequest::default()
    };
    let response = wire.call(version, &request);
    assert_eq!(response.error_code, 0, "v{version}: {response:?}");
    response
}

fn consumer_heartbeat(wire: &mut Wire, group: &str, topic: &str, version: i16) {
    let joined = consumer_join(wire, group, topic, version);
    assert!(joined.member_epoch > 0, "v{version}: {joined:?}");
    let given = joined.assignment.map(|it| it.topic_partitions);
    assert!(given.is_some_and(|it| !it.is_empty()), "v{version}");
    let forged = ConsumerGroupHeartbeatRequest {
        group_id: group.into(),
        member_id: "BBBBBBBBBBBBBBBBBBBBBB".into(),
        member_epoch: 1,
        ..ConsumerGroupHeartbeatRequest::default()
    };
    let refused = wire.call(version, &forged);
    assert_eq!(
        error_of(refused.error_code),
        ErrorCode::UnknownMemberId,
        "v{version}"
    );
}

fn consumer_describe(wire: &mut Wire, group: &str, topic: &str, version: i16) {
    consumer_join(wire, group, topic, version);
    let request = ConsumerGroupDescribeRequest {
        group_ids: vec![group.into(), "unknown".into()],
        include_authorized_operations: true,
    };
    let response = wire.call(version, &request);
    let operations: Vec<_> = response
        .groups
        .iter()
        .map(|it| it.authorized_operations)
        .collect();
    assert_eq!(operations, [GROUP_OPERATIONS, i32::MIN], "v{version}");
    let codes: Vec<_> = response
        .groups
        .iter()
        .map(|it| error_of(it.error_code))
        .collect();
    assert_eq!(
        codes,
        [ErrorCode::None, ErrorCode::GroupIdNotFound],
        "v{version}: {response:?}"
    );
    assert_eq!(
        response.groups[0].members.len(),
        1,
        "v{version}: {response:?}"
    );
}
