//! Clients that ask for offsets and producers, and delete records, while partitions move: none of it depends on which shard
//! is asked, so none of it is answered with NOT_LEADER_OR_FOLLOWER.

use std::io::{Error, Result};

use protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use protocol::messages::describe_producers_request::TopicRequest;
use protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use protocol::messages::{
    DeleteRecordsRequest, DescribeProducersRequest, ListOffsetsRequest, OffsetForLeaderEpochRequest,
};
use types::ErrorCode;

use crate::client::{Client, TOPIC};
use crate::scenario::Shared;

const LIST_OFFSETS_VERSION: i16 = 6;
const LEADER_EPOCH_VERSION: i16 = 3;
const DELETE_RECORDS_VERSION: i16 = 1;
const DESCRIBE_PRODUCERS_VERSION: i16 = 0;
const TIMEOUT_MS: i32 = 30_000;

/// Asks by turns until the scenario is over.
pub(crate) async fn keep_looking_up(shared: &Shared, partitions: i32) {
    while !shared.is_over.get() {
        let Ok(mut client) = shared.connect_known().await else {
            continue;
        };
        while !shared.is_over.get() && look_up(shared, &mut client, partitions).await.is_ok() {
            shared.pause(10).await;
        }
        shared.back_off().await;
    }
}

async fn look_up(shared: &Shared, client: &mut Client, partitions: i32) -> Result<()> {
    let codes = match shared.rng.below(4) {
        0 => list_offsets(client, partitions).await?,
        1 => epoch_ends(client, partitions).await?,
        2 => producers(client, partitions).await?,
        _ => delete_nothing(client, partitions).await?,
    };
    for code in codes {
        match ErrorCode::from_code(code) {
            Some(ErrorCode::None) => shared.count(|summary| summary.lookups += 1),
            code @ Some(ErrorCode::NotLeaderOrFollower) => {
                shared.hold(Err(format!("a look-up is refused: {code:?}")));
            }
            // A failing disk, or a broker that ends.
            code => return Err(Error::other(format!("{code:?}"))),
        }
    }
    Ok(())
}

async fn list_offsets(client: &mut Client, partitions: i32) -> Result<Vec<i16>> {
    let partition = |partition_index| ListOffsetsPartition {
        partition_index,
        current_leader_epoch: -1,
        timestamp: -1,
    };
    let request = ListOffsetsRequest {
        replica_id: -1,
        topics: vec![ListOffsetsTopic {
            name: TOPIC.into(),
            partitions: (0..partitions).map(partition).collect(),
        }],
        ..ListOffsetsRequest::default()
    };
    let response = client.call(LIST_OFFSETS_VERSION, &request).await?;
    let answers = response.topics.iter().flat_map(|it| &it.partitions);
    Ok(answers.map(|it| it.error_code).collect())
}

async fn epoch_ends(client: &mut Client, partitions: i32) -> Result<Vec<i16>> {
    let partition = |partition| OffsetForLeaderPartition {
        partition,
        current_leader_epoch: -1,
        leader_epoch: 0,
    };
    let request = OffsetForLeaderEpochRequest {
        replica_id: -1,
        topics: vec![OffsetForLeaderTopic {
            topic: TOPIC.into(),
            partitions: (0..partitions).map(partition).collect(),
        }],
    };
    let response = client.call(LEADER_EPOCH_VERSION, &request).await?;
    let answers = response.topics.iter().flat_map(|it| &it.partitions);
    Ok(answers.map(|it| it.error_code).collect())
}

async fn producers(client: &mut Client, partitions: i32) -> Result<Vec<i16>> {
    let request = DescribeProducersRequest {
        topics: vec![TopicRequest {
            name: TOPIC.into(),
            partition_indexes: (0..partitions).collect(),
        }],
    };
    let response = client.call(DESCRIBE_PRODUCERS_VERSION, &request).await?;
    let answers = response.topics.iter().flat_map(|it| &it.partitions);
    Ok(answers.map(|it| it.error_code).collect())
}

/// Deletes what lies before the first offset.
async fn delete_nothing(client: &mut Client, partitions: i32) -> Result<Vec<i16>> {
    let partition = |partition_index| DeleteRecordsPartition {
        partition_index,
        offset: 0,
    };
    let request = DeleteRecordsRequest {
        topics: vec![DeleteRecordsTopic {
            name: TOPIC.into(),
            partitions: (0..partitions).map(partition).collect(),
        }],
        timeout_ms: TIMEOUT_MS,
    };
    let response = client.call(DELETE_RECORDS_VERSION, &request).await?;
    let answers = response.topics.iter().flat_map(|it| &it.partitions);
    Ok(answers.map(|it| it.error_code).collect())
}
