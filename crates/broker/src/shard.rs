//! One shard: its state, how it starts and how it ends.
//!
//! All state is plain values behind `Cell` and `RefCell`, on one thread. What runs on it are tasks: one for each
//! connection, one for each mailbox, the sweep, and on shard 0 the controller.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use config::BrokerConfig;
use io::sync::{Notified, Notify, Semaphore, oneshot};
use io::{Instant, Io, Receiver as _, Sender as _, Task as _, TaskClass};
use metadata::{MetadataImage, Refusal};
use records::Scratch;
use rustc_hash::{FxHashMap, FxHashSet};
use slab::Slab;
use storage::{Pace, ShardStorage, StorageConfig};
use types::{DurationMs, ErrorCode, RequestSpan, ShardId, Uuid};

use crate::advertise::Advertise;
use crate::api::FetchSessions;
use crate::budget::{Answers, DecodedBudget, RequestBudget};
use crate::connection::{self, Accepted, Connection, ReceiveBuffers};
use crate::controller::{Asker, Command, CommandResult, Controller, Decider};
use crate::groups::Coordinators;
use crate::limits::{Limits, LogLimit};
use crate::mesh::{Mesh, MeshPort};
use crate::message::{Control, LogCheckpoint, PartitionKey, Reply};
use crate::metrics::{self, Scrape};
use crate::partition::Partition;
use crate::producer_ids::ProducerIds;
use crate::record_budget::RecordBudget;
use crate::requests::Requests;
use crate::topics::View;
use crate::trace::Tracing;
use crate::traffic::{Counters, TopicTraffics};

mod balancing;
mod claims;
mod cleaning;
pub(crate) mod directories;
pub(crate) mod directory_move;
mod housekeeping;
pub(crate) mod lifecycle;
mod moving;
mod saving;
mod scrubbing;
mod serve;
mod strays;
mod takeover;
mod throttle;

use directories::Directories;
use directory_move::DirectoryMove;
use moving::Arriving;
pub(crate) use moving::OWNERS_TRIED_MAX;
pub(crate) use saving::SavedCheckpoints;
pub(crate) use serve::wait_for_growth;
use throttle::Throttle;

/// The shard that decides about metadata.
pub(crate) const CONTROLLER: ShardId = ShardId(0);

/// A log directory of this machine.
#[derive(Clone, Debug)]
pub struct LogDirectory {
    /// Where it is.
    pub path: PathBuf,
    /// Its id in `meta.properties`; zero when that cannot be read.
    pub id: Uuid,
    /// Whether it has the mark of a clean shutdown: the broker before this one closed every log in it.
    pub is_clean: bool,
    /// The NUMA node that its device is attached to, -1 when that is not known.
    pub numa_node: i32,
    /// Why it cannot be used, if so. Its partitions are offline; the first directory, which has the metadata log, never is.
    pub failure: Option<String>,
}

/// What the process tells shard 0.
#[derive(Clone, Debug)]
pub enum ShardCommand {
    /// Let this be what is written in the configuration, without what clients have set: another one than before in
    /// values that need no restart only. Answered by [`ShardEvent::Reloaded`].
    Reload(Arc<BrokerConfig>),
    /// Answer what is under way, close the logs, and end all shards.
    Drain,
}

/// What shard 0 tells the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShardEvent {
    /// Every shard has its logs: connections may come.
    Ready,
    /// The broker cannot start, and why.
    Failed(String),
    /// Every shard has the configuration that it was last told; or why none has.
    Reloaded(Result<(), String>),
    /// The logs are closed, and the shards end.
    Drained {
        /// Whether all of them are that were open, and the metadata log.
        is_whole: bool,
    },
}

/// What a shard is born with; it moves to the shard's thread.
pub struct ShardSeed<I: Io> {
    /// Its ends of the mesh.
    pub port: MeshPort<I>,
    /// Where its connections come from.
    pub accepted: I::Receiver<Accepted<I::Socket>>,
    /// What the process tells it; only shard 0 is told anything.
    pub commands: I::Receiver<ShardCommand>,
    /// Who asks for its numbers.
    pub scrapes: I::Receiver<Scrape<I>>,
    /// Who exports the spans of requests, if any are traced.
    pub spans: Option<I::Sender<RequestSpan>>,
    /// Where it reports; only shard 0 reports anything. It needs room for two events, and one for each configuration that
    /// it may be told at a time.
    pub events: I::Sender<ShardEvent>,
    /// What all shards share.
    pub setup: Arc<ShardSetup>,
    /// Log directories that cannot be used, by index and with the reason, besides those that the setup names.
    pub failed_directories: Vec<(usize, String)>,
}

