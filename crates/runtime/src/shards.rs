//! Starts one executor for each shard and watches over them.
//!
//! Settings that follow from glommio's ways: the default preempt timer and no queue whose latency matters (the park
//! bug), no registered buffer memory to speak of (memory locks of 8 MiB suffice), one submission ring of moderate size.

use std::future::Future;
use std::io::Error as IoError;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use core_affinity::CoreId;
use glommio::{ExecutorJoinHandle, LocalExecutorBuilder, Placement};
use io::{Io as _, Task as _, TaskClass};
use thiserror::Error;
use types::ShardId;

use crate::cores::{CorePlan, Seat, prefer_memory_of};
use crate::helper::Helper;
use crate::host::{Facts, HostError};
use crate::panics;
use crate::recorder::{Dumper, Recorder};
use crate::shard_io::GlommioIo;
use crate::supervisor::{Event, EventSender, Supervisor};
use crate::watchdog::{Activity, Alarm, Delays, Pulse, Watchdog};

/// Entries of each of the three submission rings of a shard.
const RING_DEPTH: usize = 256;
/// Memory that glommio locks for registered buffers, three times per shard. Logan's buffers are not taken from it.
const REGISTERED_MEMORY_BYTES: usize = 64 << 10;

/// Why shards did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The machine does not allow it.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A thread or an executor did not start.
    #[error("start shard {shard}: {reason}")]
    Executor {
        /// The shard.
        shard: ShardId,
        /// What glommio says.
        reason: String,
    },
    /// A thread beside the shards did not start.
    #[error("start a thread: {0}")]
    Thread(#[from] IoError),
}

/// The running shards.
#[derive(Debug)]
pub struct Shards {
    handles: Vec<ExecutorJoinHandle<()>>,
    delays: Delays,
    ended: flume::Receiver<ShardId>,
    /// Stopped last but one: shards that end need its wake-ups.
    _watchdog: Watchdog,
    /// Ends when the watchdog asks no more.
    _dumper: Dumper,
}

impl Shards {
    /// Starts a shard for each entry of `plan` and runs `main` on it with its handle and its seed, which carries what
    /// the shard is born with (mailboxes, configuration). A shard ends when its `main` returns; its other tasks are
    /// dropped then, and `supervisor` is told.
    ///
    /// What shards do is kept in `recorder`, which is made for as many.
    ///
    /// From here on a panic on a shard ends the process; see the module `panics`.
    ///
    /// # Errors
    /// What the machine lacks, in one message, or what kept an executor from starting. Shards that had started are
    /// left running; the process is expected to end.
    ///
    /// # Panics
    /// When there is not one seed for each shard.
    pub fn start<S, M, F>(
        plan: &CorePlan,
        supervisor: &Supervisor,
        recorder: &Recorder,
        seeds: Vec<S>,
        main: M,
    ) -> Result<Self, StartError>
    where
        S: Send + 'static,
        M: Fn(GlommioIo, S) -> F + Clone + Send + 'static,
        F: Future<Output = ()> + 'static,
    {
        assert!(seeds.len() == plan.shards.len(), "one seed for each shard");
        Facts::gather().judge()?;
        panics::install_hook(recorder);
        let helper = Helper::start(&plan.beside)?;
        let pulses: Arc<[Arc<Pulse>]> = plan.shards.iter().map(|_| Arc::default()).collect();
        let activity = Arc::<Activity>::default();
        let (dumper, dumps) = Dumper::start(recorder)?;
        let alarm = Alarm {
            stall_min: recorder.stall_min(),
            dumps,
        };
        let watchdog = Watchdog::start(Arc::clone(&pulses), Arc::clone(&activity), alarm)?;
        let mut handles = Vec::with_capacity(seeds.len());
        let (sender, ended) = flume::bounded(seeds.len());
        for (((id, &seat), seed), pulse) in (0..).zip(&plan.shards).zip(seeds).zip(pulses.iter()) {
            let birth = Birth {
                shard: ShardId(id),
                helper: helper.clone(),
                pulse: Arc::clone(pulse),
                activity: Arc::clone(&activity),
                ended: sender.clone(),
                supervisor: supervisor.clone_sender(),
                recorder: recorder.clone(),
            };
            handles.push(birth.start(seat, seed, main.clone())?);
        }
        Ok(Self {
            handles,
            delays: Delays::new(pulses),
            ended,
            _watchdog: watchdog,
            _dumper: dumper,
        })
    }

