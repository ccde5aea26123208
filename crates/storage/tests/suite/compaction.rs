//! Compaction of single logs: what goes, what stays, when, and what a damaged or full disk does to it.

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use io::{Io as _, Task as _, TaskClass};
use records::{BatchBuilder, Compression, NewRecord, RecordIter, decompressed_records};
use sim::{Fault, Machine, Operation, SimIo};
use storage::{
    Cleaner, CleanerConfig, CleaningReport, LastKnown, Log, LogConfig, LogIdentity, ShardStorage,
};
use types::{
    DurationMs, LeaderEpoch, Offset, PartitionIndex, ProducerEpoch, ProducerId, TimestampMs,
};

use crate::common::{
    Batch, CLEAN, commit, create, create_in, identity, log_dir, read_all, reopen, segment_path,
    simulate, sleep, storage,
};

fn config() -> LogConfig {
    LogConfig {
        segment_bytes: 2000,
        index_interval_bytes: 300,
        compacts: true,
        deletes: false,
        min_cleanable_dirty_ratio: 0.0,
        delete_retention_ms: DurationMs(1000),
        file_delete_delay_ms: DurationMs(100),
        ..LogConfig::default()
    }
}

fn keyed(key: u8, value: Option<u8>, timestamp: TimestampMs) -> Batch {
    let mut builder = BatchBuilder::new(Compression::None);
    let value = value.map(|fill| [fill; 100]);
    builder.push(&NewRecord {
        timestamp,
        key: Some(&[key]),
        value: value.as_ref().map(|value| &value[..]),
        headers: &[],
    });
    builder.into()
}

fn cleaner(shard: &ShardStorage<SimIo>) -> Cleaner<SimIo> {
    Cleaner::new(shard, CleanerConfig::default())
}

async fn clean(log: &Log<SimIo>) -> Option<CleaningReport> {
    cleaner(log.shard())
        .clean_filthiest(std::slice::from_ref(log))
        .await
}

/// `count` values of keys in turn, and the segments behind them sealed.
async fn fill(machine: &Machine, log: &Log<SimIo>, count: u8, keys: u8) {
    let now = machine.shard(0).wall_clock();
    for value in 0..count {
        commit(log, &keyed(value % keys, Some(value), now)).await;
    }
    settle(machine, log).await;
}

/// Waits until rolled segments are sealed.
async fn settle(machine: &Machine, log: &Log<SimIo>) {
    while log.recovery_point() < log.log_end_offset() {
        sleep(&machine.shard(0), Duration::from_millis(1)).await;
    }
}

/// Offset, key and value of every record.
async fn records(log: &Log<SimIo>) -> Vec<(i64, u8, Option<u8>)> {
    let mut found = Vec::new();
    for (header, batch) in read_all(log, log.log_start_offset(), 1 << 20).await {
        let mut scratch = Vec::new();
        let records = decompressed_records(&header, &batch, &mut scratch, 1 << 20);
        for record in RecordIter::new(&header, records.expect("readable records")) {
            let record = record.expect("a readable record");
            let key = record.key.expect("a key")[0];
            found.push((record.offset.0, key, record.value.map(|value| value[0])));
        }
    }
    found
}

async fn names(io: &SimIo) -> Vec<String> {
    let entries = io.list_dir(&log_dir()).await.expect("a directory");
    entries.into_iter().map(|entry| entry.name).collect()
}

