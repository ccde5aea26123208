//! The log directories of the machine as one shard sees them: which logs of its lie where.
//!
//! A directory belongs to the whole process, the logs in it to their shards; what concerns a directory is gathered.

use std::path::Path;
use std::rc::Rc;

use futures_util::future::join_all;
use io::Io;

use super::Shard;
use crate::message::{LogSummary, Reply, Request};

impl<I: Io> Shard<I> {
    /// The index of the log directory in which a log lies.
    pub(super) fn directory_index(&self, log: &Path) -> Option<usize> {
        self.setup
            .directories
            .iter()
            .position(|directory| log.starts_with(&directory.path))
    }
}

/// Every log of this shard.
pub(super) fn describe<I: Io>(shard: &Shard<I>) -> Vec<LogSummary> {
    let partitions = shard.partitions.borrow();
    let logs = partitions.values().filter_map(|partition| {
        let log = &partition.log;
        Some(LogSummary {
            directory: shard.directory_index(log.dir())?,
            topic: (&*log.identity().topic).into(),
            partition: partition.key.index,
            size_bytes: log.size_bytes(),
            offset_lag: 0,
            is_future: false,
        })
    });
    logs.collect()
}

/// Every log of the process, each once.
pub(crate) async fn describe_all<I: Io>(shard: &Rc<Shard<I>>) -> Vec<LogSummary> {
    let others = shard.mesh.shards().filter(|other| *other != shard.id());
    let asked = others
        .map(|other| async move { shard.mesh.request(other, Request::DescribeLogs).await.await });
    let answers = join_all(asked).await;
    let mut logs = describe(shard);
    for answer in answers {
        if let Some(Reply::Logs(theirs)) = answer {
            logs.extend(theirs);
        }
    }
    logs
}
