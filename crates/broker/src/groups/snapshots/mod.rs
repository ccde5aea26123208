//! Snapshots of coordinators: files beside a partition's segments that make loading short.
//!
//! One is written when [`RECORDS_BETWEEN`] records have been written since the last one, or [`TIME_BETWEEN`] has passed
//! with any. Groups are written one after the other while the coordinator goes on deciding; each says up to where of the
//! log it reaches, and loading skips what it has of the log already. A file gets its name when the log is durable up to
//! everything in it. The last [`KEPT_MAX`] are kept; a damaged one, one that the log does not reach, or one behind which
//! the log was compacted, is skipped, and without any the whole log is read.
//!
//! Runs in the background of each shard, one snapshot at a time.

mod format;

use std::cell::Cell;
use std::io::{ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::future::{join, select};
use io::{Buffer as _, File as _, Instant, Io, OpenMode, align_up};
use protocol::Str;
use rustc_hash::FxHashMap;
use types::Offset;

use super::Coordinator;
use super::load::Bulk;
use crate::shard::Shard;
use crate::slice::Steps;
use format::{Broken, Footer, GroupPart, Header, Part};

/// Records after which a snapshot is due.
const RECORDS_BETWEEN: u64 = 10_000;

/// The time after which a snapshot is due if anything was written.
const TIME_BETWEEN: Duration = Duration::from_secs(300);

/// The shortest time between two snapshots of a coordinator: what is written in it is replayed at most.
const REST: Duration = Duration::from_secs(5);

/// Files that are kept of each coordinator.
const KEPT_MAX: usize = 3;

/// The ending of a snapshot's name.
const SUFFIX: &str = ".groups";

/// The ending of a snapshot that is being written.
const UNFINISHED_SUFFIX: &str = ".groups.tmp";

/// Bytes that are read or written at a time.
const CHUNK_BYTES: usize = 1 << 20;

/// What a coordinator counts for its snapshots.
#[derive(Debug, Default)]
pub(super) struct Due {
    records: Cell<u64>,
    many: io::sync::Notify,
}

impl Due {
    /// Counts records that were written.
    pub(super) fn count(&self, records: usize) {
        let before = self.records.get();
        self.records.set(before + records as u64);
        if before < RECORDS_BETWEEN && self.records.get() >= RECORDS_BETWEEN {
            self.many.notify_all();
        }
    }
}

/// What was loaded from a snapshot.
#[derive(Debug)]
pub(super) struct Loaded {
    /// Where the replay of the log begins.
    pub(super) start: Offset,
    /// The groups that the snapshot has further than `start`, with how far.
    pub(super) ahead: FxHashMap<Str, Offset>,
    pub(super) records: u64,
}

/// Writes snapshots of a coordinator as long as it decides.
pub(super) async fn keep<I: Io>(shard: Rc<Shard<I>>, coordinator: Rc<Coordinator<I>>) {
    loop {
        wait_until_due(&shard, &coordinator).await;
        if !coordinator.is_active() || shard.is_draining() {
            return;
        }
        let counted = coordinator.due().records.get();
        if counted == 0 {
            continue;
        }
        let dir = coordinator.partition().log.dir();
        let _turn = shard.snapshotting.acquire(1).await;
        match write(&shard, &coordinator).await {
            Ok(()) => {
                let due = coordinator.due();
                due.records.set(due.records.get() - counted);
            }
            Err(error) => {
                tracing::warn!(dir = %dir.display(), %error, "no snapshot of the groups: the next start reads more of the log");
            }
        }
    }
}

async fn wait_until_due<I: Io>(shard: &Shard<I>, coordinator: &Coordinator<I>) {
    let began = shard.io.now();
    shard.io.sleep_until(began + REST).await;
    let many = coordinator.due().many.notified();
    if coordinator.due().records.get() < RECORDS_BETWEEN {
        let late: Instant = began + TIME_BETWEEN;
        select(pin!(shard.io.sleep_until(late)), many).await;
    }
}

/// Writes a snapshot and removes those that are too many.
async fn write<I: Io>(shard: &Rc<Shard<I>>, coordinator: &Rc<Coordinator<I>>) -> Result<()> {
    let log = &coordinator.partition().log;
    let dir = log.dir();
    let key = coordinator.key();
    let start = coordinator.log_end();
    let unfinished = dir.join(format!("{:020}{UNFINISHED_SUFFIX}", start.0));
    remove(shard, &unfinished).await?;
    let mut file = Writer::create(&shard.io, &unfinished).await?;
    let header = Header {
        topic_id: key.topic_id,
        partition: key.index,
        start,
    };
    file.push(&header.encode()).await?;
    let mut records = 0;
    let mut steps = Steps::new(&shard.io);
    for group in coordinator.group_ids() {
        let (taken_at, group) = coordinator.snapshot_of(&group);
        records += group.len() as u64;
        for batch in format::encode_group(taken_at, &group) {
            file.push(&batch).await?;
            steps.step().await;
        }
    }
    let end = coordinator.log_end();
    file.push(&Footer { end, records }.encode()).await?;
    file.finish().await?;
    // What is not durable may be gone after a crash, and other records may be in its place.
    if !coordinator.is_active() || log.wait_durable(end).await.is_err() {
        return remove(shard, &unfinished).await;
    }
    shard.io.rename(&unfinished, &path(dir, start)).await?;
    shard.io.sync_dir(dir).await?;
    let found = list(shard, dir).await?;
    let too_many = found.len().saturating_sub(KEPT_MAX);
    for old in &found[..too_many] {
        remove(shard, &path(dir, *old)).await?;
    }
    Ok(())
}

/// Gives a coordinator the groups of the newest snapshot that is whole and that the log continues; `None` if there is none.
///
/// What was deleted after a snapshot is deleted again by the log's tombstones. Where the log was compacted further than the
/// snapshot reaches, they may be gone, and the whole log is read instead: it has lost no tombstone without what that deletes.
pub(super) async fn load<I: Io>(
    shard: &Rc<Shard<I>>,
    coordinator: &Rc<Coordinator<I>>,
    end: Offset,
) -> Option<Loaded> {
    let log = &coordinator.partition().log;
    let dir = log.dir();
    let compacted_to = log.cleaner_offset().unwrap_or(Offset(0));
    let found = list(shard, dir).await.unwrap_or_default();
    for start in found.into_iter().rev() {
        let path = path(dir, start);
        let snapshot = if start < compacted_to {
            Err(outdated(compacted_to))
        } else {
            read(shard, coordinator, &path, end).await
        };
        match snapshot {
            Ok(loaded) => return Some(loaded),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "skipped a snapshot of groups");
                coordinator.reset(&shard.group_config());
            }
        }
    }
    None
}

