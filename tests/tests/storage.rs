//! The log on a real executor and a real file system, and before the eyes of Kafka's own tools.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use io::Io as _;
use records::{BatchBuilder, BatchHeader, BatchIter, Compression, NewRecord, ValidBatch};
use runtime::{CorePlan, GlommioIo, Recorder, Shards, Supervisor};
use storage::{
    Cleaner, CleanerConfig, LastKnown, Log, LogConfig, LogIdentity, ReadRequest, ShardStorage,
    StorageConfig,
};
use types::{
    DurationMs, LeaderEpoch, Offset, PartitionIndex, ProducerEpoch, ProducerId, TimestampMs, Uuid,
};

/// How long a test may take on a shard.
const TIME_MAX: Duration = Duration::from_secs(300);

/// Runs `test` on a shard of its own, with an empty data directory.
fn on_shard<F: Future<Output = ()> + 'static>(
    test: impl Fn(ShardStorage<GlommioIo>, PathBuf) -> F + Clone + Send + 'static,
    after: impl FnOnce(&Path),
) {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let plan = CorePlan::first_cpus(1);
    let supervisor = Supervisor::without_signals();
    let (passed, verdict) = flume::bounded(1);
    let seeds = vec![(directory.path().to_path_buf(), passed)];
    let shards = Shards::start(
        &plan,
        &supervisor,
        &Recorder::off(),
        seeds,
        move |io: GlommioIo, (directory, passed)| {
            let test = test.clone();
            async move {
                let prepared = io.prepare_data_directory(&directory).await;
                prepared.expect("direct I/O");
                test(ShardStorage::new(io, StorageConfig::default()), directory).await;
                passed.send(()).expect("the test waits");
            }
        },
    )
    .expect("a shard");
    verdict.recv_timeout(TIME_MAX).expect("the test passes");
    assert_eq!(shards.join(Duration::from_secs(10)), Ok(()));
    after(directory.path());
}

fn identity(partition: i32) -> LogIdentity {
    LogIdentity {
        topic: Rc::from("topic"),
        partition: PartitionIndex(partition),
        topic_id: Uuid([7; 16]),
    }
}

fn batch(
    codec: Compression,
    records: usize,
    value_len: usize,
    sequence: i32,
) -> (Vec<u8>, ValidBatch) {
    let mut builder = BatchBuilder::new(codec).producer(ProducerId(5), ProducerEpoch(0), sequence);
    let value: Vec<u8> = (0..=250u8).cycle().take(value_len).collect();
    for index in 0..records {
        builder.push(&NewRecord {
            timestamp: TimestampMs(
                1_700_000_000_000 + i64::from(sequence) + i64::try_from(index).expect("small"),
            ),
            key: Some(b"key"),
            value: Some(&value),
            headers: &[],
        });
    }
    valid(builder.build().expect("a batch"))
}

fn valid(bytes: Vec<u8>) -> (Vec<u8>, ValidBatch) {
    let header = BatchHeader::parse(&bytes).expect("a batch");
    let valid = ValidBatch {
        header,
        max_timestamp: header.max_timestamp,
        max_timestamp_offset_delta: header.last_offset_delta,
        replacement: None,
    };
    (bytes, valid)
}

async fn append(log: &Log<GlommioIo>, (bytes, valid): &(Vec<u8>, ValidBatch)) -> Offset {
    log.admit(bytes.len()).await.expect("room");
    let now = TimestampMs(1_700_000_000_000);
    let appended = log
        .append(bytes, valid, LeaderEpoch(0), now)
        .expect("an append");
    Offset(appended.last_offset.0 + 1)
}

async fn assert_dense(log: &Log<GlommioIo>) {
    let (mut next, end) = (Offset(0), log.high_watermark());
    while next < end {
        let request = ReadRequest {
            offset: next,
            max_bytes: 1 << 20,
            min_one_batch: true,
            end_offset: end,
        };
        let data = log.read(request).await.expect("a read");
        for batch in BatchIter::new(&data.chunks.concat()) {
            let (header, bytes) = batch.expect("whole batches");
            records::verify_crc(bytes).expect("intact batches");
            assert_eq!(header.base_offset, next);
            next = Offset(header.last_offset().0 + 1);
        }
        assert_eq!(next, data.next_offset);
    }
}

fn config() -> LogConfig {
    LogConfig {
        segment_bytes: 300_000,
        ..LogConfig::default()
    }
}

#[test]
fn a_log_lives_on_a_real_disk() {
    on_shard(
        async |shard, data_dir| {
            let dir = data_dir.join("topic-0");
            let log = Log::create(&shard, &dir, identity(0), config())
                .await
                .expect("a log");
            let mut end = Offset(0);
            for index in 0..3000 {
                end = append(&log, &batch(Compression::None, 5, 1000, index * 5)).await;
            }
            log.wait_durable(end).await.expect("a commit");
            assert_eq!(log.durable_end_offset(), Offset(15_000));
            assert_dense(&log).await;
            while log.recovery_point() < end {
                shard.io().reschedule().await;
            }
            drop(log);
            // As after a kill: nothing was closed.
            let last = LastKnown::NOTHING;
            let recovered = Log::open(&shard, &dir, identity(0), config(), last).await;
            let recovered = recovered.expect("it recovers");
            assert_eq!(recovered.log_end_offset(), end);
            assert_dense(&recovered).await;
            append(&recovered, &batch(Compression::None, 5, 1000, 15_000)).await;
            recovered.close().await.expect("a clean close");
            let last = LastKnown {
                is_clean: true,
                ..last
            };
            let log = Log::open(&shard, &dir, identity(0), config(), last)
                .await
                .expect("it opens");
            assert_eq!(log.log_end_offset(), Offset(15_005));
            assert_dense(&log).await;
            log.delete().await.expect("a deletion");
            assert!(shard.io().list_dir(&dir).await.is_err());
        },
        |_| {},
    );
}

