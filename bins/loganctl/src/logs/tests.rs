//! Damaged files: what is found in them, what is not held against them, and what a repair leaves.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use command_line::{Failure, Output, OutputFormat};
use records::{BatchBuilder, BatchHeader, BatchIter, Compression, NewRecord, crc_of};
use storage::checkpoint::{
    CLEAN_SHUTDOWN_FILE, CLEANER_OFFSET_FILE, HIGH_WATERMARK_FILE, LOG_START_OFFSET_FILE,
    META_PROPERTIES_FILE, PartitionOffset, RECOVERY_POINT_FILE, encode_offsets,
};
use tempfile::TempDir;
use types::{LeaderEpoch, Offset, PartitionIndex, TimestampMs};

use super::check::{Finding, Kind};
use super::indexes::build;
use super::{repair, target, verify};
use crate::cli::RepairOptions;

/// Batches of a segment, of two records each.
const BATCHES: i64 = 40;
const RECORDS_PER_BATCH: i64 = 2;
const OFFSETS: i64 = BATCHES * RECORDS_PER_BATCH;

/// A data directory with one partition of two segments.
struct Data {
    directory: TempDir,
}

impl Data {
    fn new() -> Self {
        let data = Self {
            directory: tempfile::tempdir().expect("a directory"),
        };
        fs::write(data.path().join(META_PROPERTIES_FILE), "").expect("it is new");
        fs::create_dir(data.partition()).expect("it is new");
        for base in [0, OFFSETS] {
            fs::write(data.file(base, "log"), segment(base)).expect("it is new");
            data.write_indexes(base);
        }
        data
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn partition(&self) -> PathBuf {
        self.path().join("t-0")
    }

    fn file(&self, base: i64, extension: &str) -> PathBuf {
        self.partition().join(format!("{base:020}.{extension}"))
    }

    fn write_indexes(&self, base: i64) {
        let (offsets, times) = build(&self.file(base, "log"), Offset(base)).expect("it is there");
        fs::write(self.file(base, "index"), offsets.encode()).expect("it can be written");
        fs::write(self.file(base, "timeindex"), times.encode()).expect("it can be written");
    }

    fn flip(&self, path: &Path, byte: usize, bit: u8) {
        let mut content = fs::read(path).expect("it is there");
        content[byte] ^= 1 << bit;
        fs::write(path, content).expect("it can be written");
    }

    fn find(&self) -> Vec<Finding> {
        let partitions = target::find(self.path()).expect("a data directory");
        assert_eq!(partitions.len(), 1);
        let checked = verify::check(&partitions[0], true, |_| ()).expect("readable files");
        checked.findings().cloned().collect()
    }

    fn repair(&self, dry_run: bool) -> Result<(), Failure> {
        let options = RepairOptions {
            paths: vec![self.path().to_owned()],
            dry_run,
        };
        let output = Output::plain(OutputFormat::Json);
        repair::run(&options, &output)
    }
}

/// Batches whose sizes differ, with rising timestamps.
fn segment(base: i64) -> Vec<u8> {
    let mut bytes = Vec::new();
    for index in 0..BATCHES {
        let first = base + RECORDS_PER_BATCH * index;
        let codec = match index % 3 {
            0 => Compression::Lz4,
            _ => Compression::None,
        };
        let mut builder = BatchBuilder::new(codec).at(Offset(first), LeaderEpoch(1));
        for record in 0..RECORDS_PER_BATCH {
            let value = vec![b'v'; 200 + usize::try_from(index).expect("small")];
            builder.push(&NewRecord {
                timestamp: TimestampMs(1000 + first + record),
                key: Some(b"k"),
                value: Some(&value),
                headers: &[],
            });
        }
        bytes.extend(builder.build().expect("memory"));
    }
    bytes
}

/// Where the batches of a segment begin.
fn positions(path: &Path) -> Vec<u64> {
    let content = fs::read(path).expect("it is there");
    let mut at = 0;
    let mut positions = Vec::new();
    for batch in BatchIter::new(&content) {
        let (header, _) = batch.expect("it is sound");
        positions.push(at);
        at += header.size_bytes as u64;
    }
    positions
}

fn kinds(findings: &[Finding]) -> Vec<Kind> {
    findings.iter().map(|finding| finding.kind).collect()
}

#[test]
fn a_sound_partition_has_nothing_to_find() {
    let data = Data::new();
    assert_eq!(data.find(), []);
    assert!(
        fs::metadata(data.file(0, "index"))
            .expect("it is there")
            .len()
            > 16
    );
}

#[test]
fn a_flipped_bit_anywhere_in_a_batch_is_found_there() {
    let data = Data::new();
    let log = data.file(0, "log");
    let starts = positions(&log);
    let (start, end) = (starts[5], starts[6]);
    for byte in start..end {
        let at = usize::try_from(byte).expect("small");
        let in_batch = byte - start;
        // Offset and leader epoch lie outside of what the checksum covers; a greater offset could be right.
        if in_batch < 8 || (12..16).contains(&in_batch) {
            continue;
        }
        let bit = u8::try_from(byte % 8).expect("below 8");
        data.flip(&log, at, bit);
        let findings = data.find();
        data.flip(&log, at, bit);
        assert_eq!(kinds(&findings), [Kind::Damage], "byte {in_batch}");
        let found = &findings[0];
        assert_eq!(found.bytes, (start, Some(end)), "byte {in_batch}");
        assert_eq!(found.offsets, (Offset(10), Some(Offset(12))), "{in_batch}");
    }
    assert_eq!(data.find(), [], "everything was flipped back");
}

#[test]
fn an_offset_that_does_not_rise_is_damage() {
    let data = Data::new();
    let log = data.file(0, "log");
    let start = positions(&log)[5];
    let file = OpenOptions::new().write(true).open(&log).expect("there");
    file.write_all_at(&3_i64.to_be_bytes(), start)
        .expect("room");
    let findings = data.find();
    assert_eq!(kinds(&findings)[0], Kind::Damage);
    assert_eq!(findings[0].bytes.0, start);
}

#[test]
fn a_torn_tail_is_what_a_crash_leaves_unless_it_had_been_durable() {
    let data = Data::new();
    let log = data.file(OFFSETS, "log");
    let len = fs::metadata(&log).expect("it is there").len();
    let last = *positions(&log).last().expect("batches");
    for cut in [last + 12, last + 60, last + 61, len - 1] {
        let file = OpenOptions::new().write(true).open(&log).expect("there");
        let content = fs::read(&log).expect("it is there");
        file.set_len(cut).expect("it can be cut");
        data.write_indexes(OFFSETS);
        assert_eq!(kinds(&data.find()), [Kind::TornTail], "cut at {cut}");

        fs::write(data.path().join(CLEAN_SHUTDOWN_FILE), "").expect("room");
        assert_eq!(kinds(&data.find()), [Kind::Damage], "closed, cut at {cut}");
        fs::remove_file(data.path().join(CLEAN_SHUTDOWN_FILE)).expect("it is there");

        let durable = PartitionOffset {
            topic: "t".to_owned(),
            partition: PartitionIndex(0),
            offset: Offset(2 * OFFSETS),
        };
        let checkpoint = data.path().join(RECOVERY_POINT_FILE);
        fs::write(&checkpoint, encode_offsets(&[durable])).expect("room");
        assert_eq!(kinds(&data.find()), [Kind::Damage], "durable, cut at {cut}");
        fs::remove_file(checkpoint).expect("it is there");
        fs::write(&log, content).expect("room");
    }
}

#[test]
fn zeroes_behind_the_last_batch_are_room() {
    let data = Data::new();
    let log = data.file(OFFSETS, "log");
    let len = fs::metadata(&log).expect("it is there").len();
    let file = OpenOptions::new().write(true).open(&log).expect("there");
    file.set_len(len + 3 * 1024 * 1024 + 5).expect("room");
    assert_eq!(data.find(), []);
}

#[test]
fn a_missing_or_wrong_index_never_condemns_a_log() {
    let data = Data::new();
    for extension in ["index", "timeindex"] {
        let path = data.file(0, extension);
        let sound = fs::read(&path).expect("it is there");
        fs::remove_file(&path).expect("it is there");
        assert_eq!(kinds(&data.find()), [Kind::Index], "no {extension}");
        for byte in 0..sound.len() {
            for bit in 0..8 {
                let mut wrong = sound.clone();
                wrong[byte] ^= 1 << bit;
                fs::write(&path, &wrong).expect("room");
                let kinds = kinds(&data.find());
                // An entry whose offset is a little off may lead to the right place all the same.
                let is_offset = match extension {
                    "index" => byte % 8 < 4,
                    _ => byte % 12 >= 8,
                };
                let is_harmless = is_offset && kinds.is_empty();
                assert!(
                    is_harmless || kinds == [Kind::Index],
                    "{extension}, byte {byte}, bit {bit}: {kinds:?}"
                );
            }
        }
        for wrong in [&b"short"[..], &[0xff; 24]] {
            fs::write(&path, wrong).expect("room");
            assert_eq!(kinds(&data.find()), [Kind::Index], "{extension} {wrong:?}");
        }
        fs::write(&path, sound).expect("room");
    }
    assert_eq!(data.find(), []);
}

#[test]
fn the_newest_indexes_may_be_missing_or_have_room() {
    let data = Data::new();
    let index = data.file(OFFSETS, "index");
    let mut content = fs::read(&index).expect("it is there");
    content.resize(10 * 1024, 0);
    fs::write(&index, content).expect("room");
    assert_eq!(data.find(), []);
    fs::remove_file(index).expect("it is there");
    assert_eq!(data.find(), []);
}

#[test]
fn a_batch_that_lies_about_its_records_is_damage_when_records_are_read() {
    let data = Data::new();
    let log = data.file(0, "log");
    let mut content = fs::read(&log).expect("it is there");
    let size = BatchHeader::parse(&content).expect("a batch").size_bytes;
    content[57..61].copy_from_slice(&7_i32.to_be_bytes());
    let crc = crc_of(&content[..size]);
    content[17..21].copy_from_slice(&crc.to_be_bytes());
    fs::write(&log, content).expect("room");
    let findings = data.find();
    assert_eq!(kinds(&findings), [Kind::Damage]);
    assert!(findings[0].detail.starts_with("record 2: "));
}

#[test]
fn a_repair_ends_the_log_at_the_damage_and_keeps_what_it_cuts() {
    let data = Data::new();
    fs::write(data.path().join(CLEAN_SHUTDOWN_FILE), "").expect("room");
    let log = data.file(0, "log");
    let before = fs::read(&log).expect("it is there");
    let start = positions(&log)[5];
    let at = usize::try_from(start).expect("small");
    data.flip(&log, at + 100, 0);
    let damaged = fs::read(&log).expect("it is there");
    let checkpoints = [
        RECOVERY_POINT_FILE,
        HIGH_WATERMARK_FILE,
        LOG_START_OFFSET_FILE,
        CLEANER_OFFSET_FILE,
    ]
    .map(|name| data.path().join(name));
    let durable = |topic: &str, offset| PartitionOffset {
        topic: topic.to_owned(),
        partition: PartitionIndex(0),
        offset: Offset(offset),
    };
    let said = [durable("other", 500), durable("t", 2 * OFFSETS)];
    for checkpoint in &checkpoints {
        fs::write(checkpoint, encode_offsets(&said)).expect("room");
    }

    data.repair(true).expect("nothing is done");
    assert_eq!(fs::read(&log).expect("it is there"), damaged);
    data.repair(false).expect("it can be cut");

    assert_eq!(fs::read(&log).expect("it is there"), before[..at]);
    let copy = data.file(0, &format!("log.{start}.cut"));
    assert_eq!(fs::read(copy).expect("it was kept"), damaged[at..]);
    assert_eq!(
        fs::read(data.file(OFFSETS, "log.cut")).expect("it was kept"),
        segment(OFFSETS)
    );
    assert!(!data.file(OFFSETS, "index").exists());
    assert!(!data.path().join(CLEAN_SHUTDOWN_FILE).exists());
    let said = encode_offsets(&[durable("other", 500), durable("t", 10)]);
    for checkpoint in &checkpoints {
        let left = fs::read(checkpoint).expect("it is there");
        assert_eq!(left, said, "{}", checkpoint.display());
    }
    assert_eq!(data.find(), []);
}

#[test]
fn a_repair_rebuilds_an_index_and_leaves_the_log_alone() {
    let data = Data::new();
    let index = data.file(0, "index");
    let sound = fs::read(&index).expect("it is there");
    data.flip(&index, 3, 0);
    data.repair(false).expect("it can be rebuilt");
    assert_eq!(fs::read(&index).expect("it is there"), sound);
    assert_eq!(fs::read(data.file(0, "log")).expect("there"), segment(0));
    assert_eq!(data.find(), []);
}

#[test]
fn a_directory_that_a_broker_holds_is_refused() {
    let data = Data::new();
    let lock = File::create(data.path().join(".lock")).expect("room");
    lock.lock().expect("nobody else has it");
    for path in [
        data.path().to_owned(),
        data.partition(),
        data.file(0, "log"),
    ] {
        let refused = target::lock(&[path]).expect_err("it is held");
        assert_eq!(refused.code(), 1);
        assert!(refused.to_string().starts_with("a broker is running on"));
    }
    assert!(data.repair(false).is_err());
    drop(lock);
    assert!(target::lock(&[data.path().to_owned(), data.partition()]).is_ok());
}

#[test]
fn paths_that_hold_no_log_are_refused() {
    let empty = tempfile::tempdir().expect("a directory");
    assert_eq!(target::find(empty.path()).expect_err("nothing").code(), 3);
    let missing = empty.path().join("missing");
    assert_eq!(target::find(&missing).expect_err("nothing").code(), 3);
    let data = Data::new();
    let index = data.file(0, "index");
    assert_eq!(target::find(&index).expect_err("no segment").code(), 2);
    assert_eq!(target::find(&data.partition()).expect("one").len(), 1);
    let one = target::find(&data.file(0, "log")).expect("a segment");
    assert_eq!(one[0].segments.len(), 1);
    assert!(!one[0].segments[0].is_newest);
}
