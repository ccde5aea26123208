//! A consuming lane: one connection, some partitions, one fetch under way, as Kafka's consumer has it, in a fetch session
//! if the broker has room for one.
//!
//! Batches are counted by their headers; records are not looked at, but for the stamp in the first one. Checksums are
//! verified unless that is switched off.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use client::{ClientError, ResponseFault};
use protocol::messages::FetchResponse;
use protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic, ForgottenTopic};
use protocol::messages::fetch_response::PartitionData;
use records::{BatchHeader, verify_crc};
use types::{ErrorCode, Offset, PartitionIndex, Uuid};

use super::link::{Link, bad, response};
use super::member::Position;
use super::session::Session;
use super::stats::SideStats;
use super::{Place, Shared, Window, nanos};
use crate::load::{Nanos, Stamp, stamp_of};

const API: &str = "Fetch";

/// Between two looks whether the last records have been delivered.
const LOOK_AGAIN: Nanos = 1_000_000;

/// What all consuming lanes have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FetchOptions {
    pub(crate) version: i16,
    pub(crate) max_bytes: i32,
    pub(crate) partition_max_bytes: i32,
    pub(crate) min_bytes: i32,
    pub(crate) wait: Duration,
    pub(crate) check_crcs: bool,
    pub(crate) request_timeout: Duration,
    /// Whether latencies are taken from the stamps in records.
    pub(crate) has_stamps: bool,
    /// Whether the broker is asked to remember what is read.
    pub(crate) in_sessions: bool,
}

/// The first version that knows sessions.
const SESSIONS_VERSION: i16 = 7;

/// Where a partition is read from, and where reading ends.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) place: Place,
    pub(crate) offset: i64,
    pub(crate) end: Option<i64>,
    /// Told how far reading is, where somebody commits that.
    pub(crate) position: Option<Position>,
    /// The offset that the session knows.
    asked: Option<i64>,
}

impl Reading {
    pub(crate) fn new(place: Place, offset: i64, end: Option<i64>) -> Self {
        Self {
            place,
            offset,
            end,
            position: None,
            asked: None,
        }
    }
}

/// One connection that consumes.
#[derive(Debug)]
pub(crate) struct ConsumerLane {
    pub(crate) link: Link,
    options: FetchOptions,
    readings: Vec<Reading>,
    /// Where the search for a partition begins; answers come in the order of the request.
    cursor: usize,
    session: Session,
    /// The fetch under way, and when it was sent.
    open: Option<(i32, Nanos)>,
    is_closed: bool,
}

