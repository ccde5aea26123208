//! Threads for the operating system calls that block and that `io_uring` does not offer or glommio runs on the shard, and
//! for computations that cannot be sliced.
//!
//! They are shared by all shards of the process and placed off the shards' cores when there is room. Jobs own what
//! they work on (paths, duplicated descriptors), so a dropped future leaves them valid.

use std::io::{Error, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use crate::cores::stay_on;

/// They nearly always wait for the disk: syncs of directories that wait together share one commit of the file system's
/// journal, which is what makes creating and opening thousands of partitions quick.
const THREADS: usize = 16;
/// Jobs that may wait; a shard that has more to ask waits for room.
const JOBS_MAX: usize = 1024;

type Job = Box<dyn FnOnce() + Send>;

/// A handle to the threads; they end when the last handle is gone.
#[derive(Clone, Debug)]
pub struct Helper {
    jobs: flume::Sender<Job>,
}

impl Helper {
    /// Starts the threads on the CPUs `beside` the shards, or where the calling thread may run if there are none.
    ///
    /// # Errors
    /// The operating system's, when a thread cannot be started.
    pub fn start(beside: &[usize]) -> Result<Self> {
        let (jobs, queue) = flume::bounded::<Job>(JOBS_MAX);
        for index in 0..THREADS {
            let queue = queue.clone();
            let cpus = beside.to_vec();
            thread::Builder::new()
                .name(format!("helper-{index}"))
                .spawn(move || {
                    if !cpus.is_empty()
                        && let Err(error) = stay_on(&cpus)
                    {
                        tracing::warn!(%error, "helper thread stays unpinned");
                    }
                    serve(&queue);
                })?;
        }
        Ok(Self { jobs })
    }

    /// Runs `job` on a helper thread. Cancellation does not stop it.
    ///
    /// # Errors
    /// Those of `job`, and `Other` when it panicked.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = flume::bounded(1);
        let job: Job = Box::new(move || {
            let unwanted = reply.send(job());
            drop(unwanted);
        });
        self.jobs
            .send_async(job)
            .await
            .map_err(|_stopped| Error::other("helper threads have stopped"))?;
        answer
            .recv_async()
            .await
            .map_err(|_panicked| Error::other("helper job panicked"))?
    }
}

fn serve(queue: &flume::Receiver<Job>) {
    while let Ok(job) = queue.recv() {
        // The job's reply channel is dropped by the unwinding, which its caller sees as an error.
        if catch_unwind(AssertUnwindSafe(job)).is_err() {
            tracing::error!("helper job panicked");
        }
    }
}
