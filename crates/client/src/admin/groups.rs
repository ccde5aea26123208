//! Groups as an administrator sees them: which there are, their members, and their committed offsets.

use std::collections::BTreeMap;

use protocol::ApiKey;
use protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use protocol::messages::{
    ConsumerGroupDescribeRequest, DeleteGroupsRequest, DescribeGroupsRequest,
    FindCoordinatorRequest, ListGroupsRequest, OffsetCommitRequest, OffsetDeleteRequest,
    OffsetFetchRequest,
};
use protocol::wire::decode_versioned;
use protocol::{Decoder, Request};
use types::{ErrorCode, NodeId, Offset, PartitionIndex};

use crate::{Client, ClientError, Connection, SubmitOptions};

/// A group in a list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListedGroup {
    /// Its id.
    pub group: String,
    /// `classic` or `consumer`, if the broker says so.
    pub kind: String,
    /// Kafka's name of its state.
    pub state: String,
    /// What its members do: `consumer`, or a name of their own.
    pub protocol_type: String,
}

/// A group with its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupDescription {
    /// Its id.
    pub group: String,
    /// `classic` or `consumer`.
    pub kind: &'static str,
    /// Kafka's name of its state.
    pub state: String,
    /// The node that coordinates it.
    pub coordinator: NodeId,
    /// Of a consumer group: how often its members or its subscriptions have changed.
    pub epoch: Option<i32>,
    /// How partitions are assigned.
    pub assignor: String,
    /// Its members.
    pub members: Vec<GroupMember>,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMember {
    /// Its id.
    pub id: String,
    /// Its static id, if it has one.
    pub instance: Option<String>,
    /// What its client calls itself.
    pub client: String,
    /// Its address.
    pub host: String,
    /// The partitions that it has, by topic; empty where they cannot be read.
    pub partitions: BTreeMap<String, Vec<PartitionIndex>>,
}

/// A committed offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The next record to be consumed.
    pub offset: Offset,
    /// What the consumer wrote beside it.
    pub metadata: String,
}

/// A partition by its topic's name.
pub type TopicPartition = (String, PartitionIndex);

/// Committed offsets by topic and partition.
pub type CommittedOffsets = BTreeMap<TopicPartition, Committed>;

impl Client {
    /// All groups of the cluster.
    ///
    /// # Errors
    /// [`ClientError`] when any node does not answer.
    pub fn list_groups(&mut self) -> Result<Vec<ListedGroup>, ClientError> {
        self.list_topics()?;
        let nodes: Vec<NodeId> = self.cluster().nodes().keys().copied().collect();
        let api = ApiKey::ListGroups.name();
        let mut groups = Vec::new();
        for node in nodes {
            let response = self.with_retries(|client| {
                let response = client.call_node(node, &ListGroupsRequest::default())?;
                ClientError::check(api, response.error_code, None, || format!("of node {node}"))?;
                Ok(response)
            })?;
            groups.extend(response.groups.iter().map(|it| ListedGroup {
                group: it.group_id.to_string(),
                kind: it.group_type.to_string(),
                state: it.group_state.to_string(),
                protocol_type: it.protocol_type.to_string(),
            }));
        }
        // The shards of a process may each name all of its groups.
        groups.sort();
        groups.dedup_by(|one, other| one.group == other.group);
        Ok(groups)
    }

    /// A group with its members, of whichever protocol it is.
    ///
    /// # Errors
    /// [`ClientError::Broker`] with GROUP_ID_NOT_FOUND when there is no such group.
    pub fn describe_group(&mut self, group: &str) -> Result<GroupDescription, ClientError> {
        match self.describe_consumer_group(group) {
            // Another protocol's group, or a broker that does not know this one.
            Err(error)
                if matches!(
                    error.code(),
                    Some(ErrorCode::GroupIdNotFound | ErrorCode::UnsupportedVersion)
                ) || matches!(error, ClientError::Unsupported { .. }) =>
            {
                self.describe_classic_group(group)
            }
            outcome => outcome,
        }
    }

    fn describe_consumer_group(&mut self, group: &str) -> Result<GroupDescription, ClientError> {
        let request = ConsumerGroupDescribeRequest {
            group_ids: vec![group.into()],
            include_authorized_operations: false,
        };
        let (coordinator, response) = self.ask_coordinator(group, &request, |response| {
            let answer = response.groups.first();
            answer.map_or(0, |answer| answer.error_code)
        })?;
        let described = response.groups.into_iter().next().unwrap_or_default();
        let member = |it: protocol::messages::consumer_group_describe_response::Member| {
            let topics = it.assignment.topic_partitions.into_iter();
            GroupMember {
                id: it.member_id.to_string(),
                instance: it.instance_id.map(|id| id.to_string()),
                client: it.client_id.to_string(),
                host: it.client_host.to_string(),
                partitions: topics
                    .map(|topic| (topic.topic_name.to_string(), indexes(&topic.partitions)))
                    .collect(),
            }
        };
        Ok(GroupDescription {
            group: group.to_owned(),
            kind: "consumer",
            state: described.group_state.to_string(),
            coordinator,
            epoch: Some(described.group_epoch),
            assignor: described.assignor_name.to_string(),
            members: described.members.into_iter().map(member).collect(),
        })
    }

