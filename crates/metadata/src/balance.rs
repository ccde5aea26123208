//! Deciding which partitions go to other shards so that all shards have about as much work.
//!
//! What is weighed is work that was measured, not how many partitions there are: the time that a partition's shard spent
//! on it, and its bytes in and out, each of which counts as [`NANOS_PER_BYTE`], since sockets and disks take their share
//! too. [`Balancer`] keeps a moving average of it, so that one busy moment moves nothing, and remembers what has
//! moved lately. [`decide_balance`] is the decision by itself.
//!
//! No clock, no I/O: the caller measures, says how much time has passed, and carries the moves out. It lives on the
//! controller's shard. It deliberately does not swap partitions, and does not know how busy a shard is with what belongs
//! to no partition.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use types::{PartitionIndex, ShardId, Uuid};

use crate::placement::PartitionMove;

/// What a byte in or out counts as: a core moves about a gigabyte each second between sockets, memory and disk.
pub const NANOS_PER_BYTE: u64 = 1;

/// Shards that differ by less than this, a thousandth of a core, are equal whatever they have in percent.
pub const WORK_DIFFERENCE_MIN: u64 = 1_000_000;

/// The last measurement counts one in this many; those before it the rest.
const AVERAGE_OVER: u64 = 2;

/// What a partition has caused during some time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartitionLoad {
    /// Record bytes appended.
    pub bytes_in: u64,
    /// Record bytes read.
    pub bytes_out: u64,
    /// What its shard spent on it.
    pub busy: Duration,
}

impl PartitionLoad {
    /// Whether nothing has happened.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        *self == Self::default()
    }

    /// Everything as one number, in nanoseconds of work for each second of `elapsed`.
    #[must_use]
    pub fn work(&self, elapsed: Duration) -> u64 {
        let bytes = u128::from(self.bytes_in) + u128::from(self.bytes_out);
        let work = self.busy.as_nanos() + bytes * u128::from(NANOS_PER_BYTE);
        let nanos_per_second = Duration::from_secs(1).as_nanos();
        let each_second = work.saturating_mul(nanos_per_second) / elapsed.as_nanos().max(1);
        // Sums over all partitions stay within 64 bits.
        u64::try_from(each_second).unwrap_or(u64::MAX).min(WORK_MAX)
    }
}

/// More than any core does in a second.
const WORK_MAX: u64 = 1 << 40;

/// A partition with its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weighed {
    /// Its topic.
    pub topic_id: Uuid,
    /// Its index.
    pub partition: PartitionIndex,
    /// The shard that owns it.
    pub shard: ShardId,
    /// Nanoseconds of work in a second.
    pub work: u64,
    /// Whether it has not moved lately.
    pub may_move: bool,
}

/// How much imbalance is borne, and how much is moved at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BalanceRules {
    /// The shards of the machine, at least 1.
    pub shards: u16,
    /// Two shards may differ by this share of the average shard's work, in percent.
    pub threshold_percent: u32,
    /// The most moves of one decision.
    pub moves_max: usize,
}

/// Decides which partitions move: from the busiest shard that can give one to the least busy shard, as long as these two
/// differ by more than the threshold.
///
/// Every move brings its two shards nearer to each other, by half the threshold at least unless the partition is smaller
/// than that; so a difference that measuring makes moves nothing back. A partition that is as large as the whole
/// difference stays, and so do small ones beside it that would not matter together. A busy partition stays where moving
/// less busy ones does as much.
///
/// # Panics
///
/// If there is no shard.
#[must_use]
pub fn decide_balance(partitions: &[Weighed], rules: &BalanceRules) -> Vec<PartitionMove> {
    assert!(rules.shards > 0, "a machine has a shard");
    let mut shards = Shards::of(partitions, rules);
    let mut moves = Vec::new();
    while moves.len() < rules.moves_max {
        let Some(next) = shards.next_move() else {
            break;
        };
        moves.push(next);
    }
    moves
}

/// What every shard has to do, while a decision moves partitions.
struct Shards {
    works: Vec<u64>,
    /// The partitions of each shard that may move, the largest first.
    movable: Vec<Vec<Weighed>>,
    threshold: u64,
}

impl Shards {
    fn of(partitions: &[Weighed], rules: &BalanceRules) -> Self {
        let count = usize::from(rules.shards);
        let (mut works, mut movable) = (vec![0_u64; count], vec![Vec::new(); count]);
        for partition in partitions {
            let shard = usize::from(partition.shard.0);
            // Shards that no longer run have nothing.
            let Some(work) = works.get_mut(shard) else {
                continue;
            };
            *work = work.saturating_add(partition.work);
            if partition.may_move && partition.work > 0 {
                movable[shard].push(*partition);
            }
        }
        for partitions in &mut movable {
            partitions.sort_by_key(|it| (Reverse(it.work), it.topic_id, it.partition));
        }
        let all = works
            .iter()
            .fold(0, |sum: u64, work| sum.saturating_add(*work));
        let mean = u128::from(all) / u128::from(rules.shards);
        let threshold = mean * u128::from(rules.threshold_percent) / 100;
        Self {
            works,
            movable,
            threshold: u64::try_from(threshold)
                .unwrap_or(u64::MAX)
                .max(WORK_DIFFERENCE_MIN),
        }
    }

