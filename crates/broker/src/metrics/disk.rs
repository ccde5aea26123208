//! The disks and the batch cache.

use io::Io;
use storage::{DiskTotals, OperationTotals};
use types::{Metric, Sample};

use crate::shard::Shard;

static CACHE_LOOKS: Metric = Metric::counter(
    "logan_cache_lookups",
    "Looks into the batch cache for bytes that are in no log's tail, by whether they were there.",
);
static CACHE_EVICTIONS: Metric = Metric::counter(
    "logan_cache_evictions",
    "Pieces that left the batch cache to make room for others.",
);
static OPERATIONS: Metric = Metric::histogram(
    "logan_disk_operation_duration_seconds",
    "How long operations on a log directory took, over all shards: write (record batches), sync (segments), read (for consumers).",
)
.summed();
static BYTES: Metric = Metric::counter(
    "logan_disk_operation_bytes",
    "Bytes written to a log directory and read from it.",
);
static FAILED: Metric = Metric::counter(
    "logan_disk_operation_errors",
    "Operations on a log directory that failed.",
);
static UNDER_WAY: Metric = Metric::gauge(
    "logan_disk_operations_in_flight",
    "Operations on a log directory that have begun and not ended.",
);
static FENCES: Metric = Metric::counter(
    "logan_log_fences",
    "Logs that were stopped since a write or a sync failed, or their disk as a whole.",
);
static FENCED: Metric = Metric::gauge(
    "logan_fenced_logs",
    "Logs that are stopped until the next start, since a write or a sync failed. Those of a directory that has failed as a whole are logan_offline_partitions.",
);
static FREE: Metric = Metric::gauge(
    "logan_log_directory_free_bytes",
    "Bytes that are free for a log directory, as a shard that appends there measured last.",
);
static FULL: Metric = Metric::gauge(
    "logan_log_directory_full",
    "1 while the shard refuses appends to a log directory for want of space, else 0.",
);

/// The values of this moment.
pub(super) fn samples<I: Io>(shard: &Shard<I>) -> Vec<Sample> {
    let cache = shard.storage.cache_totals();
    let mut samples = vec![
        CACHE_LOOKS.is(cache.hits).with("result", "hit"),
        CACHE_LOOKS.is(cache.misses).with("result", "miss"),
        CACHE_EVICTIONS.is(cache.evictions),
    ];
    for disk in shard.storage.disks() {
        samples.extend(of_disk(&disk));
    }
    samples
}

fn of_disk(disk: &DiskTotals) -> Vec<Sample> {
    let path = disk.data_dir.display().to_string();
    let labelled = |sample: Sample| sample.with("directory", path.clone());
    let mut samples = vec![
        labelled(FENCES.is(disk.fences)),
        labelled(FENCED.is(disk.fenced)),
        labelled(FULL.is(u64::from(disk.is_full))),
    ];
    samples.extend(disk.free_bytes.map(|bytes| labelled(FREE.is(bytes))));
    let operations = [
        ("write", &disk.writes),
        ("sync", &disk.syncs),
        ("read", &disk.reads),
    ];
    for (operation, totals) in operations {
        let OperationTotals {
            times,
            bytes,
            failed,
            under_way,
        } = totals;
        let of = |sample| labelled(sample).with("operation", operation);
        samples.push(of(OPERATIONS.spreads(times.clone())));
        samples.push(of(FAILED.is(*failed)));
        samples.push(of(UNDER_WAY.is(*under_way)));
        if operation != "sync" {
            samples.push(of(BYTES.is(*bytes)));
        }
    }
    samples
}
