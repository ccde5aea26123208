//! One simulated shard's access to its machine.

use std::future::Future;
use std::io::{Error, ErrorKind, Result};
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use io::{Defect, DirEntry, File as _, HeapBuffer, Instant, OpenMode, TaskClass};
use types::TimestampMs;

use crate::defects;
use crate::disk::Disk;
use crate::fault::Operation;
use crate::file::File;
use crate::machine::WallClock;
use crate::mailbox::{self, Receiver, Sender};
use crate::net::{Socket, Stream};
use crate::rng::Rng;
use crate::task::Task;
use crate::time::Sleep;
use crate::world::{Life, World};

/// The longest that a task which lets others run is put aside.
const RESCHEDULE_MAX_NS: u64 = 20_000;

/// A shard of a process on a simulated machine. Clones are handles of the same shard; after a crash they do nothing.
#[derive(Clone, Debug)]
pub struct SimIo {
    shard: Rc<Shard>,
}

#[derive(Debug)]
pub(crate) struct Shard {
    pub(crate) world: Rc<World>,
    pub(crate) disk: Disk,
    pub(crate) life: Life,
    pub(crate) number: u32,
    pub(crate) wall_clock: WallClock,
    pub(crate) rng: Rng,
}

impl SimIo {
    pub(crate) fn new(shard: Shard) -> Self {
        Self {
            shard: Rc::new(shard),
        }
    }

    /// A change or a question of names.
    async fn names<T: 'static>(
        &self,
        path: &Path,
        effect: impl FnOnce(&Disk, &Path) -> Result<T> + 'static,
    ) -> Result<T> {
        self.shard.world.must_be_alive(self.shard.life)?;
        let path = path.to_path_buf();
        let done = self
            .shard
            .disk
            .after(Operation::Names, &path.clone(), move |disk| {
                disk.check(Operation::Names, &path)?;
                effect(disk, &path)
            });
        done.await
    }
}

impl io::Io for SimIo {
    type Buffer = HeapBuffer;
    type File = File;
    type Stream = Stream;
    type Socket = Socket;
    type Task = Task;
    type Sender<T: Send + 'static> = Sender<T>;
    type Receiver<T: Send + 'static> = Receiver<T>;

