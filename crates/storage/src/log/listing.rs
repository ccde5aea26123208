//! What a log directory holds, by name, with the small files that opening nearly always reads.
//!
//! One step of the file system instead of one for each file: thousands of logs are opened at a start.

use std::path::{Path, PathBuf};

use io::{DirEntry, Io};
use rustc_hash::FxHashMap;
use types::Offset;

use super::replace::{CLEANED_SUFFIX, SWAP_SUFFIX};
use super::retention::DELETED_SUFFIX;
use super::unfinished::finish_replacements;
use crate::checkpoint::{LEADER_EPOCH_FILE, PARTITION_METADATA_FILE};
use crate::error::OpenError;
use crate::segment::{SegmentFile, parse_file_name};
use crate::shard::ShardStorage;

/// The longest small file that is read together with the list of its directory.
const SMALL_LEN_MAX: usize = 64 << 10;

/// A segment's log file in the directory.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogFile {
    pub(super) base_offset: Offset,
    pub(super) len_bytes: u64,
}

/// The files of a directory.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// What some of them hold, by name.
    contents: FxHashMap<String, Vec<u8>>,
    /// In offset order.
    pub(super) logs: Vec<LogFile>,
    pub(super) snapshots: Vec<Offset>,
    pub(super) indexes: Vec<(Offset, SegmentFile)>,
    pub(super) leftovers: Vec<PathBuf>,
    pub(super) has_epochs: bool,
}

impl Listing {
    /// The content of a small file, which was read together with the list or is read now.
    ///
    /// # Errors
    /// The operating system's.
    pub(crate) async fn read<I: Io>(
        &self,
        io: &I,
        path: &Path,
        len_max_bytes: usize,
    ) -> std::io::Result<Vec<u8>> {
        let name = path.file_name().and_then(|name| name.to_str());
        match name.and_then(|name| self.contents.get(name)) {
            Some(content) => Ok(content.clone()),
            None => io.read_file(path, len_max_bytes).await,
        }
    }
}

/// The small files that opening nearly always needs: those of the log, and what is derived of its newest segment.
fn needed_files(entries: &[DirEntry]) -> Vec<usize> {
    let last = |ending: &str| entries.iter().rposition(|it| it.name.ends_with(ending));
    let newest = [".index", ".timeindex", ".snapshot"].map(last);
    let own = [LEADER_EPOCH_FILE, PARTITION_METADATA_FILE].map(last);
    newest.into_iter().chain(own).flatten().collect()
}

/// Lists what `dir` holds, once replacements of segments that a crash has interrupted are finished.
pub(crate) async fn list<I: Io>(shard: &ShardStorage<I>, dir: &Path) -> Result<Listing, OpenError> {
    let mut entries = entries(shard, dir).await?;
    if entries.iter().any(|(entry, _)| is_unfinished(&entry.name)) {
        finish_replacements(shard, dir).await?;
        entries = self::entries(shard, dir).await?;
    }
    let mut listing = Listing::default();
    for (entry, content) in entries {
        if let Some(content) = content {
            listing.contents.insert(entry.name.clone(), content);
        }
        let path = dir.join(&entry.name);
        if entry.name == LEADER_EPOCH_FILE {
            listing.has_epochs = true;
        }
        if entry.name.ends_with(".tmp") {
            listing.leftovers.push(path);
            continue;
        }
        if entry.name.ends_with(DELETED_SUFFIX) {
            shard.discard_at_once(path);
            continue;
        }
        match parse_file_name(&entry.name) {
            Some((base_offset, "log")) => listing.logs.push(LogFile {
                base_offset,
                len_bytes: entry.len_bytes,
            }),
            Some((offset, "snapshot")) => listing.snapshots.push(offset),
            Some((offset, "index")) => listing.indexes.push((offset, SegmentFile::OffsetIndex)),
            Some((offset, "timeindex")) => listing.indexes.push((offset, SegmentFile::TimeIndex)),
            _ => {}
        }
    }
    Ok(listing)
}

async fn entries<I: Io>(
    shard: &ShardStorage<I>,
    dir: &Path,
) -> Result<Vec<(DirEntry, Option<Vec<u8>>)>, OpenError> {
    let listed = shard.io().read_dir(dir, needed_files, SMALL_LEN_MAX).await;
    listed.map_err(OpenError::io("list directory", dir))
}

fn is_unfinished(name: &str) -> bool {
    name.ends_with(CLEANED_SUFFIX) || name.ends_with(SWAP_SUFFIX)
}
