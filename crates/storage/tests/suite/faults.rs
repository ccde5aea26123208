//! Disks that fail, fill up and damage what they hold.

use std::io::ErrorKind;
use std::time::Duration;

use crate::common::{
    CLEAN, append, assert_dense, batch, commit, create, create_in, log_dir, read_all, reopen,
    segment_path, simulate, sleep, small_segments, storage,
};
use sim::{Fault, Operation, for_each_seed};
use storage::{
    AppendError, LastKnown, Log, LogConfig, LogIdentity, OpenError, ReadError, ReadRequest,
    ShardStorage, StorageConfig,
};
use types::{Offset, PartitionIndex};

fn request(offset: i64, end_offset: i64) -> ReadRequest {
    ReadRequest {
        offset: Offset(offset),
        max_bytes: 1 << 20,
        min_one_batch: true,
        end_offset: Offset(end_offset),
    }
}

#[test]
fn a_failed_write_or_sync_fences_the_log_and_no_other() {
    for operation in [Operation::Write, Operation::Sync] {
        for_each_seed(0..10, |seed| {
            simulate(seed, async move |machine, _| {
                let shard = storage(&machine);
                let log = create_in(&shard, LogConfig::default()).await;
                let other = LogIdentity {
                    partition: PartitionIndex(1),
                    ..crate::common::identity()
                };
                let dir = log_dir().with_file_name("topic-1");
                let other = Log::create(&shard, &dir, other, LogConfig::default()).await;
                let other = other.expect("a second log");
                commit(&log, &batch(1, 100, 1)).await;
                machine.disk().inject(Fault::new(operation).on("topic-0"));
                append(&log, &batch(1, 100, 2))
                    .await
                    .expect("it is in memory");
                assert!(log.wait_durable(Offset(2)).await.is_err());
                assert!(log.is_fenced());
                let fenced = |shard: &ShardStorage<_>| shard.disks()[0].fenced;
                assert_eq!(fenced(&shard), 1);
                machine.disk().repair();
                let refused = append(&log, &batch(1, 100, 3)).await;
                assert!(matches!(refused, Err(AppendError::Fenced(_))));
                assert!(log.flush().await.is_err());
                assert!(log.close().await.is_err(), "it needs recovery");
                assert_eq!(
                    log.high_watermark(),
                    Offset(1),
                    "never as if it had succeeded"
                );
                assert!(log.read(request(0, 1)).await.is_ok(), "reads go on");
                commit(&other, &batch(1, 100, 1)).await;
                drop(log);
                assert_eq!(fenced(&shard), 0, "it is gone");
                machine.kill();
                sleep(&machine.shard(0), Duration::from_secs(1)).await;
                let log = reopen(&machine, LogConfig::default(), LastKnown::NOTHING).await;
                assert_dense(&log.expect("it recovers")).await;
            });
        });
    }
}

#[test]
fn a_full_disk_refuses_appends_keeps_reading_and_recovers() {
    for_each_seed(0..10, |seed| {
        simulate(seed, async move |machine, _| {
            let config = StorageConfig {
                disk_reserve_bytes: 8 << 20,
                ..StorageConfig::default()
            };
            machine.disk().set_capacity_bytes(32 << 20);
            let shard = ShardStorage::new(machine.shard(0), config);
            let log = create_in(&shard, small_segments(1 << 20)).await;
            let sent = batch(1, 100_000, 1);
            let mut accepted = 0;
            let refused = loop {
                match append(&log, &sent).await {
                    Ok(_) => accepted += 1,
                    Err(error) => break error,
                }
                assert!(accepted < 1000, "the disk has to fill up");
            };
            assert_eq!(refused, AppendError::DiskFull);
            assert!(
                accepted > 100,
                "most of the disk was used: {accepted} batches"
            );
            assert!(
                machine.disk().used_bytes() <= (24 << 20) + (1 << 20),
                "the reserve is left"
            );
            let read = log.read(request(0, accepted)).await.expect("a read");
            assert!(read.len_bytes > 0);
            machine.disk().set_capacity_bytes(256 << 20);
            sleep(shard.io(), Duration::from_secs(2)).await;
            // The first one is not refused because of an old measurement.
            commit(&log, &sent).await;
            assert_dense(&log).await;
        });
    });
}

