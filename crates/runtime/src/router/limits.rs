//! How many connections are taken, and how fast. Pure bookkeeping: the router tells it what happens and when.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use io::Instant;
use types::ShardId;

use crate::lease::Notice;

/// Kafka's limits of connections; `max.connections` and so on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// `max.connections`: beyond it nobody is accepted until a connection closes.
    pub connections_max: usize,
    /// `max.connections.per.ip`: beyond it an accepted connection is closed at once.
    pub connections_per_ip_max: usize,
    /// `max.connections.per.ip.overrides`.
    pub connections_per_ip_overrides: BTreeMap<IpAddr, usize>,
    /// `max.connection.creation.rate` in connections per second: beyond it accepting waits.
    pub creation_rate_max: u32,
}

impl Default for ConnectionLimits {
    /// Kafka's defaults: no limits.
    fn default() -> Self {
        Self {
            connections_max: usize::MAX,
            connections_per_ip_max: usize::MAX,
            connections_per_ip_overrides: BTreeMap::new(),
            creation_rate_max: u32::MAX,
        }
    }
}

/// What is open now.
#[derive(Debug)]
pub(super) struct Census {
    limits: ConnectionLimits,
    total: usize,
    by_ip: BTreeMap<IpAddr, usize>,
    by_shard: Vec<usize>,
    /// Where the search for the least loaded shard begins, so that equals take turns.
    next_shard: usize,
    bucket: TokenBucket,
}

impl Census {
    pub(super) fn new(limits: ConnectionLimits, shard_count: usize, now: Instant) -> Self {
        assert!(shard_count > 0, "somebody has to serve connections");
        Self {
            bucket: TokenBucket::full(limits.creation_rate_max, now),
            limits,
            total: 0,
            by_ip: BTreeMap::new(),
            by_shard: vec![0; shard_count],
            next_shard: 0,
        }
    }

    /// Takes other limits from now on. What is open stays open.
    pub(super) fn set_limits(&mut self, limits: ConnectionLimits, now: Instant) {
        if limits.creation_rate_max != self.limits.creation_rate_max {
            self.bucket = TokenBucket::full(limits.creation_rate_max, now);
        }
        self.limits = limits;
    }

    pub(super) fn total(&self) -> usize {
        self.total
    }

    /// Whether `max.connections` is reached.
    pub(super) fn is_full(&self) -> bool {
        self.total >= self.limits.connections_max
    }

    /// How long to wait before the next connection may be accepted; zero for not at all.
    pub(super) fn accept_delay(&mut self, now: Instant) -> Duration {
        self.bucket.delay(now)
    }

    /// Counts an accepted connection against the rate.
    pub(super) fn accepted(&mut self) {
        self.bucket.take();
    }

    /// Whether this client may have one more connection.
    pub(super) fn admits(&self, ip: IpAddr) -> bool {
        let max = self
            .limits
            .connections_per_ip_overrides
            .get(&ip)
            .copied()
            .unwrap_or(self.limits.connections_per_ip_max);
        self.by_ip.get(&ip).copied().unwrap_or(0) < max
    }

    /// The shard with the fewest connections; equals take turns.
    pub(super) fn least_loaded(&mut self) -> ShardId {
        let count = self.by_shard.len();
        let best = (0..count)
            .map(|step| (self.next_shard + step) % count)
            .min_by_key(|&shard| self.by_shard[shard])
            .expect("there is a shard");
        self.next_shard = (best + 1) % count;
        ShardId(u16::try_from(best).expect("shard ids are 16 bits wide"))
    }

    pub(super) fn opened(&mut self, ip: IpAddr, shard: ShardId) {
        self.total += 1;
        *self.by_ip.entry(ip).or_default() += 1;
        self.by_shard[usize::from(shard.0)] += 1;
    }

    pub(super) fn note(&mut self, notice: Notice) {
        match notice {
            Notice::Closed { ip, shard } => {
                self.total -= 1;
                self.by_shard[usize::from(shard.0)] -= 1;
                let count = self
                    .by_ip
                    .get_mut(&ip)
                    .expect("an open connection is counted");
                *count -= 1;
                if *count == 0 {
                    self.by_ip.remove(&ip);
                }
            }
            Notice::Moved { from, to } => {
                self.by_shard[usize::from(from.0)] -= 1;
                self.by_shard[usize::from(to.0)] += 1;
            }
        }
    }
}

const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// A bucket of one second's worth of tokens, counted in billionths of a token.
#[derive(Debug)]
struct TokenBucket {
    rate_per_second: u32,
    nano_tokens: u128,
    filled_at: Instant,
}