#[test]
fn kafkas_own_tool_reads_a_closed_log_without_complaint() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let has_tools = has_tools();
    on_shard(
        async |shard, data_dir| {
            let dir = data_dir.join("topic-0");
            let log = Log::create(&shard, &dir, identity(0), config())
                .await
                .expect("a log");
            let codecs = [
                Compression::None,
                Compression::Gzip,
                Compression::Snappy,
                Compression::Lz4,
                Compression::Zstd,
            ];
            for (index, codec) in (0..600).zip(codecs.into_iter().cycle()) {
                append(&log, &batch(codec, 3, 2000, index * 3)).await;
            }
            log.close().await.expect("a clean close");
        },
        |data_dir| {
            if has_tools {
                let text = dump(&root, &data_dir.join("topic-0"));
                assert_no("Non-consecutive", &text);
                assert_eq!(records_in(&text), 1800, "every record is listed");
            }
        },
    );
}

#[test]
fn kafkas_own_tool_reads_a_compacted_log() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let has_tools = has_tools();
    on_shard(
        async |shard, data_dir| {
            let dir = data_dir.join("topic-0");
            let config = LogConfig {
                segment_bytes: 100_000,
                compacts: true,
                min_cleanable_dirty_ratio: 0.0,
                file_delete_delay_ms: DurationMs(0),
                ..LogConfig::default()
            };
            let log = Log::create(&shard, &dir, identity(0), config)
                .await
                .expect("a log");
            for (index, codec) in (0..600).zip(Compression::ALL.into_iter().cycle()) {
                append(&log, &table_batch(codec, index)).await;
            }
            while log.recovery_point() < log.log_end_offset() {
                shard.io().reschedule().await;
            }
            let cleaner = Cleaner::new(&shard, CleanerConfig::default());
            let report = cleaner.clean_filthiest(std::slice::from_ref(&log)).await;
            let report = report.expect("there is much to clean");
            assert!(report.bytes_after * 3 < report.bytes_before, "{report:?}");
            log.close().await.expect("a clean close");
            while shard.discarded_count() > 0 {
                let soon = shard.io().now() + Duration::from_millis(10);
                shard.io().sleep_until(soon).await;
            }
        },
        |data_dir| {
            if has_tools {
                let text = dump(&root, &data_dir.join("topic-0"));
                assert!(
                    text.contains("deleteHorizonMs: OptionalLong["),
                    "tombstones wait"
                );
                assert!(text.contains("count: 0 "), "empty batches");
                assert!(
                    (100..1200).contains(&records_in(&text)),
                    "{}",
                    records_in(&text)
                );
            }
        },
    );
}

/// Values of a few keys, and of one that is written once; every tenth is a tombstone.
fn table_batch(codec: Compression, index: i32) -> (Vec<u8>, ValidBatch) {
    let producer = ProducerId(i64::from(index % 7));
    let mut builder =
        BatchBuilder::new(codec).producer(producer, ProducerEpoch(0), 3 * (index / 7));
    let value = [7; 500];
    for record in 0..3 {
        let number = 3 * index + record;
        let key = if number % 50 == 0 {
            number
        } else {
            number % 20
        };
        builder.push(&NewRecord {
            timestamp: TimestampMs(1_700_000_000_000 + i64::from(number)),
            key: Some(&key.to_be_bytes()),
            value: (number % 10 != 5).then_some(&value[..]),
            headers: &[(b"header", Some(b"value"))],
        });
    }
    valid(builder.build().expect("a batch"))
}

fn has_tools() -> bool {
    ["java", "mvn"].iter().all(|tool| {
        let answered = Command::new(tool).arg("-version").output();
        answered.is_ok_and(|output| output.status.success())
    })
}

/// Lets `kafka.tools.DumpLogSegments` go through every file of a log, and returns what it says when it has no complaint.
fn dump(root: &Path, dir: &Path) -> String {
    let start = root.join("tests/kafka/start.sh");
    let class_path = Command::new(start)
        .arg("--classpath")
        .output()
        .expect("a class path");
    let class_path = String::from_utf8(class_path.stdout).expect("UTF-8");
    let files: Vec<String> = std::fs::read_dir(dir)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| {
            let extension = path.extension().and_then(|extension| extension.to_str());
            matches!(extension, Some("log" | "index" | "timeindex" | "snapshot"))
        })
        .map(|path| path.to_str().expect("UTF-8").to_owned())
        .collect();
    assert!(files.len() > 8, "several segments: {files:?}");
    let output = Command::new("java")
        .args([
            "-cp",
            class_path.trim(),
            "org.apache.kafka.tools.DumpLogSegments",
        ])
        .args(["--deep-iteration", "--files", &files.join(",")])
        .output()
        .expect("java starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for complaint in [
        "Mismatches",
        "Found ",
        "isvalid: false",
        "corrupt",
        "Exception",
    ] {
        assert_no(complaint, &text);
    }
    text
}

fn assert_no(complaint: &str, text: &str) {
    let found = first_lines_with(text, complaint);
    assert!(found.is_empty(), "{complaint}: {found}");
}

fn records_in(text: &str) -> usize {
    let records = text.lines().filter(|line| line.contains("| offset: "));
    records.count()
}

fn first_lines_with(text: &str, part: &str) -> String {
    let lines = text.lines().filter(|line| line.contains(part)).take(5);
    lines.collect::<Vec<_>>().join("\n")
}
