//! What a log finds on disk when it is opened after an unclean stop.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::common::{
    CLEAN, assert_dense, batch, commit, create, log_dir, produced, read_all, reopen, segment_path,
    simulate, sleep, small_segments, storage,
};
use io::{Buffer as _, File as _, Io as _, OpenMode};
use sim::for_each_seed;
use storage::{LastKnown, Log, LogConfig, LogIdentity, OpenError};
use types::{Offset, PartitionIndex};

#[test]
fn a_flipped_byte_is_refused() {
    for_each_seed(0..40, |seed| {
        simulate(seed, async move |machine, simulation| {
            let log = create(&machine, LogConfig::default()).await;
            let sent = batch(2, 300, 1);
            for _ in 0..20 {
                commit(&log, &sent).await;
            }
            machine.kill();
            let rng = simulation.rng(1);
            let len = sent.bytes.len() as u64;
            let damaged = rng.below(20);
            // Anywhere but in the leader epoch, which nothing checks.
            let within = rng.below(len - 4);
            let within = if within < 12 { within } else { within + 4 };
            let path = segment_path(0, "log");
            machine
                .disk()
                .corrupt(&path, damaged * len + within)
                .expect("a byte");
            let log = reopen(&machine, LogConfig::default(), LastKnown::NOTHING).await;
            // Behind the last batch nothing shows that its length or magic was another.
            let is_told = damaged < 19 || within > 16;
            if is_told && within >= 8 {
                assert!(
                    matches!(log, Err(OpenError::Corrupt { .. })),
                    "byte {within} of batch {damaged}: it was acknowledged"
                );
                return;
            }
            let Ok(log) = log else { return };
            let end = log.log_end_offset().0;
            let expected = i64::try_from(damaged * 2).expect("small");
            if within >= 8 {
                assert_eq!(end, expected, "byte {within} of batch {damaged}");
            }
            // A base offset has no checksum; it is found out when offsets do not rise.
            assert!(end >= expected);
            commit(&log, &sent).await;
            let found = read_all(&log, Offset(0), 1 << 20).await;
            assert!(found.len() as u64 > damaged);
        });
    });
}

#[test]
fn a_log_cut_anywhere_recovers_what_is_whole() {
    for_each_seed(0..20, |seed| {
        simulate(seed, async move |machine, simulation| {
            let log = create(&machine, LogConfig::default()).await;
            let sent = batch(1, 2000, 1);
            for _ in 0..10 {
                commit(&log, &sent).await;
            }
            machine.kill();
            let len = sent.bytes.len() as u64;
            let io = machine.shard(0);
            let kept = simulation.rng(1).below(10 * len);
            let file = io.open(&segment_path(0, "log"), OpenMode::Existing).await;
            let file = file.expect("it is there");
            file.set_len(kept).await.expect("a cut");
            let log = reopen(&machine, LogConfig::default(), LastKnown::NOTHING).await;
            let log = log.expect("it recovers");
            assert_eq!(
                log.log_end_offset().0,
                i64::try_from(kept / len).expect("small")
            );
            assert_eq!(log.size_bytes(), kept / len * len);
            commit(&log, &sent).await;
            assert_dense(&log).await;
        });
    });
}

/// Leaves one sector of the first block of a file as if its write had not happened.
async fn lose_sector(machine: &sim::Machine, path: &std::path::Path, sector: usize) {
    const SECTOR_BYTES: usize = 512;
    let io = machine.shard(0);
    let file = io
        .open(path, OpenMode::Existing)
        .await
        .expect("it is there");
    let content = file.read_at(0, io::ALIGNMENT).await.expect("a block");
    let mut block = io.allocate(io::ALIGNMENT);
    let bytes = block.as_mut_slice();
    bytes.fill(0);
    bytes[..content.len()].copy_from_slice(content.as_slice());
    bytes[sector * SECTOR_BYTES..(sector + 1) * SECTOR_BYTES].fill(0);
    let written = file.write_at(0, block).await;
    written.expect("room");
}

