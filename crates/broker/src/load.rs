//! What each partition costs its shard, as the balancer weighs it.
//!
//! Plain numbers beside the partition, on its shard's thread. They count only while the balancer is on: then an append and
//! a read cost two looks at the clock each, and otherwise a look at a flag. Time in which a task waits is not counted, and
//! neither is what a connection does before it knows its partitions, or another shard's checking of a batch.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use io::Io;
use metadata::PartitionLoad;

/// What a partition has cost since it was asked last.
#[derive(Debug)]
pub(crate) struct LoadMeter {
    is_on: Rc<Cell<bool>>,
    load: Cell<PartitionLoad>,
}

impl LoadMeter {
    /// A meter that counts whenever `is_on` says so.
    pub(crate) fn new(is_on: &Rc<Cell<bool>>) -> Self {
        Self {
            is_on: Rc::clone(is_on),
            load: Cell::default(),
        }
    }

    pub(crate) fn count_in(&self, bytes: usize) {
        self.count(|load| load.bytes_in += bytes as u64);
    }

    pub(crate) fn count_out(&self, bytes: usize) {
        self.count(|load| load.bytes_out += bytes as u64);
    }

    pub(crate) fn count_busy(&self, busy: Duration) {
        self.count(|load| load.busy += busy);
    }

    fn count(&self, add: impl FnOnce(&mut PartitionLoad)) {
        if self.is_on.get() {
            let mut load = self.load.get();
            add(&mut load);
            self.load.set(load);
        }
    }

    /// Does something, and counts the time that it takes.
    pub(crate) fn spend<I: Io, T>(&self, io: &I, work: impl FnOnce() -> T) -> T {
        if !self.is_on.get() {
            return work();
        }
        let began = io.now();
        let done = work();
        self.count_busy(io.now().saturating_since(began));
        done
    }

    /// What has been counted; counting begins anew.
    pub(crate) fn take(&self) -> PartitionLoad {
        self.load.take()
    }
}

/// Awaits something, and tells how long its polls took together.
pub(crate) async fn timed<I: Io, F: Future>(io: &I, future: F) -> (F::Output, Duration) {
    let mut future = pin!(future);
    let mut busy = Duration::ZERO;
    let output = poll_fn(|context| {
        let began = io.now();
        let poll = future.as_mut().poll(context);
        busy += io.now().saturating_since(began);
        poll
    })
    .await;
    (output, busy)
}
