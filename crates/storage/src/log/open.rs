//! Creating a log and opening an existing one.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::path::Path;
use std::rc::Rc;

use io::Io;
use io::sync::Notify;
use types::{Offset, Uuid};

use super::listing::{Listing, list};
use super::recover::{Recovered, recover};
use super::{Log, LogIdentity, LogInner, LogState, Tasks, Totals, read};
use crate::checkpoint::{
    FILE_LEN_MAX, PARTITION_METADATA_FILE, decode_partition_metadata, encode_partition_metadata,
};
use crate::config::LogConfig;
use crate::error::OpenError;
use crate::shard::ShardStorage;
use crate::staging::Staging;

/// What is known of a log from its last run: the checkpoints of its data directory, and whether it was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastKnown {
    /// Whether the broker left its mark of a clean shutdown, so that every log was closed. Nothing is scanned then.
    pub is_clean: bool,
    /// From here on a recovery scans; below it everything was durable.
    pub recovery_point: Offset,
    /// The log start offset.
    pub log_start_offset: Offset,
}

impl LastKnown {
    /// When nothing is known: everything is scanned.
    pub const NOTHING: Self = Self {
        is_clean: false,
        recovery_point: Offset(0),
        log_start_offset: Offset(0),
    };
}

impl<I: Io> Log<I> {
    /// Makes the log of a new partition in `dir`, which is durable then. A directory that an interrupted creation of the
    /// same topic left behind is taken over. Cancellation may leave such a directory.
    ///
    /// # Errors
    /// [`OpenError`]; `Unsupported` when the directory belongs to another topic.
    pub async fn create(
        shard: &ShardStorage<I>,
        dir: &Path,
        identity: LogIdentity,
        config: LogConfig,
    ) -> Result<Self, OpenError> {
        let io = shard.io();
        let created = io.create_dir_all(dir).await;
        created.map_err(OpenError::io("create directory", dir))?;
        if let Some(parent) = dir.parent() {
            let space = shard.space(parent);
            let synced = space.names.sync(|| io.sync_dir(parent)).await;
            synced.map_err(OpenError::io("sync directory", parent))?;
        }
        Self::open(shard, dir, identity, config, LastKnown::NOTHING).await
    }

    /// Opens the log in `dir`. After an unclean stop it scans from the recovery point: batches are checked, a torn tail is
    /// cut, indexes, leader epochs and producers are built again. Several logs may be opened at once. Cancellation
    /// leaves a directory that can be opened again.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(
        shard: &ShardStorage<I>,
        dir: &Path,
        identity: LogIdentity,
        config: LogConfig,
        last: LastKnown,
    ) -> Result<Self, OpenError> {
        let listing = list(shard, dir).await?;
        check_topic_id(shard, (dir, &listing), identity.topic_id).await?;
        let id = shard.new_log_id();
        let recovered = recover(shard, id, (dir, listing), &config, last).await?;
        let space = shard.space(dir.parent().unwrap_or(dir));
        let inner = LogInner {
            shard: shard.clone(),
            id,
            identity,
            dir: dir.to_path_buf(),
            space,
            state: RefCell::new(state(shard, config, recovered)),
            progress: Notify::new(),
            committed: Notify::new(),
            dirty: Notify::new(),
        };
        Ok(Self {
            inner: Rc::new(inner),
        })
    }
}

fn state<I: Io>(shard: &ShardStorage<I>, config: LogConfig, mut found: Recovered) -> LogState<I> {
    let end = found.next_offset;
    if let Some(active) = found.segments.last_mut() {
        active.roll_jitter = shard.io().random();
    }
    LogState {
        config,
        segments: found.segments,
        staging: Staging::default(),
        log_start_offset: found.log_start_offset,
        next_offset: end,
        written_offset: end,
        durable_offset: end,
        high_watermark: end,
        epochs: found.epochs,
        epochs_changed: false,
        producers: found.producers,
        producers_expired: shard.io().now(),
        is_changed: !found.is_clean,
        stop: None,
        is_counted_fenced: false,
        totals: Totals::default(),
        tasks: Tasks::default(),
        tail_block: None,
        unwritten_bytes: 0,
        is_disk_full: false,
        flush_wanted: false,
        last_append: shard.io().now(),
        hints: read::Hints::default(),
        cleaning: super::replace::Cleaning::default(),
    }
}

/// Holds `partition.metadata` against the topic's id, and writes it when it is missing.
async fn check_topic_id<I: Io>(
    shard: &ShardStorage<I>,
    (dir, listing): (&Path, &Listing),
    topic_id: Uuid,
) -> Result<(), OpenError> {
    let path = dir.join(PARTITION_METADATA_FILE);
    let unsupported = |detail: String| OpenError::Unsupported {
        path: path.clone(),
        detail,
    };
    match listing.read(shard.io(), &path, FILE_LEN_MAX).await {
        Ok(content) => {
            let found = decode_partition_metadata(&content)
                .map_err(|error| unsupported(error.to_string()))?;
            if found == topic_id {
                return Ok(());
            }
            let detail = format!("it belongs to the topic with id {found}, not to {topic_id}");
            Err(unsupported(detail))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let content = encode_partition_metadata(topic_id);
            let written = shard.io().replace_file(&path, content).await;
            written.map_err(OpenError::io("write", &path))
        }
        Err(error) => Err(OpenError::io("read", &path)(error)),
    }
}
