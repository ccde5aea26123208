//! One compacted log's life: rounds of writing, cleaning and consuming, each ended by a crash.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use ::io::{Io as _, Task as _, TaskClass};
use records::BatchIter;
use sim::{Machine, Rng, SimIo, Simulation};
use storage::{
    AppendError, Cleaner, CleanerConfig, LastKnown, Log, LogConfig, LogIdentity, ReadError,
    ReadRequest, ShardStorage, StorageConfig,
};
use types::{DurationMs, LeaderEpoch, Offset, PartitionIndex, Uuid};

use super::ledger::{Batch, Content, Ledger, records_of};

const DATA: &str = "/data";
const LOG: &str = "/data/topic-0";
const PRODUCERS: usize = 2;
const ROUNDS: u32 = 4;
const ROUND_MAX_US: u64 = 150_000;

/// What has happened.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) passes: u64,
    pub(crate) removed: u64,
    pub(crate) tombstones_gone: u64,
    pub(crate) duplicates: u64,
    pub(crate) crashes_while_cleaning: u64,
    pub(crate) scans: u64,
}

#[derive(Debug, Default)]
struct Producer {
    /// Sent, and not known to be durable.
    unacknowledged: Option<Batch>,
    next_sequence: i32,
}

/// What outlives the process under test.
struct Oracle {
    rng: Rng,
    ledger: RefCell<Ledger>,
    producers: [RefCell<Producer>; PRODUCERS],
    broken: RefCell<Option<String>>,
    outcome: Cell<Outcome>,
    is_cleaning: Cell<bool>,
}

pub(crate) struct Life<'a> {
    machine: &'a Machine,
    oracle: Rc<Oracle>,
    pub(crate) config: LogConfig,
    last: LastKnown,
    cleaner_offset: Option<Offset>,
    is_first: bool,
    pub(crate) cleaner: CleanerConfig,
    pub(crate) fills_disk: bool,
}

impl Oracle {
    fn hold(&self, verdict: Result<(), String>) {
        if let Err(reason) = verdict {
            self.broken.borrow_mut().get_or_insert(reason);
        }
    }

    fn count(&self, change: impl FnOnce(&mut Outcome)) {
        let mut outcome = self.outcome.get();
        change(&mut outcome);
        self.outcome.set(outcome);
    }

    fn pause(&self, io: &SimIo, max_us: u64) -> impl Future<Output = ()> {
        let until = io.now() + Duration::from_micros(self.rng.magnitude(max_us));
        let io = io.clone();
        async move { io.sleep_until(until).await }
    }
}

impl<'a> Life<'a> {
    pub(crate) fn new(simulation: &Simulation, machine: &'a Machine) -> Self {
        let rng = simulation.rng(1);
        let small = |low, high| usize::try_from(rng.between(low, high)).expect("small");
        let config = LogConfig {
            segment_bytes: u32::try_from(rng.between(3, 16) << 10).expect("small"),
            index_interval_bytes: u32::try_from(rng.between(200, 4096)).expect("small"),
            compacts: true,
            deletes: false,
            min_cleanable_dirty_ratio: [0.0, 0.2, 0.5][rng.index(3)],
            min_compaction_lag_ms: DurationMs([0, 0, 30][rng.index(3)]),
            max_compaction_lag_ms: DurationMs([i64::MAX, 50][rng.index(2)]),
            delete_retention_ms: DurationMs([0, 50, 300][rng.index(3)]),
            ..LogConfig::default()
        };
        let cleaner = CleanerConfig {
            dedupe_buffer_bytes: small(12, 60) * 24,
            io_buffer_bytes: small(2, 5) << 12,
            io_bytes_per_second_max: [f64::MAX, 2e6][rng.index(2)],
            ..CleanerConfig::default()
        };
        Self {
            machine,
            oracle: Rc::new(Oracle {
                rng,
                ledger: RefCell::default(),
                producers: Default::default(),
                broken: RefCell::default(),
                outcome: Cell::default(),
                is_cleaning: Cell::default(),
            }),
            config,
            last: LastKnown::NOTHING,
            cleaner_offset: None,
            is_first: true,
            cleaner,
            fills_disk: false,
        }
    }

