//! Retention and deletion: what goes when, what stays, and that no crash leaves a log half-deleted.

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use io::{Io as _, Task as _, TaskClass};
use sim::{Machine, Rng, SimIo, Simulation, for_each_seed};
use storage::{
    DeleteRecordsError, LastKnown, Log, LogConfig, ReadError, ReadRequest, ShardStorage,
    StorageConfig,
};
use types::{DurationMs, LeaderEpoch, Offset, TimestampMs};

use crate::common::{
    DATA_DIR, append, assert_dense, batch, commit, create, create_in, log_dir, produced, read_all,
    reopen, segment_path, simulate, sleep, small_segments, storage,
};

const NOW: TimestampMs = TimestampMs(1_000_000);

fn one_batch_each() -> LogConfig {
    LogConfig {
        retention_ms: DurationMs(1000),
        file_delete_delay_ms: DurationMs(0),
        ..small_segments(3000)
    }
}

/// A log with a segment for each timestamp, two records in each.
async fn log_of(machine: &Machine, config: LogConfig, timestamps: &[i64]) -> Log<SimIo> {
    let log = create(machine, config).await;
    for timestamp in timestamps {
        commit(&log, &batch(2, 1000, *timestamp)).await;
    }
    log
}

/// One pass of a housekeeper whose checkpoint succeeds.
async fn pass(log: &Log<SimIo>, now: TimestampMs) -> usize {
    if !log.expire(now).await.expect("readable indexes") {
        return 0;
    }
    let removed = log.remove_expired(log.log_start_offset()).await;
    removed.expect("the disk is well")
}

async fn names(io: &SimIo, dir: &Path) -> Vec<String> {
    let entries = io.list_dir(dir).await.expect("a directory");
    entries.into_iter().map(|entry| entry.name).collect()
}

#[test]
fn segments_go_when_their_newest_record_is_too_old() {
    simulate(1, async |machine, _| {
        // The second record of each is a millisecond younger.
        let old = NOW.0 - 1002;
        let log = log_of(&machine, one_batch_each(), &[old, old, NOW.0, old, NOW.0]).await;
        assert_eq!(pass(&log, NOW).await, 2, "the third is young");
        assert_eq!(log.log_start_offset(), Offset(4));
        assert_eq!(log.segment_count(), 3);
        assert_dense(&log).await;
        assert_eq!(pass(&log, NOW).await, 0);
        let exactly = TimestampMs(NOW.0 + 1001);
        assert_eq!(pass(&log, exactly).await, 0, "as old as it may be");
    });
}

#[test]
fn an_expired_active_segment_is_rolled_and_offsets_go_on() {
    simulate(2, async |machine, _| {
        let log = log_of(&machine, one_batch_each(), &[1, 2, 3]).await;
        commit(&log, &produced(9, 0, 0, 1)).await;
        assert_eq!(pass(&log, NOW).await, log.segment_count() + 2);
        assert_eq!(log.segment_count(), 1);
        assert_eq!(log.log_start_offset(), Offset(7));
        assert_eq!(log.size_bytes(), 0);
        assert_eq!(pass(&log, NOW).await, 0, "an empty segment stays");
        let next = commit(&log, &produced(9, 0, 1, 1)).await;
        assert_eq!(next.base_offset, Offset(7));
        let again = commit(&log, &produced(9, 0, 0, 1)).await;
        assert!(again.duplicate, "producers outlive their records");
        assert_dense(&log).await;
    });
}

#[test]
fn an_emptied_log_goes_on_after_a_power_cut_even_without_its_checkpoint() {
    for keeps_checkpoint in [true, false] {
        simulate(3, async move |machine, _| {
            let log = log_of(&machine, one_batch_each(), &[1, 2, 3]).await;
            commit(&log, &produced(9, 0, 0, 1)).await;
            assert!(pass(&log, NOW).await > 0);
            let last = LastKnown {
                log_start_offset: if keeps_checkpoint {
                    Offset(7)
                } else {
                    Offset(0)
                },
                ..LastKnown::NOTHING
            };
            machine.cut_power();
            let log = reopen(&machine, one_batch_each(), last).await;
            let log = log.expect("a log");
            assert_eq!(log.log_start_offset(), Offset(7));
            assert_eq!(log.log_end_offset(), Offset(7));
            let again = commit(&log, &produced(9, 0, 0, 1)).await;
            assert!(again.duplicate, "producers outlive their records");
        });
    }
}