#[test]
fn the_newest_record_of_each_key_stays_at_its_offset() {
    simulate(1, async |machine, _| {
        let log = create(&machine, config()).await;
        fill(&machine, &log, 100, 5).await;
        let (segments, size) = (log.segment_count(), log.size_bytes());
        let report = clean(&log).await.expect("there was much to clean");
        assert_eq!(report.first_dirty, Offset(0));
        assert_eq!(log.cleaner_offset(), Some(report.end_offset));
        assert_eq!(report.keys, 5);
        // Old segments are as large as they may be, so that none are merged; next time they are.
        assert_eq!(log.segment_count(), segments);
        assert!(log.size_bytes() < size / 4, "{}", log.size_bytes());
        assert_eq!(
            report.bytes_before - report.bytes_after,
            size - log.size_bytes()
        );
        let end = report.end_offset.0;
        let expected: Vec<_> = (end - 5..100)
            .map(|offset| {
                let value = u8::try_from(offset).expect("small");
                (offset, value % 5, Some(value))
            })
            .collect();
        assert_eq!(records(&log).await, expected);
        assert_eq!(log.log_start_offset(), Offset(0));
        assert_eq!(clean(&log).await, None, "nothing is dirty any more");
        while log.shard().discarded_count() > 0 {
            sleep(&machine.shard(0), Duration::from_millis(100)).await;
        }
        let left = names(&machine.shard(0)).await;
        assert!(
            left.iter()
                .all(|name| !name.ends_with("deleted") && !name.contains(".log.")),
            "{left:?}"
        );
        log.close().await.expect("a clean close");
        let log = reopen(&machine, config(), CLEAN).await.expect("it opens");
        assert_eq!(records(&log).await, expected);
        machine.kill();
        let log = reopen(&machine, config(), LastKnown::NOTHING)
            .await
            .expect("it recovers");
        assert_eq!(records(&log).await, expected);
        assert_eq!(log.log_end_offset(), Offset(100));
    });
}

#[test]
fn times_are_found_in_compacted_segments() {
    simulate(2, async |machine, _| {
        let log = create(&machine, config()).await;
        for offset in 0..100u8 {
            let timestamp = TimestampMs(1000 + i64::from(offset));
            commit(&log, &keyed(offset % 7, Some(offset), timestamp)).await;
        }
        settle(&machine, &log).await;
        let report = clean(&log).await.expect("there was much to clean");
        let first_left = report.end_offset.0 - 7;
        let found = log
            .offset_for_timestamp(TimestampMs(0))
            .await
            .expect("a look-up");
        assert_eq!(found.map(|it| it.offset), Some(Offset(first_left)));
        let asked = TimestampMs(1000 + first_left + 3);
        let found = log.offset_for_timestamp(asked).await.expect("a look-up");
        assert_eq!(found.map(|it| it.offset), Some(Offset(first_left + 3)));
        let newest = log.max_timestamp_offset().await.expect("a look-up");
        assert_eq!(newest.map(|it| it.offset), Some(Offset(99)));
    });
}

#[test]
fn a_tombstone_goes_after_its_retention_and_its_key_stays_away() {
    simulate(3, async |machine, _| {
        let io = machine.shard(0);
        let log = create(&machine, config()).await;
        let now = io.wall_clock();
        commit(&log, &keyed(200, Some(1), now)).await;
        commit(&log, &keyed(200, None, now)).await;
        fill(&machine, &log, 30, 3).await;
        clean(&log).await.expect("a pass");
        let tombstone = |found: &[(i64, u8, Option<u8>)]| found.contains(&(1, 200, None));
        let found = records(&log).await;
        assert!(tombstone(&found) && !found.iter().any(|it| it.0 == 0));
        sleep(&io, Duration::from_millis(500)).await;
        fill(&machine, &log, 30, 3).await;
        clean(&log).await.expect("a pass");
        assert!(tombstone(&records(&log).await), "its time has not come");
        sleep(&io, Duration::from_millis(700)).await;
        fill(&machine, &log, 30, 3).await;
        clean(&log).await.expect("a pass");
        assert!(records(&log).await.iter().all(|it| it.1 != 200));
    });
}

/// Large when decompressed, small on disk.
fn bloated(key: u8, timestamp: TimestampMs) -> Batch {
    let mut builder = BatchBuilder::new(Compression::Gzip);
    builder.push(&NewRecord {
        timestamp,
        key: Some(&[key]),
        value: Some(&[9; 8000]),
        headers: &[],
    });
    builder.into()
}

