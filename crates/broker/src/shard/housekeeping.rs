//! What a shard does for its logs from time to time: it lets expired segments go.
//!
//! A pass looks at every log of the shard, in slices, so that ten thousand of them hold nobody up. What has expired is
//! first hidden, then its log start offset is made durable (one checkpoint for all logs of the pass), and only then do
//! files go. A pass that fails leaves the rest to the next one.
//!
//! A log directory that is full has perhaps no room for that checkpoint, and deleting is what makes room. There the oldest
//! segments go first, one after the other, each of them durably: a crash leaves the log with a start offset on disk that
//! lies below its first segment, and then recovery begins the log at that segment.
//!
//! Runs in the background of each shard. Deliberately absent: compaction, which has a task of its own.

use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use config::BrokerConfig;
use futures_util::future::{Either, select};
use io::Io;
use types::Offset;

use super::saving::{Saved, SavedCheckpoints};
use super::{CONTROLLER, Shard, lifecycle};
use crate::message::{Control, Reply};
use crate::partition::Partition;
use crate::slice::TimeSlice;

/// The longest time after the start until the first pass, as in Kafka.
const FIRST_PASS_AFTER: Duration = Duration::from_secs(30);

/// A log with segments that are to go, and its log start offset.
type Expired<I> = (Rc<Partition<I>>, Offset);

/// Lets expired segments go every `log.retention.check.interval.ms`, until the shard ends.
pub(super) async fn keep_house<I: Io>(shard: Rc<Shard<I>>) {
    let interval = |config: &BrokerConfig| {
        let millis = config.values.log_retention_check_interval_ms;
        Duration::from_millis(u64::try_from(millis).unwrap_or(0).max(1))
    };
    shard
        .rest(|config| interval(config).min(FIRST_PASS_AFTER))
        .await;
    while !shard.is_draining() {
        shard.enforce_retention().await;
        shard.rest(interval).await;
    }
}

impl<I: Io> Shard<I> {
    /// Waits for as long as the configuration says, even when it says something else meanwhile.
    pub(super) async fn rest(&self, interval: impl Fn(&BrokerConfig) -> Duration) {
        let began = self.io.now();
        loop {
            let reconfigured = self.reconfigured.notified();
            let end = began + interval(&self.config());
            match select(pin!(self.io.sleep_until(end)), reconfigured).await {
                Either::Left(_) => return,
                Either::Right(_) => {}
            }
        }
    }

    /// One pass over all logs of this shard.
    async fn enforce_retention(self: &Rc<Self>) {
        let expired = self.expire_logs().await;
        if expired.is_empty() {
            return;
        }
        let saved = self.save_log_starts().await;
        let mut slice = TimeSlice::new(|| self.io.now());
        for (partition, log_start_offset) in expired {
            if self.is_draining() {
                return;
            }
            let log = &partition.log;
            let directory = self.directory_index(log.dir());
            let removed = match directory.map_or(Saved::No, |index| saved.of(index)) {
                Saved::Yes => log.remove_expired(log_start_offset).await,
                Saved::NoRoom => log.remove_expired_singly().await,
                Saved::No => {
                    tracing::warn!(dir = %log.dir().display(), "its log start offset is not on disk: nothing is deleted this time");
                    continue;
                }
            };
            if let Err(error) = removed {
                tracing::warn!(dir = %log.dir().display(), %error, "segments are not deleted yet");
            }
            if slice.is_used_up() {
                self.io.reschedule().await;
                slice.restart();
            }
        }
    }

    /// Moves the log start offsets; returns the logs that have segments below theirs.
    async fn expire_logs(self: &Rc<Self>) -> Vec<Expired<I>> {
        let now = self.io.wall_clock();
        let partitions: Vec<_> = self.partitions.borrow().values().map(Rc::clone).collect();
        let mut expired = Vec::new();
        let mut slice = TimeSlice::new(|| self.io.now());
        for partition in partitions {
            match partition.log.expire(now).await {
                Ok(true) => {
                    let start = partition.log.log_start_offset();
                    expired.push((partition, start));
                }
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(dir = %partition.log.dir().display(), %error, "its age is unknown: nothing is deleted");
                }
            }
            if slice.is_used_up() {
                self.io.reschedule().await;
                slice.restart();
            }
            if self.is_draining() {
                break;
            }
        }
        expired
    }

    /// Makes the log start offsets of all logs durable as they are now, wherever the log lies. Returns in which
    /// directories they are.
    pub(crate) async fn save_log_starts(self: &Rc<Self>) -> SavedCheckpoints {
        if self.id() == CONTROLLER {
            return lifecycle::checkpoint_now(self).await;
        }
        let saved = self.mesh.control(CONTROLLER, Control::SaveCheckpoints);
        match saved.await.await {
            Some(Reply::Saved(saved)) => saved,
            _ => SavedCheckpoints::default(),
        }
    }
}