    /// Runs all rounds; after the last one the log is cleaned for as long as there is anything to clean.
    pub(crate) async fn run(mut self) -> Result<Outcome, String> {
        for _ in 0..ROUNDS {
            let log = self.open().await?;
            self.check(&log).await?;
            self.live(&log).await;
            self.check_broken()?;
            if let Some(reason) = log.uncleanable() {
                return Err(format!("uncleanable: {reason}"));
            }
            if self.oracle.rng.chance(1, 2) {
                // Checkpoints that the broker has written some time ago.
                self.remember(&log);
                self.oracle.pause(&self.machine.shard(9), 5000).await;
            }
            self.crash(&log).await;
            self.machine
                .disk()
                .set_capacity_bytes(sim::DEFAULT_CAPACITY_BYTES);
            self.check_broken()?;
        }
        let log = self.open().await?;
        self.check(&log).await?;
        let cleaner = Cleaner::new(log.shard(), self.cleaner);
        while cleaner
            .clean_filthiest(std::slice::from_ref(&log))
            .await
            .is_some()
        {}
        self.check(&log).await?;
        let mut outcome = self.oracle.outcome.get();
        let ledger = self.oracle.ledger.borrow();
        outcome.duplicates = ledger.duplicates;
        outcome.tombstones_gone = ledger.tombstones_gone;
        Ok(outcome)
    }

    /// Notes what the broker's checkpoints would say now.
    pub(crate) fn remember(&mut self, log: &Log<SimIo>) {
        self.last.recovery_point = log.recovery_point();
        self.cleaner_offset = log.cleaner_offset();
    }

    pub(crate) async fn open(&mut self) -> Result<Log<SimIo>, String> {
        let io = self.machine.shard(0);
        let storage = ShardStorage::new(
            io.clone(),
            StorageConfig {
                cache_bytes: 64 << 10,
                staging_bytes: 512 << 10,
                uncommitted_bytes_max: 256 << 10,
                tail_idle: Duration::from_millis(20),
                open_files_max: 2,
                index_cache_bytes: 4 << 10,
                disk_reserve_bytes: 16 << 10,
                ..StorageConfig::default()
            },
        );
        let identity = LogIdentity {
            topic: Rc::from("topic"),
            partition: PartitionIndex(0),
            topic_id: Uuid([7; 16]),
        };
        let (dir, config) = (Path::new(LOG), self.config.clone());
        let opened = if std::mem::take(&mut self.is_first) {
            let made = io.create_dir_all(Path::new(DATA)).await;
            made.expect("an empty disk has room");
            io.sync_dir(Path::new("/")).await.expect("the disk is well");
            Log::create(&storage, dir, identity, config).await
        } else {
            Log::open(&storage, dir, identity, config, self.last).await
        };
        let log = opened.map_err(|error| format!("open: {error}"))?;
        self.last = LastKnown::NOTHING;
        if let Some(offset) = self.cleaner_offset {
            assert!(
                log.set_cleaner_offset(offset),
                "what was cleaned is durable"
            );
        }
        let end = log.log_end_offset();
        self.oracle.ledger.borrow_mut().recovered(end)?;
        Ok(log)
    }

    /// The whole log holds what it must hold.
    pub(crate) async fn check(&self, log: &Log<SimIo>) -> Result<(), String> {
        let found = read_everything(log).await?;
        let end = log.log_end_offset();
        self.oracle.count(|outcome| {
            let missing = u64::try_from(end.0).expect("an offset") - found.len() as u64;
            outcome.removed = outcome.removed.max(missing);
        });
        let now = self.machine.shard(9).wall_clock();
        let mut ledger = self.oracle.ledger.borrow_mut();
        ledger.check_all(&found, end, now, self.config.delete_retention_ms)
    }

    fn check_broken(&self) -> Result<(), String> {
        let broken = self.oracle.broken.borrow().clone();
        broken.map_or(Ok(()), Err)
    }