    fn next_move(&mut self) -> Option<PartitionMove> {
        let mut order: Vec<usize> = (0..self.works.len()).collect();
        order.sort_by_key(|shard| (Reverse(self.works[*shard]), *shard));
        let coldest = *order.last().expect("a machine has a shard");
        let (hot, place) = order
            .into_iter()
            .find_map(|hot| Some((hot, self.best_of(hot, coldest)?)))?;
        // It moves once in a decision.
        let chosen = self.movable[hot].remove(place);
        self.works[hot] -= chosen.work;
        self.works[coldest] += chosen.work;
        Some(PartitionMove {
            topic_id: chosen.topic_id,
            partition: chosen.partition,
            from: chosen.shard,
            to: ShardId(u16::try_from(coldest).expect("shards are numbered in 16 bits")),
        })
    }

    /// The place of the partition that makes two shards most alike, if it is worth the while.
    fn best_of(&self, hot: usize, cold: usize) -> Option<usize> {
        let difference = self.works[hot].checked_sub(self.works[cold])?;
        if difference <= self.threshold {
            return None;
        }
        let partitions = &self.movable[hot];
        // A larger one would leave the other shard ahead by nearly as much.
        let largest = difference - self.threshold / 2;
        let first = partitions.partition_point(|it| it.work > largest);
        let fitting = &partitions[first..];
        // Those of more than half the difference leave the other shard ahead; they are as good as what remains.
        let larger = fitting.partition_point(|it| it.work > difference / 2);
        let smaller = fitting[larger..].iter().map(|it| it.work);
        let together = smaller.fold(0, u64::saturating_add);
        let large = larger.checked_sub(1);
        let small = (larger < fitting.len()).then_some(larger);
        let remaining = |place: &usize| (2 * fitting[*place].work).abs_diff(difference);
        let best = match large {
            // Busy partitions move only where the others together would not do as much.
            Some(large) if together < difference - fitting[large].work => [small, Some(large)]
                .into_iter()
                .flatten()
                .min_by_key(remaining),
            None if together < self.threshold / 2 => None,
            _ => small,
        }?;
        Some(first + best)
    }
}

/// What a shard has measured of one of its partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Its topic.
    pub topic_id: Uuid,
    /// Its index.
    pub partition: PartitionIndex,
    /// The shard that owns it.
    pub shard: ShardId,
    /// What it has caused since it was measured last.
    pub load: PartitionLoad,
}

/// What is known of a partition.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// Where it was seen or sent last.
    shard: ShardId,
    work: u64,
    /// When it was last told to move.
    moved_at: Option<Duration>,
}

/// What has been measured so far, and what has been moved.
#[derive(Clone, Debug, Default)]
pub struct Balancer {
    /// Partitions that have had work or have moved lately.
    partitions: BTreeMap<(Uuid, PartitionIndex), Known>,
}

impl Balancer {
    /// Takes in what was measured during `elapsed`, and decides. `now` is the time since any fixed moment; a partition
    /// that was moved less than `pause` ago stays. Whatever is returned counts as moved.
    ///
    /// Partitions without load need not be among the measured.
    ///
    /// # Panics
    ///
    /// If there is no shard.
    pub fn decide(
        &mut self,
        measured: &[Measured],
        elapsed: Duration,
        (now, pause): (Duration, Duration),
        rules: &BalanceRules,
    ) -> Vec<PartitionMove> {
        self.average(measured, elapsed);
        let may_move = |known: &Known| {
            let since = known.moved_at.map(|at| now.saturating_sub(at));
            since.is_none_or(|since| since >= pause)
        };
        self.partitions
            .retain(|_, known| known.work > 0 || !may_move(known));
        let weigh = |((topic_id, partition), known): (&(Uuid, PartitionIndex), &Known)| Weighed {
            topic_id: *topic_id,
            partition: *partition,
            shard: known.shard,
            work: known.work,
            may_move: may_move(known),
        };
        let weighed: Vec<_> = self.partitions.iter().map(weigh).collect();
        let moves = decide_balance(&weighed, rules);
        for moved in &moves {
            let known = self.partitions.get_mut(&(moved.topic_id, moved.partition));
            let known = known.expect("what moves was weighed");
            known.moved_at = Some(now);
            known.shard = moved.to;
        }
        moves
    }

    fn average(&mut self, measured: &[Measured], elapsed: Duration) {
        for known in self.partitions.values_mut() {
            known.work -= known.work.div_ceil(AVERAGE_OVER);
        }
        for it in measured {
            let known = self.partitions.entry((it.topic_id, it.partition));
            let known = known.or_insert(Known {
                shard: it.shard,
                work: 0,
                moved_at: None,
            });
            known.work += it.load.work(elapsed) / AVERAGE_OVER;
            known.shard = it.shard;
        }
    }
}
