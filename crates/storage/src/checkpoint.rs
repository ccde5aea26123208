//! Kafka's small text files: offset checkpoints, the leader epoch checkpoint, `partition.metadata`,
//! `meta.properties` and the mark of a clean shutdown.
//!
//! Pure formats; `Io::read_file` and `Io::replace_file` move them. Every decoder takes what it is given as hostile.
//! Source: `org.apache.kafka.storage.internals.checkpoint` and `MetaProperties` of Kafka 4.3.1.

use std::fmt::Write as _;

use types::{LeaderEpoch, Offset, PartitionIndex, Uuid};

use crate::epochs::{EpochEntry, LeaderEpochs};
use crate::error::FormatError;

/// `recovery-point-offset-checkpoint`: below these offsets everything is durable.
pub const RECOVERY_POINT_FILE: &str = "recovery-point-offset-checkpoint";
/// `log-start-offset-checkpoint`: log start offsets that lie within a segment.
pub const LOG_START_OFFSET_FILE: &str = "log-start-offset-checkpoint";
/// `cleaner-offset-checkpoint`: below these offsets compacted logs were cleaned.
pub const CLEANER_OFFSET_FILE: &str = "cleaner-offset-checkpoint";
/// `replication-offset-checkpoint`: high watermarks.
pub const HIGH_WATERMARK_FILE: &str = "replication-offset-checkpoint";
/// `leader-epoch-checkpoint`, one in each partition's directory.
pub const LEADER_EPOCH_FILE: &str = "leader-epoch-checkpoint";
/// `partition.metadata`, one in each partition's directory.
pub const PARTITION_METADATA_FILE: &str = "partition.metadata";
/// `meta.properties`: which cluster and node a data directory belongs to.
pub const META_PROPERTIES_FILE: &str = "meta.properties";
/// `.kafka_cleanshutdown`: every log of the data directory was closed.
pub const CLEAN_SHUTDOWN_FILE: &str = ".kafka_cleanshutdown";

/// The longest checkpoint that is read, in bytes: more than a hundred thousand partitions.
pub const FILE_LEN_MAX: usize = 32 << 20;

/// One line of an offset checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionOffset {
    /// The topic's name.
    pub topic: String,
    /// The partition.
    pub partition: PartitionIndex,
    /// The offset.
    pub offset: Offset,
}

/// The content of an offset checkpoint.
#[must_use]
pub fn encode_offsets(offsets: &[PartitionOffset]) -> Vec<u8> {
    let mut text = OffsetsText::default();
    for line in offsets {
        text.push(&line.topic, line.partition, line.offset);
    }
    text.into_bytes()
}

/// An offset checkpoint that is written line by line, by those who have thousands of them and other things to do between.
#[derive(Clone, Debug, Default)]
pub struct OffsetsText {
    lines: String,
    count: usize,
}

impl OffsetsText {
    /// Adds a line.
    ///
    /// # Panics
    /// Never: a `String` takes everything.
    pub fn push(&mut self, topic: &str, partition: PartitionIndex, offset: Offset) {
        writeln!(self.lines, "{topic} {partition} {offset}").expect("a String takes everything");
        self.count += 1;
    }

    /// The file's content.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        format!("0\n{}\n{}", self.count, self.lines).into_bytes()
    }
}

/// Reads an offset checkpoint.
///
/// # Errors
/// When the version is not 0, the count is wrong, or a line is not `topic partition offset`.
pub fn decode_offsets(file: &[u8]) -> Result<Vec<PartitionOffset>, FormatError> {
    decode_lines("offset checkpoint", file, |fields| {
        let [topic, partition, offset] = fields else {
            return None;
        };
        Some(PartitionOffset {
            topic: (*topic).to_owned(),
            partition: PartitionIndex(partition.parse().ok().filter(|index| *index >= 0)?),
            offset: Offset(offset.parse().ok().filter(|offset| *offset >= 0)?),
        })
    })
}

/// The content of a leader epoch checkpoint.
#[must_use]
pub fn encode_epochs(epochs: &LeaderEpochs) -> Vec<u8> {
    let mut text = format!("0\n{}\n", epochs.entries().len());
    for entry in epochs.entries() {
        writeln!(text, "{} {}", entry.epoch, entry.start_offset)
            .expect("a String takes everything");
    }
    text.into_bytes()
}

/// Reads a leader epoch checkpoint.
///
/// # Errors
/// As for [`decode_offsets`], with lines of `epoch offset`.
pub fn decode_epochs(file: &[u8]) -> Result<LeaderEpochs, FormatError> {
    let entries = decode_lines("leader epoch checkpoint", file, |fields| {
        let [epoch, start_offset] = fields else {
            return None;
        };
        Some(EpochEntry {
            epoch: LeaderEpoch(epoch.parse().ok().filter(|epoch| *epoch >= 0)?),
            start_offset: Offset(start_offset.parse().ok().filter(|offset| *offset >= 0)?),
        })
    })?;
    Ok(LeaderEpochs::from_entries(entries))
}

