//! `loganctl logs dump`: the batches of a log, their records, or the entries of an index.
//!
//! Everything is written as it is read, so that memory does not grow with the log: a line, an object or a document for each
//! batch, record or entry.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use command_line::{Failure, Output, OutputFormat};
use records::{BatchHeader, RecordIter, decompressed_records};
use serde::Serialize;
use storage::index::{OFFSET_ENTRY_LEN, OffsetIndex, TIME_ENTRY_LEN, TimeIndex};
use types::Offset;

use super::indexes::cut_room;
use super::target::{self, parse_name};
use super::verify::shown;
use super::walk::{Step, Walk};
use crate::cli::DumpOptions;
use crate::format::{escaped, rfc3339};
use crate::record_json::RecordJson;

/// What one compressed batch may hold when decompressed.
const DECOMPRESSED_MAX_BYTES: usize = 256 << 20;

/// A batch as it is written.
#[derive(Debug, Serialize)]
struct BatchJson {
    file: String,
    byte: u64,
    size_bytes: u64,
    base_offset: i64,
    last_offset: i64,
    records: i32,
    leader_epoch: i32,
    codec: String,
    timestamp: i64,
    timestamp_type: &'static str,
    producer_id: Option<i64>,
    producer_epoch: Option<i16>,
    base_sequence: Option<i32>,
    transactional: bool,
    control: bool,
    delete_horizon: Option<i64>,
    crc: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    contents: Option<Vec<RecordJson>>,
}

/// An entry of an index.
#[derive(Debug, Serialize)]
struct EntryJson {
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<i64>,
    offset: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    byte: Option<u32>,
}

/// Where the dump goes.
struct Dump<'a, W> {
    options: &'a DumpOptions,
    format: OutputFormat,
    out: W,
    /// Batches or entries that may still be written.
    left: u64,
    scratch: Vec<u8>,
}

pub(super) fn run(options: &DumpOptions, output: &Output) -> Result<(), Failure> {
    let mut dump = Dump {
        options,
        format: output.format(),
        out: BufWriter::new(io::stdout().lock()),
        left: options.count.unwrap_or(u64::MAX),
        scratch: Vec::new(),
    };
    let outcome = match parse_name(&options.path) {
        Some((base, extension @ ("index" | "timeindex"))) => dump.index(base, extension),
        _ => dump.log(),
    };
    // What was read before damage is shown before the damage.
    let flushed = dump.out.flush().map_err(Failure::output);
    outcome.and(flushed)
}

impl<W: Write> Dump<'_, W> {
    fn log(&mut self) -> Result<(), Failure> {
        let mut partitions = target::find(&self.options.path)?;
        let (Some(partition), true) = (partitions.pop(), partitions.is_empty()) else {
            return Err(Failure::usage(
                format!("{} holds several partitions", self.options.path.display()),
                "name the directory of one of them, or a segment",
            ));
        };
        let wanted = Offset(self.options.from_offset.unwrap_or(0));
        let later = partition
            .segments
            .iter()
            .skip(1)
            .take_while(|segment| segment.base_offset <= wanted)
            .count();
        for segment in partition.segments.iter().skip(later) {
            if self.left == 0 {
                break;
            }
            self.segment(&segment.path, wanted)?;
        }
        Ok(())
    }

    fn segment(&mut self, path: &Path, from: Offset) -> Result<(), Failure> {
        let unreadable = Failure::file("read", path);
        let mut walk = Walk::open(path).map_err(&unreadable)?;
        while self.left > 0 {
            match walk.next().map_err(&unreadable)? {
                Step::End | Step::Room => break,
                Step::Batch { header, .. } if header.last_offset() < from => {}
                Step::Batch {
                    header,
                    position,
                    bytes,
                } => {
                    self.left -= 1;
                    self.batch(path, &header, position, bytes)?;
                }
                Step::Bad(bad) => {
                    let (file, at) = (shown(path), walk.position());
                    return Err(Failure::Damaged {
                        problem: format!("{file} at byte {at}: {}", bad.detail),
                        advice: "`loganctl logs verify` shows what lies behind it".to_owned(),
                    });
                }
            }
        }
        Ok(())
    }

    fn batch(
        &mut self,
        path: &Path,
        header: &BatchHeader,
        position: u64,
        bytes: &[u8],
    ) -> Result<(), Failure> {
        let mut batch = batch_json(path, header, position);
        if self.options.records {
            batch.contents = Some(contents(header, bytes, &mut self.scratch, path)?);
        }
        let written = match self.format {
            OutputFormat::Table => write_lines(&mut self.out, &batch),
            OutputFormat::Json => write_json(&mut self.out, &batch),
            OutputFormat::Yaml => write_yaml(&mut self.out, &batch),
        };
        written.map_err(Failure::output)
    }

    fn index(&mut self, base: Offset, extension: &str) -> Result<(), Failure> {
        let path = &self.options.path;
        let mut content = std::fs::read(path).map_err(Failure::file("read", path))?;
        let absolute = |relative: u32| base.0 + i64::from(relative);
        let is_times = extension == "timeindex";
        cut_room(
            &mut content,
            if is_times {
                TIME_ENTRY_LEN
            } else {
                OFFSET_ENTRY_LEN
            },
        );
        let entries: Result<Vec<_>, _> = if is_times {
            TimeIndex::decode(&content).map(|index| {
                let entries = index.entries().iter().map(|entry| EntryJson {
                    timestamp: Some(entry.timestamp.0),
                    offset: absolute(entry.relative_offset),
                    byte: None,
                });
                entries.collect()
            })
        } else {
            // Whether positions lie within the segment is `verify`'s business.
            OffsetIndex::decode(&content, u64::MAX).map(|index| {
                let entries = index.entries().iter().map(|entry| EntryJson {
                    timestamp: None,
                    offset: absolute(entry.relative_offset),
                    byte: Some(entry.position),
                });
                entries.collect()
            })
        };
        let entries = entries.map_err(|error| Failure::Damaged {
            problem: format!("{}: {error}", shown(path)),
            advice: "the broker rebuilds indexes; so does `loganctl logs repair`".to_owned(),
        })?;
        let from = self.options.from_offset.unwrap_or(0);
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        for entry in entries.iter().filter(|it| it.offset >= from).take(left) {
            self.entry(entry).map_err(Failure::output)?;
        }
        Ok(())
    }

    fn entry(&mut self, entry: &EntryJson) -> io::Result<()> {
        match self.format {
            OutputFormat::Table => match (entry.timestamp, entry.byte) {
                (Some(timestamp), _) => {
                    let time = rfc3339(types::TimestampMs(timestamp));
                    writeln!(self.out, "timestamp {time}  offset {}", entry.offset)
                }
                (None, byte) => {
                    let byte = byte.unwrap_or(0);
                    writeln!(self.out, "offset {}  byte {byte}", entry.offset)
                }
            },
            OutputFormat::Json => write_json(&mut self.out, entry),
            OutputFormat::Yaml => write_yaml(&mut self.out, entry),
        }
    }
}