    /// Appends this many batches of one producer.
    pub(crate) async fn write_some(&self, log: &Log<SimIo>, batches: usize) {
        let io = self.machine.shard(0);
        write(&io, log, &self.oracle, 0, batches).await;
    }

    async fn live(&self, log: &Log<SimIo>) {
        let io = self.machine.shard(0);
        for producer in 0..PRODUCERS {
            let (io, log, oracle) = (io.clone(), log.clone(), Rc::clone(&self.oracle));
            let task_io = io.clone();
            let task = async move { write(&task_io, &log, &oracle, producer, usize::MAX).await };
            io.spawn(TaskClass::Foreground, task).detach();
        }
        let cleaner = Cleaner::new(log.shard(), self.cleaner);
        let (cleaned, oracle, task_io) = (log.clone(), Rc::clone(&self.oracle), io.clone());
        let cleaning = async move { clean(&task_io, &cleaner, &cleaned, &oracle).await };
        io.spawn(TaskClass::Background, cleaning).detach();
        let (consumed, oracle, task_io) = (log.clone(), Rc::clone(&self.oracle), io.clone());
        let retention = self.config.delete_retention_ms;
        let consuming = async move { consume(&task_io, &consumed, &oracle, retention).await };
        io.spawn(TaskClass::Foreground, consuming).detach();
        if self.fills_disk {
            self.oracle.pause(&io, ROUND_MAX_US / 2).await;
            let disk = self.machine.disk();
            disk.set_capacity_bytes(disk.used_bytes() + self.oracle.rng.below(48 << 10));
            self.oracle.pause(&io, ROUND_MAX_US / 4).await;
            if self.oracle.rng.chance(1, 2) {
                disk.set_capacity_bytes(sim::DEFAULT_CAPACITY_BYTES);
            }
        }
        let until = self.oracle.rng.between(ROUND_MAX_US / 10, ROUND_MAX_US);
        io.sleep_until(io.now() + Duration::from_micros(until))
            .await;
    }

    async fn crash(&mut self, log: &Log<SimIo>) {
        if self.oracle.is_cleaning.take() {
            self.oracle
                .count(|outcome| outcome.crashes_while_cleaning += 1);
        }
        match self.oracle.rng.below(3) {
            0 => self.machine.cut_power(),
            1 => self.machine.kill(),
            _ => {
                if log.close().await.is_ok() {
                    self.remember(log);
                    self.last.is_clean = true;
                }
                self.machine.cut_power();
            }
        }
    }
}

async fn clean(io: &SimIo, cleaner: &Cleaner<SimIo>, log: &Log<SimIo>, oracle: &Oracle) {
    while !log.is_fenced() {
        oracle.is_cleaning.set(true);
        let report = cleaner.clean_filthiest(std::slice::from_ref(log)).await;
        oracle.is_cleaning.set(false);
        match report {
            Some(report) => oracle.count(|outcome| {
                outcome.passes += 1;
                outcome.removed += report.records_before - report.records_after;
            }),
            None => oracle.pause(io, 10_000).await,
        }
    }
}

/// Sends what is not acknowledged, and then new batches, one after the other, until the log stops.
async fn write(io: &SimIo, log: &Log<SimIo>, oracle: &Oracle, index: usize, batches: usize) {
    let producer = &oracle.producers[index];
    for _ in 0..batches {
        let known = producer.borrow().unacknowledged.clone();
        let batch = known.unwrap_or_else(|| {
            let id = 1000 + i64::try_from(index).expect("few");
            let mut producer = producer.borrow_mut();
            let batch = Batch::draw(&oracle.rng, id, producer.next_sequence, io.wall_clock());
            producer.next_sequence += i32::try_from(batch.records.len()).expect("few");
            producer.unacknowledged = Some(batch.clone());
            batch
        });
        let Some(end) = append(io, log, oracle, &batch).await else {
            return;
        };
        while log.wait_durable(end).await.is_err() {
            if log.is_fenced() {
                return;
            }
            oracle.pause(io, 5000).await;
        }
        producer.borrow_mut().unacknowledged = None;
        oracle.ledger.borrow_mut().promised(end);
        oracle.pause(io, 1500).await;
    }
}

