//! What a log does when nothing fails, on the simulator.

use std::time::Duration;

use crate::common::{
    CLEAN, EPOCH, append, assert_dense, batch, commit, create, log_dir, produced, read_all, reopen,
    simulate, sleep, small_segments, storage,
};
use bytes::Bytes;
use io::Io as _;
use sim::for_each_seed;
use storage::{AppendError, Durability, LastKnown, LogConfig, ReadError, ReadRequest};
use types::{DurationMs, LeaderEpoch, Offset, TimestampMs};

#[test]
fn appended_batches_come_back_with_their_offsets() {
    for_each_seed(0..20, |seed| {
        simulate(seed, async |machine, _| {
            let log = create(&machine, LogConfig::default()).await;
            let first = commit(&log, &batch(3, 100, 1000)).await;
            assert_eq!(
                (first.base_offset, first.last_offset),
                (Offset(0), Offset(2))
            );
            let second = commit(&log, &batch(2, 5000, 2000)).await;
            assert_eq!(
                (second.base_offset, second.last_offset),
                (Offset(3), Offset(4))
            );
            assert_eq!(log.log_end_offset(), Offset(5));
            assert_eq!(log.high_watermark(), Offset(5));
            assert_eq!(log.durable_end_offset(), Offset(5));
            let all = read_all(&log, Offset(1), 1 << 20).await;
            assert_eq!(all.len(), 2);
            assert_eq!(all[1].0.base_offset, Offset(3));
            assert_eq!(all[1].0.leader_epoch, EPOCH);
            // Everything but the offset and the epoch is as it was sent.
            let sent = batch(2, 5000, 2000);
            assert_eq!(all[1].1[16..], sent.bytes[16..]);
        });
    });
}

#[test]
fn a_read_returns_whole_batches_within_its_limits() {
    simulate(1, async |machine, _| {
        let log = create(&machine, LogConfig::default()).await;
        let sent = batch(10, 100, 0);
        for _ in 0..5 {
            commit(&log, &sent).await;
        }
        let len = sent.bytes.len();
        let read = async |offset, max_bytes, min_one_batch, end| {
            let data = log
                .read(ReadRequest {
                    offset: Offset(offset),
                    max_bytes,
                    min_one_batch,
                    end_offset: Offset(end),
                })
                .await;
            data.map(|data| (data.first_offset.0, data.next_offset.0, data.len_bytes))
        };
        assert_eq!(read(15, len * 2 + 1, true, 50).await, Ok((10, 30, len * 2)));
        assert_eq!(read(15, 1, true, 50).await, Ok((10, 20, len)));
        assert_eq!(read(15, 1, false, 50).await, Ok((10, 15, 0)));
        assert_eq!(read(0, 1 << 20, true, 30).await, Ok((0, 30, len * 3)));
        assert_eq!(read(50, 1 << 20, true, 50).await, Ok((50, 50, 0)));
        let outside = Err(ReadError::OffsetOutOfRange {
            offset: Offset(51),
            start: Offset(0),
            end: Offset(50),
        });
        assert_eq!(read(51, 1, true, 50).await, outside);
        assert!(read(-1, 1, true, 50).await.is_err());
    });
}

#[test]
fn rolled_segments_are_sealed_and_read_from_disk() {
    for_each_seed(0..20, |seed| {
        simulate(seed, async |machine, _| {
            let log = create(&machine, small_segments(20_000)).await;
            for index in 0..100 {
                commit(&log, &batch(2, 1000, index)).await;
            }
            assert!(log.segment_count() > 8);
            sleep(&machine.shard(0), Duration::from_secs(1)).await;
            assert_eq!(
                log.recovery_point(),
                Offset(200),
                "all old segments are sealed"
            );
            assert_dense(&log).await;
            log.close().await.expect("a clean close");
            let log = reopen(&machine, small_segments(20_000), CLEAN).await;
            let log = log.expect("it opens");
            assert_eq!(log.high_watermark(), Offset(200));
            let reads = machine.disk().counts().reads;
            assert_dense(&log).await;
            assert!(
                machine.disk().counts().reads > reads,
                "nothing was in memory"
            );
            assert_eq!(read_all(&log, Offset(101), 3000).await.len(), 50);
        });
    });
}