#[test]
fn segments_go_while_what_is_left_is_at_least_the_size_to_keep() {
    simulate(4, async |machine, _| {
        let log = log_of(&machine, small_segments(3000), &[NOW.0; 5]).await;
        let segment_bytes = i64::try_from(log.size_bytes()).expect("small") / 5;
        let keep = async |bytes: i64| {
            log.update_config(LogConfig {
                retention_bytes: bytes,
                ..one_batch_each()
            });
            pass(&log, NOW).await
        };
        assert_eq!(keep(-1).await, 0);
        assert_eq!(keep(segment_bytes * 4 + 1).await, 0, "not whole");
        assert_eq!(keep(segment_bytes * 3 + 1).await, 1);
        assert_eq!(keep(segment_bytes * 2).await, 2);
        assert_eq!(log.log_start_offset(), Offset(6));
        assert_dense(&log).await;
        assert_eq!(keep(0).await, 2, "the active one as well");
        assert_eq!(log.log_start_offset(), Offset(10));
    });
}

#[test]
fn what_is_not_safe_yet_does_not_count_as_kept() {
    simulate(7, async |machine, _| {
        let log = log_of(&machine, small_segments(3000), &[NOW.0; 5]).await;
        log.update_config(LogConfig {
            retention_bytes: i64::try_from(log.size_bytes()).expect("small"),
            ..one_batch_each()
        });
        let under_way = append(&log, &batch(2, 1000, NOW.0)).await;
        let end = Offset(under_way.expect("an append").last_offset.0 + 1);
        assert_eq!(
            pass(&log, NOW).await,
            0,
            "a power cut would leave too little"
        );
        log.wait_durable(end).await.expect("a commit");
        assert_eq!(pass(&log, NOW).await, 1);
    });
}

#[test]
fn without_the_policy_delete_only_segments_below_the_start_go() {
    simulate(5, async |machine, _| {
        let config = LogConfig {
            deletes: false,
            compacts: true,
            retention_bytes: 0,
            ..one_batch_each()
        };
        let log = log_of(&machine, config, &[1, 2, 3]).await;
        assert_eq!(pass(&log, NOW).await, 0);
        log.delete_records(Offset(3)).expect("within the log");
        assert_eq!(pass(&log, NOW).await, 1, "the second holds the start");
        assert_eq!(log.log_start_offset(), Offset(3));
    });
}

#[test]
fn records_without_timestamps_age_with_their_file() {
    simulate(6, async |machine, _| {
        let io = machine.shard(0);
        let log = log_of(&machine, one_batch_each(), &[-2, -2]).await;
        let written = io.wall_clock();
        assert_eq!(pass(&log, TimestampMs(written.0 + 900)).await, 0);
        sleep(&io, Duration::from_secs(2)).await;
        assert_eq!(pass(&log, io.wall_clock()).await, 2);
    });
}

#[test]
fn nothing_beyond_the_high_watermark_goes() {
    simulate(7, async |machine, _| {
        let log = log_of(&machine, one_batch_each(), &[1]).await;
        let late = batch(2, 1000, 1);
        log.admit(late.bytes.len()).await.expect("room");
        let appended = log.append(&late.bytes, &late.valid, LeaderEpoch(3), NOW);
        appended.expect("an append");
        assert!(log.high_watermark() < log.log_end_offset());
        assert!(log.expire(NOW).await.expect("readable"));
        assert_eq!(log.log_start_offset(), Offset(2));
        let error = log.delete_records(Offset(3)).expect_err("not acknowledged");
        assert!(matches!(error, DeleteRecordsError::OffsetOutOfRange { .. }));
    });
}

