//! A log of `__consumer_offsets` as another broker, or another time, could have left it.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use protocol::messages::{OffsetCommitKey, OffsetCommitValue};
use protocol::wire::encode_versioned;
use protocol::{Encoder, Message};
use records::{BatchBuilder, BatchIter, Compression, NewRecord, set_offset_and_epoch};
use types::{LeaderEpoch, Offset, TimestampMs, Uuid};

/// A commit to be forged.
pub(super) struct Commit<'a> {
    pub(super) group: &'a str,
    pub(super) topic: &'a str,
    pub(super) topic_id: Uuid,
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) age_ms: i64,
}

/// The log of the only partition of `__consumer_offsets`.
pub(super) fn log(directory: &Path) -> PathBuf {
    directory.join("__consumer_offsets-0")
}

/// The only segment of that log.
pub(super) fn segment(directory: &Path) -> PathBuf {
    log(directory).join("00000000000000000000.log")
}

/// Appends commits of the past, as one batch, to the log of a broker that has stopped.
pub(super) fn append(directory: &Path, commits: &[Commit<'_>]) {
    let path = segment(directory);
    let bytes = std::fs::read(&path).expect("the log has one segment");
    let mut next = Offset(0);
    let mut walk = BatchIter::new(&bytes);
    for batch in walk.by_ref() {
        let Ok((header, _)) = batch else { break };
        next = Offset(header.last_offset().0 + 1);
    }
    let end = walk.position();
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.expect("long after 1970").as_millis();
    let now = i64::try_from(now).expect("not that long");
    let mut builder = BatchBuilder::new(Compression::None);
    for commit in commits {
        let (key, value) = encode(commit, now);
        builder.push(&NewRecord {
            timestamp: TimestampMs(now),
            key: Some(&key),
            value: Some(&value),
            headers: &[],
        });
    }
    let mut batch = builder.build().expect("nothing is compressed");
    set_offset_and_epoch(&mut batch, next, LeaderEpoch(0));
    let file = OpenOptions::new().write(true).open(&path);
    let file = file.expect("it can be written");
    let end = u64::try_from(end).expect("a length");
    file.write_all_at(&batch, end).expect("it takes a batch");
    // The next start is to look at the end of the log.
    for entry in std::fs::read_dir(directory).expect("a directory").flatten() {
        if entry.file_name() == ".kafka_cleanshutdown" {
            std::fs::remove_file(entry.path()).expect("it can be removed");
        }
    }
}

fn encode(commit: &Commit<'_>, now: i64) -> (Bytes, Bytes) {
    let key = OffsetCommitKey {
        group: commit.group.into(),
        topic: commit.topic.into(),
        partition: commit.partition,
    };
    let value = OffsetCommitValue {
        offset: commit.offset,
        commit_timestamp: now - commit.age_ms,
        topic_id: commit.topic_id,
        ..OffsetCommitValue::default()
    };
    // The number in front of a key is its type, that in front of a value its version.
    (prefixed(1, &key, 0), prefixed(4, &value, 4))
}

fn prefixed<M: Message>(prefix: i16, message: &M, version: i16) -> Bytes {
    let mut encoder = Encoder::with_capacity(64);
    encoder.i16(prefix);
    encode_versioned(&mut encoder, message, version).expect("short names");
    encoder.finish().to_bytes()
}