#[test]
fn a_closed_log_has_exactly_its_batches_on_disk() {
    simulate(3, async |machine, _| {
        let log = create(&machine, small_segments(20_000)).await;
        for index in 0..20 {
            commit(&log, &batch(2, 1000, index)).await;
        }
        let size_bytes = log.size_bytes();
        log.close().await.expect("a clean close");
        let mut on_disk = 0;
        for entry in machine
            .shard(0)
            .list_dir(&log_dir())
            .await
            .expect("a listing")
        {
            if entry.name.ends_with(".log") {
                on_disk += entry.len_bytes;
                let bytes = machine.disk().peek(&log_dir().join(&entry.name));
                let bytes = bytes.expect("a file");
                assert!(records::BatchIter::new(&bytes).all(|batch| batch.is_ok()));
            }
        }
        assert_eq!(on_disk, size_bytes);
        let refused = append(&log, &batch(1, 1, 1)).await;
        assert!(matches!(refused, Err(AppendError::Fenced(_))));
    });
}

#[test]
fn a_log_goes_on_where_it_was_closed() {
    for_each_seed(0..20, |seed| {
        simulate(seed, async |machine, _| {
            let mut end = 0;
            create(&machine, small_segments(30_000)).await;
            for _ in 0..6 {
                let log = reopen(&machine, small_segments(30_000), CLEAN).await;
                let log = log.expect("it opens");
                assert_eq!(log.log_end_offset(), Offset(end));
                for index in 0..7 {
                    commit(&log, &batch(1, 900, index)).await;
                }
                end += 7;
                assert_dense(&log).await;
                log.close().await.expect("a clean close");
            }
        });
    });
}

#[test]
fn many_appends_share_commits() {
    simulate(5, async |machine, _| {
        let log = create(&machine, LogConfig::default()).await;
        let before = machine.disk().counts();
        let mut end = Offset(0);
        for index in 0..1000 {
            let appended = append(&log, &batch(1, 500, index))
                .await
                .expect("an append");
            end = Offset(appended.last_offset.0 + 1);
        }
        log.wait_durable(end).await.expect("a commit");
        let syncs = machine.disk().counts().syncs - before.syncs;
        assert!(syncs < 10, "{syncs} syncs for 1000 batches");
        assert_dense(&log).await;
    });
}

#[test]
fn an_idle_log_gives_its_memory_back() {
    simulate(6, async |machine, _| {
        let shard = storage(&machine);
        let log = crate::common::create_in(&shard, LogConfig::default()).await;
        commit(&log, &batch(1, 500, 1)).await;
        assert!(shard.memory().lent_bytes > 0);
        sleep(shard.io(), Duration::from_secs(5)).await;
        shard.reclaim();
        assert_eq!(shard.memory().lent_bytes, 0);
        commit(&log, &batch(1, 500, 2)).await;
        assert_dense(&log).await;
    });
}

#[test]
fn too_much_uncommitted_data_waits() {
    simulate(7, async |machine, _| {
        let log = create(&machine, LogConfig::default()).await;
        let large = batch(1, 6 << 20, 1);
        append(&log, &large).await.expect("an append");
        append(&log, &large).await.expect("an append");
        assert_eq!(
            log.high_watermark(),
            Offset(0),
            "both are still on their way"
        );
        append(&log, &large).await.expect("an append");
        assert!(
            log.high_watermark() > Offset(0),
            "the third one waited for a commit"
        );
    });
}

#[test]
fn a_batch_larger_than_a_segment_is_refused() {
    simulate(8, async |machine, _| {
        let log = create(&machine, small_segments(10_000)).await;
        let refused = append(&log, &batch(1, 10_000, 1)).await;
        assert!(matches!(
            refused,
            Err(AppendError::RecordTooLarge {
                limit_bytes: 10_000,
                ..
            })
        ));
        commit(&log, &batch(1, 9_000, 1)).await;
    });
}

#[test]
fn segments_roll_by_the_time_of_their_records() {
    simulate(9, async |machine, _| {
        let config = LogConfig {
            segment_ms: DurationMs(500),
            ..LogConfig::default()
        };
        let log = create(&machine, config).await;
        commit(&log, &batch(1, 10, 1000)).await;
        commit(&log, &batch(1, 10, 1500)).await;
        assert_eq!(log.segment_count(), 1);
        commit(&log, &batch(1, 10, 1501)).await;
        assert_eq!(log.segment_count(), 2);
    });
}

