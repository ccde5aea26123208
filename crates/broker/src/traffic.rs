//! What goes through topics and partitions, and how much of it through another shard than its own.
//!
//! Plain cells on the shard's thread, which an append and a read add to. Those of a topic outlive its partitions here, so
//! that their sum over all shards never falls while partitions move; they go when the topic is gone.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use types::{TopicRow, Uuid};

/// What has gone through.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) batches_in: Cell<u64>,
    pub(crate) records_in: Cell<u64>,
    pub(crate) bytes_in: Cell<u64>,
    pub(crate) bytes_out: Cell<u64>,
}

impl Traffic {
    fn count_in(&self, records: u64, bytes: u64) {
        add(&self.batches_in, 1);
        add(&self.records_in, records);
        add(&self.bytes_in, bytes);
    }
}

/// What has gone through a topic on this shard.
#[derive(Debug)]
pub(crate) struct TopicTraffic {
    pub(crate) name: Arc<str>,
    traffic: Traffic,
}

/// What has gone through a partition since it is here, and its topic's sum.
#[derive(Debug)]
pub(crate) struct PartitionTraffic {
    pub(crate) own: Traffic,
    pub(crate) topic: Rc<TopicTraffic>,
}

impl PartitionTraffic {
    /// Counts an appended batch.
    pub(crate) fn count_in(&self, records: i32, bytes: usize) {
        let records = u64::try_from(records).unwrap_or(0);
        self.own.count_in(records, bytes as u64);
        self.topic.traffic.count_in(records, bytes as u64);
    }

    /// Counts bytes that are handed to a client.
    pub(crate) fn count_out(&self, bytes: usize) {
        add(&self.own.bytes_out, bytes as u64);
        add(&self.topic.traffic.bytes_out, bytes as u64);
    }
}

/// The topics of a shard.
#[derive(Debug, Default)]
pub(crate) struct TopicTraffics(RefCell<FxHashMap<Uuid, Rc<TopicTraffic>>>);

impl TopicTraffics {
    /// Begins to count for a partition of a topic.
    pub(crate) fn begin(&self, id: Uuid, name: &str) -> PartitionTraffic {
        let mut topics = self.0.borrow_mut();
        let topic = topics.entry(id).or_insert_with(|| {
            Rc::new(TopicTraffic {
                name: name.into(),
                traffic: Traffic::default(),
            })
        });
        PartitionTraffic {
            own: Traffic::default(),
            topic: Rc::clone(topic),
        }
    }

    /// What was counted, after topics that no partition is left of here, and that `exists` does not know, are forgotten.
    pub(crate) fn rows(&self, exists: impl Fn(Uuid) -> bool) -> Vec<TopicRow> {
        let mut topics = self.0.borrow_mut();
        topics.retain(|id, topic| Rc::strong_count(topic) > 1 || exists(*id));
        let row = |topic: &Rc<TopicTraffic>| TopicRow {
            topic: Arc::clone(&topic.name),
            batches_in: topic.traffic.batches_in.get(),
            records_in: topic.traffic.records_in.get(),
            bytes_in: topic.traffic.bytes_in.get(),
            bytes_out: topic.traffic.bytes_out.get(),
        };
        topics.values().map(row).collect()
    }
}

/// What a shard counts besides.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Connections that came from the router.
    pub(crate) connections_accepted: Cell<u64>,
    /// Connections that came from another shard.
    pub(crate) connections_received: Cell<u64>,
    /// Connections that were closed for what they sent: no frame, no request, or one that is answered in this way alone.
    pub(crate) closed_malformed: Cell<u64>,
    /// Connections that were closed because a request came in too slowly, ...
    pub(crate) closed_slow: Cell<u64>,
    /// ... a response was not read, ...
    pub(crate) closed_unread: Cell<u64>,
    /// ... or nothing came for too long.
    pub(crate) closed_idle: Cell<u64>,
    /// Batches of this shard's clients for its own partitions, ...
    pub(crate) appends_own: Cell<u64>,
    /// ... and for those of other shards.
    pub(crate) appends_foreign: Cell<u64>,
    /// Partitions read for this shard's clients that are its own, ...
    pub(crate) reads_own: Cell<u64>,
    /// ... and those that other shards have read for them.
    pub(crate) reads_foreign: Cell<u64>,
}

/// Adds to a cell.
pub(crate) fn add(cell: &Cell<u64>, more: u64) {
    cell.set(cell.get() + more);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_keeps_its_sum_when_its_partitions_leave_until_it_is_deleted() {
        let topics = TopicTraffics::default();
        let id = Uuid::from_random([7; 16]);
        let first = topics.begin(id, "t");
        first.count_in(3, 100);
        drop(first);
        let second = topics.begin(id, "t");
        second.count_in(1, 20);
        second.count_out(50);
        assert_eq!(second.own.bytes_in.get(), 20);
        let rows = topics.rows(|_| false);
        let expected = TopicRow {
            topic: "t".into(),
            batches_in: 2,
            records_in: 4,
            bytes_in: 120,
            bytes_out: 50,
        };
        assert_eq!(rows, std::slice::from_ref(&expected), "a partition is here");
        drop(second);
        assert_eq!(topics.rows(|_| true), [expected], "it is elsewhere");
        assert_eq!(topics.rows(|_| false), [], "it is deleted");
    }
}
