//! A log against a simple model, through kills, power cuts and restarts at any moment.
//!
//! The model is the list of batches that were accepted, and how many of them were acknowledged. After a crash the log
//! holds a prefix of that list which contains everything acknowledged, byte for byte, and nothing else.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use crate::common::{
    Batch, CLEAN, EPOCH, append, batch, create, identity, log_dir, read_all, reopen, simulate,
    sleep,
};
use io::{Io as _, Task as _, TaskClass};
use sim::{Rng, SimIo, Syncs, for_each_seed};
use storage::{Durability, LastKnown, Log, LogConfig, ShardStorage, StorageConfig};
use types::{Offset, TimestampMs};

struct Model {
    /// The batches in the order in which they were accepted, with their base offsets.
    accepted: RefCell<Vec<(Offset, Vec<u8>)>>,
    end: Cell<Offset>,
    acknowledged: Cell<Offset>,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            accepted: RefCell::default(),
            end: Cell::new(Offset(0)),
            acknowledged: Cell::new(Offset(0)),
        }
    }
}

impl Model {
    /// What a crash left: everything acknowledged, and a prefix of what was accepted.
    async fn check(&self, log: &Log<SimIo>) {
        let end = log.log_end_offset();
        assert_eq!(log.high_watermark(), end, "what was recovered is durable");
        let acknowledged = self.acknowledged.get();
        assert!(
            end >= acknowledged,
            "{acknowledged} was acknowledged, the log ends at {end}"
        );
        let found = read_all(log, Offset(0), 1 << 20).await;
        let mut accepted = self.accepted.borrow_mut();
        accepted.retain(|(base_offset, _)| *base_offset < end);
        assert_eq!(found.len(), accepted.len(), "the log ends at {end}");
        for ((header, bytes), (base_offset, sent)) in found.iter().zip(&*accepted) {
            assert_eq!(header.base_offset, *base_offset);
            assert_eq!(bytes[16..], sent[16..], "the batch at {base_offset}");
        }
        self.end.set(end);
    }
}

fn random_batch(rng: &Rng) -> Batch {
    let records = 1 + rng.index(4);
    let len = usize::try_from(rng.magnitude(60_000)).expect("small");
    let timestamp = i64::try_from(rng.below(1_000_000)).expect("small");
    batch(records, len, timestamp)
}

/// Appends until the process is killed, with a task that waits for each batch.
async fn produce(io: SimIo, log: Log<SimIo>, model: Rc<Model>, rng: Rng) {
    loop {
        let batch = random_batch(&rng);
        let Ok(appended) = append(&log, &batch).await else {
            return;
        };
        assert_eq!(appended.base_offset, model.end.get());
        let end = Offset(appended.last_offset.0 + 1);
        model.end.set(end);
        model
            .accepted
            .borrow_mut()
            .push((appended.base_offset, batch.bytes));
        let (waiting, model) = (log.clone(), Rc::clone(&model));
        let wait = async move {
            if waiting.wait_durable(end).await.is_ok() {
                model.acknowledged.set(model.acknowledged.get().max(end));
            }
        };
        io.spawn(TaskClass::Foreground, wait).detach();
        if rng.chance(1, 2) {
            sleep(&io, Duration::from_micros(rng.below(3000))).await;
        }
    }
}

