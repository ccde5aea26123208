//! Changes of a log that are no appends: configuration, leader epochs, closing, deletion.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use io::{Io, Task as _, TaskClass};
use types::{DurationMs, LeaderEpoch, Offset};

use super::{Log, LogInner, Stop};
use crate::checkpoint::{LEADER_EPOCH_FILE, encode_epochs};
use crate::config::LogConfig;
use crate::error::{Fenced, OpenError};
use crate::segment::{SegmentFile, file_name};
use crate::shard::ShardStorage;
use crate::snapshot;

/// What Kafka appends to the name of a directory that is being deleted.
pub(crate) const DELETE_SUFFIX: &str = "-delete";

/// The longest name of a directory.
const NAME_LEN_MAX: usize = 255;

impl<I: Io> Log<I> {
    /// Takes a new configuration. It counts from the next append or commit on.
    pub fn update_config(&self, config: LogConfig) {
        {
            let mut state = self.inner.state.borrow_mut();
            state.config = config;
            state.advance_high_watermark();
        }
        self.inner.notify_all();
        self.inner.start_syncer();
    }

    /// Remembers silent producers for this long from now on.
    pub fn set_producer_id_expiration(&self, expiration: DurationMs) {
        let mut state = self.inner.state.borrow_mut();
        state.producers.set_expiration(expiration);
    }

    /// A copy of the configuration.
    #[must_use]
    pub fn config(&self) -> LogConfig {
        self.inner.state.borrow().config.clone()
    }

    /// Notes that `epoch` begins at the log end. The checkpoint is written in the background.
    pub fn assign_leader_epoch(&self, epoch: LeaderEpoch) {
        let changed = {
            let mut state = self.inner.state.borrow_mut();
            let next_offset = state.next_offset;
            let changed = state.epochs.assign(epoch, next_offset);
            state.epochs_changed |= changed;
            state.is_changed |= changed;
            changed
        };
        if changed {
            self.inner.save_epochs();
        }
    }

    /// Closes the log: no more appends, everything on disk, files cut to their true size, indexes and producers saved.
    /// Reads go on. A log that was closed without an error needs no recovery. Cancellation leaves a log that takes no
    /// appends and needs recovery. Nothing is left to be done where the log is deleted meanwhile.
    ///
    /// # Errors
    /// [`Fenced`] when something did not get to disk. The log then needs recovery.
    pub async fn close(&self) -> Result<(), Fenced> {
        let inner = &self.inner;
        {
            let mut state = inner.state.borrow_mut();
            if state.stop.is_none() {
                state.stop = Some(Stop::Closed);
            }
        }
        // Followers of the high watermark learn that the log has stopped.
        inner.notify_all();
        let closed = self.close_all().await;
        if inner.state.borrow().is_deleted() {
            // Its files have gone meanwhile, and nobody needs them.
            return Ok(());
        }
        closed
    }

    async fn close_all(&self) -> Result<(), Fenced> {
        let inner = &self.inner;
        self.flush().await?;
        inner.wait_for_tasks().await;
        let closed = inner.close_files().await;
        closed.map_err(|error| {
            if !inner.state.borrow().is_deleted() {
                inner.fence(format!("close: {error}"));
            }
            let reason = format!("close: {error}");
            match error.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Fenced::without_room(reason),
                _ => Fenced::new(reason),
            }
        })
    }

    /// Deletes the log: its directory is renamed, which [`ShardStorage::remove_deleted`] finishes after a crash, and
    /// removed in the background, `file.delete.delay.ms` later. May be called again after an error. Cancellation may leave a stopped log in place, to be deleted again.
    ///
    /// # Errors
    /// [`OpenError::Io`] when the directory cannot be renamed.
    pub async fn delete(&self) -> Result<(), OpenError> {
        let inner = &self.inner;
        {
            let mut state = inner.state.borrow_mut();
            state.stop = Some(Stop::Deleted);
            inner.has_written(&mut state, u64::MAX);
        }
        inner.notify_all();
        inner.wait_for_tasks().await;
        let delay = self.config().file_delete_delay_ms;
        let delay = Duration::from_millis(u64::try_from(delay.0).unwrap_or(0));
        inner.shard.delete_directory(&inner.dir, delay).await?;
        inner.forget();
        Ok(())
    }
}

/// `<topic>-<partition>.<32 hex digits><suffix>`, the topic's name cut if need be.
pub(super) fn renamed_path(dir: &Path, random: [u64; 2], suffix: &str) -> PathBuf {
    let suffix = format!(".{:016x}{:016x}{suffix}", random[0], random[1]);
    let name = dir
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or("log");
    let kept = name.get(..NAME_LEN_MAX - suffix.len()).unwrap_or(name);
    dir.with_file_name(format!("{kept}{suffix}"))
}

impl<I: Io> ShardStorage<I> {
    /// Removes in the background what deletions left in a data directory. To be called once per data directory at the
    /// start.
    ///
    /// # Errors
    /// [`OpenError::Io`].
    pub async fn remove_deleted(&self, data_dir: &Path) -> Result<(), OpenError> {
        let listed = self.io().list_dir(data_dir).await;
        let entries = listed.map_err(OpenError::io("list directory", data_dir))?;
        for entry in entries {
            if entry.is_dir && entry.name.ends_with(DELETE_SUFFIX) {
                self.discard_at_once(data_dir.join(&entry.name));
            }
        }
        Ok(())
    }

