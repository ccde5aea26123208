//! One log's life: rounds of writing and reading, each ended by a crash and followed by a recovery.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use ::io::{Io as _, Task as _, TaskClass};
use sim::{Fault, Machine, Operation, Rng, SimIo, Simulation};
use storage::{
    AppendError, Durability, LastKnown, Log, LogConfig, LogIdentity, ReadError, ReadRequest,
    ShardStorage, StorageConfig,
};
use types::{DurationMs, LeaderEpoch, Offset, PartitionIndex, Uuid};

use crate::model::{Batch, Model, Verdict};

const DATA: &str = "/data";
const LOG: &str = "/data/topic-0";
const WRITERS: usize = 3;
const READERS: usize = 2;
/// Kafka's clients have at most five batches under way, and brokers remember as many.
const UNACKNOWLEDGED_MAX: usize = 5;
/// How long a writer waits until it tries again on a full disk.
const FULL_PAUSE: Duration = Duration::from_millis(5);

/// How a round ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crash {
    PowerCut,
    Kill,
    /// The log is closed first; then the power is cut.
    Close,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) durability: Durability,
    pub(crate) crashes: &'static [Crash],
    /// Whether writes and syncs fail and the disk fills up.
    pub(crate) faults: bool,
    pub(crate) rounds: u32,
    /// The longest that writers work between two crashes.
    pub(crate) round_max: Duration,
}

/// What has happened.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Summary {
    pub(crate) acknowledged: u64,
    pub(crate) duplicates: u64,
    pub(crate) lost: u64,
    pub(crate) fenced: u64,
    pub(crate) disk_full: u64,
    pub(crate) segments: u64,
}

#[derive(Debug, Default)]
struct Writer {
    /// Sent and not acknowledged, in order.
    unacknowledged: VecDeque<Batch>,
    next: u64,
}

/// What outlives the process under test.
struct Oracle {
    rng: Rng,
    model: RefCell<Model>,
    writers: [RefCell<Writer>; WRITERS],
    broken: RefCell<Option<String>>,
    acknowledged: Cell<u64>,
    disk_full: Cell<u64>,
    sync_fails: Cell<bool>,
}

pub(crate) struct Scenario<'a> {
    simulation: &'a Simulation,
    machine: &'a Machine,
    plan: Plan,
    oracle: Rc<Oracle>,
    config: LogConfig,
    last: LastKnown,
}

impl Oracle {
    fn hold(&self, verdict: Verdict) {
        if let Err(reason) = verdict {
            self.broken.borrow_mut().get_or_insert(reason);
        }
    }

    fn pause(&self, io: &SimIo, max_us: u64) -> impl Future<Output = ()> {
        let pause = Duration::from_micros(self.rng.magnitude(max_us));
        let (io, until) = (io.clone(), io.now() + pause);
        async move { io.sleep_until(until).await }
    }
}

impl<'a> Scenario<'a> {
    pub(crate) fn new(simulation: &'a Simulation, machine: &'a Machine, plan: Plan) -> Self {
        let rng = simulation.rng(1);
        let config = LogConfig {
            segment_bytes: u32::try_from(rng.between(12, 100) << 10).expect("small"),
            index_interval_bytes: u32::try_from(rng.between(512, 8192)).expect("small"),
            durability: plan.durability,
            flush_messages: i64::MAX,
            flush_ms: DurationMs(i64::MAX),
            ..LogConfig::default()
        };
        Self {
            simulation,
            machine,
            plan,
            oracle: Rc::new(Oracle {
                rng,
                model: RefCell::default(),
                writers: Default::default(),
                broken: RefCell::default(),
                acknowledged: Cell::default(),
                disk_full: Cell::default(),
                sync_fails: Cell::default(),
            }),
            config,
            last: LastKnown::NOTHING,
        }
    }