fn outdated(compacted_to: Offset) -> std::io::Error {
    let why = format!(
        "the log was compacted up to offset {} since",
        compacted_to.0
    );
    std::io::Error::new(ErrorKind::InvalidData, why)
}

async fn read<I: Io>(
    shard: &Rc<Shard<I>>,
    coordinator: &Rc<Coordinator<I>>,
    path: &Path,
    end: Offset,
) -> Result<Loaded> {
    let broken = |Broken(why)| std::io::Error::new(ErrorKind::InvalidData, why);
    let file = shard.io.open(path, OpenMode::ReadOnly).await?;
    let mut loading = Loading::new(coordinator, end, &shard.io);
    let mut pending = BytesMut::new();
    let mut position = 0;
    let mut chunk = file.read_at(position, CHUNK_BYTES).await?;
    loop {
        position += chunk.len() as u64;
        pending.extend_from_slice(chunk.as_slice());
        if chunk.len() < CHUNK_BYTES {
            loading.take_all(&mut pending).await.map_err(broken)?;
            break;
        }
        // The next bytes come while these are worked on.
        let next = file.read_at(position, CHUNK_BYTES);
        let (next, taken) = join(next, loading.take_all(&mut pending)).await;
        taken.map_err(broken)?;
        chunk = next?;
    }
    file.close().await?;
    if !pending.is_empty() {
        return Err(broken(Broken("it ends within a batch")));
    }
    loading.finish().map_err(broken)
}

/// A snapshot that is being read.
struct Loading<'a, I: Io> {
    coordinator: &'a Coordinator<I>,
    bulk: Bulk<'a, I>,
    log_end: Offset,
    header: Option<Header>,
    is_complete: bool,
    loaded: Loaded,
}

impl<'a, I: Io> Loading<'a, I> {
    fn new(coordinator: &'a Coordinator<I>, log_end: Offset, io: &I) -> Self {
        Self {
            coordinator,
            bulk: Bulk::new(coordinator, io),
            log_end,
            header: None,
            is_complete: false,
            loaded: Loaded {
                start: Offset(0),
                ahead: FxHashMap::default(),
                records: 0,
            },
        }
    }

