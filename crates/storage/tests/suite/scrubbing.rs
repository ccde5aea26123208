//! Damage below sealed segments: found by the scrubber, refused for its range only, and indexes that are made right.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use io::Io as _;
use sim::{Fault, Machine, Operation, Rng, SimIo, for_each_seed};
use storage::index::{OffsetEntry, OffsetIndex, TimeIndex};
use storage::{DamagedRange, Log, LogConfig, ReadError, ReadRequest, Scrubber, ShardStorage};
use types::{Offset, TimestampMs};

use crate::common::{
    CLEAN, append, batch, commit, create_in, reopen, segment_path, simulate, sleep, small_segments,
    storage,
};

const SEGMENT_BYTES: u32 = 20_000;

/// Several batches lie between two index entries, so that readers pass over others on their way.
fn sparse() -> LogConfig {
    LogConfig {
        index_interval_bytes: 4096,
        ..small_segments(SEGMENT_BYTES)
    }
}

/// Batches appended; each is one record, so that batch and offset are the same number.
const BATCHES: i64 = 100;

/// Timestamps are offsets and this much.
const FIRST_TIMESTAMP: i64 = 10_000;

fn rate() -> u64 {
    64 << 20
}

async fn scrub(shard: &ShardStorage<SimIo>, log: &Log<SimIo>) {
    let logs = || vec![log.clone()];
    Scrubber::new(shard).pass(&rate, &logs).await;
}

async fn filled(machine: &Machine, config: LogConfig) -> (ShardStorage<SimIo>, Log<SimIo>) {
    let shard = storage(machine);
    let log = create_in(&shard, config).await;
    for index in 0..BATCHES {
        commit(&log, &batch(1, 1000, FIRST_TIMESTAMP + index)).await;
    }
    // Until the last rolled segment is sealed.
    sleep(shard.io(), Duration::from_secs(1)).await;
    (shard, log)
}

/// The length of every batch on disk.
fn batch_len() -> u64 {
    batch(1, 1000, FIRST_TIMESTAMP).bytes.len() as u64
}

/// The base offsets of the sealed segments.
fn sealed(machine: &Machine) -> Vec<i64> {
    let bases = (0..BATCHES).filter(|base| {
        let log = machine.disk().peek(&segment_path(*base, "log"));
        let index = machine.disk().peek(&segment_path(*base, "index"));
        log.is_ok() && index.is_ok()
    });
    bases.collect()
}

fn request(offset: i64) -> ReadRequest {
    ReadRequest {
        offset: Offset(offset),
        max_bytes: 1,
        min_one_batch: true,
        end_offset: Offset(BATCHES),
    }
}

/// Reads from every offset: those in `damaged` are refused, all others are served.
async fn expect_damaged(log: &Log<SimIo>, damaged: &Range<i64>) {
    for offset in 0..BATCHES {
        let read = log.read(request(offset)).await;
        if damaged.contains(&offset) {
            assert!(
                matches!(read, Err(ReadError::Corrupt { .. })),
                "{offset} is damaged: {read:?}"
            );
        } else {
            let data = read.expect("others are served");
            assert_eq!(data.first_offset, Offset(offset));
            assert_eq!(data.next_offset, Offset(offset + 1));
        }
    }
}

fn offsets_of(ranges: &[DamagedRange]) -> Vec<Range<i64>> {
    ranges
        .iter()
        .map(|range| range.first_offset.0..range.end_offset.0)
        .collect()
}

fn flip(machine: &Machine, segment: i64, position: u64) {
    let path = segment_path(segment, "log");
    machine.disk().corrupt(&path, position).expect("a byte");
}

/// A byte of the batch that no reader can do without: anything but its offset and leader epoch.
fn byte_of(rng: &Rng, batch_in_segment: i64) -> u64 {
    let begin = batch_in_segment.unsigned_abs() * batch_len();
    begin + 16 + rng.below(batch_len() - 16)
}

#[test]
fn the_scrubber_finds_what_readers_have_not_met() {
    for_each_seed(0..20, |seed| {
        simulate(seed, async move |machine, simulation| {
            let (shard, log) = filled(&machine, sparse()).await;
            scrub(&shard, &log).await;
            let clean = shard.scrub_totals();
            let segments = sealed(&machine);
            assert_eq!(clean.segments, segments.len() as u64, "{segments:?}");
            assert_eq!(
                (clean.passes, clean.damaged_ranges, clean.indexes_rebuilt),
                (1, 0, 0)
            );
            let cached = shard.memory().cache_bytes;

            let rng = simulation.rng(1);
            flip(&machine, segments[1], byte_of(&rng, 3));
            scrub(&shard, &log).await;

            let damaged = segments[1] + 3..segments[1] + 4;
            assert_eq!(
                offsets_of(&log.damaged_ranges()),
                std::slice::from_ref(&damaged)
            );
            let totals = shard.scrub_totals();
            assert_eq!((totals.damaged_ranges, totals.damaged_now), (1, 1));
            assert_eq!(totals.batches, 2 * clean.batches - 1);
            assert_eq!(totals.indexes_rebuilt, 0, "damage condemns no index");
            assert!(
                shard.memory().cache_bytes <= cached,
                "nothing went to the cache"
            );
            expect_damaged(&log, &damaged).await;
            commit(&log, &batch(1, 100, 1)).await;

            // The same bit again: the disk came to its senses.
            let rng = simulation.rng(1);
            flip(&machine, segments[1], byte_of(&rng, 3));
            scrub(&shard, &log).await;
            assert_eq!(log.damaged_ranges(), []);
            assert_eq!(shard.scrub_totals().damaged_now, 0);
            expect_damaged(&log, &(0..0)).await;
        });
    });
}