    /// Runs all rounds and a last recovery.
    pub(crate) async fn run(mut self) -> Result<Summary, String> {
        let mut summary = Summary::default();
        for round in 0..self.plan.rounds {
            let log = self.recover(round == 0).await?;
            self.live(&log).await;
            summary.segments += log.segment_count() as u64;
            summary.fenced += u64::from(log.is_fenced());
            if self.oracle.rng.chance(1, 2) {
                // A checkpoint that the broker has written some time ago.
                self.last.recovery_point = log.recovery_point();
                self.oracle.pause(&self.machine.shard(9), 5000).await;
            }
            self.crash(&log).await;
            self.machine.disk().repair();
            let capacity_bytes = sim::DEFAULT_CAPACITY_BYTES;
            self.machine.disk().set_capacity_bytes(capacity_bytes);
            self.check_broken()?;
        }
        let log = self.recover(false).await?;
        self.finish(&log).await?;
        let model = self.oracle.model.borrow();
        summary.acknowledged = self.oracle.acknowledged.get();
        summary.disk_full = self.oracle.disk_full.get();
        summary.duplicates = model.duplicates;
        summary.lost = model.lost;
        Ok(summary)
    }

    fn check_broken(&self) -> Verdict {
        let broken = self.oracle.broken.borrow().clone();
        broken.map_or(Ok(()), Err)
    }

    async fn recover(&mut self, first: bool) -> Result<Log<SimIo>, String> {
        let io = self.machine.shard(0);
        let storage = ShardStorage::new(
            io.clone(),
            StorageConfig {
                cache_bytes: 64 << 10,
                staging_bytes: 512 << 10,
                uncommitted_bytes_max: 256 << 10,
                // Small enough for writes beside a sync.
                commit_bytes: self.oracle.rng.magnitude(1 << 20),
                tail_idle: Duration::from_millis(20),
                open_files_max: 2,
                index_cache_bytes: 16 << 10,
                disk_reserve_bytes: 16 << 10,
                ..StorageConfig::default()
            },
        );
        let identity = LogIdentity {
            topic: Rc::from("topic"),
            partition: PartitionIndex(0),
            topic_id: Uuid([7; 16]),
        };
        let dir = Path::new(LOG);
        let config = self.config.clone();
        let opened = if first {
            let made = io.create_dir_all(Path::new(DATA)).await;
            made.expect("an empty disk has room");
            let synced = io.sync_dir(Path::new("/")).await;
            synced.expect("the disk is well");
            Log::create(&storage, dir, identity, config).await
        } else {
            Log::open(&storage, dir, identity, config, self.last).await
        };
        let log = opened.map_err(|error| format!("open: {error}"))?;
        self.last = LastKnown::NOTHING;
        self.oracle
            .model
            .borrow_mut()
            .recovered(log.log_end_offset())?;
        self.read_all(&log).await?;
        Ok(log)
    }

    /// The whole log is what the model says.
    async fn read_all(&self, log: &Log<SimIo>) -> Verdict {
        let (mut offset, end) = (Offset(0), log.log_end_offset());
        while offset < end {
            let found = read(&self.oracle, log, offset, end).await;
            let next = found.map_err(|error| format!("read at {offset}: {error}"))??;
            if next == offset {
                return Err(format!("nothing to read at {offset} below {end}"));
            }
            offset = next;
        }
        self.oracle.model.borrow().check_order()
    }

    /// Lets writers, readers and faults work for a while.
    async fn live(&self, log: &Log<SimIo>) {
        let io = self.machine.shard(0);
        log.assign_leader_epoch(LeaderEpoch(0));
        for index in 0..WRITERS {
            let (io, log, oracle) = (io.clone(), log.clone(), Rc::clone(&self.oracle));
            let writing = async move { write(&io, &log, &oracle, index, u64::MAX).await };
            self.machine
                .shard(0)
                .spawn(TaskClass::Foreground, writing)
                .detach();
        }
        for _ in 0..READERS {
            let (io, log, oracle) = (io.clone(), log.clone(), Rc::clone(&self.oracle));
            let reading = async move { follow(&io, &log, &oracle).await };
            self.machine
                .shard(0)
                .spawn(TaskClass::Foreground, reading)
                .detach();
        }
        let round_max_us = u64::try_from(self.plan.round_max.as_micros()).expect("short");
        self.oracle.pause(&io, round_max_us).await;
        if self.plan.faults {
            self.harm();
            let span = Duration::from_micros(self.oracle.rng.below(round_max_us / 3));
            io.sleep_until(io.now() + span).await;
        }
    }

