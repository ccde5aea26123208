//! Logs that are not open: how far one goes, and setting one aside.
//!
//! For whoever finds two directories that both claim to be the log of a partition. Nothing in them is changed.

use std::io::{ErrorKind, Result};
use std::path::{Path, PathBuf};

use io::{File as _, Io, OpenMode};
use types::Offset;

use super::lifecycle::renamed_path;
use crate::error::OpenError;
use crate::scan::{Check, Scanner, Step};
use crate::segment::{SegmentFile, file_path, parse_file_name};
use crate::shard::ShardStorage;

/// What Kafka appends to the name of a directory that the metadata does not know.
const STRAY_SUFFIX: &str = "-stray";

impl<I: Io> ShardStorage<I> {
    /// Where the log in a directory ends, by the headers of its newest segment; `None` when it has no segment yet.
    ///
    /// # Errors
    /// [`OpenError::Io`].
    pub async fn end_offset_of(
        &self,
        dir: &Path,
    ) -> std::result::Result<Option<Offset>, OpenError> {
        let found = self.find_end(dir).await;
        found.map_err(OpenError::io("look for the end of the log in", dir))
    }

    async fn find_end(&self, dir: &Path) -> Result<Option<Offset>> {
        let entries = self.io().list_dir(dir).await?;
        let segments = entries.iter().filter_map(|entry| {
            let (base_offset, extension) = parse_file_name(&entry.name)?;
            (extension == SegmentFile::Log.extension()).then_some((base_offset, entry.len_bytes))
        });
        let Some((base_offset, len_bytes)) = segments.max() else {
            return Ok(None);
        };
        let path = file_path(dir, base_offset, SegmentFile::Log);
        let file = self.io().open(&path, OpenMode::Existing).await?;
        let mut scanner = Scanner::new(&file, len_bytes);
        let mut end = base_offset;
        while let Step::Batch(found) = scanner.next(Check::Header).await? {
            end = Offset(found.header.last_offset().0 + 1);
        }
        file.close().await?;
        Ok(Some(end))
    }

    /// Gives a directory that must not have its name, and must not be deleted either, another one, durably. Returns where
    /// it is now.
    ///
    /// # Errors
    /// [`OpenError::Io`]. One that is not there is no error.
    pub async fn set_aside(&self, dir: &Path) -> std::result::Result<PathBuf, OpenError> {
        let io = self.io();
        let aside = renamed_path(dir, [io.random(), io.random()], STRAY_SUFFIX);
        match io.rename(dir, &aside).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(aside),
            renamed => renamed.map_err(OpenError::io("rename directory", dir))?,
        }
        let parent = dir.parent().unwrap_or(dir);
        let synced = io.sync_dir(parent).await;
        synced.map_err(OpenError::io("sync directory", parent))?;
        Ok(aside)
    }
}
