//! `loganctl produce`: lines of a file or of standard input become records.
//!
//! A thread of its own reads, so that a pause in the input can send what has come so far; the chunks between the two
//! threads are bounded.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use client::{Acks, Client, ConfigDetail, ConfigResource, Producer, ProducerConfig};
use command_line::{Column, Failure, Output, Tabular, or_dash};
use records::Compression;
use serde::Serialize;
use types::{PartitionIndex, TimestampMs};

use crate::chosen::now;
use crate::cli::{AcksOption, CodecOption, ProduceOptions};
use crate::lines::{LineFormat, LineSplitter};
use crate::pace::Pace;
use crate::progress::Progress;

/// Bytes read at once.
const CHUNK_BYTES: usize = 64 << 10;

/// Chunks that wait to be sent.
const CHUNKS_MAX: usize = 16;

/// A pause in the input after which an open batch is sent.
const LINGER: Duration = Duration::from_millis(20);

/// What was sent to a partition.
#[derive(Debug, Serialize)]
struct SentRow {
    topic: String,
    partition: i32,
    records: u64,
    bytes: u64,
    first_offset: Option<i64>,
    last_offset: Option<i64>,
}

pub(crate) fn run(
    mut client: Client,
    options: &ProduceOptions,
    output: &Output,
) -> Result<(), Failure> {
    let format = LineFormat::new(options)?;
    let mut config = producer_config(options)?;
    let input = open(options.file.as_deref())?;
    // Before anybody has typed a line into the void.
    client.describe_topic(&options.topic)?;
    if let Some(accepted) = accepted_batch_bytes(&mut client, &options.topic) {
        config.batch_max_bytes = config.batch_max_bytes.min(accepted);
    }
    let mut sender = Sender {
        producer: Producer::new(client, config)?,
        options,
        format,
        progress: Progress::of_bytes(len_bytes(&input), true),
        pace: Pace::new(options.rate),
        read_bytes: 0,
        records: 0,
    };
    let sent = sender.send_all(&read_input(input));
    // What came before a bad line is sent all the same.
    let flushed = sender.producer.flush().map_err(Failure::from);
    sender.progress.finish();
    sent.and(flushed)?;
    if options.quiet {
        return Ok(());
    }
    output.rows(&sent_rows(&sender.producer))
}

struct Sender<'a> {
    producer: Producer,
    options: &'a ProduceOptions,
    format: LineFormat<'a>,
    progress: Progress,
    pace: Pace,
    read_bytes: u64,
    records: u64,
}

impl Sender<'_> {
    /// Sends lines until the input ends.
    fn send_all(&mut self, input: &Receiver<io::Result<Vec<u8>>>) -> Result<(), Failure> {
        let mut splitter = LineSplitter::default();
        loop {
            let chunk = match input.recv_timeout(LINGER) {
                Ok(chunk) => chunk,
                Err(RecvTimeoutError::Timeout) => {
                    self.producer.flush()?;
                    let Ok(chunk) = input.recv() else { break };
                    chunk
                }
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let chunk = chunk.map_err(|source| Failure::Local {
                act: "read the input",
                source,
            })?;
            let now = now();
            splitter.feed(&chunk, |number, line| self.send(number, line, now))?;
            self.read_bytes += u64::try_from(chunk.len()).unwrap_or(u64::MAX);
            self.progress.update(self.records, self.read_bytes);
        }
        let now = now();
        splitter.finish(|number, line| self.send(number, line, now))
    }

    fn send(&mut self, number: u64, line: &[u8], now: TimestampMs) -> Result<(), Failure> {
        let (topic, partition) = (&self.options.topic, self.options.partition);
        let (producer, records) = (&mut self.producer, &mut self.records);
        let pace = &mut self.pace;
        self.format.parse(number, line, now, |record| {
            if pace.must_pause() {
                // Whoever is to see so many records a second must not wait for a batch to fill.
                producer.flush()?;
            }
            pace.pause();
            producer.send(topic, partition.map(PartitionIndex), record)?;
            *records += 1;
            Ok(())
        })
    }
}