/// What every shard of a machine is told alike.
#[derive(Debug)]
pub struct ShardSetup {
    /// The configuration at the start, for what does not change until the next one.
    pub config: BrokerConfig,
    /// What clients are told about this machine.
    pub advertise: Advertise,
    /// The log directories, in the order of the configuration, at least one.
    pub directories: Vec<LogDirectory>,
    /// The cluster that `meta.properties` names.
    pub cluster_id: Uuid,
    /// `logan.cache.bytes` of the whole process.
    pub cache_bytes: usize,
    /// Descriptors that the process may have open.
    pub descriptors_max: u64,
    /// Who else must know when the configuration has changed.
    pub on_change: OnChange,
}

/// What shard 0 calls when the broker has got other values: what follows them outside the shards. It must
/// not wait.
#[derive(Clone, Default)]
pub struct OnChange(Option<Arc<ConfigHook>>);

type ConfigHook = dyn Fn(&BrokerConfig) + Send + Sync;

impl OnChange {
    /// Calls this.
    pub fn call(hook: impl Fn(&BrokerConfig) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(hook)))
    }

    fn changed(&self, config: &BrokerConfig) {
        if let Some(hook) = &self.0 {
            hook(config);
        }
    }
}

impl std::fmt::Debug for OnChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("OnChange").field(&self.0.is_some()).finish()
    }
}

impl<I: Io> std::fmt::Debug for ShardSeed<I> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ShardSeed")
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

/// A shard.
pub(crate) struct Shard<I: Io> {
    pub(crate) io: I,
    pub(crate) mesh: Mesh<I>,
    pub(crate) setup: Arc<ShardSetup>,
    pub(crate) limits: Limits,
    pub(crate) log_limit: LogLimit,
    /// Of lines about groups, and of those about what clients have changed.
    pub(crate) groups_log_limit: LogLimit,
    pub(crate) changes_log_limit: LogLimit,
    pub(crate) storage: ShardStorage<I>,
    pub(crate) receive_buffers: ReceiveBuffers,
    pub(crate) request_budget: RequestBudget,
    /// Copies of batches on their way to other shards.
    pub(crate) forward_budget: RequestBudget,
    /// Large requests between their decoding and their answer.
    pub(crate) decoded_budget: DecodedBudget,
    /// Bytes of encoded responses that are not sent yet, without records.
    pub(crate) answers: Answers,
    /// Bytes of records in responses that are not sent yet.
    pub(crate) response_budget: RecordBudget,
    /// What was asked of it, and how long that took.
    pub(crate) requests: Requests,
    /// Who is told of single requests.
    pub(crate) tracing: Tracing<I>,
    /// What it has done for each topic.
    pub(crate) traffic: TopicTraffics,
    pub(crate) counters: Counters,
    pub(crate) connections: RefCell<Slab<Rc<Connection>>>,
    pub(crate) fetch_sessions: RefCell<FetchSessions>,
    pub(crate) scratch: RefCell<Scratch>,
    /// One compressed batch at a time is checked, ...
    pub(crate) decompressing: Semaphore,
    /// ... beside it one that takes long, ...
    pub(crate) decompressing_long: Semaphore,
    /// ... and one that gets another codec, ...
    pub(crate) recompressing: Semaphore,
    /// ... and one of those that takes long.
    pub(crate) recompressing_long: Semaphore,
    pub(crate) producer_ids: ProducerIds,
    /// The group coordinators whose partitions this shard owns.
    pub(crate) coordinators: Coordinators<I>,
    /// One coordinator at a time writes a snapshot.
    pub(crate) snapshotting: Semaphore,
    /// Used on the controller's shard only.
    pub(crate) controller: Controller,
    view: RefCell<Rc<View>>,
    partitions: RefCell<FxHashMap<PartitionKey, Rc<Partition<I>>>>,
    /// Partitions of this shard whose log could not be opened, with what the checkpoints said of it.
    offline: RefCell<FxHashMap<PartitionKey, Option<LogCheckpoint>>>,
    /// Those of them whose log has failed while it was used: what its files seem to hold may not be on the disk, so that
    /// nobody opens it before the next start.
    failed: RefCell<FxHashSet<PartitionKey>>,
    directories: RefCell<Directories>,
    /// Partitions whose logs move to other directories.
    directory_moves: RefCell<FxHashMap<PartitionKey, Rc<DirectoryMove<I>>>>,
    /// A few of them are copied at a time.
    copying: Semaphore,
    copy_throttle: Throttle,
    is_draining: Cell<bool>,
    draining: Notify,
    /// One task at a time gathers and writes checkpoints.
    pub(crate) checkpointing: Semaphore,
    checkpoints: RefCell<lifecycle::CheckpointRuns>,
    /// Partitions that this shard owns and another one has not let go of yet.
    arriving: RefCell<FxHashMap<PartitionKey, Rc<Arriving<I>>>>,
    /// Held by what changes the owners of partitions.
    pub(crate) moving: Semaphore,
    /// Set when nothing may change them any more: the logs are being closed.
    pub(crate) moves_are_over: Cell<bool>,
    /// When partitions moved that did so lately, to whichever shard.
    moved: RefCell<FxHashMap<PartitionKey, Instant>>,
    /// Whether partitions measure what they cost, for the balancer.
    pub(crate) measures_load: Rc<Cell<bool>>,
    /// The broker's configuration has changed.
    reconfigured: Notify,
    ended: Notify,
}

