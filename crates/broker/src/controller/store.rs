//! The metadata log and its snapshots on disk.
//!
//! One decision is one batch, and each is durable before the next is written. Batches lie back to back as in Kafka,
//! so an append rewrites the block that holds the end of the log: the bytes that were there are written again
//! unchanged, and a torn write leaves sectors that are old or new, never damaged. The zeroes behind the end are no
//! part of the log. When the log has grown by [`SNAPSHOT_AFTER_BYTES`] the image is written as a snapshot, and the
//! log begins anew.
//!
//! Runs on the controller's shard only; nothing here is concurrent.

use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use io::{ALIGNMENT, Buffer as _, File as _, Io, OpenMode};
use metadata::snapshot::SnapshotId;
use metadata::{MetadataImage, MetadataRecord, log, snapshot};
use storage::checkpoint;
use types::Offset;

/// The log is replaced by a snapshot when it has grown to this size.
const SNAPSHOT_AFTER_BYTES: usize = 8 << 20;

/// The largest log or snapshot that is read. A decision is at most a few MiB and a snapshot is bounded by the image.
const FILE_LEN_MAX_BYTES: usize = 1 << 30;

/// The metadata log, open for appends.
pub(super) struct MetadataStore<I: Io> {
    io: I,
    directory: PathBuf,
    file: I::File,
    /// Bytes of the log.
    len_bytes: usize,
    /// The bytes of the last, incomplete block.
    tail: Vec<u8>,
    /// Set by a failed write: what is on disk is not known any more.
    is_failed: bool,
}

impl<I: Io> MetadataStore<I> {
    /// Reads the newest snapshot and the log behind it, creating both directory and log if they are missing. After a clean
    /// stop (`is_clean`) both are whole: nothing is cut then.
    ///
    /// # Errors
    /// The operating system's, and `Other` with the [`metadata::MetadataError`] for content that must not be ignored.
    pub(super) async fn open(
        io: I,
        log_directory: &Path,
        is_clean: bool,
    ) -> Result<(Self, log::Replay)> {
        let directory = log_directory.join(log::DIRECTORY);
        io.create_dir_all(&directory).await?;
        io.sync_dir(log_directory).await?;
        let image = newest_snapshot(&io, &directory).await?;
        let path = directory.join(log::FILE);
        let file = io.open(&path, OpenMode::CreateOrOpen).await?;
        io.sync_dir(&directory).await?;
        let content = io.read_file(&path, FILE_LEN_MAX_BYTES).await?;
        let replay = log::replay(image, &content).map_err(Error::other)?;
        let valid = replay.valid_bytes;
        if is_clean {
            check_whole(&path, &content, &replay)?;
        }
        // Whatever lies behind the last intact batch was never acknowledged.
        file.set_len(valid as u64).await?;
        file.sync_data().await?;
        let tail = content[valid - valid % ALIGNMENT..valid].to_vec();
        let store = Self {
            io,
            directory,
            file,
            len_bytes: valid,
            tail,
            is_failed: false,
        };
        Ok((store, replay))
    }

    /// Whether nothing can be decided until the next start.
    pub(super) fn is_failed(&self) -> bool {
        self.is_failed
    }

    /// Writes the records of one decision on `image` and waits until they are durable.
    ///
    /// # Errors
    /// The operating system's. Nothing more is accepted then: the state on disk is unknown until the next start.
    pub(super) async fn append(
        &mut self,
        image: &MetadataImage,
        records: &[MetadataRecord],
    ) -> Result<()> {
        if self.is_failed {
            return Err(Error::other(
                "the metadata log failed before; restart the broker",
            ));
        }
        let now = self.io.wall_clock();
        let batch = log::encode_batch(records, image.end_offset(), log::LEADER_EPOCH, now);
        self.is_failed = true;
        if let Err(error) = self.write(&batch).await {
            // Whatever of it is on disk lies behind the end, and the next append writes the same place again.
            self.is_failed = error.kind() != ErrorKind::StorageFull;
            return Err(error);
        }
        self.file.sync_data().await?;
        self.is_failed = false;
        let len_bytes = self.len_bytes + batch.len();
        let mut tail = std::mem::take(&mut self.tail);
        tail.extend_from_slice(&batch);
        tail.drain(..tail.len() - len_bytes % ALIGNMENT);
        self.tail = tail;
        self.len_bytes = len_bytes;
        Ok(())
    }

