//! The shard's cleaner: one task that compacts the logs of this shard, the filthiest first, one at a time.
//!
//! It lives in the background class of its shard and is slow on purpose: what it may take is the shard's part of what the
//! machine's cleaner may take. How far each log was cleaned goes into a checkpoint with the others ([`super::lifecycle`]);
//! a crash that loses some of it costs a pass over what was cleaned already, and nothing else.

use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use config::BrokerConfig;
use futures_util::future::{Either, select};
use io::Io;
use storage::{Cleaner, CleanerConfig, Log};

use super::Shard;

/// Compacts logs until the shard drains.
pub(super) async fn clean_logs<I: Io>(shard: Rc<Shard<I>>) {
    if !shard.config().values.log_cleaner_enable {
        return;
    }
    let shard_count = shard.mesh.shards().count();
    let mut config = shard.config();
    let cleaner = Cleaner::new(&shard.storage, cleaner_config(&config, shard_count));
    loop {
        let changed = shard.reconfigured.notified();
        let now = shard.config();
        if !Rc::ptr_eq(&config, &now) {
            config = now;
            cleaner.configure(cleaner_config(&config, shard_count));
        }
        let backoff_ms = config.values.log_cleaner_backoff_ms;
        // Without any pause a shard would look at its logs all the time.
        let backoff = Duration::from_millis(u64::try_from(backoff_ms).unwrap_or(0).max(1));
        let draining = shard.drain_begins();
        if shard.is_draining() {
            return;
        }
        let logs = shard.compacted_logs();
        let mut pass = pin!(cleaner.clean_filthiest(&logs));
        let report = loop {
            let reconfigured = shard.reconfigured.notified();
            match select(pass.as_mut(), reconfigured).await {
                Either::Left((report, _)) => break report,
                // A pass may be slow enough that a rate has to be taken back while it is under way.
                Either::Right(_) => {
                    cleaner.configure(cleaner_config(&shard.config(), shard_count));
                }
            }
        };
        if report.is_none() {
            let sleep = shard.io.sleep_until(shard.io.now() + backoff);
            // A pause may turn out to be too long, and is taken back like any other value.
            select(pin!(sleep), select(draining, changed)).await;
        }
    }
}

impl<I: Io> Shard<I> {
    pub(crate) fn compacted_logs(&self) -> Vec<Log<I>> {
        let partitions = self.partitions.borrow();
        let logs = partitions.values().map(|partition| &partition.log);
        logs.filter(|log| log.is_compacted()).cloned().collect()
    }
}

/// This shard's part of what the machine's cleaner may take.
fn cleaner_config(config: &BrokerConfig, shard_count: usize) -> CleanerConfig {
    let values = &config.values;
    let part = |bytes: i64| usize::try_from(bytes).unwrap_or(0) / shard_count;
    #[expect(clippy::cast_precision_loss, reason = "there are few shards")]
    let shards = shard_count as f64;
    CleanerConfig {
        dedupe_buffer_bytes: part(values.log_cleaner_dedupe_buffer_size),
        load_factor: values.log_cleaner_io_buffer_load_factor,
        io_buffer_bytes: part(i64::from(values.log_cleaner_io_buffer_size)),
        io_bytes_per_second_max: values.log_cleaner_io_max_bytes_per_second / shards,
        ..CleanerConfig::default()
    }
}
