//! The log on a real executor and disk: appends until they are durable, and reads from memory.
//!
//! `cargo bench -p benches --bench storage`. The directory is the build's temporary one: its file system is what is
//! measured. Every batch is appended as the broker does it, validation apart.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use records::{BatchBuilder, BatchHeader, Compression, NewRecord, ValidBatch};
use runtime::{CorePlan, GlommioIo, Recorder, Shards, Supervisor};
use storage::{Log, LogConfig, LogIdentity, ReadRequest, ShardStorage, StorageConfig};
use types::{LeaderEpoch, Offset, PartitionIndex, TimestampMs, Uuid};

type Work = Box<dyn FnOnce(Bench) -> Pin<Box<dyn Future<Output = Duration>>> + Send>;

/// What a piece of work runs on.
struct Bench {
    shard: ShardStorage<GlommioIo>,
    directory: PathBuf,
}

/// A shard that measures what it is sent.
struct Worker {
    work: flume::Sender<Work>,
    measured: flume::Receiver<Duration>,
    _shards: Shards,
    _directory: tempfile::TempDir,
}

impl Worker {
    fn start() -> Self {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
        let plan = CorePlan::first_cpus(1);
        let (work, jobs) = flume::bounded::<Work>(1);
        let (done, measured) = flume::bounded(1);
        let seeds = vec![(directory.path().to_path_buf(), jobs, done)];
        let supervisor = Supervisor::without_signals();
        let shards = Shards::start(
            &plan,
            &supervisor,
            &Recorder::off(),
            seeds,
            async |io, (directory, jobs, done)| {
                let prepared = io.prepare_data_directory(&directory).await;
                prepared.expect("direct I/O");
                let shard = ShardStorage::new(io, StorageConfig::default());
                while let Ok(work) = jobs.recv_async().await {
                    let directory = directory.clone();
                    let shard = shard.clone();
                    let duration = work(Bench { shard, directory }).await;
                    done.send(duration).expect("the bench waits");
                }
            },
        );
        Self {
            work,
            measured,
            _shards: shards.expect("a shard"),
            _directory: directory,
        }
    }

    fn measure<F: Future<Output = Duration> + 'static>(
        &self,
        work: impl FnOnce(Bench) -> F + Send + 'static,
    ) -> Duration {
        let work: Work = Box::new(|bench| Box::pin(work(bench)));
        self.work.send(work).expect("the shard runs");
        self.measured.recv().expect("the shard answers")
    }
}

fn batch(len: usize) -> (Vec<u8>, ValidBatch) {
    let mut builder = BatchBuilder::new(Compression::None);
    let value = vec![7; 1000];
    while builder.uncompressed_len_bytes() < len {
        builder.push(&NewRecord {
            timestamp: TimestampMs(1),
            key: None,
            value: Some(&value),
            headers: &[],
        });
    }
    let bytes = builder.build().expect("a batch");
    let header = BatchHeader::parse(&bytes).expect("a batch");
    let valid = ValidBatch {
        header,
        max_timestamp: header.max_timestamp,
        max_timestamp_offset_delta: header.last_offset_delta,
        replacement: None,
    };
    (bytes, valid)
}

async fn create(shard: &ShardStorage<GlommioIo>, data_dir: &Path) -> Log<GlommioIo> {
    let identity = LogIdentity {
        topic: Rc::from("bench"),
        partition: PartitionIndex(0),
        topic_id: Uuid([1; 16]),
    };
    let dir = data_dir.join("bench-0");
    let log = Log::create(shard, &dir, identity, LogConfig::default()).await;
    log.expect("a log")
}

async fn append(log: &Log<GlommioIo>, (bytes, valid): &(Vec<u8>, ValidBatch)) -> Offset {
    log.admit(bytes.len()).await.expect("room");
    let appended = log.append(bytes, valid, LeaderEpoch(0), TimestampMs(1));
    Offset(appended.expect("an append").last_offset.0 + 1)
}

/// As many batches as fit the log's bound of uncommitted bytes are in flight.
fn pipelined_appends(criterion: &mut Criterion, worker: &Worker) {
    let mut group = criterion.benchmark_group("append/pipelined");
    for len in [16 << 10, 256 << 10] {
        group.throughput(Throughput::Bytes(len as u64));
        group.bench_function(BenchmarkId::from_parameter(len), |bencher| {
            bencher.iter_custom(|iterations| {
                worker.measure(move |bench| async move {
                    let log = create(&bench.shard, &bench.directory).await;
                    let batch = batch(len);
                    let start = Instant::now();
                    let mut end = Offset(0);
                    for _ in 0..iterations {
                        end = append(&log, &batch).await;
                    }
                    log.wait_durable(end).await.expect("a commit");
                    let elapsed = start.elapsed();
                    log.delete().await.expect("a deletion");
                    elapsed
                })
            });
        });
    }
    group.finish();
}

/// Each batch waits for the one before it: the latency of a commit.
fn single_appends(criterion: &mut Criterion, worker: &Worker) {
    criterion.bench_function("append/one at a time", |bencher| {
        bencher.iter_custom(|iterations| {
            worker.measure(move |bench| async move {
                let log = create(&bench.shard, &bench.directory).await;
                let batch = batch(1000);
                let start = Instant::now();
                for _ in 0..iterations {
                    let end = append(&log, &batch).await;
                    log.wait_durable(end).await.expect("a commit");
                }
                let elapsed = start.elapsed();
                log.delete().await.expect("a deletion");
                elapsed
            })
        });
    });
}

fn reads(criterion: &mut Criterion, worker: &Worker) {
    let mut group = criterion.benchmark_group("read/tail");
    group.throughput(Throughput::Bytes(1 << 20));
    group.bench_function("1 MiB of 16 KiB batches", |bencher| {
        bencher.iter_custom(|iterations| {
            worker.measure(move |bench| async move {
                let log = create(&bench.shard, &bench.directory).await;
                let batch = batch(16 << 10);
                let mut end_offset = Offset(0);
                for _ in 0..128 {
                    end_offset = append(&log, &batch).await;
                }
                log.wait_durable(end_offset).await.expect("a commit");
                let request = ReadRequest {
                    offset: Offset(0),
                    max_bytes: 1 << 20,
                    min_one_batch: true,
                    end_offset,
                };
                let start = Instant::now();
                for _ in 0..iterations {
                    let data = log.read(request).await.expect("a read");
                    assert!(data.len_bytes > 1_000_000);
                }
                let elapsed = start.elapsed();
                log.delete().await.expect("a deletion");
                elapsed
            })
        });
    });
    group.finish();
}

fn storage(criterion: &mut Criterion) {
    let worker = Worker::start();
    pipelined_appends(criterion, &worker);
    single_appends(criterion, &worker);
    reads(criterion, &worker);
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = storage
}
criterion_main!(benches);