fn decode_lines<T>(
    what: &'static str,
    file: &[u8],
    parse: impl Fn(&[&str]) -> Option<T>,
) -> Result<Vec<T>, FormatError> {
    let text = std::str::from_utf8(file)
        .map_err(|error| FormatError::new(what, format!("not UTF-8: {error}")))?;
    let mut lines = text.lines();
    if lines.next().map(str::trim) != Some("0") {
        return Err(FormatError::new(what, "the version is not 0"));
    }
    let count: Option<usize> = lines.next().and_then(|line| line.trim().parse().ok());
    let count = count.ok_or_else(|| FormatError::new(what, "no count of entries"))?;
    let mut entries = Vec::new();
    for line in lines {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let entry = parse(&fields)
            .ok_or_else(|| FormatError::new(what, format!("line {}", entries.len() + 3)))?;
        entries.push(entry);
    }
    if entries.len() != count {
        let detail = format!("{count} entries announced, {} found", entries.len());
        return Err(FormatError::new(what, detail));
    }
    Ok(entries)
}

/// The content of `partition.metadata`.
#[must_use]
pub fn encode_partition_metadata(topic_id: Uuid) -> Vec<u8> {
    format!("version: 0\ntopic_id: {topic_id}").into_bytes()
}

/// Reads the topic id out of `partition.metadata`.
///
/// # Errors
/// When the version is not 0 or the id is none.
pub fn decode_partition_metadata(file: &[u8]) -> Result<Uuid, FormatError> {
    const WHAT: &str = "partition.metadata";
    let pairs = decode_pairs(WHAT, file, ':')?;
    match find(&pairs, "version") {
        Some("0") => {}
        Some(version) => {
            let detail = format!(
                "it is of version {version}, of which this Logan knows 0 only; start the one that wrote it"
            );
            return Err(FormatError::new(WHAT, detail));
        }
        None => return Err(FormatError::new(WHAT, "no version")),
    }
    find(&pairs, "topic_id")
        .and_then(Uuid::parse)
        .filter(|id| !id.is_zero())
        .ok_or_else(|| FormatError::new(WHAT, "no valid topic_id"))
}

/// Which cluster, node and directory a data directory belongs to.
///
/// Its version stands for the formats of all files of the directory: it rises with any change that an older Logan would read
/// wrongly, and that one then refuses the directory before it opens anything in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaProperties {
    /// The cluster's id.
    pub cluster_id: String,
    /// The node's id.
    pub node_id: i32,
    /// The directory's id; missing in directories formatted by older brokers.
    pub directory_id: Option<Uuid>,
}

impl MetaProperties {
    /// The content of `meta.properties`, version 1.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut text = format!("cluster.id={}\n", self.cluster_id);
        if let Some(id) = self.directory_id {
            writeln!(text, "directory.id={id}").expect("a String takes everything");
        }
        writeln!(text, "node.id={}\nversion=1", self.node_id).expect("a String takes everything");
        text.into_bytes()
    }

    /// Reads `meta.properties`.
    ///
    /// # Errors
    /// When the version is not 1 or an id is missing or malformed.
    pub fn decode(file: &[u8]) -> Result<Self, FormatError> {
        const WHAT: &str = META_PROPERTIES_FILE;
        let pairs = decode_pairs(WHAT, file, '=')?;
        match find(&pairs, "version") {
            Some("1") => {}
            Some(version) => {
                let detail = format!(
                    "it is of version {version}, of which this Logan knows 1 only; start the one that wrote it, or name another directory in log.dirs"
                );
                return Err(FormatError::new(WHAT, detail));
            }
            None => return Err(FormatError::new(WHAT, "no version")),
        }
        let cluster_id =
            find(&pairs, "cluster.id").ok_or_else(|| FormatError::new(WHAT, "no cluster.id"))?;
        let node_id = find(&pairs, "node.id")
            .and_then(|id| id.parse().ok())
            .ok_or_else(|| FormatError::new(WHAT, "no valid node.id"))?;
        let directory_id = match find(&pairs, "directory.id") {
            Some(id) => Some(
                Uuid::parse(id).ok_or_else(|| FormatError::new(WHAT, "malformed directory.id"))?,
            ),
            None => None,
        };
        Ok(Self {
            cluster_id: cluster_id.to_owned(),
            node_id,
            directory_id,
        })
    }
}

/// The content of the clean shutdown mark. `broker_epoch` is -1 when there is none.
#[must_use]
pub fn encode_clean_shutdown(broker_epoch: i64) -> Vec<u8> {
    format!("{{\"version\":0,\"brokerEpoch\":{broker_epoch}}}").into_bytes()
}

fn decode_pairs(
    what: &'static str,
    file: &[u8],
    separator: char,
) -> Result<Vec<(String, String)>, FormatError> {
    let text = std::str::from_utf8(file)
        .map_err(|error| FormatError::new(what, format!("not UTF-8: {error}")))?;
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (key, value) = line
                .split_once(separator)
                .ok_or_else(|| FormatError::new(what, format!("line {line:?}")))?;
            Ok((key.trim().to_owned(), value.trim().to_owned()))
        })
        .collect()
}

fn find<'a>(pairs: &'a [(String, String)], key: &str) -> Option<&'a str> {
    let (_, value) = pairs.iter().find(|(name, _)| name == key)?;
    Some(value)
}

#[cfg(test)]
mod tests;