impl ConsumerLane {
    /// `readings` of one topic stand together.
    pub(crate) fn new(link: Link, options: FetchOptions, readings: Vec<Reading>) -> Self {
        Self {
            link,
            options,
            readings,
            cursor: 0,
            session: Session::new(options.in_sessions && options.version >= SESSIONS_VERSION),
            open: None,
            is_closed: false,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.is_closed
    }

    /// Asks for more if nothing is asked for; when to come back, if not for the answer.
    pub(crate) fn tick(
        &mut self,
        window: &Window,
        shared: &Shared,
    ) -> Result<Option<Nanos>, ClientError> {
        let now = window.now();
        let has_read_all = self.readings.is_empty();
        let is_over = now >= window.end && (!self.options.has_stamps || shared.is_delivered());
        if has_read_all || is_over || shared.stop.load(Ordering::Relaxed) {
            self.is_closed = true;
            return Ok(None);
        }
        if self.open.is_none() {
            let request = self.request();
            let id = self.link.queue(self.options.version, &request)?;
            self.open = Some((id, now));
            self.link.flush(API)?;
        }
        let come_back = if now < window.end {
            window.end
        } else {
            now + LOOK_AGAIN
        };
        Ok(Some(come_back))
    }

    /// Fails when the fetch should have been answered by now.
    pub(crate) fn check_deadline(&self, now: Nanos) -> Result<(), ClientError> {
        let limit = self.options.request_timeout + self.options.wait;
        match self.open {
            Some((_, sent)) if now > sent + nanos(limit) => Err(ClientError::TimedOut {
                address: self.link.address().to_owned(),
                api: API,
                waited: limit,
            }),
            _ => Ok(()),
        }
    }

    fn request(&mut self) -> FetchRequest {
        let is_full = self.session.is_full();
        if is_full {
            self.rotate();
        }
        let (session_id, session_epoch) = self.session.next();
        let mut topics: Vec<FetchTopic> = Vec::new();
        for reading in &mut self.readings {
            if !is_full && reading.asked == Some(reading.offset) {
                continue;
            }
            reading.asked = Some(reading.offset);
            let place = &reading.place;
            if topics.last().is_none_or(|topic| topic.topic != place.topic) {
                topics.push(FetchTopic {
                    topic: place.topic.clone(),
                    topic_id: place.id,
                    partitions: Vec::new(),
                });
            }
            let topic = topics.last_mut().expect("one was pushed if there was none");
            topic.partitions.push(FetchPartition {
                partition: place.partition,
                fetch_offset: reading.offset,
                partition_max_bytes: self.options.partition_max_bytes,
                ..FetchPartition::default()
            });
        }
        let forgotten = self.session.take_forgotten();
        FetchRequest {
            max_wait_ms: i32::try_from(self.options.wait.as_millis()).unwrap_or(i32::MAX),
            min_bytes: self.options.min_bytes,
            max_bytes: self.options.max_bytes,
            session_id,
            session_epoch,
            topics,
            forgotten_topics_data: forgotten.into_iter().map(forgotten_topic).collect(),
            ..FetchRequest::default()
        }
    }

    /// Puts another topic, and another partition of it, first, so that none is starved by the limits. In a session the
    /// broker takes turns itself.
    fn rotate(&mut self) {
        let first = self
            .readings
            .first()
            .map(|reading| reading.place.topic.clone());
        let of_first = self
            .readings
            .iter()
            .take_while(|reading| Some(&reading.place.topic) == first.as_ref())
            .count();
        self.readings[..of_first].rotate_left(1.min(of_first));
        self.readings.rotate_left(of_first);
        self.cursor = 0;
    }

    /// Reads the answer if it has come.
    pub(crate) fn receive(
        &mut self,
        window: &Window,
        stats: &mut SideStats,
        shared: &Shared,
    ) -> Result<(), ClientError> {
        if !self.link.fill(API)? {
            return Ok(());
        }
        let now = window.now();
        let address = self.link.address().to_owned();
        let Self {
            link,
            options,
            readings,
            cursor,
            session,
            open,
            ..
        } = self;
        link.frames(API, |body: Bytes| {
            let expected = open.take().map(|(id, _)| id);
            let answer = response::<FetchRequest>(&address, body, options.version, expected)?;
            if session.is_lost(answer.error_code) {
                return Ok(());
            }
            check(answer.error_code, "")?;
            session.answered(answer.session_id);
            let mut delivery = Delivery {
                options,
                window,
                now,
                stats,
                shared,
                counted: false,
            };
            deliver(&mut delivery, readings, cursor, answer, &address)
        })?;
        readings.retain(|reading| {
            let is_open = reading.end.is_none_or(|end| reading.offset < end);
            if !is_open {
                session.forget(&reading.place);
            }
            is_open
        });
        Ok(())
    }
}

fn forgotten_topic(place: Place) -> ForgottenTopic {
    ForgottenTopic {
        topic: place.topic,
        topic_id: place.id,
        partitions: vec![place.partition],
    }
}

/// What counting a response needs.
struct Delivery<'a> {
    options: &'a FetchOptions,
    window: &'a Window,
    now: Nanos,
    stats: &'a mut SideStats,
    shared: &'a Shared,
    /// Whether the request has been counted.
    counted: bool,
}