    /// Something goes wrong with the disk.
    fn harm(&self) {
        let rng = &self.oracle.rng;
        let disk = self.machine.disk();
        let after = u32::try_from(rng.below(4)).expect("small");
        match rng.below(5) {
            0 => disk.inject(Fault::new(Operation::Write).after(after).times(1)),
            1 => {
                self.oracle.sync_fails.set(true);
                disk.inject(Fault::new(Operation::Sync).after(after).times(1));
            }
            2 => {
                self.oracle.sync_fails.set(true);
                disk.inject(Fault::new(Operation::SyncDirectory).after(after).times(1));
            }
            3 => disk.set_capacity_bytes(disk.used_bytes() + rng.below(24 << 10)),
            _ => disk.inject(Fault::new(Operation::Write).on(".log").after(after)),
        }
    }

    async fn crash(&mut self, log: &Log<SimIo>) {
        let crashes = self.plan.crashes;
        let drawn = crashes[self.oracle.rng.index(crashes.len())];
        // What a failed sync covered may be readable and lost with the next power cut. Nobody could tell: neither Kafka
        // nor Logan writes it again when the process restarts without the machine.
        let sync_failed = self.oracle.sync_fails.take();
        match if sync_failed { Crash::PowerCut } else { drawn } {
            Crash::PowerCut => self.machine.cut_power(),
            Crash::Kill => self.machine.kill(),
            Crash::Close => {
                if log.close().await.is_ok() {
                    self.last.is_clean = true;
                    self.last.recovery_point = log.recovery_point();
                }
                self.machine.cut_power();
            }
        }
    }

    /// The last writers send what is left; then everything is there once.
    async fn finish(&self, log: &Log<SimIo>) -> Verdict {
        let io = self.machine.shard(0);
        for index in 0..WRITERS {
            write(&io, log, &self.oracle, index, 3).await;
        }
        self.check_broken()?;
        for writer in &self.oracle.writers {
            let left = writer.borrow().unacknowledged.len();
            if left > 0 {
                return Err(format!("{left} batches cannot be sent again"));
            }
        }
        self.read_all(log).await?;
        let elapsed = self.simulation.elapsed();
        (elapsed > Duration::ZERO)
            .then_some(())
            .ok_or_else(|| "no time has passed".to_owned())
    }
}

/// Sends again what is not acknowledged, and then up to `count` new batches, until the log stops.
async fn write(io: &SimIo, log: &Log<SimIo>, oracle: &Oracle, index: usize, count: u64) {
    let writer = &oracle.writers[index];
    let left: Vec<Batch> = writer.borrow().unacknowledged.iter().cloned().collect();
    let mut end = log.log_end_offset();
    for batch in &left {
        match append(io, log, oracle, batch).await {
            Some(appended) => end = appended,
            None => return,
        }
    }
    if !left.is_empty() && !acknowledge(io, log, oracle, writer, end).await {
        return;
    }
    for _ in 0..count {
        let batch = {
            let mut writer = writer.borrow_mut();
            let len_bytes = usize::try_from(oracle.rng.magnitude(3000)).expect("small");
            let batch = Batch::new(index, writer.next, oracle.rng.between(1, 4), len_bytes);
            writer.next += batch.count;
            writer.unacknowledged.push_back(batch.clone());
            batch
        };
        let Some(end) = append(io, log, oracle, &batch).await else {
            return;
        };
        let unacknowledged = writer.borrow().unacknowledged.len();
        let must_wait = unacknowledged == UNACKNOWLEDGED_MAX || oracle.rng.chance(1, 2);
        if must_wait && !acknowledge(io, log, oracle, writer, end).await {
            return;
        }
        oracle.pause(io, 3000).await;
    }
    let end = log.log_end_offset();
    acknowledge(io, log, oracle, writer, end).await;
}