#[test]
fn deleted_records_cannot_be_read_and_the_start_never_moves_back() {
    simulate(8, async |machine, _| {
        let log = log_of(&machine, one_batch_each(), &[NOW.0; 3]).await;
        log.assign_leader_epoch(LeaderEpoch(5));
        commit(&log, &batch(2, 1000, NOW.0)).await;
        let woken = log.watch_high_watermark();
        assert_eq!(log.delete_records(Offset(3)), Ok(Offset(3)));
        woken.await;
        assert_eq!(log.delete_records(Offset(1)), Ok(Offset(3)));
        for wrong in [-2, 9, i64::MAX] {
            let refused = log.delete_records(Offset(wrong));
            assert!(matches!(
                refused,
                Err(DeleteRecordsError::OffsetOutOfRange { .. })
            ));
        }
        let request = ReadRequest {
            offset: Offset(2),
            max_bytes: 100,
            min_one_batch: true,
            end_offset: Offset(8),
        };
        let error = log.read(request).await.expect_err("deleted");
        assert!(matches!(error, ReadError::OffsetOutOfRange { .. }));
        assert_eq!(read_all(&log, Offset(3), 10_000).await.len(), 3);
        let found = log.offset_for_timestamp(TimestampMs(0)).await;
        assert_eq!(
            found.expect("readable").expect("a record").offset,
            Offset(3)
        );
        assert_eq!(log.delete_records(Offset(-1)), Ok(Offset(8)));
        let epochs = log.leader_epochs();
        assert_eq!(epochs.entries().len(), 1);
        assert_eq!(epochs.entries()[0].start_offset, Offset(8));
        let found = log.offset_for_timestamp(TimestampMs(0)).await;
        assert_eq!(found.expect("readable"), None);
    });
}

#[test]
fn a_reader_of_an_expired_segment_finishes_or_learns_that_it_is_gone() {
    for_each_seed(0..60, |seed| {
        simulate(seed, async move |machine, simulation| {
            let rng = simulation.rng(1);
            let config = StorageConfig {
                cache_bytes: 0,
                open_files_max: 1,
                ..StorageConfig::default()
            };
            let shard = ShardStorage::new(machine.shard(0), config);
            let log = create_in(&shard, one_batch_each()).await;
            for _ in 0..6 {
                commit(&log, &batch(2, 1000, 1)).await;
            }
            let readers_done = Rc::new(Cell::new(0));
            for offset in [0, 1, 4, 5, 8] {
                let (log, done) = (log.clone(), Rc::clone(&readers_done));
                let pause = Duration::from_micros(rng.below(400));
                let io = machine.shard(0);
                let reading = async move {
                    sleep(&io, pause).await;
                    read_or_out_of_range(&log, Offset(offset)).await;
                    done.set(done.get() + 1);
                };
                machine
                    .shard(0)
                    .spawn(TaskClass::Foreground, reading)
                    .detach();
            }
            sleep(&machine.shard(0), Duration::from_micros(rng.below(400))).await;
            assert_eq!(pass(&log, NOW).await, 6);
            sleep(&machine.shard(0), Duration::from_secs(1)).await;
            assert_eq!(readers_done.get(), 5);
        });
    });
}

async fn read_or_out_of_range(log: &Log<SimIo>, offset: Offset) {
    let request = ReadRequest {
        offset,
        max_bytes: 5000,
        min_one_batch: true,
        end_offset: Offset(12),
    };
    match log.read(request).await {
        Ok(data) => {
            assert_eq!(data.first_offset, Offset(offset.0 - offset.0 % 2));
            let bytes = data.chunks.concat();
            for batch in records::BatchIter::new(&bytes) {
                let (_, batch) = batch.expect("whole batches");
                records::verify_crc(batch).expect("intact batches");
            }
        }
        Err(ReadError::OffsetOutOfRange { .. }) => {}
        Err(error) => unreachable!("{error}"),
    }
}

#[test]
fn files_go_after_the_delay_and_large_ones_slice_by_slice() {
    simulate(10, async |machine, _| {
        let io = machine.shard(0);
        let config = LogConfig {
            file_delete_delay_ms: DurationMs(5000),
            ..one_batch_each()
        };
        let log = log_of(&machine, config, &[1, NOW.0]).await;
        // A segment of another time, as large as they come.
        let path = segment_path(0, "log");
        assert_eq!(pass(&log, NOW).await, 1);
        let deleted = segment_path(0, "log.deleted");
        let file = io.open(&deleted, io::OpenMode::Existing).await;
        let file = file.expect("renamed");
        io::File::set_len(&file, 200 << 20).await.expect("room");
        assert!(machine.disk().peek(&path).is_err());
        let before = machine.disk().counts().resizes;
        sleep(&io, Duration::from_millis(4900)).await;
        assert_eq!(machine.disk().counts().resizes, before, "not yet");
        sleep(&io, Duration::from_secs(5)).await;
        assert!(machine.disk().counts().resizes >= before + 6);
        let left = names(&io, &log_dir()).await;
        assert!(
            left.iter().all(|name| !name.ends_with(".deleted")),
            "{left:?}"
        );
        assert_dense(&log).await;
    });
}

