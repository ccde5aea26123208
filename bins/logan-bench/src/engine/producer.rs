//! A producing lane: one connection, some partitions, batches under way.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use client::{Acks, ClientError, ResponseFault};
use protocol::Records;
use protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use types::{ErrorCode, TimestampMs};

use super::link::{Link, bad, response};
use super::stats::SideStats;
use super::{Place, Shared, Window, nanos};
use crate::load::{Chance, Nanos, Plan, Pool, Stamp, Use};

const API: &str = "Produce";

/// Keys that are drawn for a batch until one belongs to the lane.
const DRAWS_MAX: usize = 64;

/// What all producing lanes have in common.
#[derive(Clone, Debug)]
pub(crate) struct ProducerOptions {
    pub(crate) version: i16,
    pub(crate) acks: Acks,
    pub(crate) in_flight_max: usize,
    pub(crate) linger: Duration,
    pub(crate) request_timeout: Duration,
    /// Records that all lanes together send, if there is a limit.
    pub(crate) records_left: Option<Arc<AtomicU64>>,
}

/// When a lane sends.
#[derive(Clone, Debug)]
pub(crate) enum Pacing {
    /// As soon as there is room.
    Closed,
    /// Every `stride`th record of the plan, beginning with number `next`.
    Open {
        plan: Arc<Plan>,
        next: u64,
        stride: u64,
    },
}

/// Who an idempotent producer is, and the next sequence number of each of its partitions.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) id: i64,
    pub(crate) epoch: i16,
    pub(crate) sequences: Vec<i32>,
}

/// A batch under way.
#[derive(Clone, Copy, Debug)]
struct Flight {
    correlation_id: i32,
    due: Stamp,
    records: u64,
    bytes: u64,
    sent: Nanos,
}

/// What may be sent now.
enum Ready {
    Batch { due: Stamp, count: usize },
    At(Nanos),
}

/// One connection that produces.
#[derive(Debug)]
pub(crate) struct ProducerLane {
    pub(crate) link: Link,
    options: ProducerOptions,
    places: Vec<Place>,
    pool: Arc<Pool>,
    pacing: Pacing,
    identity: Option<Identity>,
    chance: Chance,
    turn: usize,
    in_flight: VecDeque<Flight>,
    is_closed: bool,
    has_noted_behind: bool,
}

impl ProducerLane {
    /// `number` makes lanes begin at different partitions.
    pub(crate) fn new(
        link: Link,
        options: ProducerOptions,
        (places, pool): (Vec<Place>, Arc<Pool>),
        (pacing, identity): (Pacing, Option<Identity>),
        number: usize,
    ) -> Self {
        Self {
            link,
            options,
            places,
            pool,
            pacing,
            identity,
            chance: Chance::new(number as u64),
            turn: number,
            in_flight: VecDeque::new(),
            is_closed: false,
            has_noted_behind: false,
        }
    }

    /// Whether nothing is sent any more and everything is answered.
    pub(crate) fn is_done(&self) -> bool {
        self.is_closed && self.in_flight.is_empty()
    }

    /// Sends what is due; when to come back, if not for an answer.
    pub(crate) fn tick(
        &mut self,
        window: &Window,
        stats: &mut SideStats,
        shared: &Shared,
    ) -> Result<Option<Nanos>, ClientError> {
        let mut come_back = None;
        loop {
            if self.is_closed || self.in_flight.len() >= self.options.in_flight_max {
                break;
            }
            let now = window.now();
            if now >= window.end {
                self.note_behind(window, stats);
            }
            if self.is_over(now, window) || shared.stop.load(Ordering::Relaxed) {
                self.is_closed = true;
                break;
            }
            let (place, group) = self.choose();
            match self.ready(now, group, window.end) {
                Ready::Batch { due, count } => match self.take(count) {
                    0 => self.is_closed = true,
                    count => self.send(place, due, count, now)?,
                },
                Ready::At(time) => {
                    come_back = Some(time);
                    break;
                }
            }
            // Each goes out at once: latency counts from here.
            self.link.flush(API)?;
        }
        if self.options.acks == Acks::None && !self.link.wants_write() {
            self.count_unanswered(window, stats, shared);
        }
        Ok(come_back)
    }

    /// Fails when the oldest request should have been answered by now.
    pub(crate) fn check_deadline(&self, now: Nanos) -> Result<(), ClientError> {
        let limit = self.options.request_timeout;
        match self.in_flight.front() {
            Some(oldest) if now > oldest.sent + nanos(limit) => Err(ClientError::TimedOut {
                address: self.link.address().to_owned(),
                api: API,
                waited: limit,
            }),
            _ => Ok(()),
        }
    }

    /// The partition whose turn it is, among this lane's, and its ready-made batches. Where keys decide, a lane draws until
    /// the key belongs to one of its node's partitions; nodes share the load evenly all the same.
    fn choose(&mut self) -> (usize, usize) {
        for _ in 0..DRAWS_MAX {
            let Some(group) = self.pool.choose(&mut self.chance) else {
                break;
            };
            let found = self.places.iter().position(|place| place.group == group);
            if let Some(place) = found {
                return (place, group);
            }
        }
        let place = self.turn % self.places.len();
        (place, self.places[place].group)
    }

    /// Whether nothing more is to be sent. What was due within the window still goes behind it.
    fn is_over(&self, now: Nanos, window: &Window) -> bool {
        match &self.pacing {
            Pacing::Closed => now >= window.end,
            Pacing::Open { plan, next, .. } => plan.due(*next) >= window.end,
        }
    }