    fn mailbox<T: Send + 'static>(capacity: usize) -> (Sender<T>, Receiver<T>) {
        mailbox::mailbox(capacity)
    }

    fn has_defect(defect: Defect) -> bool {
        defects::strikes(defect)
    }

    fn now(&self) -> Instant {
        Instant(self.shard.world.read_clock())
    }

    fn wall_clock(&self) -> TimestampMs {
        self.shard.wall_clock.at(self.shard.world.now())
    }

    fn random(&self) -> u64 {
        self.shard.rng.next()
    }

    async fn sleep_until(&self, deadline: Instant) {
        Sleep::until(&self.shard.world, deadline.0).await;
    }

    /// Time passes, so that a task which waits in a loop sees operations complete.
    async fn reschedule(&self) {
        let pause = self.shard.world.latencies.between(1, RESCHEDULE_MAX_NS);
        let deadline = self.shard.world.now() + pause;
        Sleep::until(&self.shard.world, deadline).await;
    }

    #[track_caller]
    fn spawn(&self, class: TaskClass, task: impl Future<Output = ()> + 'static) -> Task {
        let world = &self.shard.world;
        let owner = (self.shard.life, self.shard.number);
        let spawned = world.spawn(owner, class, Location::caller(), Box::pin(task));
        Task::new(world, spawned)
    }

    /// The work takes no time of its own: what it would take on another core is drawn.
    async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        self.reschedule().await;
        Ok(work())
    }

    fn allocate(&self, len_bytes: usize) -> HeapBuffer {
        HeapBuffer::new(len_bytes)
    }

    fn adopt(&self, socket: Socket) -> Result<Stream> {
        self.shard.world.must_be_alive(self.shard.life)?;
        Ok(Stream::adopt(&self.shard.world, socket))
    }

    async fn open(&self, path: &Path, mode: OpenMode) -> Result<File> {
        File::open(&self.shard.disk, self.shard.life, path, mode).await
    }

    async fn create_dir_all(&self, path: &Path) -> Result<()> {
        self.names(path, |disk, path| {
            disk.count(|counts| counts.name_changes += 1);
            disk.state_mut().names.create_directories(path)
        })
        .await
    }

    async fn list_dir(&self, path: &Path) -> Result<Vec<DirEntry>> {
        let wall_clock = self.shard.wall_clock.clone();
        self.names(path, move |disk, path| {
            let state = disk.state();
            let directory = state.names.directory(path)?;
            let entries = state.names.list(directory).map(|(name, inode)| {
                let content = state.files.get(&inode);
                DirEntry {
                    name: name.clone(),
                    is_dir: state.names.is_directory(inode),
                    len_bytes: content.map_or(0, |content| content.current().len_bytes()),
                    modified: state
                        .modified_ns
                        .get(&inode)
                        .map_or(TimestampMs::NONE, |&at| wall_clock.at(at)),
                }
            });
            Ok(entries.collect())
        })
        .await
    }

    async fn sync_dir(&self, path: &Path) -> Result<()> {
        let world = &self.shard.world;
        world.must_be_alive(self.shard.life)?;
        let (directory, changes) = {
            let state = self.shard.disk.state();
            (state.names.directory(path)?, state.names.changes())
        };
        let path = path.to_path_buf();
        let synced = self
            .shard
            .disk
            .after(Operation::SyncDirectory, &path.clone(), move |disk| {
                disk.count(|counts| counts.directory_syncs += 1);
                let fault = disk.check(Operation::SyncDirectory, &path);
                let mut state = disk.state_mut();
                if fault.is_err() {
                    state.names.fail_sync(directory, changes, disk.rng());
                } else if !disk.lies() {
                    state.names.sync(directory, changes);
                    state.collect();
                }
                fault
            });
        synced.await
    }

    async fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let to = to.to_path_buf();
        self.names(from, move |disk, from| {
            disk.count(|counts| counts.name_changes += 1);
            disk.state_mut().names.rename(from, &to)
        })
        .await
    }

    async fn remove_file(&self, path: &Path) -> Result<()> {
        self.names(path, |disk, path| {
            disk.count(|counts| counts.name_changes += 1);
            disk.state_mut().names.remove_file(path)
        })
        .await
    }

    async fn remove_dir(&self, path: &Path) -> Result<()> {
        self.names(path, |disk, path| {
            disk.count(|counts| counts.name_changes += 1);
            disk.state_mut().names.remove_directory(path)
        })
        .await
    }

    async fn read_file(&self, path: &Path, len_max_bytes: usize) -> Result<Vec<u8>> {
        self.shard.world.must_be_alive(self.shard.life)?;
        let path = path.to_path_buf();
        let read = self
            .shard
            .disk
            .after(Operation::Read, &path.clone(), move |disk| {
                disk.count(|counts| counts.reads += 1);
                disk.check(Operation::Read, &path)?;
                let content = disk.peek(&path)?;
                if content.len() > len_max_bytes {
                    let what = format!("{} is longer than {len_max_bytes} bytes", path.display());
                    return Err(Error::new(ErrorKind::InvalidData, what));
                }
                disk.count(|counts| counts.read_bytes += content.len() as u64);
                Ok(content)
            });
        read.await
    }

    async fn replace_file(&self, path: &Path, content: Vec<u8>) -> Result<()> {
        let mut name = path.as_os_str().to_owned();
        name.push(".tmp");
        let replacement = PathBuf::from(name);
        let file = self.open(&replacement, OpenMode::CreateOrOpen).await?;
        file.set_len(0).await?;
        file.write_padded(&content).await?;
        file.sync_data().await?;
        file.close().await?;
        self.rename(&replacement, path).await?;
        let parent = path.parent().unwrap_or_else(|| Path::new("."));
        self.sync_dir(parent).await
    }

    async fn free_space_bytes(&self, path: &Path) -> Result<u64> {
        self.names(path, |disk, path| {
            disk.state().names.find(path)?;
            Ok(disk.free_bytes())
        })
        .await
    }

    async fn total_space_bytes(&self, path: &Path) -> Result<u64> {
        self.names(path, |disk, path| {
            disk.state().names.find(path)?;
            Ok(disk.total_bytes())
        })
        .await
    }
}