    fn describe_classic_group(&mut self, group: &str) -> Result<GroupDescription, ClientError> {
        let request = DescribeGroupsRequest {
            groups: vec![group.into()],
            include_authorized_operations: false,
        };
        let (coordinator, response) = self.ask_coordinator(group, &request, |response| {
            let answer = response.groups.first();
            answer.map_or(0, |answer| answer.error_code)
        })?;
        let described = response.groups.into_iter().next().unwrap_or_default();
        if described.group_state.as_str() == "Dead" {
            // Versions below 6 say so instead of refusing.
            let code = ErrorCode::GroupIdNotFound.code();
            ClientError::check(ApiKey::DescribeGroups.name(), code, None, || {
                format!("of group {group}")
            })?;
        }
        let members = described.members.into_iter().map(|it| GroupMember {
            id: it.member_id.to_string(),
            instance: it.group_instance_id.map(|id| id.to_string()),
            client: it.client_id.to_string(),
            host: it.client_host.to_string(),
            partitions: assignment(&it.member_assignment).unwrap_or_default(),
        });
        Ok(GroupDescription {
            group: group.to_owned(),
            kind: "classic",
            state: described.group_state.to_string(),
            coordinator,
            epoch: None,
            assignor: described.protocol_data.to_string(),
            members: members.collect(),
        })
    }