#[test]
fn a_write_that_finds_the_disk_full_waits_for_space() {
    for_each_seed(0..10, |seed| {
        simulate(seed, async move |machine, _| {
            let log = create(&machine, LogConfig::default()).await;
            commit(&log, &batch(1, 100, 1)).await;
            for operation in [Operation::Write, Operation::Resize] {
                let full = Fault::new(operation)
                    .on(".log")
                    .error(ErrorKind::StorageFull);
                machine.disk().inject(full);
            }
            append(&log, &batch(1, 100_000, 2))
                .await
                .expect("it is in memory");
            assert!(log.wait_durable(Offset(2)).await.is_err());
            assert!(!log.is_fenced());
            let refused = append(&log, &batch(1, 100, 3)).await;
            assert_eq!(refused, Err(AppendError::DiskFull));
            machine.disk().repair();
            sleep(&machine.shard(0), Duration::from_secs(5)).await;
            assert_eq!(
                log.high_watermark(),
                Offset(2),
                "what was accepted is written after all"
            );
            commit(&log, &batch(1, 100, 3)).await;
            assert_dense(&log).await;
        });
    });
}

#[test]
fn a_failed_read_is_an_error_and_no_more() {
    simulate(1, async |machine, _| {
        let log = create(&machine, LogConfig::default()).await;
        commit(&log, &batch(1, 100, 1)).await;
        log.close().await.expect("a clean close");
        let log = reopen(&machine, LogConfig::default(), CLEAN)
            .await
            .expect("it opens");
        machine.disk().inject(Fault::new(Operation::Read).times(1));
        assert!(matches!(
            log.read(request(0, 1)).await,
            Err(ReadError::Io(_))
        ));
        assert!(log.read(request(0, 1)).await.is_ok());
        commit(&log, &batch(1, 100, 2)).await;
    });
}

#[test]
fn a_batch_damaged_on_disk_is_never_served() {
    for_each_seed(0..20, |seed| {
        simulate(seed, async move |machine, simulation| {
            let log = create(&machine, small_segments(20_000)).await;
            let sent = batch(1, 1000, 1);
            for _ in 0..50 {
                commit(&log, &sent).await;
            }
            log.close().await.expect("a clean close");
            let len = sent.bytes.len() as u64;
            let rng = simulation.rng(1);
            // In the third batch, anywhere but in its offset and leader epoch, which no checksum covers.
            let position = 2 * len + 16 + rng.below(len - 16);
            machine
                .disk()
                .corrupt(&segment_path(0, "log"), position)
                .expect("a byte");
            let log = reopen(&machine, small_segments(20_000), CLEAN)
                .await
                .expect("it opens");
            let before = log.read(request(0, 50)).await.expect("a read");
            assert_eq!(before.next_offset, Offset(2), "it ends before the damage");
            for _ in 0..2 {
                let damaged = log.read(request(2, 50)).await;
                assert!(
                    matches!(damaged, Err(ReadError::Corrupt { .. })),
                    "{damaged:?}"
                );
            }
            let neighbour = log.read(request(3, 50)).await.expect("a read");
            assert_eq!(neighbour.first_offset, Offset(3), "the next one is fine");
            assert_eq!(
                read_all(&log, Offset(20), 1 << 20).await.len(),
                30,
                "others are fine"
            );
        });
    });
}