/// Reads behind the high watermark: what it saw may never be taken back.
async fn consume(io: SimIo, log: Log<SimIo>, rng: Rng) {
    let mut next = Offset(0);
    loop {
        let moved = log.watch_high_watermark();
        if log.high_watermark() > next {
            let from = if rng.chance(1, 8) { Offset(0) } else { next };
            let max_bytes = 1 + usize::try_from(rng.magnitude(1 << 20)).expect("small");
            let all = read_all(&log, from, max_bytes).await;
            next = all
                .last()
                .map_or(next, |(header, _)| Offset(header.last_offset().0 + 1));
        } else if log.is_fenced() {
            return;
        } else {
            moved.await;
        }
        if rng.chance(1, 4) {
            sleep(&io, Duration::from_millis(rng.below(20))).await;
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Kill,
    PowerCut,
    Close,
}

fn config(rng: &Rng, durability: Durability) -> LogConfig {
    LogConfig {
        segment_bytes: 100_000 + u32::try_from(rng.below(1_000_000)).expect("small"),
        index_interval_bytes: 1024,
        durability,
        ..LogConfig::default()
    }
}

fn crash_again_and_again(seed: u64, durability: Durability, ends: &'static [End]) {
    simulate(seed, async move |machine, simulation| {
        let rng = simulation.rng(1);
        let model = Rc::new(Model::default());
        let config = config(&rng, durability);
        create(&machine, config.clone())
            .await
            .close()
            .await
            .expect("a clean close");
        let mut last = CLEAN;
        for round in 0..6 {
            // Small groups are written while a sync is under way.
            let commit_bytes = 4096 << rng.below(9);
            let storage = StorageConfig {
                commit_bytes,
                ..StorageConfig::default()
            };
            let shard = ShardStorage::new(machine.shard(0), storage);
            let log = Log::open(&shard, &log_dir(), identity(), config.clone(), last).await;
            let log = log.expect("it opens");
            model.check(&log).await;
            let io = machine.shard(0);
            let tasks = [produce(
                io.clone(),
                log.clone(),
                Rc::clone(&model),
                simulation.rng(10 + round),
            )];
            for task in tasks {
                io.spawn(TaskClass::Foreground, task).detach();
            }
            let reader = consume(io.clone(), log.clone(), simulation.rng(20 + round));
            io.spawn(TaskClass::Foreground, reader).detach();
            sleep(&io, Duration::from_micros(rng.magnitude(200_000))).await;
            // A checkpoint of some earlier time.
            let recovery_point = log.recovery_point();
            sleep(&io, Duration::from_micros(rng.magnitude(50_000))).await;
            let end = ends[rng.index(ends.len())];
            if end == End::Close {
                log.close().await.expect("a clean close");
                assert_eq!(log.high_watermark(), log.log_end_offset());
            }
            drop(log);
            match end {
                End::PowerCut => machine.cut_power(),
                End::Kill | End::Close => machine.kill(),
            }
            // The next process starts later than the slowest write that the last one had submitted.
            sleep(&machine.shard(0), Duration::from_millis(100)).await;
            last = LastKnown {
                is_clean: end == End::Close,
                recovery_point: if rng.chance(1, 2) {
                    recovery_point
                } else {
                    Offset(0)
                },
                log_start_offset: Offset(0),
            };
        }
    });
}

#[test]
fn nothing_acknowledged_is_lost_by_kills_power_cuts_or_restarts() {
    for_each_seed(0..60, |seed| {
        crash_again_and_again(
            seed,
            Durability::Sync,
            &[End::Kill, End::PowerCut, End::Close],
        );
    });
}

#[test]
fn written_durability_survives_kills() {
    for_each_seed(0..20, |seed| {
        crash_again_and_again(seed, Durability::Written, &[End::Kill, End::Close]);
    });
}

/// The test above can fail: a disk that forgets what it promised is noticed.
#[test]
fn a_disk_that_lies_about_syncs_is_noticed() {
    let lost = (0..20u64).any(|seed| {
        let lost = Rc::new(Cell::new(false));
        let seen = Rc::clone(&lost);
        simulate(seed, async move |machine, _| {
            let log = create(&machine, LogConfig::default()).await;
            machine.disk().set_syncs(Syncs::Lies);
            let sent = batch(1, 10_000, 1);
            log.admit(sent.bytes.len()).await.expect("room");
            let appended = log.append(&sent.bytes, &sent.valid, EPOCH, TimestampMs(1));
            appended.expect("an append");
            log.wait_durable(Offset(1)).await.expect("a promise");
            drop(log);
            machine.cut_power();
            machine.disk().set_syncs(Syncs::Honest);
            let log = reopen(&machine, LogConfig::default(), LastKnown::NOTHING).await;
            seen.set(log.is_ok_and(|log| log.log_end_offset() == Offset(0)));
        });
        lost.get()
    });
    assert!(lost);
}