#[test]
fn damage_that_breaks_the_framing_ends_at_the_next_intact_batch() {
    for_each_seed(0..20, |seed| {
        simulate(seed, async move |machine, simulation| {
            let (shard, log) = filled(&machine, sparse()).await;
            let segments = sealed(&machine);
            let rng = simulation.rng(1);
            // Two neighbours lose their lengths, and an index entry may point at them.
            let number = i64::try_from(rng.below(10)).expect("small");
            for damaged in [number, number + 1] {
                flip(
                    &machine,
                    segments[2],
                    damaged.unsigned_abs() * batch_len() + 9,
                );
            }
            scrub(&shard, &log).await;
            let damaged = segments[2] + number..segments[2] + number + 2;
            expect_damaged(&log, &damaged).await;
            let found = log.damaged_ranges();
            assert!(!found.is_empty() && found.len() <= 2, "{found:?}");
            assert_eq!(found[0].first_offset.0, damaged.start);
            assert_eq!(found[found.len() - 1].end_offset.0, damaged.end);
            assert_eq!(shard.scrub_totals().indexes_rebuilt, 0);
        });
    });
}

#[test]
fn readers_find_the_same_range_without_the_scrubber() {
    for_each_seed(0..20, |seed| {
        simulate(seed, async move |machine, simulation| {
            let (_, log) = filled(&machine, sparse()).await;
            log.close().await.expect("a clean close");
            let segments = sealed(&machine);
            let rng = simulation.rng(1);
            let number = i64::try_from(rng.below(15)).expect("small");
            let position = if rng.below(2) == 0 {
                number.unsigned_abs() * batch_len() + 9
            } else {
                byte_of(&rng, number)
            };
            flip(&machine, segments[1], position);
            let reopened = reopen(&machine, sparse(), CLEAN);
            let log = reopened.await.expect("it opens");
            let damaged = segments[1] + number..segments[1] + number + 1;
            expect_damaged(&log, &damaged).await;
            // Whoever goes on behind it misses nothing else.
            let next = log.read(request(damaged.end)).await.expect("a read");
            assert_eq!(next.first_offset, Offset(damaged.end));
        });
    });
}

#[test]
fn looking_for_a_time_passes_over_damage() {
    simulate(1, async |machine, _| {
        let (shard, log) = filled(&machine, sparse()).await;
        let segments = sealed(&machine);
        let damaged = segments[1] + 5;
        flip(&machine, segments[1], 5 * batch_len() + 100);
        scrub(&shard, &log).await;
        for offset in 0..BATCHES {
            let expected = if offset == damaged {
                offset + 1
            } else {
                offset
            };
            let found = log
                .offset_for_timestamp(TimestampMs(FIRST_TIMESTAMP + offset))
                .await;
            let found = found.expect("damage is no error").expect("a later record");
            assert_eq!(found.offset, Offset(expected));
        }
        let newest = log.max_timestamp_offset().await.expect("a look-up");
        assert_eq!(newest.map(|it| it.offset), Some(Offset(BATCHES - 1)));
    });
}

/// Replaces a derived file.
async fn put(shard: &ShardStorage<SimIo>, path: PathBuf, content: Vec<u8>) {
    let put = shard.io().replace_file(&path, content).await;
    put.expect("a file");
}