#[test]
fn idempotent_producers_are_recognised_also_after_a_restart() {
    for_each_seed(0..10, |seed| {
        simulate(seed, async |machine, _| {
            let log = create(&machine, LogConfig::default()).await;
            for index in 0..7 {
                commit(&log, &produced(1, 0, index * 2, 2)).await;
            }
            let again = append(&log, &produced(1, 0, 6, 2))
                .await
                .expect("a duplicate");
            assert!(again.duplicate);
            assert_eq!(
                (again.base_offset, again.last_offset),
                (Offset(6), Offset(7))
            );
            let gap = append(&log, &produced(1, 0, 20, 2)).await;
            assert!(matches!(gap, Err(AppendError::OutOfOrderSequence { .. })));
            assert_eq!(log.log_end_offset(), Offset(14), "nothing was appended");
            let is_clean = seed % 2 == 0;
            if is_clean {
                log.close().await.expect("a clean close");
            }
            machine.kill();
            let last = LastKnown {
                is_clean,
                ..LastKnown::NOTHING
            };
            let log = reopen(&machine, LogConfig::default(), last)
                .await
                .expect("it opens");
            let again = append(&log, &produced(1, 0, 12, 2))
                .await
                .expect("a duplicate");
            assert!(again.duplicate);
            assert_eq!(again.base_offset, Offset(12));
            commit(&log, &produced(1, 0, 14, 2)).await;
            commit(&log, &produced(1, 1, 0, 2)).await;
            let stale = append(&log, &produced(1, 0, 16, 2)).await;
            assert!(matches!(
                stale,
                Err(AppendError::InvalidProducerEpoch { .. })
            ));
        });
    });
}

#[test]
fn leader_epochs_end_where_the_next_one_begins() {
    simulate(11, async |machine, _| {
        let log = create(&machine, LogConfig::default()).await;
        log.assign_leader_epoch(LeaderEpoch(1));
        let sent = batch(2, 10, 1);
        for epoch in [1, 2, 5] {
            log.admit(sent.bytes.len()).await.expect("room");
            let appended = log.append(&sent.bytes, &sent.valid, LeaderEpoch(epoch), TimestampMs(1));
            let end = Offset(appended.expect("an append").last_offset.0 + 1);
            log.wait_durable(end).await.expect("a commit");
        }
        log.close().await.expect("a clean close");
        for last in [CLEAN, LastKnown::NOTHING] {
            let log = reopen(&machine, LogConfig::default(), last)
                .await
                .expect("it opens");
            assert_eq!(log.latest_leader_epoch(), LeaderEpoch(5));
            assert_eq!(
                log.end_offset_for_epoch(LeaderEpoch(1)),
                (LeaderEpoch(1), Offset(2))
            );
            assert_eq!(
                log.end_offset_for_epoch(LeaderEpoch(3)),
                (LeaderEpoch(2), Offset(4))
            );
            assert_eq!(
                log.end_offset_for_epoch(LeaderEpoch(5)),
                (LeaderEpoch(5), Offset(6))
            );
        }
    });
}

#[test]
fn records_are_found_by_time() {
    for_each_seed(0..10, |seed| {
        simulate(seed, async |machine, _| {
            let log = create(&machine, small_segments(5_000)).await;
            for index in 0..40 {
                commit(&log, &batch(5, 100, 1000 + index * 10)).await;
            }
            let check = async |log: &storage::Log<sim::SimIo>| {
                let find = async |timestamp| {
                    let found = log.offset_for_timestamp(TimestampMs(timestamp)).await;
                    found
                        .expect("a lookup")
                        .map(|found| (found.offset.0, found.timestamp.0))
                };
                assert_eq!(find(0).await, Some((0, 1000)));
                assert_eq!(find(1000).await, Some((0, 1000)));
                assert_eq!(find(1012).await, Some((7, 1012)));
                assert_eq!(find(1015).await, Some((10, 1020)));
                assert_eq!(find(1394).await, Some((199, 1394)));
                assert_eq!(find(1395).await, None);
                let newest = log.max_timestamp_offset().await.expect("a lookup");
                assert_eq!(newest.map(|found| found.offset), Some(Offset(199)));
            };
            check(&log).await;
            log.close().await.expect("a clean close");
            let log = reopen(&machine, small_segments(5_000), CLEAN)
                .await
                .expect("it opens");
            check(&log).await;
        });
    });
}

#[test]
fn written_durability_answers_before_the_sync() {
    simulate(12, async |machine, _| {
        let config = LogConfig {
            durability: Durability::Written,
            flush_messages: 5,
            ..LogConfig::default()
        };
        let log = create(&machine, config).await;
        for index in 0..4 {
            commit(&log, &batch(1, 100, index)).await;
        }
        sleep(&machine.shard(0), Duration::from_secs(60)).await;
        assert_eq!(log.durable_end_offset(), Offset(0));
        commit(&log, &batch(1, 100, 4)).await;
        sleep(&machine.shard(0), Duration::from_secs(1)).await;
        assert_eq!(log.durable_end_offset(), Offset(5), "flush.messages");
        commit(&log, &batch(1, 100, 5)).await;
        log.flush().await.expect("a flush");
        assert_eq!(log.durable_end_offset(), Offset(6));
        log.update_config(LogConfig {
            durability: Durability::Written,
            flush_ms: DurationMs(1000),
            ..LogConfig::default()
        });
        commit(&log, &batch(1, 100, 6)).await;
        assert_eq!(log.durable_end_offset(), Offset(6));
        sleep(&machine.shard(0), Duration::from_secs(2)).await;
        assert_eq!(log.durable_end_offset(), Offset(7), "flush.ms");
    });
}

