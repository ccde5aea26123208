//! A snapshot of a coordinator as bytes.
//!
//! A file is a row of record batches in Kafka's format, each with its checksum: a header, one or more for each group, and
//! a footer, without which the file is incomplete. The first record of each has an empty key, which no group's record
//! has, and says what the batch is; the others are those that rebuild the group. Plain functions, on any thread.

use bytes::{Buf as _, BufMut as _, Bytes};
use groups::GroupRecord;
use records::{
    BATCH_HEADER_BYTES, BatchBuilder, BatchHeader, Compression, NewRecord, RecordIter, verify_crc,
};
use types::{Offset, TimestampMs, Uuid};

use crate::groups::framing;

/// The version of the format.
const VERSION: u8 = 1;

/// Records of a group in one batch.
const BATCH_RECORDS: usize = 4_096;

/// The most bytes that a batch is believed to have.
const BATCH_LEN_MAX: usize = 1 << 30;

/// The time of all records, which says nothing here.
const NO_TIME: TimestampMs = TimestampMs(0);

const HEADER: u8 = 0;
const GROUP: u8 = 1;
const FOOTER: u8 = 2;

/// What a batch of a snapshot says.
#[derive(Debug)]
pub(super) enum Part {
    Header(Header),
    Group(GroupPart),
    Footer(Footer),
}

/// Records that rebuild a group, or a part of it.
#[derive(Debug)]
pub(super) struct GroupPart {
    /// The group is as it was before the record at this offset.
    pub(super) taken_at: Offset,
    header: BatchHeader,
    content: Bytes,
}

impl GroupPart {
    /// The records; they are slices of the batch.
    pub(super) fn records(&self) -> impl Iterator<Item = Result<GroupRecord, Broken>> {
        // The first one says what the batch is.
        RecordIter::new(&self.header, &self.content)
            .skip(1)
            .map(|record| {
                let record = record.map_err(|_invalid| Broken("a record is damaged"))?;
                framing::decode(&self.content, &record)
                    .map_err(|_unknown| Broken("a record is none of a group"))
            })
    }
}

/// The beginning of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) topic_id: Uuid,
    pub(super) partition: i32,
    /// Where the replay of the log begins: every group is at least as far.
    pub(super) start: Offset,
}

/// The end of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Footer {
    /// What no group is further than: a log that ends before is not the one that the snapshot is of.
    pub(super) end: Offset,
    /// The records of all groups.
    pub(super) records: u64,
}

/// Why bytes are no snapshot.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Broken(pub(super) &'static str);

impl Header {
    pub(super) fn encode(self) -> Vec<u8> {
        let mut mark = vec![HEADER, VERSION];
        mark.put_slice(&self.topic_id.0);
        mark.put_i32(self.partition);
        mark.put_i64(self.start.0);
        batch(&mark, &[])
    }
}

impl Footer {
    pub(super) fn encode(self) -> Vec<u8> {
        let mut mark = vec![FOOTER];
        mark.put_i64(self.end.0);
        mark.put_u64(self.records);
        batch(&mark, &[])
    }
}

/// A group's batches.
pub(super) fn encode_group(
    taken_at: Offset,
    records: &[GroupRecord],
) -> impl Iterator<Item = Vec<u8>> {
    let mut mark = vec![GROUP];
    mark.put_i64(taken_at.0);
    records
        .chunks(BATCH_RECORDS)
        .map(move |records| batch(&mark, records))
}

fn batch(mark: &[u8], records: &[GroupRecord]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Compression::None);
    builder.push(&NewRecord {
        timestamp: NO_TIME,
        key: Some(&[]),
        value: Some(mark),
        headers: &[],
    });
    for record in records {
        framing::push(&mut builder, record, NO_TIME);
    }
    builder
        .build()
        .expect("without a codec nothing can go wrong")
}