impl TokenBucket {
    fn full(rate_per_second: u32, now: Instant) -> Self {
        let rate_per_second = rate_per_second.max(1);
        Self {
            rate_per_second,
            nano_tokens: u128::from(rate_per_second) * NANOS_PER_SECOND,
            filled_at: now,
        }
    }

    fn delay(&mut self, now: Instant) -> Duration {
        let rate = u128::from(self.rate_per_second);
        let passed = (now - self.filled_at).as_nanos();
        self.nano_tokens = (self.nano_tokens + passed * rate).min(rate * NANOS_PER_SECOND);
        self.filled_at = now;
        let missing = NANOS_PER_SECOND.saturating_sub(self.nano_tokens);
        let wait_nanos = missing.div_ceil(rate);
        Duration::from_nanos(u64::try_from(wait_nanos).expect("at most one second"))
    }

    fn take(&mut self) {
        self.nano_tokens = self.nano_tokens.saturating_sub(NANOS_PER_SECOND);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const ALICE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
    const BOB: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));

    fn census(limits: ConnectionLimits) -> Census {
        Census::new(limits, 3, Instant(0))
    }

    fn open(census: &mut Census, ip: IpAddr) -> ShardId {
        let shard = census.least_loaded();
        census.opened(ip, shard);
        shard
    }

    #[test]
    fn shards_take_turns_and_gaps_are_filled_first() {
        let mut census = census(ConnectionLimits::default());
        let shards: Vec<_> = (0..6).map(|_| open(&mut census, ALICE).0).collect();
        assert_eq!(shards, [0, 1, 2, 0, 1, 2]);
        let shard = ShardId(1);
        census.note(Notice::Closed { ip: ALICE, shard });
        assert_eq!(open(&mut census, BOB), shard);
    }

    #[test]
    fn a_connection_that_moved_counts_where_it_is() {
        let mut census = census(ConnectionLimits::default());
        assert_eq!(open(&mut census, ALICE), ShardId(0));
        census.note(Notice::Moved {
            from: ShardId(0),
            to: ShardId(2),
        });
        assert_eq!(census.by_shard, [0, 0, 1]);
        census.note(Notice::Closed {
            ip: ALICE,
            shard: ShardId(2),
        });
        assert_eq!((census.total(), census.by_shard), (0, vec![0, 0, 0]));
    }

    #[test]
    fn limits_hold_until_a_connection_closes() {
        let mut census = census(ConnectionLimits {
            connections_max: 3,
            connections_per_ip_max: 1,
            connections_per_ip_overrides: BTreeMap::from([(BOB, 2)]),
            ..ConnectionLimits::default()
        });
        let shard = open(&mut census, ALICE);
        assert!(!census.admits(ALICE));
        open(&mut census, BOB);
        assert!(census.admits(BOB) && !census.is_full());
        open(&mut census, BOB);
        assert!(!census.admits(BOB) && census.is_full());
        census.note(Notice::Closed { ip: ALICE, shard });
        assert!(census.admits(ALICE) && !census.is_full());
    }

    #[test]
    fn other_limits_hold_at_once() {
        let mut census = census(ConnectionLimits::default());
        open(&mut census, ALICE);
        open(&mut census, ALICE);
        let limits = ConnectionLimits {
            connections_max: 2,
            connections_per_ip_max: 1,
            creation_rate_max: 1,
            ..ConnectionLimits::default()
        };
        census.set_limits(limits, Instant(0));
        assert!(census.is_full() && !census.admits(ALICE) && census.admits(BOB));
        assert_eq!(census.accept_delay(Instant(0)), Duration::ZERO);
        census.accepted();
        assert_eq!(census.accept_delay(Instant(0)), Duration::from_secs(1));
        census.set_limits(ConnectionLimits::default(), Instant(0));
        assert!(!census.is_full() && census.admits(ALICE));
        assert_eq!(census.accept_delay(Instant(0)), Duration::ZERO);
    }

    #[test]
    fn accepting_waits_for_the_rate() {
        let mut census = census(ConnectionLimits {
            creation_rate_max: 2,
            ..ConnectionLimits::default()
        });
        let second = Instant(0) + Duration::from_secs(1);
        for _ in 0..2 {
            assert_eq!(census.accept_delay(Instant(0)), Duration::ZERO);
            census.accepted();
        }
        assert_eq!(census.accept_delay(Instant(0)), Duration::from_millis(500));
        assert_eq!(census.accept_delay(second), Duration::ZERO);
        census.accepted();
        census.accepted();
        assert_eq!(census.accept_delay(second), Duration::from_millis(500));
    }
}