#[test]
fn wrong_indexes_are_written_again() {
    simulate(1, async |machine, _| {
        let (shard, log) = filled(&machine, small_segments(SEGMENT_BYTES)).await;
        let segment = sealed(&machine)[1];
        let offsets = segment_path(segment, "index");
        let times = segment_path(segment, "timeindex");
        let right = (
            machine.disk().peek(&offsets).expect("an index"),
            machine.disk().peek(&times).expect("an index"),
        );
        let entries = OffsetIndex::decode(&right.0, u64::MAX).expect("an index");
        assert!(entries.entries().len() > 5);
        let mut shifted = OffsetIndex::default();
        for (number, entry) in (0..).zip(entries.entries()) {
            shifted.append(OffsetEntry {
                position: entry.position + u32::from(number == 2),
                ..*entry
            });
        }
        let half = right.0.len() / 16 * 8;
        let mut early = right.1.clone();
        // The first entry's timestamp, a little less than it is.
        early[7] -= 1;
        let wrong: [(&str, &PathBuf, Vec<u8>); 6] = [
            ("a position is shifted", &offsets, shifted.encode()),
            ("most entries are missing", &offsets, right.0[..8].to_vec()),
            ("an entry is torn", &offsets, right.0[..half + 3].to_vec()),
            ("it is empty", &times, Vec::new()),
            ("a timestamp is too early", &times, early),
            (
                "the largest is missing",
                &times,
                right.1[..right.1.len() - 12].to_vec(),
            ),
        ];
        for (index, (name, path, content)) in wrong.into_iter().enumerate() {
            put(&shard, path.clone(), content).await;
            scrub(&shard, &log).await;
            assert_eq!(
                machine.disk().peek(&offsets).expect("an index"),
                right.0,
                "{name}"
            );
            let found = machine.disk().peek(&times).expect("an index");
            assert_eq!(found, right.1, "{name}");
            assert!(TimeIndex::decode(&found).is_ok());
            let totals = shard.scrub_totals();
            assert_eq!(totals.indexes_rebuilt, index as u64 + 1, "{name}");
            assert_eq!(totals.damaged_ranges, 0, "an index never condemns a log");
        }
        scrub(&shard, &log).await;
        assert_eq!(shard.scrub_totals().indexes_rebuilt, 6, "now all is well");
    });
}

#[test]
fn the_rate_bounds_a_pass_and_appends_go_on() {
    simulate(1, async |machine, simulation| {
        let (shard, log) = filled(&machine, small_segments(SEGMENT_BYTES)).await;
        let bytes: u64 = sealed(&machine)
            .iter()
            .map(|base| machine.disk().peek(&segment_path(*base, "log")))
            .map(|content| content.expect("a segment").len() as u64)
            .sum();
        let began = simulation.elapsed();
        let logs = || vec![log.clone()];
        let rate = || 10_000;
        let mut scrubber = Scrubber::new(&shard);
        let pass = scrubber.pass(&rate, &logs);
        let appends = async {
            for index in 0..20 {
                append(&log, &batch(1, 100, index))
                    .await
                    .expect("an append");
                sleep(shard.io(), Duration::from_millis(100)).await;
            }
            simulation.elapsed() - began
        };
        let ((), appended_in) = futures_util::future::join(pass, appends).await;
        let took = simulation.elapsed() - began;
        assert!(
            took.as_secs() >= bytes / 10_000 - 1,
            "{took:?} for {bytes} bytes"
        );
        assert!(appended_in.as_secs() < 4, "appends took {appended_in:?}");
        assert!(shard.scrub_totals().bytes >= bytes);
    });
}

#[test]
fn a_rate_that_was_low_holds_nothing_up_once_it_is_raised() {
    simulate(1, async |machine, simulation| {
        let (shard, log) = filled(&machine, small_segments(SEGMENT_BYTES)).await;
        let logs = || vec![log.clone()];
        let began = simulation.elapsed();
        let low_for = Duration::from_secs(5);
        // At one byte a second the first segment alone takes hours.
        let rate = || {
            let is_low = simulation.elapsed() - began < low_for;
            if is_low { 1 } else { 1 << 30 }
        };
        Scrubber::new(&shard).pass(&rate, &logs).await;
        let took = simulation.elapsed() - began;
        assert!(took >= low_for && took < 2 * low_for, "{took:?}");
    });
}

#[test]
fn a_segment_that_cannot_be_read_is_reported_and_the_pass_goes_on() {
    simulate(1, async |machine, _| {
        let (shard, log) = filled(&machine, small_segments(SEGMENT_BYTES)).await;
        let segments = sealed(&machine);
        let name = format!("{:020}.log", segments[0]);
        machine.disk().inject(Fault::new(Operation::Read).on(&name));
        scrub(&shard, &log).await;
        let totals = shard.scrub_totals();
        assert_eq!(totals.read_errors, 1);
        assert_eq!(totals.segments, segments.len() as u64 - 1);
        assert_eq!(totals.damaged_ranges, 0);
        assert!(!log.is_fenced());
    });
}

#[test]
fn a_deleted_log_is_left_alone() {
    simulate(1, async |machine, _| {
        let (shard, log) = filled(&machine, small_segments(SEGMENT_BYTES)).await;
        let logs = || vec![log.clone()];
        let rate = || 10_000;
        let mut scrubber = Scrubber::new(&shard);
        let delete = async {
            sleep(shard.io(), Duration::from_secs(1)).await;
            log.delete().await.expect("it is deleted");
        };
        futures_util::future::join(scrubber.pass(&rate, &logs), delete).await;
        let totals = shard.scrub_totals();
        assert_eq!((totals.damaged_ranges, totals.read_errors), (0, 0));
        assert!(totals.segments <= 1, "it stopped with the log: {totals:?}");
    });
}