    /// Deletes a log that is not open: renames its directory, durably, and removes it in the background, `delay` from
    /// now at the earliest. Cancellation may leave it in place.
    ///
    /// # Errors
    /// [`OpenError::Io`] when the directory cannot be renamed. One that is not there is no error.
    pub async fn delete_directory(&self, dir: &Path, delay: Duration) -> Result<(), OpenError> {
        let io = self.io();
        let deleted = renamed_path(dir, [io.random(), io.random()], DELETE_SUFFIX);
        match io.rename(dir, &deleted).await {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(OpenError::io("rename directory", dir)(error)),
        }
        if let Some(parent) = dir.parent() {
            // Those of a topic are deleted together, and share a sync.
            let space = self.space(parent);
            let synced = space.names.sync(|| io.sync_dir(parent)).await;
            synced.map_err(OpenError::io("sync directory", parent))?;
        }
        self.discard(deleted, delay);
        Ok(())
    }
}

impl<I: Io> LogInner<I> {
    pub(super) async fn wait_for_tasks(&self) {
        loop {
            let progress = {
                if self.state.borrow().tasks.are_done() {
                    return;
                }
                self.progress.notified()
            };
            progress.await;
        }
    }

    async fn close_files(&self) -> std::io::Result<()> {
        let growing = {
            let mut state = self.state.borrow_mut();
            state.staging.retire_tail(|retired| self.cache(retired));
            if !std::mem::take(&mut state.is_changed) {
                return Ok(());
            }
            if let Some(indexes) = state.active_mut().growing_mut() {
                indexes.finish();
            }
            let growing = state.segments.iter().filter(|it| it.growing().is_some());
            growing.map(|it| it.base_offset).collect::<Vec<Offset>>()
        };
        for segment in growing {
            self.seal(segment).await?;
        }
        let (snapshot, end, epochs) = {
            let mut state = self.state.borrow_mut();
            let epochs_changed = std::mem::take(&mut state.epochs_changed);
            let epochs = epochs_changed.then(|| encode_epochs(&state.epochs));
            (
                snapshot::encode(&state.producers),
                state.next_offset,
                epochs,
            )
        };
        let mut files = vec![(file_name(end, SegmentFile::Snapshot), snapshot)];
        files.extend(epochs.map(|epochs| (LEADER_EPOCH_FILE.to_owned(), epochs)));
        self.replace_all_derived(files).await
    }

    /// Drops everything that the shard keeps for this log.
    pub(crate) fn forget(&self) {
        for segment in &self.state.borrow().segments {
            match segment.files_id {
                Some(id) => self.shard.forget_pieces((id, segment.base_offset)),
                None => self.shard.forget_segment((self.id, segment.base_offset)),
            }
        }
        self.shard.shared.cache.borrow_mut().forget_log(self.id);
    }

    /// Writes the leader epoch checkpoint in the background.
    pub(crate) fn save_epochs(self: &Rc<Self>) {
        if std::mem::replace(&mut self.state.borrow_mut().tasks.saving_epochs, true) {
            return;
        }
        let inner = Rc::clone(self);
        let saving = async move {
            while let Some(content) = inner.changed_epochs() {
                let path = inner.dir.join(LEADER_EPOCH_FILE);
                let files = vec![(LEADER_EPOCH_FILE.to_owned(), content)];
                if let Err(error) = inner.replace_all_derived(files).await {
                    // Recovery makes the epochs from the batches, and closing writes them again.
                    tracing::warn!(path = %path.display(), %error, "leader epochs not written");
                    inner.epochs_are_not_saved();
                    break;
                }
            }
            inner.progress.notify_all();
        };
        self.shard
            .io()
            .spawn(TaskClass::Background, saving)
            .detach();
    }

    fn epochs_are_not_saved(&self) {
        let mut state = self.state.borrow_mut();
        state.epochs_changed = true;
        state.tasks.saving_epochs = false;
    }

    fn changed_epochs(&self) -> Option<Vec<u8>> {
        let mut state = self.state.borrow_mut();
        if state.is_halted() || !std::mem::take(&mut state.epochs_changed) {
            state.tasks.saving_epochs = false;
            return None;
        }
        Some(encode_epochs(&state.epochs))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{DELETE_SUFFIX, renamed_path};

    #[test]
    fn a_deleted_directory_is_named_as_kafka_does() {
        let deleted = renamed_path(Path::new("/d/topic-3"), [1, 2], DELETE_SUFFIX);
        let expected = "/d/topic-3.00000000000000010000000000000002-delete";
        assert_eq!(deleted, Path::new(expected));
        let long = format!("/d/{}-3", "t".repeat(249));
        let name = renamed_path(Path::new(&long), [1, 2], DELETE_SUFFIX);
        assert_eq!(name.file_name().map(std::ffi::OsStr::len), Some(255));
    }
}
