//! What a shard tells of itself when the control thread asks.
//!
//! A shard counts for itself, in plain cells; nothing is shared and nothing is computed before somebody asks. To add a
//! metric: a `static` [`Metric`] here or in the part that it belongs to, a cell where the thing happens, and a line in `samples`.
//! The control thread adds the label `shard`.
//!
//! What there is much of, topics, partitions and groups, is told as rows of plain numbers, in slices of the shard's time.
//! Others make text of them.

mod disk;
mod shard;

use std::rc::Rc;
use std::sync::Arc;

use io::{Io, Receiver as _, Sender as _};
use types::{Metric, PartitionRow, Sample, Series, Snapshot};

use crate::shard::{CONTROLLER, Shard};
use crate::slice::Steps;

/// Asks a shard for its numbers.
pub struct Scrape<I: Io> {
    /// Where they go; it needs room for one answer.
    pub reply: I::Sender<Snapshot>,
    /// What of the much is wanted.
    pub series: Series,
}

impl<I: Io> std::fmt::Debug for Scrape<I> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scrape").finish_non_exhaustive()
    }
}

static PARTITIONS: Metric = Metric::gauge(
    "logan_partitions",
    "Partitions that the shard owns and serves.",
);
static OFFLINE_PARTITIONS: Metric = Metric::gauge(
    "logan_offline_partitions",
    "Partitions that the shard owns and cannot serve: their log cannot be used.",
);
static DIRECTORY_ONLINE: Metric = Metric::gauge(
    "logan_log_directory_online",
    "1 if the log directory can be used, else 0; shard 0 tells it.",
);
static METADATA_FAILED: Metric = Metric::gauge(
    "logan_metadata_log_failed",
    "1 once the metadata log has failed: topics and configurations cannot be changed until the next start; shard 0 tells it.",
);
static DIRECTORY_MOVES: Metric = Metric::gauge(
    "logan_directory_moves",
    "Partitions whose logs are being moved to another log directory.",
);
static SCRUB_PASSES: Metric = Metric::counter(
    "logan_scrub_passes",
    "Passes of the scrubber over all closed segments.",
);
static SCRUB_BYTES: Metric = Metric::counter(
    "logan_scrub_bytes",
    "Bytes of closed segments that the scrubber has read.",
);
static SCRUB_BATCHES: Metric = Metric::counter(
    "logan_scrub_batches",
    "Batches that the scrubber has found intact.",
);
static SCRUB_INDEXES: Metric = Metric::counter(
    "logan_scrub_indexes_rebuilt",
    "Indexes that disagreed with their log and were written again.",
);
static SCRUB_READ_ERRORS: Metric = Metric::counter(
    "logan_scrub_read_errors",
    "Segments that the disk failed to read.",
);
static DAMAGED_RANGES_FOUND: Metric = Metric::counter(
    "logan_damaged_ranges_found",
    "Ranges of bad batches that the scrubber or a reader has found.",
);
static DAMAGED_RANGES: Metric = Metric::gauge(
    "logan_damaged_ranges",
    "Ranges of bad batches that are known now.",
);
static CLEANER_PASSES: Metric = Metric::counter(
    "logan_cleaner_passes",
    "Passes of the cleaner over a log that were completed.",
);
static CLEANER_BYTES_BEFORE: Metric = Metric::counter(
    "logan_cleaner_before_bytes",
    "Bytes of the segments that the cleaner has written anew.",
);
static CLEANER_BYTES_AFTER: Metric = Metric::counter(
    "logan_cleaner_after_bytes",
    "Bytes of what took the place of cleaned segments.",
);
static CLEANER_RECORDS: Metric = Metric::counter(
    "logan_cleaner_records_removed",
    "Records that the cleaner has left out.",
);
static CLEANER_TOO_LARGE: Metric = Metric::counter(
    "logan_cleaner_batches_too_large",
    "Batches that a pass left as they were because their records are too large when decompressed.",
);
static CLEANER_PUT_OFF: Metric = Metric::counter(
    "logan_cleaner_passes_put_off",
    "Passes of the cleaner that could not be completed and are tried again.",
);
static CLEANER_GIVEN_UP: Metric = Metric::counter(
    "logan_cleaner_logs_given_up",
    "Logs that the cleaner has given up, because of damage or of a failing disk.",
);
static UNCLEANABLE_PARTITIONS: Metric = Metric::gauge(
    "logan_uncleanable_partitions",
    "Partitions that are not cleaned until they are opened again, because of damage or of a failing disk.",
);