#[test]
fn a_deleted_log_is_gone_and_its_name_is_free() {
    simulate(13, async |machine, _| {
        let log = create(&machine, LogConfig::default()).await;
        commit(&log, &batch(1, 100, 1)).await;
        log.delete().await.expect("a deletion");
        assert!(append(&log, &batch(1, 1, 1)).await.is_err());
        let shard = storage(&machine);
        let again = crate::common::create_in(&shard, LogConfig::default()).await;
        assert_eq!(again.log_end_offset(), Offset(0));
        sleep(shard.io(), Duration::from_secs(61)).await;
        let left = shard
            .io()
            .list_dir(crate::common::DATA_DIR.as_ref())
            .await
            .expect("a listing");
        let names: Vec<&str> = left.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["topic-0"]);
    });
}

#[test]
fn what_a_deletion_left_is_removed_at_the_start() {
    simulate(14, async |machine, _| {
        let log = create(&machine, LogConfig::default()).await;
        commit(&log, &batch(1, 100, 1)).await;
        log.delete().await.expect("a deletion");
        machine.kill();
        let shard = storage(&machine);
        let data_dir = crate::common::DATA_DIR.as_ref();
        shard.remove_deleted(data_dir).await.expect("a listing");
        sleep(shard.io(), Duration::from_secs(1)).await;
        assert_eq!(shard.io().list_dir(data_dir).await.expect("a listing"), []);
    });
}

#[test]
fn a_slice_of_the_tail_is_not_copied() {
    simulate(15, async |machine, _| {
        let log = create(&machine, LogConfig::default()).await;
        commit(&log, &batch(1, 10_000, 1)).await;
        let request = ReadRequest {
            offset: Offset(0),
            max_bytes: 1 << 20,
            min_one_batch: true,
            end_offset: Offset(1),
        };
        let reads = machine.disk().counts().reads;
        let first = log.read(request).await.expect("a read");
        let second = log.read(request).await.expect("a read");
        let address = |chunks: &[Bytes]| chunks[0].as_ptr();
        assert_eq!(address(&first.chunks), address(&second.chunks));
        assert_eq!(machine.disk().counts().reads, reads);
    });
}

#[test]
fn a_wrong_or_missing_index_is_rebuilt() {
    for_each_seed(0..10, |seed| {
        simulate(seed, async |machine, simulation| {
            let log = create(&machine, small_segments(20_000)).await;
            for index in 0..60 {
                commit(&log, &batch(1, 1000, index)).await;
            }
            log.close().await.expect("a clean close");
            let rng = simulation.rng(1);
            let io = machine.shard(0);
            let entries = io.list_dir(&log_dir()).await.expect("a listing");
            let indexes = entries
                .iter()
                .filter(|entry| entry.name.ends_with(".index"));
            for path in indexes.map(|entry| log_dir().join(&entry.name)) {
                match rng.below(3) {
                    0 => io.remove_file(&path).await.expect("it is there"),
                    1 => {
                        let junk = vec![0; 8 * 8];
                        io.replace_file(&path, junk).await.expect("a replacement");
                    }
                    _ => {
                        let len = machine.disk().peek(&path).expect("it is there").len() as u64;
                        machine
                            .disk()
                            .corrupt(&path, rng.below(len))
                            .expect("a byte");
                    }
                }
            }
            machine.kill();
            let log = reopen(&machine, small_segments(20_000), CLEAN)
                .await
                .expect("it opens");
            for offset in 0..60 {
                let all = read_all(&log, Offset(offset), 1 << 20).await;
                assert_eq!(all[0].0.base_offset, Offset(offset));
            }
        });
    });
}

#[test]
fn silent_producers_are_forgotten() {
    simulate(16, async |machine, _| {
        let log = create(&machine, LogConfig::default()).await;
        commit(&log, &produced(1, 0, 0, 1)).await;
        sleep(&machine.shard(0), Duration::from_secs(3600)).await;
        let day_ms = 24 * 3_600_000;
        let other = produced(2, 0, 0, 1);
        log.admit(other.bytes.len()).await.expect("room");
        let later = TimestampMs(1000 + day_ms);
        log.append(&other.bytes, &other.valid, EPOCH, later)
            .expect("an append");
        assert_eq!(
            log.producer_count(),
            1,
            "only the one that has just written"
        );
    });
}