fn deliver(
    delivery: &mut Delivery<'_>,
    readings: &mut [Reading],
    cursor: &mut usize,
    answer: FetchResponse,
    address: &str,
) -> Result<(), ClientError> {
    for topic in answer.responses {
        let is_of = |place: &Place| {
            if topic.topic_id == Uuid::ZERO {
                place.topic == topic.topic
            } else {
                place.id == topic.topic_id
            }
        };
        for partition in topic.partitions {
            let index = partition.partition_index;
            check(partition.error_code, &format!("partition {index}"))?;
            let count = readings.len();
            let found = (0..count).map(|step| (*cursor + step) % count).find(|at| {
                let place = &readings[*at].place;
                place.partition == index && is_of(place)
            });
            let Some(at) = found else {
                let fault =
                    ResponseFault::Missing(format!("a partition {index} that was asked for"));
                return Err(bad(address, API, fault));
            };
            *cursor = at + 1;
            delivery.partition(&mut readings[at], partition)?;
        }
    }
    Ok(())
}

impl Delivery<'_> {
    fn partition(
        &mut self,
        reading: &mut Reading,
        answer: PartitionData,
    ) -> Result<(), ClientError> {
        let bytes = answer.records.unwrap_or_default().into_bytes();
        let mut rest = &bytes[..];
        let (from, mut last) = (reading.offset, None);
        while !rest.is_empty() {
            // The last batch may be cut.
            let Ok(header) = BatchHeader::parse(rest) else {
                break;
            };
            let (batch, behind) = rest.split_at(header.size_bytes);
            rest = behind;
            last = Some(header);
            if self.options.check_crcs {
                verify_crc(batch).map_err(|error| corrupt(reading, &header, error.to_string()))?;
            }
            if header.base_offset.0 < reading.offset {
                // It begins before what was asked for, which no batch of this program does.
                reading.offset = reading.offset.max(header.last_offset().0 + 1);
                continue;
            }
            if header.base_offset.0 != reading.offset {
                let detail = format!("the batch begins at {}", header.base_offset.0);
                return Err(corrupt(reading, &header, detail));
            }
            reading.offset = header.last_offset().0 + 1;
            if !header.is_control() {
                self.batch(batch, &header);
            }
        }
        // Asking again would bring the same for ever.
        if let Some(header) = last.filter(|_| reading.offset == from) {
            let detail = format!("only records before {from} came");
            return Err(corrupt(reading, &header, detail));
        }
        if let Some(position) = &reading.position {
            position.store(reading.offset, Ordering::Relaxed);
        }
        Ok(())
    }

    fn batch(&mut self, batch: &[u8], header: &BatchHeader) {
        let (now, window) = (self.now, self.window);
        let records = u64::try_from(header.record_count).unwrap_or(0);
        let bytes = batch.len() as u64;
        self.shared.delivered.fetch_add(records, Ordering::Relaxed);
        if !self.options.has_stamps {
            self.shared.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
        if window.holds(now) {
            self.stats.count(now - window.begin, records, bytes);
            if self.counted {
                self.stats.requests -= 1;
            }
            self.counted = true;
            self.stats.last = self.stats.last.max(now);
        }
        if !self.options.has_stamps {
            return;
        }
        let stamp: Option<Stamp> = stamp_of(batch, header);
        if let Some(due) = stamp.filter(|due| due.first <= now && window.holds(due.first)) {
            let since_begin = now.min(window.end.saturating_sub(1)) - window.begin;
            self.stats.latencies(since_begin, now, due, records);
        }
    }
}

fn corrupt(reading: &Reading, header: &BatchHeader, detail: String) -> ClientError {
    ClientError::CorruptRecords {
        topic: reading.place.topic.to_string(),
        partition: PartitionIndex(reading.place.partition),
        offset: Offset(header.base_offset.0),
        detail,
    }
}

fn check(code: i16, subject: &str) -> Result<(), ClientError> {
    if code == ErrorCode::None.code() {
        return Ok(());
    }
    Err(ClientError::Broker {
        api: API,
        subject: format!("from {subject}"),
        code: ErrorCode::from_code(code).unwrap_or(ErrorCode::UnknownServerError),
        message: None,
    })
}
