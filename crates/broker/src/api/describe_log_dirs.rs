//! DescribeLogDirs (key 35, versions 1 to 5): the log directories of the process, and the logs in them.
//!
//! Whichever node id a client asks, the answer is about the machine, and names each of its logs once.
//!
//! Source: KIP-113, KIP-827, KIP-1066; `ReplicaManager.describeLogDirs` of Kafka 4.3.1.

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use io::Io;
use protocol::Str;
use protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse};
use rustc_hash::FxHashSet;
use types::ErrorCode;

use super::{Call, Finished, Outcome};
use crate::message::LogSummary;
use crate::shard::{Shard, directories};

pub(super) async fn handle<I: Io>(
    call: Call<I>,
    request: DescribeLogDirsRequest,
) -> Outcome<DescribeLogDirsResponse> {
    let shard = Rc::clone(&call.shard);
    let asked: Option<FxHashSet<(Str, i32)>> = request.topics.map(|topics| {
        let partitions = topics.iter().flat_map(|topic| {
            let name = topic.topic.detached();
            let named = move |index: &i32| (name.clone(), *index);
            topic.partitions.iter().map(named)
        });
        partitions.collect()
    });
    Outcome::Later(Box::pin(async move {
        let mut logs = directories::describe_all(&shard).await;
        if let Some(asked) = asked {
            logs.retain(|log| asked.contains(&(log.topic.clone(), log.partition)));
        }
        let mut results = Vec::with_capacity(shard.setup.directories.len());
        for index in 0..shard.setup.directories.len() {
            let here = logs.iter().filter(|log| log.directory == index);
            results.push(describe(&shard, index, topics(here)).await);
        }
        Finished::Answer(DescribeLogDirsResponse {
            results,
            ..DescribeLogDirsResponse::default()
        })
    }))
}

async fn describe<I: Io>(
    shard: &Shard<I>,
    index: usize,
    topics: Vec<DescribeLogDirsTopic>,
) -> DescribeLogDirsResult {
    let path = &shard.setup.directories[index].path;
    let log_dir = Str::from(directories::absolute(path).display().to_string());
    let space = match shard.directory_failure(index) {
        None => space(shard, path).await.map_err(|error| error.to_string()),
        Some(reason) => Err(reason),
    };
    match space {
        Ok((total_bytes, usable_bytes)) => DescribeLogDirsResult {
            log_dir,
            topics,
            total_bytes,
            usable_bytes,
            ..DescribeLogDirsResult::default()
        },
        Err(error) => {
            tracing::debug!(path = %path.display(), error, "a log directory cannot be described");
            DescribeLogDirsResult {
                log_dir,
                error_code: ErrorCode::KafkaStorageError.code(),
                ..DescribeLogDirsResult::default()
            }
        }
    }
}

/// Bytes of the file system, and how many of them may still be used.
async fn space<I: Io>(shard: &Shard<I>, path: &Path) -> std::io::Result<(i64, i64)> {
    let total = shard.io.total_space_bytes(path).await?;
    let usable = shard.io.free_space_bytes(path).await?;
    let bounded = |bytes| i64::try_from(bytes).unwrap_or(i64::MAX);
    Ok((bounded(total), bounded(usable)))
}

fn topics<'a>(logs: impl Iterator<Item = &'a LogSummary>) -> Vec<DescribeLogDirsTopic> {
    let mut topics: BTreeMap<Str, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
    for log in logs {
        let partitions = topics.entry(log.topic.clone()).or_default();
        partitions.push(DescribeLogDirsPartition {
            partition_index: log.partition,
            partition_size: i64::try_from(log.size_bytes).unwrap_or(i64::MAX),
            offset_lag: log.offset_lag,
            is_future_key: log.is_future,
        });
    }
    let named = |(name, mut partitions): (Str, Vec<DescribeLogDirsPartition>)| {
        partitions.sort_unstable_by_key(|partition| partition.partition_index);
        DescribeLogDirsTopic { name, partitions }
    };
    topics.into_iter().map(named).collect()
}