/// How long the batch at the start of these bytes is; `None` if they are too few to tell.
///
/// # Errors
/// When they begin no batch.
pub(super) fn len_of(bytes: &[u8]) -> Result<Option<usize>, Broken> {
    if bytes.len() < BATCH_HEADER_BYTES {
        return Ok(None);
    }
    let header = BatchHeader::parse_prefix(bytes)
        .map_err(|_none| Broken("there is no batch where one begins"))?;
    if header.size_bytes > BATCH_LEN_MAX {
        return Err(Broken("a batch is larger than any that was written"));
    }
    Ok(Some(header.size_bytes))
}

/// Reads one whole batch, but the records of a group, which [`GroupPart::records`] reads.
///
/// # Errors
/// When it is damaged.
pub(super) fn decode(batch: &Bytes) -> Result<Part, Broken> {
    let damaged = |_| Broken("a batch is damaged");
    verify_crc(batch).map_err(damaged)?;
    let header = BatchHeader::parse(batch).map_err(damaged)?;
    let content = batch.slice(BATCH_HEADER_BYTES..);
    let malformed = || Broken("a batch does not say what it is");
    let mark = mark_of(&header, &content).ok_or_else(malformed)?;
    let mut mark = content.slice_ref(mark);
    match (mark.try_get_u8(), mark.len()) {
        (Ok(HEADER), 29) => {
            if mark.get_u8() != VERSION {
                return Err(Broken("it is of a version that is not known"));
            }
            let mut id = [0; 16];
            mark.copy_to_slice(&mut id);
            Ok(Part::Header(Header {
                topic_id: Uuid(id),
                partition: mark.get_i32(),
                start: Offset(mark.get_i64()),
            }))
        }
        (Ok(GROUP), 8) => Ok(Part::Group(GroupPart {
            taken_at: Offset(mark.get_i64()),
            header,
            content,
        })),
        (Ok(FOOTER), 16) => Ok(Part::Footer(Footer {
            end: Offset(mark.get_i64()),
            records: mark.get_u64(),
        })),
        _ => Err(malformed()),
    }
}

/// The value of a batch's first record.
fn mark_of<'a>(header: &BatchHeader, content: &'a [u8]) -> Option<&'a [u8]> {
    RecordIter::new(header, content).next()?.ok()?.value
}

#[cfg(test)]
mod tests {
    use groups::GroupRecord;
    use protocol::messages::{OffsetCommitKey, OffsetCommitValue};
    use types::{Offset, Uuid};

    use super::{Footer, Header, Part, decode, encode_group, len_of};

    fn commit(partition: i32) -> GroupRecord {
        GroupRecord::OffsetCommit {
            key: OffsetCommitKey {
                group: "g".into(),
                topic: "t".into(),
                partition,
            },
            value: Some(OffsetCommitValue {
                offset: 7,
                commit_timestamp: 1,
                ..OffsetCommitValue::default()
            }),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let header = Header {
            topic_id: Uuid([3; 16]),
            partition: 5,
            start: Offset(70),
        };
        let footer = Footer {
            end: Offset(90),
            records: 5_000,
        };
        let records: Vec<_> = (0..5_000).map(commit).collect();
        let read = decode(&header.encode().into()).expect("a header");
        assert!(matches!(read, Part::Header(read) if read == header));
        let read = decode(&footer.encode().into()).expect("a footer");
        assert!(matches!(read, Part::Footer(read) if read == footer));
        let mut all = Vec::new();
        for batch in encode_group(Offset(80), &records) {
            assert_eq!(len_of(&batch), Ok(Some(batch.len())));
            match decode(&batch.into()).expect("a group") {
                Part::Group(part) => {
                    assert_eq!(part.taken_at, Offset(80));
                    let records: Result<Vec<_>, _> = part.records().collect();
                    all.extend(records.expect("they are whole"));
                }
                other => unreachable!("{other:?}"),
            }
        }
        assert_eq!(all, records);
    }

    #[test]
    fn a_changed_byte_is_noticed() {
        let batch = encode_group(Offset(80), &[commit(1)])
            .next()
            .expect("one batch");
        // The checksum does not cover the offset and the epoch, which say nothing here.
        for index in 17..batch.len() {
            let mut changed = batch.clone();
            changed[index] ^= 1;
            assert!(decode(&changed.into()).is_err(), "byte {index}");
        }
    }
}