/// How many a shard has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    pub(crate) partitions: u64,
    pub(crate) offline_partitions: u64,
    pub(crate) directory_moves: u64,
    /// Partitions that it owns and another shard has not let go of yet.
    pub(crate) arriving: u64,
}

impl<I: Io> Shard<I> {
    fn new(
        io: I,
        mesh: Mesh<I>,
        setup: Arc<ShardSetup>,
        spans: Option<I::Sender<RequestSpan>>,
    ) -> Self {
        let shard_count = mesh.shards().count();
        let limits = Limits::new(&setup.config, shard_count);
        let storage = ShardStorage::new(io.clone(), storage_config(&setup, shard_count));
        // Memory that nobody has touched yet is dear in the path of the first records.
        storage.prefill(storage.config().staging_bytes);
        let written = Arc::new(setup.config.clone());
        let view = View::new(Arc::new(MetadataImage::new()), None, &written);
        Self {
            receive_buffers: ReceiveBuffers::default(),
            request_budget: RequestBudget::new(limits.request_memory_bytes),
            forward_budget: RequestBudget::new(limits.forward_memory_bytes),
            decoded_budget: DecodedBudget::new(
                limits.decoded_memory_bytes,
                limits.request_decoded_max_bytes,
            ),
            answers: Answers::new(limits.response_memory_bytes),
            response_budget: RecordBudget::new(limits.response_memory_bytes),
            requests: Requests::default(),
            tracing: Tracing::new(spans, setup.config.values.logan_tracing_otlp_sample_ratio),
            traffic: TopicTraffics::default(),
            counters: Counters::default(),
            connections: RefCell::default(),
            fetch_sessions: RefCell::new(FetchSessions::new(limits.fetch_sessions_max)),
            scratch: RefCell::default(),
            decompressing: Semaphore::new(1),
            decompressing_long: Semaphore::new(1),
            recompressing: Semaphore::new(1),
            recompressing_long: Semaphore::new(1),
            producer_ids: ProducerIds::new(),
            coordinators: Coordinators::default(),
            snapshotting: Semaphore::new(1),
            controller: Controller::default(),
            view: RefCell::new(Rc::new(view)),
            partitions: RefCell::default(),
            offline: RefCell::default(),
            failed: RefCell::default(),
            directories: RefCell::new(Directories::new(&setup.directories)),
            directory_moves: RefCell::default(),
            copying: Semaphore::new(directory_move::COPYING_MAX),
            copy_throttle: Throttle::default(),
            arriving: RefCell::default(),
            moving: Semaphore::new(1),
            moves_are_over: Cell::new(false),
            is_draining: Cell::new(false),
            draining: Notify::new(),
            checkpointing: Semaphore::new(1),
            checkpoints: RefCell::default(),
            moved: RefCell::default(),
            measures_load: Rc::default(),
            reconfigured: Notify::new(),
            ended: Notify::new(),
            log_limit: LogLimit::default(),
            groups_log_limit: LogLimit::default(),
            changes_log_limit: LogLimit::default(),
            io,
            mesh,
            setup,
            limits,
            storage,
        }
    }

    /// This shard's number.
    pub(crate) fn id(&self) -> ShardId {
        self.mesh.shard()
    }