    /// Takes the batches that are whole, and leaves the rest.
    async fn take_all(&mut self, bytes: &mut BytesMut) -> std::result::Result<(), Broken> {
        while let Some(len) = format::len_of(bytes)?.filter(|len| *len <= bytes.len()) {
            let batch = bytes.split_to(len).freeze();
            self.take(format::decode(&batch)?).await?;
        }
        Ok(())
    }

    async fn take(&mut self, part: Part) -> std::result::Result<(), Broken> {
        match (part, self.header) {
            _ if self.is_complete => Err(Broken("there is something behind its end")),
            (Part::Header(header), None) => {
                let key = self.coordinator.key();
                if (header.topic_id, header.partition) != (key.topic_id, key.index) {
                    return Err(Broken("it is of another partition"));
                }
                self.loaded.start = header.start;
                self.header = Some(header);
                Ok(())
            }
            (Part::Header(_), Some(_)) | (_, None) => Err(Broken("it does not begin as it should")),
            (Part::Group(part), Some(header)) => self.take_group(&part, header).await,
            (Part::Footer(footer), Some(_)) => {
                if footer.end > self.log_end {
                    return Err(Broken("the log ends before it"));
                }
                if footer.records != self.loaded.records {
                    return Err(Broken("it lacks records"));
                }
                self.bulk.flush();
                self.is_complete = true;
                Ok(())
            }
        }
    }

    async fn take_group(
        &mut self,
        part: &GroupPart,
        header: Header,
    ) -> std::result::Result<(), Broken> {
        for (index, record) in part.records().enumerate() {
            let record = record?;
            if index == 0 && part.taken_at > header.start {
                let group = record.group_id().detached();
                self.loaded.ahead.insert(group, part.taken_at);
            }
            self.loaded.records += 1;
            self.bulk.push(record).await;
        }
        Ok(())
    }

    fn finish(self) -> std::result::Result<Loaded, Broken> {
        if self.is_complete {
            Ok(self.loaded)
        } else {
            Err(Broken("its end is missing"))
        }
    }
}

/// The snapshots of a directory by their offsets, ascending.
async fn list<I: Io>(shard: &Shard<I>, dir: &Path) -> Result<Vec<Offset>> {
    let entries = shard.io.list_dir(dir).await?;
    let offset = |name: &str| {
        let digits = name.strip_suffix(SUFFIX)?;
        let is_number = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse().ok().map(Offset))?
    };
    let mut found: Vec<Offset> = entries
        .iter()
        .filter_map(|entry| offset(&entry.name))
        .collect();
    found.sort_unstable();
    Ok(found)
}

fn path(dir: &Path, start: Offset) -> PathBuf {
    dir.join(format!("{:020}{SUFFIX}", start.0))
}

async fn remove<I: Io>(shard: &Shard<I>, path: &Path) -> Result<()> {
    match shard.io.remove_file(path).await {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Writes a file front to back.
struct Writer<I: Io> {
    io: I,
    file: I::File,
    position: u64,
    pending: Vec<u8>,
}

impl<I: Io> Writer<I> {
    async fn create(io: &I, path: &Path) -> Result<Self> {
        Ok(Self {
            io: io.clone(),
            file: io.open(path, OpenMode::CreateNew).await?,
            position: 0,
            pending: Vec::with_capacity(CHUNK_BYTES),
        })
    }

    async fn push(&mut self, bytes: &[u8]) -> Result<()> {
        self.pending.extend_from_slice(bytes);
        while self.pending.len() >= CHUNK_BYTES {
            self.write(CHUNK_BYTES).await?;
        }
        Ok(())
    }

    /// Writes the first `len` pending bytes, padded to whole blocks.
    async fn write(&mut self, len: usize) -> Result<()> {
        let padded = usize::try_from(align_up(len as u64)).unwrap_or(usize::MAX);
        let mut buffer = self.io.allocate(padded);
        let (content, padding) = buffer.as_mut_slice().split_at_mut(len);
        content.copy_from_slice(&self.pending[..len]);
        padding.fill(0);
        let written = self.file.write_at(self.position, buffer).await?;
        if written < padded {
            return Err(ErrorKind::StorageFull.into());
        }
        self.pending.drain(..len);
        self.position += len as u64;
        Ok(())
    }

    /// Makes everything durable.
    async fn finish(mut self) -> Result<()> {
        if !self.pending.is_empty() {
            self.write(self.pending.len()).await?;
        }
        self.file.set_len(self.position).await?;
        self.file.sync_data().await?;
        self.file.close().await
    }
}