#[test]
fn what_deletions_left_goes_at_the_next_start() {
    simulate(11, async |machine, _| {
        let config = LogConfig {
            file_delete_delay_ms: DurationMs(60_000),
            ..one_batch_each()
        };
        let log = log_of(&machine, config.clone(), &[1, 2, NOW.0]).await;
        assert_eq!(pass(&log, NOW).await, 2);
        machine.kill();
        let log = reopen(&machine, config, LastKnown::NOTHING).await;
        let log = log.expect("a log");
        let io = machine.shard(0);
        sleep(&io, Duration::from_secs(1)).await;
        let left = names(&io, &log_dir()).await;
        assert!(
            left.iter().all(|name| !name.ends_with(".deleted")),
            "{left:?}"
        );
        log.delete().await.expect("the disk is well");
        machine.kill();
        let shard = storage(&machine);
        let removed = shard.remove_deleted(Path::new(DATA_DIR)).await;
        removed.expect("the disk is well");
        sleep(&machine.shard(0), Duration::from_secs(1)).await;
        assert_eq!(shard.discarded_count(), 0);
        assert!(
            names(&machine.shard(0), Path::new(DATA_DIR))
                .await
                .is_empty()
        );
    });
}

#[test]
fn an_unfinished_deletion_is_finished_whatever_its_files_look_like() {
    simulate(12, async |machine, _| {
        let config = one_batch_each();
        let log = log_of(&machine, config.clone(), &[1, 2, 3, NOW.0]).await;
        log.close().await.expect("a clean close");
        machine.kill();
        // The renames of the first two were lost, and what was cut of them was not.
        let io = machine.shard(0);
        for segment in [0, 2] {
            let path = segment_path(segment, "log");
            let file = io.open(&path, io::OpenMode::Existing).await;
            let file = file.expect("a segment");
            io::File::set_len(&file, 100).await.expect("cut");
        }
        let last = LastKnown {
            log_start_offset: Offset(5),
            recovery_point: Offset(8),
            ..LastKnown::NOTHING
        };
        let log = reopen(&machine, config, last).await.expect("a log");
        assert_eq!(log.log_start_offset(), Offset(5));
        assert_eq!(read_all(&log, Offset(5), 10_000).await.len(), 2);
        sleep(&io, Duration::from_secs(1)).await;
        assert!(machine.disk().peek(&segment_path(0, "log")).is_err());
    });
}

/// What outlives a crash: the checkpoint, and what was promised.
#[derive(Clone, Copy, Debug, Default)]
struct Promises {
    /// On disk: no crash takes it back.
    start: i64,
    /// What the log may begin with: the start that was last asked for.
    start_max: i64,
    acknowledged: i64,
}

/// Writes, expires and deletes until the process ends.
async fn live(io: SimIo, log: Log<SimIo>, rng: Rng, promises: Rc<Cell<Promises>>) {
    let change = |change: &dyn Fn(&mut Promises)| {
        let mut promised = promises.get();
        change(&mut promised);
        promises.set(promised);
    };
    loop {
        match rng.below(4) {
            0 => {
                let bound = u64::try_from(log.high_watermark().0 + 1).expect("positive");
                let before = Offset(i64::try_from(rng.below(bound)).expect("small"));
                change(&|it| it.start_max = it.start_max.max(before.0));
                drop(log.delete_records(before));
            }
            1 => {
                change(&|it| it.start_max = it.start_max.max(log.high_watermark().0));
                drop(log.expire(TimestampMs(1_000_000)).await);
            }
            _ => {
                for _ in 0..rng.between(1, 6) {
                    let batch = batch(2, 1000, i64::try_from(rng.below(2_000_000)).expect("small"));
                    let end = commit(&log, &batch).await.last_offset.0 + 1;
                    change(&|it| it.acknowledged = end);
                }
            }
        }
        let start = log.log_start_offset();
        sleep(&io, Duration::from_micros(rng.below(3000))).await;
        if rng.chance(2, 3) {
            // The broker's checkpoint is written and synced.
            change(&|it| it.start = it.start.max(start.0));
            let removed = log.remove_expired(start).await;
            removed.expect("the disk is well");
        } else if rng.chance(1, 2) {
            // There is no room for the checkpoint.
            let removed = log.remove_expired_singly().await;
            removed.expect("segments can go");
        }
    }
}

async fn check(log: &Log<SimIo>, promised: Promises) {
    let (start, end) = (log.log_start_offset(), log.log_end_offset());
    assert!(
        end.0 >= promised.acknowledged,
        "{promised:?}: ends at {end}"
    );
    assert!(start.0 >= promised.start, "{promised:?}: begins at {start}");
    assert!(
        start.0 <= promised.start_max.max(promised.start),
        "{promised:?}: begins at {start}"
    );
    assert_dense_from(log, start, end).await;
}

