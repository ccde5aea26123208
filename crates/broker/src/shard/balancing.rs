//! The balancer: a task of the controller's shard that asks all shards what their partitions cost, and has the controller
//! move some if the shards differ too much.
//!
//! What moves is [`metadata::Balancer`]'s decision; how it moves stands in `docs/adr/0009`. Only here is the clock read. As
//! long as it is off nothing is measured.

use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use config::BrokerConfig;
use futures_util::future::{join_all, select};
use io::{Instant, Io};
use metadata::{BalanceRules, Balancer, Measured};
use types::PartitionIndex;

use super::Shard;
use crate::controller::{Command, CommandResult};
use crate::message::{Control, Reply};

/// Balances until the shard drains.
pub(super) async fn balance<I: Io>(shard: Rc<Shard<I>>) {
    let mut running: Option<Round> = None;
    loop {
        let (draining, reconfigured) = (shard.drain_begins(), shard.reconfigured.notified());
        if shard.is_draining() {
            return;
        }
        let config = shard.config();
        let woken = select(draining, reconfigured);
        if !config.values.logan_balancer_enable {
            running = None;
            woken.await;
            continue;
        }
        let Some(round) = &mut running else {
            // What was measured before it was last switched off says nothing.
            drop(shard.loads_of_all().await);
            running = Some(Round::begun_at(shard.io.now()));
            continue;
        };
        let interval = millis(config.values.logan_balancer_interval_ms);
        let next = round.measured_at + interval;
        if shard.io.now() < next {
            select(pin!(shard.io.sleep_until(next)), woken).await;
            continue;
        }
        round.carry_out(&shard, &config).await;
    }
}

/// What is kept from one look to the next.
struct Round {
    balancer: Balancer,
    began: Instant,
    measured_at: Instant,
}

impl Round {
    fn begun_at(now: Instant) -> Self {
        Self {
            balancer: Balancer::default(),
            began: now,
            measured_at: now,
        }
    }

    async fn carry_out<I: Io>(&mut self, shard: &Rc<Shard<I>>, config: &BrokerConfig) {
        let measured = shard.loads_of_all().await;
        let now = shard.io.now();
        let elapsed = now.saturating_since(self.measured_at);
        self.measured_at = now;
        let values = &config.values;
        let shards = shard.mesh.shards().count();
        let rules = BalanceRules {
            shards: u16::try_from(shards).expect("shards are numbered in 16 bits"),
            threshold_percent: u32::try_from(values.logan_balancer_threshold_percent)
                .unwrap_or(u32::MAX),
            moves_max: usize::try_from(values.logan_balancer_moves_max).unwrap_or(0),
        };
        let pause = millis(values.logan_balancer_partition_pause_ms);
        let times = (now.saturating_since(self.began), pause);
        let moves = self.balancer.decide(&measured, elapsed, times, &rules);
        if moves.is_empty() {
            return;
        }
        tracing::info!(
            moves = moves.len(),
            "the shards' work differs: partitions move"
        );
        if let CommandResult::Refused(refusal) = shard.decide(Command::Rebalance(moves)).await {
            tracing::warn!(message = %refusal.message, "the balancer cannot move partitions");
        }
    }
}

fn millis(value: i64) -> Duration {
    Duration::from_millis(u64::try_from(value).unwrap_or(0))
}

impl<I: Io> Shard<I> {
    /// What the partitions of this shard have cost since this was asked last; nothing of those that were idle.
    pub(super) fn loads(&self) -> Vec<Measured> {
        let partitions = self.partitions.borrow();
        let measure = |partition: &Rc<crate::partition::Partition<I>>| {
            let load = partition.meter.take();
            (!load.is_idle()).then_some(Measured {
                topic_id: partition.key.topic_id,
                partition: PartitionIndex(partition.key.index),
                shard: self.id(),
                load,
            })
        };
        partitions.values().filter_map(measure).collect()
    }

    async fn loads_of_all(&self) -> Vec<Measured> {
        let others = self.mesh.shards().filter(|other| *other != self.id());
        let asked = others.map(|other| async move {
            match self.mesh.control(other, Control::MeasureLoad).await.await {
                Some(Reply::Loads(loads)) => loads,
                // That shard has ended, and the process with it.
                _ => Vec::new(),
            }
        });
        let mut loads = join_all(asked).await.concat();
        loads.extend(self.loads());
        loads
    }
}