fn producer_config(options: &ProduceOptions) -> Result<ProducerConfig, Failure> {
    let acks = match options.acks {
        AcksOption::None => Acks::None,
        AcksOption::Leader => Acks::Leader,
        AcksOption::All => Acks::All,
    };
    let is_idempotent = options.idempotent.unwrap_or(acks == Acks::All);
    if is_idempotent && acks != Acks::All {
        return Err(Failure::usage(
            "--idempotent needs --acks all",
            "without all acknowledgements nobody knows what was stored: drop one of the two",
        ));
    }
    Ok(ProducerConfig {
        acks,
        is_idempotent,
        compression: match options.compression {
            CodecOption::None => Compression::None,
            CodecOption::Gzip => Compression::Gzip,
            CodecOption::Snappy => Compression::Snappy,
            CodecOption::Lz4 => Compression::Lz4,
            CodecOption::Zstd => Compression::Zstd,
        },
        ..ProducerConfig::default()
    })
}

/// The largest batch that the topic accepts; unknown where its configuration may not be read.
fn accepted_batch_bytes(client: &mut Client, topic: &str) -> Option<usize> {
    let resource = ConfigResource::Topic(topic.to_owned());
    let configs = client
        .describe_configs(&resource, ConfigDetail::Values)
        .ok()?;
    let entry = configs
        .iter()
        .find(|entry| entry.name == "max.message.bytes")?;
    entry.value.as_deref()?.parse().ok()
}

/// Opens what is read: a file, or standard input.
fn open(file: Option<&Path>) -> Result<File, Failure> {
    match file {
        Some(path) => File::open(path).map_err(Failure::file("open", path)),
        None => {
            let stdin = io::stdin().as_fd().try_clone_to_owned();
            stdin.map(File::from).map_err(|source| Failure::Local {
                act: "read standard input",
                source,
            })
        }
    }
}

/// Begins to read. The thread ends with the input, or with the process.
fn read_input(input: File) -> Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = sync_channel(CHUNKS_MAX);
    std::thread::spawn(move || read_to(input, &sender));
    receiver
}

fn read_to(mut input: File, sender: &SyncSender<io::Result<Vec<u8>>>) {
    loop {
        let mut chunk = vec![0; CHUNK_BYTES];
        let read = input.read(&mut chunk).map(|len| {
            chunk.truncate(len);
            chunk
        });
        let is_last = match &read {
            Ok(chunk) if chunk.is_empty() => return,
            Ok(_) => false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => true,
        };
        // Nobody receives any more when the command has failed meanwhile.
        if sender.send(read).is_err() || is_last {
            return;
        }
    }
}

/// The length of the input, if it is a file.
fn len_bytes(input: &File) -> Option<u64> {
    let metadata = input.metadata().ok()?;
    metadata.is_file().then_some(metadata.len())
}

fn sent_rows(producer: &Producer) -> Vec<SentRow> {
    let rows = producer.totals().map(|(topic, partition, totals)| SentRow {
        topic: topic.to_owned(),
        partition: partition.0,
        records: totals.records,
        bytes: totals.bytes,
        first_offset: totals.first_offset.map(|offset| offset.0),
        last_offset: totals.last_offset.map(|offset| offset.0),
    });
    rows.collect()
}

impl Tabular for SentRow {
    const COLUMNS: &'static [Column] = &[
        Column::Text("TOPIC"),
        Column::Number("PARTITION"),
        Column::Number("RECORDS"),
        Column::Number("BYTES"),
        Column::Number("FIRST"),
        Column::Number("LAST"),
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.topic.clone(),
            self.partition.to_string(),
            self.records.to_string(),
            self.bytes.to_string(),
            or_dash(self.first_offset),
            or_dash(self.last_offset),
        ]
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    fn config(arguments: &str) -> Result<ProducerConfig, Failure> {
        let line = format!("loganctl produce t {arguments}");
        let cli = Cli::try_parse_from(line.split_whitespace()).expect(&line);
        let Command::Produce(options) = cli.command else {
            unreachable!("it produces");
        };
        producer_config(&options)
    }

    #[test]
    fn all_acks_bring_idempotence_unless_it_is_refused() {
        let is_idempotent = |arguments| config(arguments).expect(arguments).is_idempotent;
        assert!(is_idempotent(""));
        assert!(!is_idempotent("--idempotent=false"));
        assert!(!is_idempotent("--acks 1"));
        assert!(!is_idempotent("--acks 0"));
    }

    #[test]
    fn idempotence_with_fewer_acks_is_a_usage_error() {
        let failure = config("--acks 1 --idempotent").expect_err("they contradict");
        assert_eq!(failure.code(), 2);
    }
}