async fn assert_dense_from(log: &Log<SimIo>, start: Offset, end: Offset) {
    let mut next = start;
    for (header, _) in read_all(log, start, 7000).await {
        assert!(header.base_offset <= next && header.last_offset() >= next);
        next = Offset(header.last_offset().0 + 1);
    }
    assert_eq!(next, end);
}

#[test]
fn without_room_for_the_start_the_oldest_segments_go_and_stay_away() {
    simulate(3, async |machine, _| {
        let log = log_of(&machine, one_batch_each(), &[1, 2, 3, 4]).await;
        log.delete_records(Offset(5)).expect("it is committed");
        let removed = log.remove_expired_singly().await;
        assert_eq!(removed.expect("they can be renamed"), 2);
        assert_eq!(log.segment_count(), 2, "the one of offset 5 stays");
        assert_eq!(log.remove_expired_singly().await.expect("nothing"), 0);
        machine.cut_power();
        let log = reopen(&machine, one_batch_each(), LastKnown::NOTHING).await;
        let log = log.expect("an old start is no damage");
        assert_eq!(log.log_start_offset(), Offset(4), "the first segment's");
        assert_dense(&log).await;
    });
}

#[test]
fn no_crash_leaves_a_log_half_deleted() {
    for_each_seed(0..150, |seed| {
        let simulation = Simulation::new(seed);
        let machine = simulation.machine();
        let rounds = async {
            let rng = simulation.rng(2);
            let config = one_batch_each();
            let promises = Rc::new(Cell::new(Promises::default()));
            drop(create(&machine, config.clone()).await);
            for round in 0..6 {
                let promised = promises.get();
                let last = LastKnown {
                    log_start_offset: Offset(promised.start),
                    ..LastKnown::NOTHING
                };
                let log = reopen(&machine, config.clone(), last).await;
                let log = log.expect("a log that can be opened");
                check(&log, promised).await;
                let living = live(
                    machine.shard(0),
                    log.clone(),
                    simulation.rng(10 + round),
                    Rc::clone(&promises),
                );
                let task = machine.shard(0).spawn(TaskClass::Foreground, living);
                task.detach();
                sleep(&machine.shard(9), Duration::from_micros(rng.below(60_000))).await;
                if rng.chance(1, 3) {
                    machine.kill();
                } else {
                    machine.cut_power();
                }
            }
        };
        simulation.run(rounds).expect("the rounds end");
    });
}

#[test]
fn a_log_that_is_closed_or_deleted_meanwhile_is_left_alone() {
    for_each_seed(0..40, |seed| {
        simulate(seed, async move |machine, simulation| {
            let rng = simulation.rng(1);
            let log = log_of(&machine, one_batch_each(), &[1, 2, 3]).await;
            assert!(log.expire(NOW).await.expect("readable"));
            let (removing, start) = (log.clone(), log.log_start_offset());
            let removal = async move {
                removing.remove_expired(start).await.expect("not disturbed");
            };
            let io = machine.shard(0);
            io.spawn(TaskClass::Background, removal).detach();
            sleep(&io, Duration::from_micros(rng.below(500))).await;
            if rng.chance(1, 2) {
                log.close().await.expect("a clean close");
            } else {
                log.delete().await.expect("a deletion");
            }
            assert_eq!(pass(&log, NOW).await, 0);
        });
    });
}

#[test]
fn snapshots_of_deleted_segments_go_and_their_producers_stay() {
    simulate(13, async |machine, _| {
        let log = create(&machine, one_batch_each()).await;
        for sequence in 0..4 {
            commit(&log, &produced(7, 0, sequence, 1)).await;
            commit(&log, &batch(2, 1000, 1)).await;
        }
        assert!(pass(&log, NOW).await > 2);
        sleep(&machine.shard(0), Duration::from_secs(1)).await;
        let left = names(&machine.shard(0), &log_dir()).await;
        let snapshots: Vec<_> = left.iter().filter(|it| it.ends_with(".snapshot")).collect();
        assert_eq!(snapshots.len(), 1, "{left:?}");
        log.close().await.expect("a clean close");
        machine.kill();
        let log = reopen(&machine, one_batch_each(), crate::common::CLEAN).await;
        assert_eq!(log.expect("a log").producer_count(), 1);
    });
}