#[test]
fn segments_behind_a_torn_one_are_set_aside() {
    simulate(1, async |machine, _| {
        let log = create(&machine, small_segments(10_000)).await;
        for index in 0..40 {
            commit(&log, &batch(1, 1000, index)).await;
        }
        sleep(&machine.shard(0), Duration::from_secs(1)).await;
        machine.kill();
        lose_sector(&machine, &segment_path(9, "log"), 3).await;
        let log = reopen(&machine, small_segments(10_000), LastKnown::NOTHING).await;
        let log = log.expect("it recovers");
        assert_eq!(log.log_end_offset(), Offset(10));
        assert_eq!(log.segment_count(), 2);
        commit(&log, &batch(1, 1000, 1)).await;
        assert_dense(&log).await;
        let names: BTreeSet<String> = machine
            .shard(0)
            .list_dir(&log_dir())
            .await
            .expect("a listing")
            .into_iter()
            .map(|entry| entry.name)
            .filter(|name| name.starts_with("000"))
            .collect();
        let (kept, names): (BTreeSet<_>, BTreeSet<_>) =
            names.into_iter().partition(|name| name.ends_with(".cut"));
        assert_eq!(kept.len(), 4, "what was cut and three segments: {kept:?}");
        let expected = [
            "00000000000000000000.index",
            "00000000000000000000.log",
            "00000000000000000000.timeindex",
            "00000000000000000009.index",
            "00000000000000000009.log",
            "00000000000000000009.snapshot",
            "00000000000000000009.timeindex",
        ];
        let expected: BTreeSet<String> = expected.map(str::to_owned).into();
        assert_eq!(names, expected);
    });
}

#[test]
fn recovery_leaves_what_lies_below_the_recovery_point_alone() {
    simulate(2, async |machine, _| {
        let log = create(&machine, small_segments(100_000)).await;
        for index in 0..300 {
            commit(&log, &batch(1, 10_000, index)).await;
        }
        sleep(&machine.shard(0), Duration::from_secs(1)).await;
        let last = LastKnown {
            recovery_point: log.recovery_point(),
            ..LastKnown::NOTHING
        };
        machine.kill();
        let before = machine.disk().counts().read_bytes;
        let log = reopen(&machine, small_segments(100_000), last)
            .await
            .expect("it recovers");
        let read_bytes = machine.disk().counts().read_bytes - before;
        assert!(read_bytes < 400_000, "{read_bytes} bytes read of 3 MB");
        assert_dense(&log).await;
    });
}

#[test]
fn producers_survive_without_any_snapshot() {
    simulate(3, async |machine, _| {
        let log = create(&machine, small_segments(2_000)).await;
        for index in 0..50 {
            commit(
                &log,
                &produced(index % 3, 0, i32::try_from(index / 3).expect("small"), 1),
            )
            .await;
        }
        log.close().await.expect("a clean close");
        let io = machine.shard(0);
        for entry in io.list_dir(&log_dir()).await.expect("a listing") {
            if entry.name.ends_with("snapshot") {
                io.remove_file(&log_dir().join(&entry.name))
                    .await
                    .expect("a removal");
            }
        }
        for last in [CLEAN, LastKnown::NOTHING] {
            let log = reopen(&machine, small_segments(2_000), last)
                .await
                .expect("it opens");
            assert_eq!(log.producer_count(), 3);
            let again = crate::common::append(&log, &produced(0, 0, 16, 1))
                .await
                .expect("a duplicate");
            assert!(again.duplicate);
        }
    });
}

#[test]
fn a_damaged_snapshot_or_epoch_checkpoint_is_left_out() {
    for name in ["00000000000000000006.snapshot", "leader-epoch-checkpoint"] {
        simulate(4, async move |machine, _| {
            let log = create(&machine, LogConfig::default()).await;
            for index in 0..6 {
                commit(&log, &produced(1, 0, index, 1)).await;
            }
            log.close().await.expect("a clean close");
            machine
                .disk()
                .corrupt(&log_dir().join(name), 0)
                .expect("a byte");
            let log = reopen(&machine, LogConfig::default(), CLEAN)
                .await
                .expect("it opens");
            assert_eq!(log.latest_leader_epoch(), crate::common::EPOCH);
            assert!(
                crate::common::append(&log, &produced(1, 0, 5, 1))
                    .await
                    .is_ok_and(|it| it.duplicate)
            );
        });
    }
}

