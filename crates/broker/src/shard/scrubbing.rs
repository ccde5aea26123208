//! Lets storage's scrubber run over the logs of this shard until the shard drains.
//!
//! What it does and finds is [`storage::Scrubber`]'s; here is only this shard's part of `log.scrub.bytes.per.second`.

use std::pin::pin;
use std::rc::Rc;

use futures_util::future::select;
use io::Io;
use storage::Scrubber;

use super::Shard;

/// Scrubs this shard's logs until it drains.
pub(super) async fn scrub<I: Io>(shard: Rc<Shard<I>>) {
    let drain = shard.drain_begins();
    if shard.is_draining() {
        return;
    }
    let shards = shard.mesh.shards().count() as u64;
    let bytes_per_second = || {
        let all = shard.config().values.log_scrub_bytes_per_second;
        u64::try_from(all).unwrap_or(0).div_ceil(shards)
    };
    let logs = || {
        let partitions = shard.partitions.borrow();
        partitions.values().map(|it| it.log.clone()).collect()
    };
    let scrubber = Scrubber::new(&shard.storage);
    select(pin!(scrubber.run(bytes_per_second, logs)), drain).await;
}