#[test]
fn a_batch_that_is_too_large_to_be_read_ends_no_cleaning_and_its_key_stays_away() {
    simulate(5, async |machine, _| {
        let io = machine.shard(0);
        let log = create(&machine, config()).await;
        let now = io.wall_clock();
        commit(&log, &keyed(201, Some(1), now)).await;
        commit(&log, &keyed(201, None, now)).await;
        commit(&log, &bloated(200, now)).await;
        commit(&log, &keyed(200, None, now)).await;
        let small = CleanerConfig {
            batch_records_bytes_max: 4000,
            ..CleanerConfig::default()
        };
        let small = Cleaner::new(log.shard(), small);
        let logs = [log.clone()];
        for _ in 0..3 {
            fill(&machine, &log, 30, 3).await;
            let report = small.clean_filthiest(&logs).await.expect("a pass");
            assert_eq!(report.batches_too_large, 1);
            sleep(&io, Duration::from_secs(2)).await;
        }
        let found = records(&log).await;
        assert!(found.contains(&(2, 200, Some(9))), "it cannot be read");
        assert!(found.contains(&(3, 200, None)), "which deletes what stays");
        assert!(found.iter().all(|it| it.1 != 201), "those before it go");
        assert!(found.len() < 40, "the others are cleaned");
        assert_eq!(log.shard().cleaner_totals().batches_too_large, 3);
        assert_eq!(log.uncleanable(), None);
    });
}

#[test]
fn lags_and_the_ratio_decide_when() {
    simulate(4, async |machine, _| {
        let io = machine.shard(0);
        let mut waiting = config();
        waiting.min_compaction_lag_ms = DurationMs(5000);
        let log = create(&machine, waiting.clone()).await;
        fill(&machine, &log, 60, 3).await;
        assert_eq!(clean(&log).await, None, "too young");
        sleep(&io, Duration::from_secs(6)).await;
        assert!(clean(&log).await.is_some());
        let mut reluctant = config();
        reluctant.min_cleanable_dirty_ratio = 1.0;
        log.update_config(reluctant.clone());
        fill(&machine, &log, 60, 3).await;
        assert_eq!(clean(&log).await, None, "not dirty enough");
        reluctant.max_compaction_lag_ms = DurationMs(8000);
        log.update_config(reluctant);
        assert_eq!(clean(&log).await, None, "not old enough");
        sleep(&io, Duration::from_secs(4)).await;
        assert!(clean(&log).await.is_some(), "too old to wait");
        log.update_config(LogConfig {
            compacts: false,
            ..config()
        });
        fill(&machine, &log, 60, 3).await;
        assert_eq!(clean(&log).await, None, "not compacted");
    });
}

#[test]
fn a_damaged_batch_ends_the_cleaning_of_its_log_only() {
    simulate(5, async |machine, _| {
        let shard = storage(&machine);
        let log = create_in(&shard, config()).await;
        let other = LogIdentity {
            partition: PartitionIndex(1),
            ..identity()
        };
        let dir = log_dir().with_file_name("topic-1");
        let other = Log::create(&shard, &dir, other, config())
            .await
            .expect("a log");
        fill(&machine, &log, 60, 3).await;
        fill(&machine, &other, 30, 3).await;
        machine
            .disk()
            .corrupt(&segment_path(0, "log"), 100)
            .expect("a file");
        let logs = [log.clone(), other.clone()];
        let cleaner = cleaner(&shard);
        assert!(
            cleaner.clean_filthiest(&logs).await.is_some(),
            "the other one"
        );
        assert_eq!(cleaner.clean_filthiest(&logs).await, None);
        let reason = log.uncleanable().expect("it says so");
        assert!(reason.contains("damaged batch at byte 0"), "{reason}");
        assert!(log.check_running().is_ok(), "it serves on");
        assert_eq!(other.uncleanable(), None);
        assert_eq!(log.cleaner_offset(), None);
        assert!(
            names(&machine.shard(0))
                .await
                .iter()
                .all(|name| !name.ends_with("cleaned"))
        );
    });
}

#[test]
fn a_failed_write_leaves_the_old_segments() {
    simulate(6, async |machine, _| {
        let log = create(&machine, config()).await;
        fill(&machine, &log, 60, 3).await;
        let before = records(&log).await;
        machine
            .disk()
            .inject(Fault::new(Operation::Write).on(".cleaned"));
        assert_eq!(clean(&log).await, None);
        assert!(log.uncleanable().is_some());
        machine.disk().repair();
        assert_eq!(records(&log).await, before);
        commit(&log, &keyed(1, Some(1), TimestampMs(1))).await;
    });
}

