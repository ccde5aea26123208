//! AlterReplicaLogDirs (key 34, versions 1 and 2): partitions are to be in other log directories of this machine.
//!
//! A partition that is not there is refused, and put there when it is created.
//!
//! The answer says that a move has begun; DescribeLogDirs shows the copies while they grow. Whichever node id a client
//! asks, the machine is meant.
//!
//! Source: KIP-113; `ReplicaManager.alterReplicaLogDirs` of Kafka 4.3.1.

use std::collections::BTreeMap;
use std::rc::Rc;

use futures_util::{StreamExt as _, stream};
use io::Io;
use protocol::Str;
use protocol::messages::alter_replica_log_dirs_response::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult,
};
use protocol::messages::{AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse};
use types::{ErrorCode, Uuid};

use super::{Call, Finished, Outcome};
use crate::controller::Command;
use crate::message::PartitionKey;
use crate::shard::{Shard, directory_move};

/// Moves of one request that are begun at the same time.
const BEGINNING_MAX: usize = 16;

pub(super) async fn handle<I: Io>(
    call: Call<I>,
    request: AlterReplicaLogDirsRequest,
) -> Outcome<AlterReplicaLogDirsResponse> {
    let shard = Rc::clone(&call.shard);
    // As in Kafka, of several directories for one partition the last one counts.
    let mut wishes: BTreeMap<(Str, i32), Rc<str>> = BTreeMap::new();
    for directory in &request.dirs {
        let path: Rc<str> = Rc::from(directory.path.as_str());
        for topic in &directory.topics {
            let name = topic.name.detached();
            let partitions = topic.partitions.iter();
            wishes.extend(partitions.map(|index| ((name.clone(), *index), Rc::clone(&path))));
        }
    }
    Outcome::Later(Box::pin(async move {
        let begun = stream::iter(wishes)
            .map(|((topic, index), path)| {
                let shard = &shard;
                async move {
                    let code = begin(shard, &topic, index, &path).await.err();
                    (topic, index, code.unwrap_or(ErrorCode::None))
                }
            })
            .buffered(BEGINNING_MAX);
        let results = begun.collect::<Vec<_>>().await;
        Finished::Answer(AlterReplicaLogDirsResponse {
            throttle_time_ms: 0,
            results: by_topic(&results),
        })
    }))
}

async fn begin<I: Io>(
    shard: &Rc<Shard<I>>,
    topic: &Str,
    index: i32,
    path: &str,
) -> Result<(), ErrorCode> {
    let target = shard
        .directory_named(path)
        .ok_or(ErrorCode::LogDirNotFound)?;
    if !shard.is_online(target) {
        return Err(ErrorCode::KafkaStorageError);
    }
    let topic_id = shard.view().topic(topic, Uuid::ZERO).map(|topic| topic.id);
    let begun = match topic_id {
        Some(topic_id) => {
            let key = PartitionKey { topic_id, index };
            directory_move::begin_anywhere(shard, key, target, None).await
        }
        None => Err(ErrorCode::UnknownTopicOrPartition),
    };
    if begun == Err(ErrorCode::UnknownTopicOrPartition) {
        // As in Kafka, refused and remembered.
        let wish = Command::WishDirectory {
            topic: topic.as_str().to_owned(),
            partition: index,
            directory: shard.setup.directories[target].id,
        };
        shard.decide(wish).await;
    }
    begun
}

/// `results` are in the order of topics.
fn by_topic(results: &[(Str, i32, ErrorCode)]) -> Vec<AlterReplicaLogDirTopicResult> {
    results
        .chunk_by(|(first, ..), (second, ..)| first == second)
        .map(|partitions| AlterReplicaLogDirTopicResult {
            topic_name: partitions[0].0.clone(),
            partitions: partitions
                .iter()
                .map(|(_, index, code)| AlterReplicaLogDirPartitionResult {
                    partition_index: *index,
                    error_code: code.code(),
                })
                .collect(),
        })
        .collect()
}
