//! Plain files under a disk's loads: direct writes and reads through the ring, as a log makes them.

use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use io::{ALIGNMENT, Buffer as _, File as _, Instant, Io, OpenMode};
use serde::Serialize;

/// The length of the file that is written and read; less on a disk that is too slow for it.
const EXTENT_BYTES: u64 = 256 << 20;

/// What is durable together.
const COMMIT_BYTES: usize = 1 << 20;

/// Commits that are written while the file is made, before one of them is waited for.
const PREPARED_AT_ONCE: u64 = 4;

/// The blocks of a file that is synced again and again.
const SYNCED_BLOCKS: u64 = 256;

/// A block, and what an operation anywhere handles.
const BLOCK_BYTES: u64 = ALIGNMENT as u64;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Direction {
    Read,
    Write,
}

impl Direction {
    /// In words.
    pub(super) fn plural(self) -> &'static str {
        match self {
            Self::Read => "reads",
            Self::Write => "writes",
        }
    }
}

/// A file of written blocks.
pub(super) struct Extent<I: Io> {
    file: I::File,
    path: PathBuf,
    len_bytes: u64,
}

impl<I: Io> Extent<I> {
    /// Makes the file, and writes as much of it as there is time for.
    pub(super) async fn make(io: &I, path: &Path, deadline: Instant) -> Result<Self> {
        let file = io.open(path, OpenMode::CreateNew).await?;
        allocate(&file, EXTENT_BYTES).await?;
        let buffer = filled(io, COMMIT_BYTES);
        let mut len_bytes = 0;
        while len_bytes < EXTENT_BYTES && (len_bytes == 0 || io.now() < deadline) {
            let writes = (0..PREPARED_AT_ONCE).map(|index| {
                let at = len_bytes + index * COMMIT_BYTES as u64;
                write(&file, at, buffer.clone())
            });
            try_join_all(writes).await?;
            len_bytes += PREPARED_AT_ONCE * COMMIT_BYTES as u64;
        }
        file.sync_data().await?;
        Ok(Self {
            file,
            path: path.to_path_buf(),
            len_bytes,
        })
    }

    /// Commits one after the other, each in writes of `write_bytes` that are all in flight, and a sync. Returns megabytes in
    /// a second.
    pub(super) async fn commits(
        &self,
        io: &I,
        write_bytes: usize,
        deadline: Instant,
    ) -> Result<f64> {
        let buffer = filled(io, write_bytes);
        let (began, mut commits) = (io.now(), 0_u64);
        while commits == 0 || io.now() < deadline {
            let at = commits * COMMIT_BYTES as u64 % self.len_bytes;
            let writes = (0..COMMIT_BYTES / write_bytes).map(|index| {
                let at = at + (index * write_bytes) as u64;
                write(&self.file, at, buffer.clone())
            });
            try_join_all(writes).await?;
            self.file.sync_data().await?;
            commits += 1;
        }
        Ok(rate(io, began, commits * COMMIT_BYTES as u64) / 1e6)
    }

    /// Operations on one block anywhere, `depth` of them in flight. Returns how many there are in a second.
    pub(super) async fn operations(
        &self,
        io: &I,
        direction: Direction,
        depth: usize,
        deadline: Instant,
    ) -> Result<f64> {
        let began = io.now();
        let blocks = self.len_bytes / BLOCK_BYTES;
        let lanes = (0..depth).map(async |_| {
            let buffer = filled(io, ALIGNMENT);
            let mut done = 0_u64;
            while done == 0 || io.now() < deadline {
                let at = io.random() % blocks * BLOCK_BYTES;
                match direction {
                    Direction::Write => write(&self.file, at, buffer.clone()).await?,
                    Direction::Read => drop(self.file.read_at(at, ALIGNMENT).await?),
                }
                done += 1;
            }
            Ok::<_, Error>(done)
        });
        let done: u64 = try_join_all(lanes).await?.into_iter().sum();
        Ok(rate(io, began, done))
    }

    /// Removes the file.
    pub(super) async fn remove(self, io: &I) -> Result<()> {
        self.file.close().await?;
        io.remove_file(&self.path).await
    }
}

/// Gives each of `count` files a dirty block and waits until all are durable, again and again. Returns how long each turn took.
pub(super) async fn syncs<I: Io>(
    io: &I,
    directory: &Path,
    count: usize,
    deadline: Instant,
) -> Result<Vec<Duration>> {
    let paths: Vec<PathBuf> = (0..count)
        .map(|index| directory.join(format!("synced-{index}")))
        .collect();
    let files = try_join_all(paths.iter().map(async |path| {
        let file = io.open(path, OpenMode::CreateNew).await?;
        allocate(&file, SYNCED_BLOCKS * BLOCK_BYTES).await?;
        file.sync_data().await?;
        Ok::<_, Error>(file)
    }))
    .await?;
    let buffer = filled(io, ALIGNMENT);
    let mut took = Vec::new();
    while took.is_empty() || io.now() < deadline {
        let at = took.len() as u64 % SYNCED_BLOCKS * BLOCK_BYTES;
        let began = io.now();
        try_join_all(files.iter().map(async |file| {
            write(file, at, buffer.clone()).await?;
            file.sync_data().await
        }))
        .await?;
        took.push(io.now().saturating_since(began));
    }
    for closed in join_all(files.into_iter().map(io::File::close)).await {
        closed?;
    }
    try_join_all(paths.iter().map(|path| io.remove_file(path))).await?;
    Ok(took)
}

async fn write<F: io::File>(file: &F, at: u64, buffer: F::Buffer) -> Result<()> {
    let len = buffer.len();
    match file.write_at(at, buffer).await? {
        written if written == len => Ok(()),
        _ => Err(ErrorKind::StorageFull.into()),
    }
}

/// Reserves blocks, where the file system can.
async fn allocate<F: io::File>(file: &F, len_bytes: u64) -> Result<()> {
    match file.allocate(0, len_bytes).await {
        Err(error) if error.kind() != ErrorKind::Unsupported => Err(error),
        _ => Ok(()),
    }
}

/// Memory whose bytes differ, for disks that store repetitions in less space.
fn filled<I: Io>(io: &I, len_bytes: usize) -> I::Buffer {
    let mut buffer = io.allocate(len_bytes);
    for word in buffer.as_mut_slice().chunks_exact_mut(size_of::<u64>()) {
        word.copy_from_slice(&io.random().to_ne_bytes());
    }
    buffer
}

/// So many in a second.
fn rate<I: Io>(io: &I, began: Instant, count: u64) -> f64 {
    let span = io.now().saturating_since(began).as_secs_f64();
    count as f64 / span.max(f64::EPSILON)
}
