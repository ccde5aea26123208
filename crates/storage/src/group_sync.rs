//! Syncs of one directory that are wanted at the same time share one.
//!
//! Creating a topic of many partitions changes one directory many times; each change has to be durable, but a sync covers
//! all that came before it. Lives on one shard; it knows no files.

use std::cell::Cell;
use std::future::Future;
use std::io::Result;

use io::sync::Notify;

/// The syncs of one directory.
#[derive(Debug, Default)]
pub(crate) struct GroupSync {
    asked: Cell<u64>,
    synced: Cell<u64>,
    is_running: Cell<bool>,
    ended: Notify,
}

/// Lets the next one go on, also when the sync was cancelled.
struct Turn<'a>(&'a GroupSync);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.is_running.set(false);
        self.0.ended.notify_all();
    }
}

impl GroupSync {
    /// Returns when a call of `sync` has succeeded that began after this one. Cancellation leaves the others waiting for
    /// one of their own.
    ///
    /// # Errors
    /// Those of `sync`; each of those who wait tries it for itself then.
    pub(crate) async fn sync<F: Future<Output = Result<()>>>(
        &self,
        sync: impl FnOnce() -> F,
    ) -> Result<()> {
        let ticket = self.asked.get() + 1;
        self.asked.set(ticket);
        while self.is_running.replace(true) {
            self.ended.notified().await;
            if self.synced.get() >= ticket {
                return Ok(());
            }
        }
        let _turn = Turn(self);
        let covered = self.asked.get();
        sync().await?;
        self.synced.set(self.synced.get().max(covered));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io::{Error, ErrorKind};

    use futures_util::FutureExt as _;
    use futures_util::future::join_all;
    use io::sync::Notify;

    use super::GroupSync;

    #[test]
    fn those_who_come_during_a_sync_share_the_next() {
        let group = GroupSync::default();
        let (syncs, gate) = (Cell::new(0), Notify::new());
        let sync = || {
            syncs.set(syncs.get() + 1);
            let gate = gate.notified();
            async {
                gate.await;
                Ok(())
            }
        };
        let mut all = std::pin::pin!(join_all((0..10).map(|_| group.sync(sync))));
        assert!(all.as_mut().now_or_never().is_none());
        assert_eq!(syncs.get(), 1);
        gate.notify_all();
        // The first one's sync covered all who had asked by then, and that were all.
        let (mut rounds, mut done) = (0, None);
        while done.is_none() && rounds < 10 {
            gate.notify_all();
            done = all.as_mut().now_or_never();
            rounds += 1;
        }
        let done = done.expect("they end");
        assert!(done.iter().all(Result::is_ok));
        assert!(syncs.get() <= 2, "{} syncs", syncs.get());
    }

    #[test]
    fn a_failure_is_nobody_elses_success() {
        let group = GroupSync::default();
        let failing = || async { Err(Error::from(ErrorKind::StorageFull)) };
        let failed = group.sync(failing).now_or_never().expect("it ends");
        assert!(failed.is_err());
        let fine = group.sync(|| async { Ok(()) }).now_or_never();
        assert!(fine.expect("it ends").is_ok());
        let cancelled = group.sync(std::future::pending);
        drop(cancelled);
        let pending = group.sync(std::future::pending).now_or_never();
        assert!(pending.is_none(), "and its turn is given back");
        let fine = group.sync(|| async { Ok(()) }).now_or_never();
        assert!(fine.expect("it ends").is_ok());
    }
}