async fn append(io: &SimIo, log: &Log<SimIo>, oracle: &Oracle, batch: &Batch) -> Option<Offset> {
    loop {
        let admitted = log.admit(batch.bytes.len()).await;
        let now = io.wall_clock();
        let appended =
            admitted.and_then(|()| log.append(&batch.bytes, &batch.valid(), LeaderEpoch(0), now));
        match appended {
            Ok(appended) => {
                let mut ledger = oracle.ledger.borrow_mut();
                let (base, duplicate) = (appended.base_offset, appended.duplicate);
                oracle.hold(ledger.appended(batch, base, duplicate, now));
                return Some(Offset(appended.last_offset.0 + 1));
            }
            Err(AppendError::DiskFull) => oracle.pause(io, 5000).await,
            Err(AppendError::Fenced(_)) => return None,
            Err(error) => {
                oracle.hold(Err(format!("append: {error}")));
                return None;
            }
        }
    }
}

/// Reads the log from its begin to its end, again and again, as a consumer that fills a table.
async fn consume(io: &SimIo, log: &Log<SimIo>, oracle: &Oracle, retention: DurationMs) {
    while !log.is_fenced() {
        let began = io.wall_clock();
        let mut state = BTreeMap::new();
        let mut offset = Offset(0);
        while offset < log.high_watermark() {
            let max_bytes = usize::try_from(oracle.rng.magnitude(20_000)).expect("small");
            let read = match read(log, offset, max_bytes).await {
                Ok(read) => read,
                Err(ReadError::Io(_)) if log.is_fenced() => return,
                Err(error) => return oracle.hold(Err(format!("read at {offset}: {error}"))),
            };
            let (records, next) = match read {
                Ok(read) => read,
                Err(reason) => return oracle.hold(Err(reason)),
            };
            if next <= offset {
                return oracle.hold(Err(format!("nothing to read at {offset}")));
            }
            for (at, content) in records.into_iter().filter(|it| it.0 >= offset) {
                oracle.hold(oracle.ledger.borrow().check_record(at, &content));
                match content.1 {
                    Some(value) => state.insert(content.0, value),
                    None => state.remove(&content.0),
                };
            }
            offset = next;
            oracle.pause(io, 2000).await;
        }
        // One that takes longer than tombstones are kept may miss one, with Kafka as well.
        if io.wall_clock().0 - began.0 < retention.0 {
            oracle.count(|outcome| outcome.scans += 1);
            oracle.hold(oracle.ledger.borrow().check_state(&state, offset));
        }
        oracle.pause(io, 20_000).await;
    }
}

type Records = Vec<(Offset, Content)>;

/// Reads once: the records, and where to go on.
async fn read(
    log: &Log<SimIo>,
    offset: Offset,
    max_bytes: usize,
) -> Result<Result<(Records, Offset), String>, ReadError> {
    let request = ReadRequest {
        offset,
        max_bytes,
        min_one_batch: true,
        end_offset: log.high_watermark(),
    };
    let data = log.read(request).await?;
    let mut records = Vec::new();
    for batch in BatchIter::new(&data.chunks.concat()) {
        let found = batch
            .map_err(|error| error.to_string())
            .and_then(|(header, batch)| {
                records::verify_crc(batch).map_err(|error| error.to_string())?;
                records_of(&header, batch)
            });
        match found {
            Ok(found) => records.extend(found),
            Err(reason) => return Ok(Err(format!("at {offset}: {reason}"))),
        }
    }
    Ok(Ok((records, data.next_offset)))
}

/// Everything that the log holds.
pub(crate) async fn read_everything(log: &Log<SimIo>) -> Result<Records, String> {
    let (mut offset, end) = (log.log_start_offset(), log.high_watermark());
    let mut all = Vec::new();
    while offset < end {
        let read = read(log, offset, 64 << 10).await;
        let (records, next) = read.map_err(|error| format!("read at {offset}: {error}"))??;
        if next <= offset {
            return Err(format!("nothing to read at {offset} below {end}"));
        }
        all.extend(records.into_iter().filter(|it| it.0 >= offset));
        offset = next;
    }
    Ok(all)
}