    /// How many shards there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.handles.len()
    }

    /// Reads how late shards answer.
    #[must_use]
    pub fn delays(&self) -> Delays {
        self.delays.clone()
    }

    /// Waits until the `main` of every shard has returned, for at most `span`. If some have not by then, the caller
    /// ends the process: there is no way to stop a shard from outside.
    ///
    /// # Errors
    /// The shards that still run.
    pub fn join(self, span: Duration) -> Result<(), Vec<ShardId>> {
        let deadline = Instant::now() + span;
        let mut running: Vec<_> = (0_u16..).map(ShardId).take(self.handles.len()).collect();
        while !running.is_empty() {
            match self.ended.recv_deadline(deadline) {
                Ok(shard) => running.retain(|&other| other != shard),
                Err(_late) => return Err(running),
            }
        }
        for handle in self.handles {
            if let Err(error) = handle.join() {
                tracing::error!(%error, "join a shard's thread");
            }
        }
        Ok(())
    }
}

/// What a shard starts with.
struct Birth {
    shard: ShardId,
    helper: Helper,
    pulse: Arc<Pulse>,
    activity: Arc<Activity>,
    ended: flume::Sender<ShardId>,
    supervisor: EventSender,
    recorder: Recorder,
}

impl Birth {
    fn start<S, M, F>(
        self,
        seat: Seat,
        seed: S,
        main: M,
    ) -> Result<ExecutorJoinHandle<()>, StartError>
    where
        S: Send + 'static,
        M: Fn(GlommioIo, S) -> F + Send + 'static,
        F: Future<Output = ()> + 'static,
    {
        let shard = self.shard;
        let (started, has_started) = flume::bounded(1);
        let failed = |error: &dyn std::fmt::Display| StartError::Executor {
            shard,
            reason: error.to_string(),
        };
        let handle = builder(shard, seat.cpu)
            .spawn(move || async move {
                panics::mark_vital("a shard");
                settle(shard, seat);
                let running = Arc::clone(&self.pulse.running);
                let tape = self.recorder.tape(shard);
                let io = GlommioIo::new(shard, self.helper, self.activity, running, tape);
                let pulse = Arc::clone(&self.pulse).answer(io.clone());
                let pulse = io.spawn(TaskClass::Control, pulse);
                let main = io.spawn(TaskClass::Foreground, main(io.clone(), seed));
                started
                    .send(())
                    .expect("the starting thread waits for this");
                main.join().await;
                drop(pulse);
                self.pulse.end();
                self.supervisor.tell(Event::ShardEnded(shard));
                if self.ended.send(shard).is_err() {
                    tracing::debug!(%shard, "nobody joins this shard");
                }
            })
            .map_err(|error| failed(&error))?;
        if has_started.recv().is_ok() {
            return Ok(handle);
        }
        match handle.join() {
            Ok(()) => Err(failed(&"it ended at once")),
            Err(error) => Err(failed(&error)),
        }
    }
}

/// The rings are there already; all else that the shard allocates comes after this.
fn settle(shard: ShardId, seat: Seat) {
    if let Some(node) = seat.memory_node
        && let Err(error) = prefer_memory_of(node)
    {
        tracing::warn!(%shard, node, %error, "shard takes memory of any node: a preference is refused");
    }
}

fn builder(shard: ShardId, core: Option<usize>) -> LocalExecutorBuilder {
    let placement = match core {
        Some(cpu) if can_pin(cpu) => Placement::Fixed(cpu),
        Some(cpu) => {
            tracing::warn!(%shard, cpu, "shard runs unpinned: pinning is refused");
            Placement::Unbound
        }
        None => {
            tracing::info!(%shard, "shard runs unpinned");
            Placement::Unbound
        }
    };
    LocalExecutorBuilder::new(placement)
        .name("shard")
        .io_memory(REGISTERED_MEMORY_BYTES)
        .ring_depth(RING_DEPTH)
}

/// Tries to pin a thread, since glommio loses a shard's seed when it cannot.
fn can_pin(cpu: usize) -> bool {
    thread::spawn(move || core_affinity::set_for_current(CoreId { id: cpu }))
        .join()
        .unwrap_or(false)
}
