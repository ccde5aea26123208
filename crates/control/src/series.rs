//! The metrics document: the samples of shards and process, then a family for each column of the rows.
//!
//! Lives on the control thread.

use types::{Metric, PartitionRow, Sample, Series, TopicRow};

use crate::collect::Everything;
use crate::text::{Document, Family, Format, Label};

/// About how long a line is.
const LINE_BYTES: usize = 96;

/// The document's length from which on no topics, partitions and groups are added. Names are the clients' choice.
const DOCUMENT_BYTES_MAX: usize = 64 << 20;

/// A column of topics.
type TopicColumn = (&'static Metric, fn(&TopicRow) -> u64);

static TOPIC_BATCHES_IN: Metric =
    Metric::counter("logan_topic_batches_in", "Batches appended to a topic.").summed();
static TOPIC_RECORDS_IN: Metric =
    Metric::counter("logan_topic_records_in", "Records appended to a topic.").summed();
static TOPIC_BYTES_IN: Metric =
    Metric::counter("logan_topic_bytes_in", "Bytes appended to a topic.").summed();
static TOPIC_BYTES_OUT: Metric = Metric::counter(
    "logan_topic_bytes_out",
    "Bytes of a topic that were handed to consumers.",
)
.summed();

static TOPIC_COLUMNS: [TopicColumn; 4] = [
    (&TOPIC_BATCHES_IN, |row| row.batches_in),
    (&TOPIC_RECORDS_IN, |row| row.records_in),
    (&TOPIC_BYTES_IN, |row| row.bytes_in),
    (&TOPIC_BYTES_OUT, |row| row.bytes_out),
];

/// A column of partitions.
type PartitionColumn = (&'static Metric, fn(&PartitionRow) -> u64);

static LOG_START: Metric = Metric::gauge(
    "logan_partition_log_start_offset",
    "The offset of a partition's first record.",
);
static HIGH_WATERMARK: Metric = Metric::gauge(
    "logan_partition_high_watermark",
    "The offset below which everything in a partition is acknowledged.",
);
static SIZE: Metric = Metric::gauge(
    "logan_partition_size_bytes",
    "Bytes of a partition's segments.",
);
static SEGMENTS: Metric =
    Metric::gauge("logan_partition_segments", "Segments of a partition's log.");
static BYTES_IN: Metric = Metric::counter(
    "logan_partition_bytes_in",
    "Bytes appended to a partition since it came to its shard.",
);
static BYTES_OUT: Metric = Metric::counter(
    "logan_partition_bytes_out",
    "Bytes of a partition that were handed to consumers since it came to its shard.",
);
static FENCED: Metric = Metric::gauge(
    "logan_partition_fenced",
    "1 if the partition's log was stopped by a failed write or sync; a healthy partition has no series.",
);

static PARTITION_COLUMNS: [PartitionColumn; 6] = [
    (&LOG_START, |row| offset(row.log_start_offset)),
    (&HIGH_WATERMARK, |row| offset(row.high_watermark)),
    (&SIZE, |row| row.size_bytes),
    (&SEGMENTS, |row| row.segments),
    (&BYTES_IN, |row| row.bytes_in),
    (&BYTES_OUT, |row| row.bytes_out),
];

static GROUP_MEMBERS: Metric = Metric::gauge(
    "logan_group_members",
    "Members of a group, by its protocol and Kafka's name of its state.",
);
static GROUP_LAG: Metric = Metric::gauge(
    "logan_group_lag_records",
    "Records of a partition behind what a group has committed.",
);
static GROUP_OFFSET: Metric = Metric::gauge(
    "logan_group_committed_offset",
    "The next record that a group will consume of a partition, as it has committed.",
);
static ROWS_LEFT_OUT: Metric = Metric::gauge(
    "logan_metrics_rows_left_out",
    "Groups and committed offsets that are not told, since a shard has too many or the group's name is longer than 256 bytes.",
);
static LINES_LEFT_OUT: Metric = Metric::gauge(
    "logan_metrics_lines_left_out",
    "Values of topics, partitions and groups that this document has no room for.",
);

/// The offset as a number that is shown; offsets are not negative.
fn offset(offset: i64) -> u64 {
    u64::try_from(offset).unwrap_or(0)
}

/// The document.
pub(crate) fn document(
    mut everything: Everything,
    of_process: Vec<Sample>,
    series: Series,
    format: Format,
) -> String {
    let samples = everything.take_samples(of_process);
    let bytes_expected = bytes_expected(&everything);
    let mut document = Document::new(format, bytes_expected, DOCUMENT_BYTES_MAX);
    for (metric, samples) in &samples {
        let mut family = document.metric(metric);
        for sample in samples {
            let labels = sample.labels.iter();
            let labels = labels.map(|(name, value)| (*name, Label::Text(value)));
            family.value(&labels.collect::<Vec<_>>(), &sample.value);
        }
    }
    if series.topics {
        topics(&mut document, &everything);
    }
    if series.partitions {
        partitions(&mut document, &everything);
    }
    if series.groups {
        groups(&mut document, &everything);
    }
    let left_out = document.rows_left_out();
    document.metric(&LINES_LEFT_OUT).count(&[], left_out);
    document.finish()
}

fn bytes_expected(everything: &Everything) -> usize {
    let lines = everything.snapshots().map(|(_, it)| {
        let offsets: usize = it.groups.iter().map(|group| group.offsets.len()).sum();
        let partitions = PARTITION_COLUMNS.len() * it.partitions.len();
        partitions + TOPIC_COLUMNS.len() * it.topics.len() + 2 * offsets + it.groups.len()
    });
    (lines.sum::<usize>() + 1000) * LINE_BYTES
}

/// Those of all shards together: a topic's partitions move between them. While one is silent there is no sum.
fn topics(document: &mut Document, everything: &Everything) {
    if everything.is_partial() {
        return;
    }
    let mut sums: std::collections::BTreeMap<&str, TopicRow> = std::collections::BTreeMap::new();
    for row in everything.snapshots().flat_map(|(_, it)| &it.topics) {
        match sums.get_mut(&*row.topic) {
            Some(sum) => {
                sum.batches_in += row.batches_in;
                sum.records_in += row.records_in;
                sum.bytes_in += row.bytes_in;
                sum.bytes_out += row.bytes_out;
            }
            None => drop(sums.insert(&row.topic, row.clone())),
        }
    }
    for (metric, value) in &TOPIC_COLUMNS {
        let mut family = document.metric(metric);
        for (topic, row) in &sums {
            family.row(&[("topic", Label::Text(topic))], value(row));
        }
    }
}

fn partitions(document: &mut Document, everything: &Everything) {
    let put = |family: &mut Family<'_>, shard: u16, row: &PartitionRow, value| {
        let labels = [
            ("topic", Label::Text(&row.topic)),
            ("partition", Label::Number(row.partition.into())),
            ("shard", Label::Number(shard.into())),
        ];
        family.row(&labels, value);
    };
    let rows = || {
        let snapshots = everything.snapshots();
        snapshots.flat_map(|(shard, it)| it.partitions.iter().map(move |row| (shard, row)))
    };
    for (metric, value) in &PARTITION_COLUMNS {
        let mut family = document.metric(metric);
        for (shard, row) in rows() {
            put(&mut family, shard, row, value(row));
        }
    }
    let mut family = document.metric(&FENCED);
    for (shard, row) in rows().filter(|(_, row)| row.is_fenced) {
        put(&mut family, shard, row, 1);
    }
}

fn groups(document: &mut Document, everything: &Everything) {
    let groups = || everything.snapshots().flat_map(|(_, it)| &it.groups);
    let mut family = document.metric(&GROUP_MEMBERS);
    for row in groups() {
        let labels = [
            ("group", Label::Text(&row.group)),
            ("protocol", Label::Text(row.protocol)),
            ("state", Label::Text(row.state)),
        ];
        family.row(&labels, row.members);
    }
    let marks = everything.high_watermarks();
    let mut put = |metric, value: &dyn Fn(&types::OffsetRow) -> Option<u64>| {
        let mut family = document.metric(metric);
        for row in groups() {
            for committed in &row.offsets {
                let labels = [
                    ("group", Label::Text(&row.group)),
                    ("topic", Label::Text(&committed.topic)),
                    ("partition", Label::Number(committed.partition.into())),
                ];
                if let Some(value) = value(committed) {
                    family.row(&labels, value);
                }
            }
        }
    };
    put(&GROUP_OFFSET, &|it| Some(offset(it.offset)));
    put(&GROUP_LAG, &|it| marks.lag(it));
    let mut family = document.metric(&ROWS_LEFT_OUT);
    for (shard, snapshot) in everything.snapshots() {
        let labels = [("shard", Label::Number(shard.into()))];
        family.count(&labels, snapshot.rows_left_out);
    }
}