#[test]
fn damage_below_the_recovery_point_is_never_cut_away() {
    simulate(2, async |machine, _| {
        let log = create(&machine, LogConfig::default()).await;
        for index in 0..10 {
            commit(&log, &batch(1, 100, index)).await;
        }
        machine.kill();
        let len = batch(1, 100, 1).bytes.len() as u64;
        machine
            .disk()
            .corrupt(&segment_path(0, "log"), 3 * len + 8)
            .expect("a byte");
        let last = LastKnown {
            recovery_point: Offset(8),
            ..LastKnown::NOTHING
        };
        let refused = reopen(&machine, LogConfig::default(), last).await;
        assert!(
            matches!(
                refused,
                Err(OpenError::Corrupt {
                    offset: Offset(3),
                    ..
                })
            ),
            "{refused:?}"
        );
        let log = reopen(&machine, LogConfig::default(), LastKnown::NOTHING).await;
        assert_eq!(log.expect("it opens").log_end_offset(), Offset(3));
    });
}

#[test]
fn a_directory_of_another_topic_is_refused() {
    simulate(3, async |machine, _| {
        create(&machine, LogConfig::default()).await;
        let identity = LogIdentity {
            topic_id: types::Uuid([9; 16]),
            ..crate::common::identity()
        };
        let shard = storage(&machine);
        let refused = Log::create(&shard, &log_dir(), identity, LogConfig::default()).await;
        assert!(
            matches!(refused, Err(OpenError::Unsupported { .. })),
            "{refused:?}"
        );
    });
}

#[test]
fn slow_readers_do_not_pin_memory_without_bound() {
    simulate(4, async |machine, _| {
        let config = StorageConfig {
            cache_bytes: 1 << 20,
            staging_bytes: 1 << 20,
            ..StorageConfig::default()
        };
        let shard = ShardStorage::new(machine.shard(0), config);
        let log = create_in(&shard, LogConfig::default()).await;
        let mut held = Vec::new();
        for index in 0..5000 {
            commit(&log, &batch(1, 5_000, index)).await;
            if index % 40 == 0 {
                held.push(log.read(request(index, index + 1)).await.expect("a read"));
            }
        }
        shard.reclaim();
        assert!(shard.memory().lent_bytes < 5 << 20, "{:?}", shard.memory());
        assert!(shard.memory().cache_bytes <= 1 << 20);
        assert!(
            held.iter().all(|data| data.len_bytes > 5_000),
            "and they keep what they read"
        );
    });
}

#[test]
fn many_logs_together_keep_to_the_bound_of_unwritten_bytes() {
    simulate(6, async |machine, _| {
        let config = StorageConfig {
            staging_bytes: 1 << 20,
            uncommitted_bytes_max: 1 << 20,
            ..StorageConfig::default()
        };
        let shard = ShardStorage::new(machine.shard(0), config);
        create_in(&shard, LogConfig::default()).await;
        let sent = batch(1, 250_000, 1);
        let mut logs = Vec::new();
        for partition in 1..20 {
            let identity = LogIdentity {
                partition: PartitionIndex(partition),
                ..crate::common::identity()
            };
            let dir = log_dir().with_file_name(format!("topic-{partition}"));
            let log = Log::create(&shard, &dir, identity, LogConfig::default()).await;
            let log = log.expect("a log");
            append(&log, &sent).await.expect("an append");
            shard.reclaim();
            let memory = shard.memory();
            let tails = memory.lent_bytes - memory.cache_bytes;
            assert!(tails <= 2 << 20, "{memory:?} after {partition} logs");
            logs.push(log);
        }
        // A log that fails frees what it held.
        machine
            .disk()
            .inject(Fault::new(Operation::Write).on("topic-3"));
        append(&logs[2], &sent).await.expect("it is in memory");
        assert!(logs[2].flush().await.is_err());
        for log in &logs[3..] {
            commit(log, &sent).await;
        }
    });
}

#[test]
fn a_lack_of_descriptors_is_waited_out() {
    simulate(5, async |machine, _| {
        let log = create(&machine, LogConfig::default()).await;
        machine
            .disk()
            .inject(Fault::new(Operation::Open).on(".log").times(3));
        commit(&log, &batch(1, 100, 1)).await;
        assert!(!log.is_fenced());
    });
}