#[test]
fn many_partitions_open_quickly_and_idle_without_memory() {
    simulate(5, async |machine, _| {
        const PARTITIONS: i32 = 100;
        let shard = storage(&machine);
        shard
            .io()
            .create_dir_all(crate::common::DATA_DIR.as_ref())
            .await
            .expect("a directory");
        let identity = |partition| LogIdentity {
            partition: PartitionIndex(partition),
            ..crate::common::identity()
        };
        let dir = |partition| log_dir().with_file_name(format!("topic-{partition}"));
        for partition in 0..PARTITIONS {
            let config = LogConfig::default();
            let log = Log::create(&shard, &dir(partition), identity(partition), config).await;
            commit(&log.expect("a log"), &batch(1, 100, 1)).await;
        }
        machine.kill();
        let shard = storage(&machine);
        let before = machine.disk().counts().read_bytes;
        let mut logs = Vec::new();
        for partition in 0..PARTITIONS {
            let (dir, config) = (dir(partition), LogConfig::default());
            let last = LastKnown::NOTHING;
            let log = Log::open(&shard, &dir, identity(partition), config, last).await;
            logs.push(log.expect("it recovers"));
        }
        let read_bytes = machine.disk().counts().read_bytes - before;
        assert!(read_bytes < 100_000 * 100, "{read_bytes} bytes read");
        assert!(logs.iter().all(|log| log.log_end_offset() == Offset(1)));
        shard.reclaim();
        assert_eq!(shard.memory().lent_bytes, 0);
    });
}

#[test]
fn closing_a_log_again_that_nobody_changed_writes_nothing() {
    simulate(7, async |machine, _| {
        let log = create(&machine, LogConfig::default()).await;
        commit(&log, &batch(1, 100, 1)).await;
        log.close().await.expect("a clean close");
        let log = reopen(&machine, LogConfig::default(), CLEAN)
            .await
            .expect("it opens");
        log.assign_leader_epoch(crate::common::EPOCH);
        let before = machine.disk().counts().name_changes;
        log.close().await.expect("a clean close");
        assert_eq!(machine.disk().counts().name_changes, before);
        let log = reopen(&machine, LogConfig::default(), CLEAN)
            .await
            .expect("it opens");
        assert_dense(&log).await;
    });
}

#[test]
fn batches_behind_a_lost_one_never_come_back() {
    simulate(8, async |machine, _| {
        let block = io::ALIGNMENT;
        let sent = (3900..4096)
            .map(|len| batch(1, len, 1))
            .find(|batch| batch.bytes.len() == block)
            .expect("a batch of one block");
        let log = create(&machine, LogConfig::default()).await;
        for _ in 0..10 {
            commit(&log, &sent).await;
        }
        machine.kill();
        let io = machine.shard(0);
        let file = io.open(&segment_path(0, "log"), OpenMode::Existing).await;
        let file = file.expect("it is there");
        let mut zeroes = io.allocate(block);
        zeroes.as_mut_slice().fill(0);
        let lost = file.write_at(3 * block as u64, zeroes).await;
        lost.expect("as if the fourth write had not happened");
        let log = reopen(&machine, LogConfig::default(), LastKnown::NOTHING).await;
        let log = log.expect("it recovers");
        assert_eq!(log.log_end_offset(), Offset(3));
        let path = format!("{}.{}.cut", segment_path(0, "log").display(), 3 * block);
        let kept = machine.shard(0).read_file(path.as_ref(), 1 << 20).await;
        let kept = kept.expect("a copy of what is cut");
        assert_eq!(
            kept[block..2 * block][61..],
            sent.bytes[61..],
            "the batch behind"
        );
        commit(&log, &sent).await;
        machine.kill();
        let log = reopen(&machine, LogConfig::default(), LastKnown::NOTHING).await;
        assert_eq!(log.expect("it recovers").log_end_offset(), Offset(4));
    });
}