#[test]
fn a_full_disk_puts_cleaning_off() {
    simulate(7, async |machine, _| {
        let log = create(&machine, config()).await;
        fill(&machine, &log, 60, 3).await;
        let before = records(&log).await;
        let disk = machine.disk();
        disk.set_capacity_bytes(disk.used_bytes() + 1000);
        assert_eq!(clean(&log).await, None, "the write fails");
        sleep(&machine.shard(0), Duration::from_secs(1)).await;
        clean(&log).await;
        assert_eq!(clean(&log).await, None, "the reserve is not touched");
        assert_eq!(log.uncleanable(), None);
        assert_eq!(records(&log).await, before);
        let left = names(&machine.shard(0)).await;
        assert!(
            left.iter().all(|name| !name.ends_with("cleaned")),
            "{left:?}"
        );
        disk.set_capacity_bytes(sim::DEFAULT_CAPACITY_BYTES);
        sleep(&machine.shard(0), Duration::from_secs(1)).await;
        clean(&log).await;
        sleep(&machine.shard(0), Duration::from_secs(1)).await;
        clean(&log).await;
        assert!(log.cleaner_offset().is_some());
        assert!(records(&log).await.len() < before.len());
    });
}

#[test]
fn a_log_that_closes_does_not_wait_for_a_slow_cleaner() {
    simulate(8, async |machine, _| {
        let io = machine.shard(0);
        let log = create(&machine, config()).await;
        fill(&machine, &log, 100, 90).await;
        let slow = CleanerConfig {
            io_bytes_per_second_max: 10.0,
            ..CleanerConfig::default()
        };
        let cleaner = Cleaner::new(log.shard(), slow);
        let cleaned = log.clone();
        let cleaning = async move {
            cleaner
                .clean_filthiest(std::slice::from_ref(&cleaned))
                .await;
        };
        io.spawn(TaskClass::Background, cleaning).detach();
        sleep(&io, Duration::from_secs(2)).await;
        let began = io.now();
        log.close().await.expect("a clean close");
        assert!(io.now() - began < Duration::from_secs(1));
        let log = reopen(&machine, config(), CLEAN).await.expect("it opens");
        assert_eq!(records(&log).await.len(), 100);
    });
}

#[test]
fn a_rate_that_is_taken_back_counts_for_the_pass_that_waits() {
    simulate(12, async |machine, _| {
        let io = machine.shard(0);
        let log = create(&machine, config()).await;
        fill(&machine, &log, 100, 5).await;
        let slow = CleanerConfig {
            io_bytes_per_second_max: 1.0,
            ..CleanerConfig::default()
        };
        let cleaner = Rc::new(Cleaner::new(log.shard(), slow));
        let (cleaning, cleaned) = (Rc::clone(&cleaner), log.clone());
        let pass = async move {
            cleaning
                .clean_filthiest(std::slice::from_ref(&cleaned))
                .await;
        };
        io.spawn(TaskClass::Background, pass).detach();
        sleep(&io, Duration::from_secs(2)).await;
        assert_eq!(log.cleaner_offset(), None, "it waits");
        cleaner.configure(CleanerConfig::default());
        sleep(&io, Duration::from_secs(2)).await;
        assert!(log.cleaner_offset().is_some(), "it has gone on");
    });
}

#[test]
fn a_pause_ends_a_pass_and_keeps_the_cleaner_away() {
    simulate(11, async |machine, _| {
        let io = machine.shard(0);
        let log = create(&machine, config()).await;
        fill(&machine, &log, 100, 5).await;
        let slow = CleanerConfig {
            io_bytes_per_second_max: 10.0,
            ..CleanerConfig::default()
        };
        let cleaner = Cleaner::new(log.shard(), slow);
        let cleaned = log.clone();
        let cleaning = async move {
            cleaner
                .clean_filthiest(std::slice::from_ref(&cleaned))
                .await;
        };
        io.spawn(TaskClass::Background, cleaning).detach();
        sleep(&io, Duration::from_secs(2)).await;
        let began = io.now();
        let pause = log.pause_cleaning().await;
        assert!(io.now() - began < Duration::from_secs(1));
        assert_eq!(clean(&log).await, None);
        assert_eq!(records(&log).await.len(), 100);
        drop(pause);
        assert!(clean(&log).await.is_some());
    });
}