    /// What a group has committed.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn committed_offsets(&mut self, group: &str) -> Result<CommittedOffsets, ClientError> {
        let request = OffsetFetchRequest {
            groups: vec![OffsetFetchRequestGroup {
                group_id: group.into(),
                topics: None,
                member_epoch: -1,
                ..OffsetFetchRequestGroup::default()
            }],
            ..OffsetFetchRequest::default()
        };
        // From version 10 on topics have no names.
        let response = self.with_retries(|client| {
            let node = client.coordinator(group)?;
            let response = at_most(client.node(node)?, &request, 9)?;
            let code = response.groups.first().map_or(0, |it| it.error_code);
            ClientError::check(ApiKey::OffsetFetch.name(), code, None, || {
                format!("of group {group}")
            })?;
            Ok(response)
        })?;
        let mut committed = CommittedOffsets::new();
        for topic in response.groups.iter().flat_map(|it| &it.topics) {
            let found = topic
                .partitions
                .iter()
                .filter(|it| it.committed_offset >= 0);
            committed.extend(found.map(|it| {
                let key = (topic.name.to_string(), PartitionIndex(it.partition_index));
                let metadata = it.metadata.as_deref().unwrap_or_default().to_owned();
                let offset = Offset(it.committed_offset);
                (key, Committed { offset, metadata })
            }));
        }
        Ok(committed)
    }

    /// Gives a group other offsets, all of them or none. It must have no members.
    ///
    /// # Errors
    /// [`ClientError::Broker`] with UNKNOWN_MEMBER_ID when the group has members, and what is wrong with any partition.
    pub fn commit_offsets(
        &mut self,
        group: &str,
        offsets: &BTreeMap<TopicPartition, Offset>,
    ) -> Result<(), ClientError> {
        let mut topics: Vec<OffsetCommitRequestTopic> = Vec::new();
        for ((topic, partition), offset) in offsets {
            let entry = OffsetCommitRequestPartition {
                partition_index: partition.0,
                committed_offset: offset.0,
                committed_leader_epoch: -1,
                committed_metadata: Some(protocol::Str::default()),
            };
            match topics.last_mut() {
                Some(last) if last.name.as_str() == topic => last.partitions.push(entry),
                _ => topics.push(OffsetCommitRequestTopic {
                    name: topic.as_str().into(),
                    partitions: vec![entry],
                    ..OffsetCommitRequestTopic::default()
                }),
            }
        }
        let request = OffsetCommitRequest {
            group_id: group.into(),
            generation_id_or_member_epoch: -1,
            topics,
            ..OffsetCommitRequest::default()
        };
        self.with_retries(|client| {
            let node = client.coordinator(group)?;
            let response = at_most(client.node(node)?, &request, 9)?;
            let answers = response.topics.iter().flat_map(|topic| {
                let name = &topic.name;
                topic.partitions.iter().map(move |answer| (name, answer))
            });
            check_partitions(
                ApiKey::OffsetCommit,
                group,
                answers
                    .map(|(topic, answer)| (&**topic, answer.partition_index, answer.error_code)),
            )
        })
    }

    /// Makes a group forget what it has committed for partitions. None of its members may subscribe to their topics.
    ///
    /// # Errors
    /// [`ClientError::Broker`]: GROUP_ID_NOT_FOUND, and for a partition GROUP_SUBSCRIBED_TO_TOPIC or
    /// UNKNOWN_TOPIC_OR_PARTITION; the other partitions' offsets are deleted all the same.
    pub fn delete_offsets(
        &mut self,
        group: &str,
        topic: &str,
        partitions: &[PartitionIndex],
    ) -> Result<(), ClientError> {
        let partitions = partitions.iter();
        let request = OffsetDeleteRequest {
            group_id: group.into(),
            topics: vec![OffsetDeleteRequestTopic {
                name: topic.into(),
                partitions: partitions
                    .map(|partition| OffsetDeleteRequestPartition {
                        partition_index: partition.0,
                    })
                    .collect(),
            }],
        };
        let (_, response) =
            self.ask_coordinator(group, &request, |response| response.error_code)?;
        let answers = response.topics.iter().flat_map(|it| &it.partitions);
        check_partitions(
            ApiKey::OffsetDelete,
            group,
            answers.map(|answer| (topic, answer.partition_index, answer.error_code)),
        )
    }

    /// Deletes a group that has no members, with its offsets.
    ///
    /// # Errors
    /// [`ClientError::Broker`]: NON_EMPTY_GROUP, GROUP_ID_NOT_FOUND.
    pub fn delete_group(&mut self, group: &str) -> Result<(), ClientError> {
        let request = DeleteGroupsRequest {
            groups_names: vec![group.into()],
        };
        let deleted = self.ask_coordinator(group, &request, |response| {
            response.results.first().map_or(0, |it| it.error_code)
        });
        deleted.map(drop)
    }

    /// The node that coordinates a group.
    ///
    /// # Errors
    /// [`ClientError`] when no node says it in time.
    pub fn coordinator(&mut self, group: &str) -> Result<NodeId, ClientError> {
        self.list_topics()?;
        let request = FindCoordinatorRequest {
            key: group.into(),
            ..FindCoordinatorRequest::default()
        };
        self.with_retries(|client| {
            // From version 4 on there are several keys.
            let response = at_most(client.any()?, &request, 3)?;
            let api = ApiKey::FindCoordinator.name();
            let message = response.error_message.as_deref();
            ClientError::check(api, response.error_code, message, || {
                format!("of group {group}")
            })?;
            Ok(NodeId(response.node_id))
        })
    }

    /// Asks a group's coordinator, again if it is elsewhere by then.
    fn ask_coordinator<R: Request>(
        &mut self,
        group: &str,
        request: &R,
        code_of: impl Fn(&R::Response) -> i16,
    ) -> Result<(NodeId, R::Response), ClientError> {
        self.with_retries(|client| {
            let node = client.coordinator(group)?;
            let response = client.call_node(node, request)?;
            ClientError::check(R::KEY.name(), code_of(&response), None, || {
                format!("of group {group}")
            })?;
            Ok((node, response))
        })
    }
}

/// Fails with the first partition that has an error.
fn check_partitions<'a>(
    api: ApiKey,
    group: &str,
    mut answers: impl Iterator<Item = (&'a str, i32, i16)>,
) -> Result<(), ClientError> {
    answers.try_for_each(|(topic, partition, code)| {
        ClientError::check(api.name(), code, None, || {
            format!("of group {group} for {topic}-{partition}")
        })
    })
}

/// Sends a request in a version that has the fields used here.
fn at_most<R: Request>(
    connection: &mut Connection,
    request: &R,
    version_max: i16,
) -> Result<R::Response, ClientError> {
    let options = SubmitOptions {
        version_max,
        ..SubmitOptions::default()
    };
    let ticket = connection.submit(request, options)?;
    connection.complete(ticket)
}

fn indexes(partitions: &[i32]) -> Vec<PartitionIndex> {
    partitions.iter().copied().map(PartitionIndex).collect()
}

/// The partitions of a classic member, where it is a consumer: version, topics with partitions, and what else its
/// client put there.
///
/// Source: `ConsumerProtocolAssignment.json`.
fn assignment(bytes: &bytes::Bytes) -> Option<BTreeMap<String, Vec<PartitionIndex>>> {
    const VERSION_BYTES: usize = 2;
    if bytes.len() < VERSION_BYTES {
        return None;
    }
    let mut decoder = Decoder::new(bytes.slice(VERSION_BYTES..));
    let read: protocol::messages::ConsumerProtocolAssignment =
        decode_versioned(&mut decoder, 0).ok()?;
    let topics = read.assigned_partitions.iter();
    Some(
        topics
            .map(|topic| (topic.topic.to_string(), indexes(&topic.partitions)))
            .collect(),
    )
}