/// Appends a batch; the offset behind it, or nothing when the log has stopped.
async fn append(io: &SimIo, log: &Log<SimIo>, oracle: &Oracle, batch: &Batch) -> Option<Offset> {
    loop {
        let admitted = log.admit(batch.bytes.len()).await;
        let appended = admitted.and_then(|()| {
            let now = io.wall_clock();
            log.append(&batch.bytes, &batch.valid(), LeaderEpoch(0), now)
        });
        match appended {
            Ok(appended) => {
                let mut model = oracle.model.borrow_mut();
                let base = appended.base_offset;
                oracle.hold(model.appended(batch, base, appended.duplicate));
                return Some(Offset(appended.last_offset.0 + 1));
            }
            Err(AppendError::DiskFull) => {
                oracle.disk_full.set(oracle.disk_full.get() + 1);
                io.sleep_until(io.now() + FULL_PAUSE).await;
            }
            Err(AppendError::Fenced(_)) => return None,
            // A snapshot of producers holds the last batch of each, as Kafka's: what came before is refused.
            Err(AppendError::OutOfOrderSequence { .. })
                if oracle.model.borrow().end_of(batch).is_some() =>
            {
                return oracle.model.borrow().end_of(batch);
            }
            Err(error) => {
                oracle.hold(Err(format!("append: {error}")));
                return None;
            }
        }
    }
}

/// Waits until everything that the writer has sent is durable. False when the log has stopped.
async fn acknowledge(
    io: &SimIo,
    log: &Log<SimIo>,
    oracle: &Oracle,
    writer: &RefCell<Writer>,
    end: Offset,
) -> bool {
    while log.wait_durable(end).await.is_err() {
        if log.is_fenced() {
            return false;
        }
        io.sleep_until(io.now() + FULL_PAUSE).await;
    }
    let mut writer = writer.borrow_mut();
    let acknowledged = writer.unacknowledged.drain(..).count() as u64;
    oracle
        .acknowledged
        .set(oracle.acknowledged.get() + acknowledged);
    oracle.model.borrow_mut().promised(end);
    true
}

/// Reads at the tail, or from a random offset on, until the log stops.
async fn follow(io: &SimIo, log: &Log<SimIo>, oracle: &Oracle) {
    let mut offset = log.log_end_offset();
    loop {
        let moved = log.watch_high_watermark();
        let end = log.high_watermark();
        if offset >= end {
            if log.is_fenced() {
                return;
            }
            moved.await;
            continue;
        }
        match read(oracle, log, offset, end).await {
            Ok(Ok(next)) => {
                oracle.model.borrow_mut().promised(next);
                offset = next;
            }
            Ok(Err(reason)) => return oracle.hold(Err(reason)),
            Err(ReadError::Io(_)) => return,
            Err(error) => return oracle.hold(Err(format!("read at {offset}: {error}"))),
        }
        oracle.pause(io, 2000).await;
        if oracle.rng.chance(1, 10) && end.0 > 0 {
            let bound = u64::try_from(end.0).expect("offsets are positive");
            offset = Offset(i64::try_from(oracle.rng.below(bound)).expect("an offset"));
        }
    }
}

/// Reads once and checks what came; the offset behind it.
async fn read(
    oracle: &Oracle,
    log: &Log<SimIo>,
    offset: Offset,
    end_offset: Offset,
) -> Result<Result<Offset, String>, ReadError> {
    let max_bytes = usize::try_from(oracle.rng.magnitude(100_000)).expect("small");
    let request = ReadRequest {
        offset,
        max_bytes,
        min_one_batch: true,
        end_offset,
    };
    let data = log.read(request).await?;
    let bytes = data.chunks.concat();
    let checked = oracle.model.borrow().check(offset, &bytes);
    Ok(checked.map(|next| next.max(data.next_offset)))
}
