//! One shard's access to the machine: the glommio implementation of [`io::Io`].

use std::cell::Cell;
use std::fs;
use std::io::Result;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use glommio::timer::sleep;
use io::{DirEntry, Instant, OpenMode, TaskClass, Usage};
use rustix::time::{ClockId, clock_gettime};
use types::{Event, ShardId, TimestampMs};

use crate::buffer::Buffer;
use crate::entropy::Entropy;
use crate::file::File;
use crate::helper::Helper;
use crate::mailbox::{Receiver, Sender};
use crate::recorder::Tape;
use crate::stream::{Socket, Stream};
use crate::task::{Task, TaskQueues};
use crate::task_names::{Running, TaskNames};
use crate::watchdog::Activity;
use crate::{clock, directory, mailbox, probe};

/// The shortest sleep that waits for the reactor; a sleep of zero returns at once.
const ONE_TURN: Duration = Duration::from_micros(1);

/// The handle that a shard's tasks use. It never leaves the thread of its executor.
#[derive(Clone, Debug)]
pub struct GlommioIo {
    shared: Rc<Shared>,
}

#[derive(Debug)]
struct Shared {
    shard: ShardId,
    queues: TaskQueues,
    entropy: Entropy,
    helper: Helper,
    activity: Arc<Activity>,
    names: TaskNames,
    tape: Tape,
    /// What was used until it was asked for last.
    usage: Cell<Usage>,
}

impl GlommioIo {
    /// Makes the handle of the executor that runs on this thread.
    pub(crate) fn new(
        shard: ShardId,
        helper: Helper,
        activity: Arc<Activity>,
        running: Arc<Running>,
        tape: Tape,
    ) -> Self {
        Self {
            shared: Rc::new(Shared {
                shard,
                queues: TaskQueues::create(),
                entropy: Entropy::new(),
                helper,
                activity,
                names: TaskNames::new(running),
                tape,
                usage: Cell::default(),
            }),
        }
    }

    /// The shard that this handle belongs to.
    #[must_use]
    pub fn shard(&self) -> ShardId {
        self.shared.shard
    }

    /// Prepares this shard for direct I/O on the device of `directory`, before any other file is opened there.
    ///
    /// # Errors
    /// `Unsupported` when the file system refuses direct I/O; else the operating system's.
    pub async fn prepare_data_directory(&self, directory: &Path) -> Result<()> {
        let _excuse = self.shared.names.running().excuse();
        probe::probe(&self.shared.helper, self.shared.shard, directory).await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        path: &Path,
        job: impl FnOnce(&Path) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let path = path.to_path_buf();
        self.shared.activity.note();
        self.shared.helper.run(move || job(&path)).await
    }
}

/// The time of a core that this thread has used.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
    Duration::new(seconds, nanos)
}

impl io::Io for GlommioIo {
    type Buffer = Buffer;
    type File = File;
    type Stream = Stream;
    type Socket = Socket;
    type Task = Task;
    type Sender<T: Send + 'static> = Sender<T>;
    type Receiver<T: Send + 'static> = Receiver<T>;

    fn mailbox<T: Send + 'static>(capacity: usize) -> (Sender<T>, Receiver<T>) {
        mailbox::mailbox(capacity)
    }

    fn now(&self) -> Instant {
        clock::now()
    }

    fn wall_clock(&self) -> TimestampMs {
        clock::wall_clock()
    }

    fn random(&self) -> u64 {
        self.shared.entropy.next()
    }

    fn usage(&self) -> Usage {
        let Shared { queues, usage, .. } = &*self.shared;
        let before = usage.get();
        // glommio forgets what it has told.
        let now = Usage {
            cpu: thread_time(),
            foreground: before.foreground + queues.take_runtime(TaskClass::Foreground),
            background: before.background + queues.take_runtime(TaskClass::Background),
            control: before.control + queues.take_runtime(TaskClass::Control),
        };
        usage.set(now);
        now
    }

    #[inline]
    fn record(&self, at: Instant, event: Event) {
        self.shared.tape.record(at, &event);
    }

    fn record_now(&self, event: Event) {
        self.shared.tape.record(clock::now(), &event);
    }

    async fn sleep_until(&self, deadline: Instant) {
        let span = deadline.saturating_since(self.now());
        if !span.is_zero() {
            sleep(span).await;
        }
    }

    async fn reschedule(&self) {
        sleep(ONE_TURN).await;
    }

    fn spawn(&self, class: TaskClass, task: impl Future<Output = ()> + 'static) -> Task {
        let task = self.shared.names.name(task);
        self.shared.queues.spawn(class, task)
    }

    async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        self.shared.activity.note();
        self.shared.helper.run(move || Ok(work())).await
    }

    fn allocate(&self, len_bytes: usize) -> Buffer {
        Buffer::allocate(len_bytes)
    }

    fn adopt(&self, socket: Socket) -> Result<Stream> {
        let activity = Arc::clone(&self.shared.activity);
        Ok(Stream::adopt(socket.moved_to(self.shared.shard), activity))
    }

    async fn open(&self, path: &Path, mode: OpenMode) -> Result<File> {
        File::open(&self.shared.helper, path, mode).await
    }

    async fn create_dir_all(&self, path: &Path) -> Result<()> {
        self.blocking(path, |path| fs::create_dir_all(path)).await
    }

    async fn list_dir(&self, path: &Path) -> Result<Vec<DirEntry>> {
        self.blocking(path, directory::list).await
    }

    async fn read_dir(
        &self,
        path: &Path,
        pick: fn(&[DirEntry]) -> Vec<usize>,
        len_max_bytes: usize,
    ) -> Result<Vec<(DirEntry, Option<Vec<u8>>)>> {
        self.blocking(path, move |path| directory::read(path, pick, len_max_bytes))
            .await
    }

    async fn sync_dir(&self, path: &Path) -> Result<()> {
        self.blocking(path, directory::sync).await
    }

    async fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let to = to.to_path_buf();
        self.blocking(from, move |from| fs::rename(from, to)).await
    }

    async fn remove_file(&self, path: &Path) -> Result<()> {
        self.blocking(path, |path| fs::remove_file(path)).await
    }

    async fn remove_dir(&self, path: &Path) -> Result<()> {
        self.blocking(path, |path| fs::remove_dir(path)).await
    }

    async fn read_file(&self, path: &Path, len_max_bytes: usize) -> Result<Vec<u8>> {
        self.blocking(path, move |path| directory::read_file(path, len_max_bytes))
            .await
    }

    async fn replace_file(&self, path: &Path, content: Vec<u8>) -> Result<()> {
        self.blocking(path, move |path| directory::replace_file(path, &content))
            .await
    }

    async fn replace_files(&self, directory: &Path, files: Vec<(String, Vec<u8>)>) -> Result<()> {
        self.blocking(directory, move |directory| {
            directory::replace_files(directory, &files)
        })
        .await
    }

    async fn free_space_bytes(&self, path: &Path) -> Result<u64> {
        self.blocking(path, directory::free_space_bytes).await
    }

    async fn total_space_bytes(&self, path: &Path) -> Result<u64> {
        self.blocking(path, directory::total_space_bytes).await
    }
}