    /// The configuration in force: what clients set and what is read anew while the broker runs is in it from the next
    /// request on.
    pub(crate) fn config(&self) -> Rc<BrokerConfig> {
        Rc::clone(&self.view.borrow().config)
    }

    /// What clients are told about this machine.
    pub(crate) fn advertise(&self) -> &Advertise {
        &self.setup.advertise
    }

    /// The state of the cluster as of the last decision.
    pub(crate) fn view(&self) -> Rc<View> {
        Rc::clone(&self.view.borrow())
    }

    /// A partition of this shard.
    ///
    /// # Errors
    /// KAFKA_STORAGE_ERROR when its log could not be opened, NOT_LEADER_OR_FOLLOWER when another shard owns it, and
    /// UNKNOWN_TOPIC_OR_PARTITION when there is no such partition.
    pub(crate) fn partition(&self, key: PartitionKey) -> Result<Rc<Partition<I>>, ErrorCode> {
        if let Some(partition) = self.partitions.borrow().get(&key) {
            return Ok(Rc::clone(partition));
        }
        if self.offline.borrow().contains_key(&key) {
            return Err(ErrorCode::KafkaStorageError);
        }
        let owner = self.view.borrow().owner(key);
        Err(match owner {
            Some(owner) if owner != self.id() => ErrorCode::NotLeaderOrFollower,
            _ => ErrorCode::UnknownTopicOrPartition,
        })
    }

    /// How many it has of what is counted at any time.
    pub(crate) fn counts(&self) -> Counts {
        let count = |len: usize| u64::try_from(len).unwrap_or(u64::MAX);
        Counts {
            partitions: count(self.partitions.borrow().len()),
            offline_partitions: count(self.offline.borrow().len()),
            directory_moves: count(self.directory_moves.borrow().len()),
            arriving: count(self.arriving.borrow().len()),
        }
    }

    /// The partitions that it owns and serves, in no order.
    pub(crate) fn partition_keys(&self) -> Vec<PartitionKey> {
        self.partitions.borrow().keys().copied().collect()
    }

    /// Whether the shard answers only what is under way.
    pub(crate) fn is_draining(&self) -> bool {
        self.is_draining.get()
    }

    /// Has the controller decide, wherever it is.
    pub(crate) async fn decide(&self, command: Command) -> CommandResult {
        let result = if self.id() == CONTROLLER {
            let (promise, answer) = oneshot();
            self.controller.submit(command, Asker::Local(promise));
            answer.await
        } else {
            let reply = self
                .mesh
                .control(CONTROLLER, Control::Decide(Box::new(command)))
                .await;
            match reply.await {
                Some(Reply::Decided(result)) => Some(*result),
                _ => None,
            }
        };
        result.unwrap_or_else(|| {
            let message = "the broker is shutting down";
            CommandResult::Refused(Refusal::new(ErrorCode::NotController, message))
        })
    }

    /// Completes when the shard begins to drain.
    pub(crate) fn drain_begins(&self) -> Notified {
        self.draining.notified()
    }

    pub(crate) fn spawn(&self, class: TaskClass, task: impl Future<Output = ()> + 'static) {
        self.io.spawn(class, task).detach();
    }
}

/// This shard's part of the machine's memory.
fn storage_config(setup: &ShardSetup, shard_count: usize) -> StorageConfig {
    let values = &setup.config.values;
    let bytes = |value: i64| usize::try_from(value).unwrap_or(usize::MAX);
    let pace = pace_of(&setup.config, shard_count);
    StorageConfig {
        cache_bytes: setup.cache_bytes / shard_count,
        staging_bytes: bytes(values.logan_staging_memory_bytes) / shard_count,
        disk_reserve_bytes: pace.disk_reserve_bytes,
        producer_ids_max: usize::try_from(values.logan_producer_ids_max_per_partition).unwrap_or(0),
        producer_id_expiration: DurationMs(i64::from(values.producer_id_expiration_ms)),
        open_files_max: open_files_max(setup.descriptors_max, shard_count),
        delete_bytes_per_second: pace.delete_bytes_per_second,
        write_bytes: pace.write_bytes,
        commit_window: pace.commit_window,
        commit_bytes: pace.commit_bytes,
        ..StorageConfig::default()
    }
}