/// Answers the control thread until the process ends.
pub(crate) async fn answer<I: Io>(shard: Rc<Shard<I>>, scrapes: I::Receiver<Scrape<I>>) {
    while let Some(scrape) = scrapes.recv().await {
        let snapshot = snapshot(&shard, scrape.series).await;
        // Who has asked may have given up.
        drop(scrape.reply.try_send(snapshot));
    }
}

/// All that there is to tell at this moment.
async fn snapshot<I: Io>(shard: &Shard<I>, series: Series) -> Snapshot {
    let mut snapshot = Snapshot {
        samples: samples(shard).await,
        ..Snapshot::default()
    };
    if series.topics {
        let view = shard.view();
        let exists = |id| view.image.topic(id).is_some();
        snapshot.topics = shard.traffic.rows(exists);
    }
    if series.partitions {
        snapshot.partitions = partitions(shard).await;
    }
    if series.groups {
        (snapshot.groups, snapshot.rows_left_out) = shard.group_rows().await;
    }
    snapshot
}

/// The partitions that the shard serves.
async fn partitions<I: Io>(shard: &Shard<I>) -> Vec<PartitionRow> {
    let keys = shard.partition_keys();
    let mut rows = Vec::with_capacity(keys.len());
    let mut steps = Steps::new(&shard.io);
    for key in keys {
        steps.step().await;
        // One that has gone meanwhile is another shard's to tell.
        let Ok(partition) = shard.partition(key) else {
            continue;
        };
        let facts = partition.log.facts();
        let traffic = &partition.traffic;
        rows.push(PartitionRow {
            topic: Arc::clone(&traffic.topic.name),
            partition: key.index,
            log_start_offset: facts.log_start_offset.0,
            high_watermark: facts.high_watermark.0,
            log_end_offset: facts.log_end_offset.0,
            size_bytes: facts.size_bytes,
            segments: facts.segments as u64,
            records_in: traffic.own.records_in.get(),
            bytes_in: traffic.own.bytes_in.get(),
            bytes_out: traffic.own.bytes_out.get(),
            is_fenced: facts.is_fenced,
        });
    }
    rows
}

/// The values of this moment.
async fn samples<I: Io>(shard: &Shard<I>) -> Vec<Sample> {
    let scrub = shard.storage.scrub_totals();
    let cleaner = shard.storage.cleaner_totals();
    let known_damages = u64::try_from(scrub.damaged_now).unwrap_or(u64::MAX);
    let counts = shard.counts();
    let mut samples = vec![
        PARTITIONS.is(counts.partitions),
        OFFLINE_PARTITIONS.is(counts.offline_partitions),
        DIRECTORY_MOVES.is(counts.directory_moves),
        SCRUB_PASSES.is(scrub.passes),
        SCRUB_BYTES.is(scrub.bytes),
        SCRUB_BATCHES.is(scrub.batches),
        SCRUB_INDEXES.is(scrub.indexes_rebuilt),
        SCRUB_READ_ERRORS.is(scrub.read_errors),
        DAMAGED_RANGES_FOUND.is(scrub.damaged_ranges),
        DAMAGED_RANGES.is(known_damages),
        CLEANER_PASSES.is(cleaner.passes),
        CLEANER_BYTES_BEFORE.is(cleaner.bytes_before),
        CLEANER_BYTES_AFTER.is(cleaner.bytes_after),
        CLEANER_RECORDS.is(cleaner.records_removed),
        CLEANER_TOO_LARGE.is(cleaner.batches_too_large),
        CLEANER_PUT_OFF.is(cleaner.passes_put_off),
        CLEANER_GIVEN_UP.is(cleaner.logs_given_up),
        UNCLEANABLE_PARTITIONS.is(uncleanable(shard).await),
    ];
    samples.extend(shard::samples(shard));
    samples.extend(disk::samples(shard));
    samples.extend(shard.requests.samples());
    samples.extend(shard.tracing.metrics());
    samples.extend(shard.group_samples());
    if shard.id() == CONTROLLER {
        let has_failed = u64::from(shard.controller.has_failed());
        samples.push(METADATA_FAILED.is(has_failed));
        for (index, directory) in shard.setup.directories.iter().enumerate() {
            let is_online = u64::from(shard.is_online(index));
            let path = directory.path.display().to_string();
            samples.push(DIRECTORY_ONLINE.is(is_online).with("directory", path));
        }
    }
    samples
}

/// The partitions that the cleaner has given up.
async fn uncleanable<I: Io>(shard: &Shard<I>) -> u64 {
    let mut steps = Steps::new(&shard.io);
    let mut count = 0;
    for log in shard.compacted_logs() {
        steps.step().await;
        count += u64::from(log.uncleanable().is_some());
    }
    count
}