    fn ready(&mut self, now: Nanos, group: usize, end: Nanos) -> Ready {
        let full = self.pool.group(group).full(self.turn);
        let Pacing::Open { plan, next, stride } = &mut self.pacing else {
            let due = Stamp {
                first: now,
                last: now,
            };
            return Ready::Batch { due, count: full };
        };
        let due = |number: usize| plan.due(*next + *stride * number as u64);
        let first = due(0);
        if first > now {
            return Ready::At(first);
        }
        let is_due = |number: &usize| due(*number) <= now && due(*number) < end;
        let count = (1..full).take_while(is_due).count() + 1;
        let lingers_until = first.saturating_add(nanos(self.options.linger));
        if count < full && now < lingers_until {
            return Ready::At(lingers_until.min(due(full - 1)));
        }
        let last = due(count - 1);
        *next += *stride * count as u64;
        Ready::Batch {
            due: Stamp { first, last },
            count,
        }
    }

    /// How many of so many records may be sent.
    fn take(&self, wanted: usize) -> usize {
        let Some(left) = &self.options.records_left else {
            return wanted;
        };
        let wanted = wanted as u64;
        let before = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            Some(left.saturating_sub(wanted))
        });
        let before = before.expect("the closure always gives a number");
        usize::try_from(before.min(wanted)).expect("it is not more than was wanted")
    }

    fn send(&mut self, at: usize, due: Stamp, count: usize, now: Nanos) -> Result<(), ClientError> {
        let place = &self.places[at];
        let producer = match &mut self.identity {
            None => (-1, -1, -1),
            Some(identity) => {
                let sequence = identity.sequences[at];
                let records = i32::try_from(count).unwrap_or(i32::MAX);
                // Sequence numbers begin again at 0 behind the greatest.
                identity.sequences[at] = sequence.wrapping_add(records) & i32::MAX;
                (identity.id, identity.epoch, sequence)
            }
        };
        let (pieces, size) = self.pool.group(place.group).batch(
            self.turn,
            &Use {
                count,
                stamp: due,
                timestamp: wall_clock(),
                producer,
            },
        );
        let request = ProduceRequest {
            transactional_id: None,
            acks: self.options.acks.code(),
            timeout_ms: i32::try_from(self.options.request_timeout.as_millis()).unwrap_or(i32::MAX),
            topic_data: vec![TopicProduceData {
                name: place.topic.clone(),
                topic_id: place.id,
                partition_data: vec![PartitionProduceData {
                    index: place.partition,
                    records: Some(Records::from_chunks(pieces)),
                }],
            }],
        };
        let correlation_id = self.link.queue(self.options.version, &request)?;
        self.turn = self.turn.wrapping_add(1);
        self.in_flight.push_back(Flight {
            correlation_id,
            due,
            records: count as u64,
            bytes: size as u64,
            sent: now,
        });
        Ok(())
    }

    /// Counts, once, what was due within the window and has not been sent at its end.
    fn note_behind(&mut self, window: &Window, stats: &mut SideStats) {
        if std::mem::replace(&mut self.has_noted_behind, true) {
            return;
        }
        if let Pacing::Open { plan, next, stride } = &self.pacing
            && self.options.records_left.is_none()
        {
            let due = plan.due_before(window.end);
            stats.behind += due.saturating_sub(*next).div_ceil(*stride);
        }
    }

    /// Reads the answers that have come.
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
        let (in_flight, version) = (&mut self.in_flight, self.options.version);
        let address = self.link.address().to_owned();
        self.link.frames(API, |body: Bytes| {
            let flight = in_flight.pop_front();
            let expected = flight.map(|flight| flight.correlation_id);
            let answer = response::<ProduceRequest>(&address, body, version, expected)?;
            let topic = answer.responses.first();
            let partition = topic.and_then(|topic| topic.partition_responses.first());
            let (Some(partition), Some(flight)) = (partition, flight) else {
                let missing = ResponseFault::Missing("the partition".to_owned());
                return Err(bad(&address, API, missing));
            };
            check(
                partition.error_code,
                partition.index,
                partition.error_message.as_deref(),
            )?;
            acknowledged(flight, now, window, (stats, shared));
            Ok(())
        })
    }

    /// With acks=0 there are no answers: what the socket has taken counts.
    fn count_unanswered(&mut self, window: &Window, stats: &mut SideStats, shared: &Shared) {
        let now = window.now();
        for flight in self.in_flight.drain(..) {
            acknowledged(flight, now, window, (stats, shared));
        }
    }
}

fn check(code: i16, partition: i32, message: Option<&str>) -> Result<(), ClientError> {
    if code == ErrorCode::None.code() {
        return Ok(());
    }
    Err(ClientError::Broker {
        api: API,
        subject: format!("to partition {partition}"),
        code: ErrorCode::from_code(code).unwrap_or(ErrorCode::UnknownServerError),
        message: message.map(str::to_owned),
    })
}

fn acknowledged(
    flight: Flight,
    now: Nanos,
    window: &Window,
    (stats, shared): (&mut SideStats, &Shared),
) {
    shared
        .acknowledged
        .fetch_add(flight.records, Ordering::Relaxed);
    shared.bytes.fetch_add(flight.bytes, Ordering::Relaxed);
    if window.holds(now) {
        stats.count(now - window.begin, flight.records, flight.bytes);
        stats.last = stats.last.max(now);
    }
    // Those that were due in the window count, also when their answers come behind it.
    if window.holds(flight.due.first) {
        let since_begin = now.min(window.end.saturating_sub(1)) - window.begin;
        stats.latencies(since_begin, now, flight.due, flight.records);
    }
}

fn wall_clock() -> TimestampMs {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let millis = since.map_or(0, |since| since.as_millis());
    TimestampMs(i64::try_from(millis).unwrap_or(i64::MAX))
}