/// This shard's part of what may change while logs are open.
pub(crate) fn pace_of(config: &BrokerConfig, shard_count: usize) -> Pace {
    let bytes = |value: i64| u64::try_from(value).unwrap_or(0);
    Pace {
        disk_reserve_bytes: bytes(config.values.logan_disk_reserve_bytes),
        delete_bytes_per_second: bytes(config.values.logan_delete_bytes_per_second)
            / shard_count as u64,
        write_bytes: usize::try_from(config.values.logan_disk_write_bytes).unwrap_or(usize::MAX),
        commit_window: Duration::from_micros(bytes(config.values.logan_disk_commit_window_us)),
        commit_bytes: bytes(config.values.logan_disk_commit_bytes),
    }
}

/// Descriptors of segments that one shard keeps open or uses: half of what the process may have is left to connections.
#[must_use]
pub fn open_files_max(descriptors_max: u64, shard_count: usize) -> usize {
    const MAX: usize = 512;
    const MIN: usize = 32;
    let share = usize::try_from(descriptors_max).unwrap_or(usize::MAX) / 2 / shard_count;
    share.clamp(MIN, MAX)
}

/// How long the last messages of an ending shard have to leave.
const EXIT_GRACE: Duration = Duration::from_millis(1);

/// Runs a shard until the process drains it.
pub async fn run_shard<I: Io>(io: I, seed: ShardSeed<I>) {
    let ShardSeed {
        port,
        accepted,
        commands,
        scrapes,
        spans,
        events,
        setup,
        failed_directories,
    } = seed;
    let (mesh, inboxes) = Mesh::new(port, io.clone());
    let shard = Rc::new(Shard::new(io, mesh, setup, spans));
    for (index, reason) in failed_directories {
        shard.directory_failed(index, &reason);
    }
    let ended = shard.ended.notified();
    {
        let (shard, replies) = (Rc::clone(&shard), inboxes.replies);
        let deliver = Rc::clone(&shard);
        shard.spawn(TaskClass::Control, async move {
            deliver.mesh.deliver_replies(&replies).await
        });
    }
    shard.spawn(
        TaskClass::Foreground,
        serve::serve_requests(Rc::clone(&shard), inboxes.requests),
    );
    shard.spawn(
        TaskClass::Control,
        serve::serve_control(Rc::clone(&shard), inboxes.control),
    );
    shard.spawn(
        TaskClass::Control,
        connection::sweep_connections(Rc::clone(&shard)),
    );
    shard.spawn(TaskClass::Background, scrubbing::scrub(Rc::clone(&shard)));
    shard.spawn(
        TaskClass::Background,
        housekeeping::keep_house(Rc::clone(&shard)),
    );
    shard.spawn(
        TaskClass::Background,
        cleaning::clean_logs(Rc::clone(&shard)),
    );
    shard.spawn(TaskClass::Control, directories::watch(Rc::clone(&shard)));
    shard.spawn(
        TaskClass::Control,
        metrics::answer(Rc::clone(&shard), scrapes),
    );
    if shard.id() == CONTROLLER {
        match Decider::open(Rc::clone(&shard)).await {
            Ok(mut decider) => {
                let wishes = strays::sort_out(&shard, &decider).await;
                decider.publish().await;
                strays::resume(&shard, wishes);
                decider.forget_checkpoints().await;
                shard.spawn(TaskClass::Control, decider.run());
                shard.spawn(TaskClass::Background, balancing::balance(Rc::clone(&shard)));
                shard.spawn(
                    TaskClass::Background,
                    lifecycle::write_checkpoints(Rc::clone(&shard)),
                );
                shard.spawn(
                    TaskClass::Control,
                    lifecycle::obey(Rc::clone(&shard), commands, events.clone()),
                );
                report::<I>(&events, ShardEvent::Ready);
            }
            Err(error) => report::<I>(
                &events,
                ShardEvent::Failed(format!("cannot open the metadata log: {error}")),
            ),
        }
    }
    shard.spawn(TaskClass::Foreground, accept(Rc::clone(&shard), accepted));
    ended.await;
    shard.io.sleep_until(shard.io.now() + EXIT_GRACE).await;
}

fn report<I: Io>(events: &I::Sender<ShardEvent>, event: ShardEvent) {
    if events.try_send(event).is_err() {
        tracing::debug!("nobody hears of the shard's events any more");
    }
}

async fn accept<I: Io>(shard: Rc<Shard<I>>, accepted: I::Receiver<Accepted<I::Socket>>) {
    while let Some(accepted) = accepted.recv().await {
        // A drained shard lets the connection go by dropping it.
        if !shard.is_draining() {
            shard.spawn(
                TaskClass::Foreground,
                connection::serve(Rc::clone(&shard), accepted),
            );
        }
    }
}