fn batch_json(path: &Path, header: &BatchHeader, position: u64) -> BatchJson {
    let has_producer = header.has_producer_id();
    BatchJson {
        file: shown(path),
        byte: position,
        size_bytes: header.size_bytes as u64,
        base_offset: header.base_offset.0,
        last_offset: header.last_offset().0,
        records: header.record_count,
        leader_epoch: header.leader_epoch.0,
        codec: match header.compression() {
            Some(codec) => format!("{codec:?}").to_lowercase(),
            None => "unknown".to_owned(),
        },
        timestamp: header.max_timestamp.0,
        timestamp_type: match header.timestamp_type() {
            records::TimestampType::CreateTime => "CreateTime",
            records::TimestampType::LogAppendTime => "LogAppendTime",
        },
        producer_id: has_producer.then_some(header.producer_id.0),
        producer_epoch: has_producer.then_some(header.producer_epoch.0),
        base_sequence: has_producer.then_some(header.base_sequence),
        transactional: header.is_transactional(),
        control: header.is_control(),
        delete_horizon: header
            .has_delete_horizon()
            .then_some(header.base_timestamp.0),
        crc: header.crc,
        contents: None,
    }
}

fn contents(
    header: &BatchHeader,
    bytes: &[u8],
    scratch: &mut Vec<u8>,
    path: &Path,
) -> Result<Vec<RecordJson>, Failure> {
    let unreadable = |problem: String| Failure::Damaged {
        problem: format!("{}: {problem}", shown(path)),
        advice: "`loganctl logs verify --records` checks all of them".to_owned(),
    };
    let records = decompressed_records(header, bytes, scratch, DECOMPRESSED_MAX_BYTES)
        .map_err(|error| unreadable(error.to_string()))?;
    let (topic, partition) = partition_of(path);
    let records = RecordIter::new(header, records).map(|record| {
        let record = record.map_err(|error| unreadable(error.to_string()))?;
        Ok(RecordJson::new(&topic, partition, &record))
    });
    records.collect()
}

/// Topic and partition of a segment, as far as its directory is called after them.
fn partition_of(segment: &Path) -> (String, i32) {
    let name = segment
        .parent()
        .and_then(Path::file_name)
        .unwrap_or_default();
    let name = name.to_string_lossy();
    match name.rsplit_once('-') {
        Some((topic, index)) => (topic.to_owned(), index.parse().unwrap_or(0)),
        None => (name.into_owned(), 0),
    }
}

/// One line for the batch, one for each record below it.
fn write_lines(out: &mut impl Write, batch: &BatchJson) -> io::Result<()> {
    write!(
        out,
        "offsets {}..{}  byte {}  size {}  records {}  epoch {}  {} {}  {}",
        batch.base_offset,
        batch.last_offset,
        batch.byte,
        batch.size_bytes,
        batch.records,
        batch.leader_epoch,
        batch.timestamp_type,
        rfc3339(types::TimestampMs(batch.timestamp)),
        batch.codec,
    )?;
    if let (Some(id), Some(epoch), Some(sequence)) =
        (batch.producer_id, batch.producer_epoch, batch.base_sequence)
    {
        write!(out, "  producer {id}/{epoch} sequence {sequence}")?;
    }
    for (is_set, word) in [
        (batch.transactional, "transactional"),
        (batch.control, "control"),
    ] {
        if is_set {
            write!(out, "  {word}")?;
        }
    }
    if let Some(horizon) = batch.delete_horizon {
        write!(
            out,
            "  delete horizon {}",
            rfc3339(types::TimestampMs(horizon))
        )?;
    }
    writeln!(out)?;
    for record in batch.contents.iter().flatten() {
        let (key, value) = record.shown();
        write!(out, "  {}  ", record.offset)?;
        out.write_all(&escaped(key.as_bytes()))?;
        out.write_all(b" = ")?;
        out.write_all(&escaped(value.as_bytes()))?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

fn write_json(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

fn write_yaml(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    let text = serde_saphyr::to_string(value).map_err(io::Error::other)?;
    out.write_all(b"---\n")?;
    out.write_all(text.as_bytes())
}