    async fn write(&self, batch: &Bytes) -> Result<()> {
        let begin = self.len_bytes - self.tail.len();
        let used = self.tail.len() + batch.len();
        let mut buffer = self.io.allocate(block_len(used));
        let block = buffer.as_mut_slice();
        block[..self.tail.len()].copy_from_slice(&self.tail);
        block[self.tail.len()..used].copy_from_slice(batch);
        block[used..].fill(0);
        let len = block.len();
        let written = self.file.write_at(begin as u64, buffer).await?;
        if written < len {
            return Err(Error::from(ErrorKind::StorageFull));
        }
        Ok(())
    }

    /// Writes a snapshot and begins a new log, if the log has grown enough.
    ///
    /// # Errors
    /// The operating system's. The log goes on; the next append tries again, unless the log itself was being replaced.
    pub(super) async fn compact(&mut self, image: &MetadataImage) -> Result<()> {
        if self.len_bytes < SNAPSHOT_AFTER_BYTES || self.is_failed {
            return Ok(());
        }
        let id = SnapshotId {
            end_offset: image.end_offset(),
            epoch: log::LEADER_EPOCH,
        };
        let content = snapshot::encode(image, id.epoch, self.io.wall_clock());
        self.io
            .replace_file(&self.directory.join(id.file_name()), content.into())
            .await?;
        // From here on the log's records are all in the snapshot; a crash before the next line loses nothing.
        self.is_failed = true;
        let path = self.directory.join(log::FILE);
        if let Err(error) = self.io.replace_file(&path, Vec::new()).await {
            self.is_failed = error.kind() != ErrorKind::StorageFull;
            return Err(error);
        }
        self.file = self.io.open(&path, OpenMode::Existing).await?;
        self.is_failed = false;
        self.len_bytes = 0;
        self.tail.clear();
        for (older, name) in snapshots(&self.io, &self.directory).await? {
            if older < id {
                self.io.remove_file(&self.directory.join(name)).await?;
            }
        }
        Ok(())
    }

    /// Cuts the zeroes behind the log, so that it ends as a log of Kafka's does.
    ///
    /// # Errors
    /// The operating system's.
    pub(super) async fn close(&mut self) -> Result<()> {
        if self.is_failed {
            return Err(Error::other("a write of it failed before"));
        }
        self.is_failed = true;
        self.file.set_len(self.len_bytes as u64).await?;
        self.file.sync_data().await
    }
}

/// After a clean stop: whether the log is the one that was closed.
///
/// # Errors
/// What is damaged or missing, and how to go on.
fn check_whole(path: &Path, content: &[u8], replay: &log::Replay) -> Result<()> {
    let valid = replay.valid_bytes;
    let detail = if content[valid..].iter().any(|byte| *byte != 0) {
        "the batch there is damaged"
    } else if replay.image.end_offset() == Offset(0) {
        "it is empty or missing, and there is no snapshot"
    } else {
        return Ok(());
    };
    let mark = checkpoint::CLEAN_SHUTDOWN_FILE;
    Err(Error::other(format!(
        "{}: damaged at byte {valid} although the broker was stopped cleanly: {detail}. Nothing was changed: bring the file \
         back from a copy. To go on without what it says from there on (topics that only it knows are set aside), remove \
         {mark} from the log directory",
        path.display()
    )))
}

async fn newest_snapshot<I: Io>(io: &I, directory: &Path) -> Result<MetadataImage> {
    let Some((id, name)) = snapshots(io, directory).await?.into_iter().max() else {
        return Ok(MetadataImage::new());
    };
    let content = io
        .read_file(&directory.join(name), FILE_LEN_MAX_BYTES)
        .await?;
    snapshot::decode(id, &content).map_err(Error::other)
}

async fn snapshots<I: Io>(io: &I, directory: &Path) -> Result<Vec<(SnapshotId, String)>> {
    let entries = io.list_dir(directory).await?;
    Ok(entries
        .into_iter()
        .filter_map(|entry| Some((SnapshotId::parse(&entry.name)?, entry.name)))
        .collect())
}

/// The length of whole blocks that hold `len` bytes.
fn block_len(len: usize) -> usize {
    len.next_multiple_of(ALIGNMENT)
}
