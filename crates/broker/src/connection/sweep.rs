//! Closes connections that are idle, or that stall in the middle of a request or a response.
//!
//! One task per shard looks at every connection each [`SWEEP_INTERVAL`]; nothing is armed per request.
//! Idle is Kafka's `connections.max.idle.ms`. A client that has begun a request must deliver at least
//! `logan.request.bytes.per.second.min` after a grace period, and one that is being sent a response must take some
//! of it within the same period, and all of it in good time while others wait for memory: both hold memory of the shard.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use io::{Instant, Io};

use super::Connection;
use crate::shard::Shard;
use crate::traffic::{Counters, add};

/// How often connections are looked at.
const SWEEP_INTERVAL: Duration = Duration::from_millis(1_000);

/// How long a request or response may stand still, or a request be slower than the minimum rate.
const STALL_GRACE: Duration = Duration::from_secs(10);

/// The same when the memory for requests or for responses is short: clients that stall may not hold up the others for
/// long, and they give it back one after the other.
const STALL_GRACE_UNDER_PRESSURE: Duration = Duration::from_secs(2);

/// When memory for requests is short, each has to arrive at a rate that would bring all of it within this time, and when
/// memory for responses is, each has to be taken at such a rate: what a slow client holds keeps others out.
const SECONDS_UNDER_PRESSURE: u64 = 30;

/// What the last sweep saw.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Observed {
    received_bytes: u64,
    sent_bytes: u64,
    /// Since when requests come in too slowly, if they do.
    slow_request_since: Option<Instant>,
    /// Since when a response has not moved, or not fast enough, if it has not.
    stuck_response_since: Option<Instant>,
}

/// Sweeps until the shard ends.
pub(crate) async fn sweep_connections<I: Io>(shard: Rc<Shard<I>>) {
    loop {
        shard.io.sleep_until(shard.io.now() + SWEEP_INTERVAL).await;
        let now = shard.io.now();
        let grace = |is_short| {
            if is_short {
                STALL_GRACE_UNDER_PRESSURE
            } else {
                STALL_GRACE
            }
        };
        let responses_are_short = shard.response_budget.is_short() || shard.answers.are_short();
        let config = shard.config();
        let request_bytes_min = config.values.logan_request_bytes_per_second_min;
        let limits = Limits {
            idle_max: config.idle_limit(),
            request_bytes_min: u64::try_from(request_bytes_min).unwrap_or(0),
            request_seconds_max: shard
                .request_budget
                .is_short()
                .then_some(SECONDS_UNDER_PRESSURE),
            request_grace: grace(shard.request_budget.is_short()),
            response_grace: grace(responses_are_short),
            response_seconds_max: responses_are_short.then_some(SECONDS_UNDER_PRESSURE),
        };
        for (_, connection) in shard.connections.borrow().iter() {
            if let Some(offence) = connection.reason_to_close(now, limits) {
                add(offence.count(&shard.counters), 1);
                let (peer, reason) = (connection.peer, offence.reason());
                if offence != Offence::Idle && shard.log_limit.admit(now) {
                    tracing::warn!(%peer, "closed a connection: {reason}");
                }
                connection.close(reason);
            }
        }
    }
}

/// What a connection is closed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Offence {
    SlowRequest,
    UnreadResponse,
    Idle,
}

impl Offence {
    fn reason(self) -> &'static str {
        match self {
            Self::SlowRequest => "a request arrives too slowly",
            Self::UnreadResponse => "a response is not being read",
            Self::Idle => "idle for connections.max.idle.ms",
        }
    }

    fn count(self, counters: &Counters) -> &Cell<u64> {
        match self {
            Self::SlowRequest => &counters.closed_slow,
            Self::UnreadResponse => &counters.closed_unread,
            Self::Idle => &counters.closed_idle,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    idle_max: Option<Duration>,
    request_bytes_min: u64,
    /// Seconds within which a whole request has to arrive, if there is such a limit now.
    request_seconds_max: Option<u64>,
    request_grace: Duration,
    response_grace: Duration,
    /// Seconds within which a whole response has to be taken, if there is such a limit now.
    response_seconds_max: Option<u64>,
}

impl Connection {
    fn reason_to_close(&self, now: Instant, limits: Limits) -> Option<Offence> {
        let before = self.sweep.get();
        let received = self.progress.received_bytes.get();
        let sent = self.outbound.sent_bytes();
        let whole_frame = |seconds| self.progress.frame_len.get() / seconds;
        let bytes_min = limits
            .request_seconds_max
            .map_or(0, whole_frame)
            .max(limits.request_bytes_min);
        let is_slow = self.progress.is_mid_frame.get()
            && !self.progress.waits_for_budget.get()
            && received - before.received_bytes < bytes_min;
        let writing = self.outbound.writing_bytes();
        let sent_min = limits
            .response_seconds_max
            .map_or(1, |seconds| (writing / seconds).max(1));
        let is_stuck = writing > 0 && sent - before.sent_bytes < sent_min;
        let observed = Observed {
            received_bytes: received,
            sent_bytes: sent,
            slow_request_since: is_slow.then(|| before.slow_request_since.unwrap_or(now)),
            stuck_response_since: is_stuck.then(|| before.stuck_response_since.unwrap_or(now)),
        };
        self.sweep.set(observed);
        let too_long = |since: Option<Instant>, grace| {
            since.is_some_and(|since| now.saturating_since(since) >= grace)
        };
        let is_idle = !self.progress.is_mid_frame.get() && self.outbound.is_idle();
        let idle_for = now.saturating_since(self.last_request.get());
        if too_long(observed.slow_request_since, limits.request_grace) {
            Some(Offence::SlowRequest)
        } else if too_long(observed.stuck_response_since, limits.response_grace) {
            Some(Offence::UnreadResponse)
        } else if is_idle && limits.idle_max.is_some_and(|idle_max| idle_for >= idle_max) {
            Some(Offence::Idle)
        } else {
            None
        }
    }
}