#[test]
fn an_idempotent_producer_goes_on_after_cleaning_and_a_restart() {
    simulate(9, async |machine, _| {
        let log = create(&machine, config()).await;
        let batch = |sequence: i32| -> Batch {
            let mut builder = BatchBuilder::new(Compression::Lz4).producer(
                ProducerId(5),
                ProducerEpoch(2),
                sequence,
            );
            builder.push(&NewRecord {
                timestamp: TimestampMs(1),
                key: Some(b"k"),
                value: Some(b"v"),
                headers: &[],
            });
            builder.into()
        };
        for sequence in 0..3 {
            commit(&log, &batch(sequence)).await;
        }
        // Others write over its key, so that none of its records is left.
        let mut over = keyed(b'k', Some(1), TimestampMs(1));
        commit(&log, &over).await;
        over = keyed(1, Some(1), TimestampMs(1));
        for _ in 0..40 {
            commit(&log, &over).await;
        }
        settle(&machine, &log).await;
        clean(&log).await.expect("a pass");
        let batches = read_all(&log, Offset(0), 1 << 20).await;
        let (header, _) = batches[0];
        assert_eq!((header.record_count, header.last_offset()), (0, Offset(2)));
        // Snapshots are gone too: what the log itself says must do.
        let io = machine.shard(0);
        for name in names(&io)
            .await
            .iter()
            .filter(|name| name.ends_with(".snapshot"))
        {
            io.remove_file(&log_dir().join(name)).await.expect("a file");
        }
        machine.kill();
        let log = reopen(&machine, config(), LastKnown::NOTHING)
            .await
            .expect("it recovers");
        assert!(commit(&log, &batch(2)).await.duplicate, "it is remembered");
        let next = commit(&log, &batch(3)).await;
        assert!(!next.duplicate);
    });
}

#[test]
fn what_another_broker_left_half_done_is_finished_or_undone() {
    simulate(10, async |machine, _| {
        let log = create(&machine, config()).await;
        fill(&machine, &log, 60, 3).await;
        let before = records(&log).await;
        log.close().await.expect("a clean close");
        let io = machine.shard(0);
        let stray = |name: &str| log_dir().join(name);
        io.replace_file(&stray("00000000000000000000.log.cleaned"), vec![1; 10])
            .await
            .expect("a file");
        io.replace_file(&stray("00000000000000000000.index.swap"), vec![1; 10])
            .await
            .expect("a file");
        let log = reopen(&machine, config(), CLEAN).await.expect("it opens");
        assert_eq!(records(&log).await, before, "undone");
        log.close().await.expect("a clean close");
        // The first segment without anything but its last record, complete.
        let first = io
            .read_file(&segment_path(0, "log"), 1 << 20)
            .await
            .expect("a file");
        let mut last = &first[..];
        for batch in records::BatchIter::new(&first) {
            last = batch.expect("whole batches").1;
        }
        let swap: &Path = &stray("00000000000000000000.log.swap");
        io.replace_file(swap, last.to_vec()).await.expect("a file");
        let log = reopen(&machine, config(), CLEAN).await.expect("it opens");
        let after = records(&log).await;
        assert!(after.len() < before.len());
        assert!(before.ends_with(&after), "finished");
        assert_eq!(log.latest_leader_epoch(), LeaderEpoch(3));
    });
}

/// The records behind the damage are gone, and others take their offsets before the cleaner looks.
#[test]
fn a_checkpoint_behind_the_end_of_the_log_does_not_make_new_records_clean() {
    simulate(8, async |machine, _| {
        let log = create(&machine, config()).await;
        fill(&machine, &log, 30, 3).await;
        let now = machine.shard(0).wall_clock();
        assert!(!log.set_cleaner_offset(Offset(80)), "it ends at 30");
        assert_eq!(log.cleaner_offset(), None);
        commit(&log, &keyed(200, Some(1), now)).await;
        fill(&machine, &log, 60, 3).await;
        commit(&log, &keyed(200, None, now)).await;
        fill(&machine, &log, 60, 3).await;
        let report = clean(&log).await.expect("a pass");
        assert_eq!(report.first_dirty, Offset(0));
        let found = records(&log).await;
        assert!(!found.contains(&(30, 200, Some(1))), "it was deleted");
        assert!(found.contains(&(91, 200, None)), "its time has not come");

        let log_end = log.log_end_offset();
        assert!(log.set_cleaner_offset(log_end), "nothing is dirty");
        assert_eq!(log.cleaner_offset(), Some(log_end));
    });
}
