//! Which transactions a pass over a log is in the middle of, so that markers outlive the records that they decide about.
//!
//! A value of one pass. Batches are shown to it in the order of the log. It does not look for aborted transactions
//! itself: whoever starts the pass says which there are. As long as no coordinator writes `.txnindex` files there are none.
//!
//! Source: `CleanedTransactionMetadata` of Kafka 4.3.1.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use records::{BatchHeader, RecordIter};
use rustc_hash::{FxHashMap, FxHashSet};
use types::{Offset, ProducerId};

/// An aborted transaction, as a line of a `.txnindex` file tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AbortedTransaction {
    pub(crate) producer_id: ProducerId,
    /// The offset of its first record.
    pub(crate) first_offset: Offset,
}

/// What a control batch says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Marker {
    Abort,
    Commit,
    /// A kind that the cleaner has no business with.
    Other,
    /// An earlier pass has emptied it.
    Empty,
}

impl Marker {
    /// Reads the marker of a control batch, whose records are never compressed. The key is a version and a type, of
    /// two bytes each.
    pub(crate) fn of(mut records: RecordIter<'_>) -> Self {
        let Some(record) = records.next() else {
            return Self::Empty;
        };
        let key = record.ok().and_then(|record| record.key);
        match key.and_then(|key| key.get(2..4)) {
            Some([0, 0]) => Self::Abort,
            Some([0, 1]) => Self::Commit,
            _ => Self::Other,
        }
    }
}

/// Transactions that are open where a pass stands.
#[derive(Debug, Default)]
pub(crate) struct CleanedTransactions {
    /// Aborted ones that begin further on, the next one first.
    ahead: BinaryHeap<Reverse<(i64, i64)>>,
    /// Aborted ones that have begun, and whether a batch of them was met.
    aborted: FxHashMap<ProducerId, bool>,
    /// Committed ones of which a batch was met.
    committed: FxHashSet<ProducerId>,
}

impl CleanedTransactions {
    /// Begins a pass over a log with these aborted transactions.
    pub(crate) fn new(aborted: impl IntoIterator<Item = AbortedTransaction>) -> Self {
        let key = |it: AbortedTransaction| Reverse((it.first_offset.0, it.producer_id.0));
        Self {
            ahead: aborted.into_iter().map(key).collect(),
            ..Self::default()
        }
    }

    /// Whether a data batch is part of an aborted transaction, so that its records may go.
    pub(crate) fn is_aborted(&mut self, header: &BatchHeader) -> bool {
        self.begin_up_to(header.last_offset());
        if !header.is_transactional() {
            return false;
        }
        if let Some(has_batches) = self.aborted.get_mut(&header.producer_id) {
            *has_batches = true;
            return true;
        }
        self.committed.insert(header.producer_id);
        false
    }

    /// Whether no batch is left of the transaction that a control batch ends, so that it may go.
    pub(crate) fn is_marker_of_nothing(&mut self, header: &BatchHeader, marker: Marker) -> bool {
        self.begin_up_to(header.last_offset());
        match marker {
            Marker::Abort => self.aborted.remove(&header.producer_id) != Some(true),
            Marker::Commit => !self.committed.remove(&header.producer_id),
            Marker::Other => false,
            Marker::Empty => true,
        }
    }

    fn begin_up_to(&mut self, offset: Offset) {
        while let Some(Reverse((first_offset, producer_id))) = self.ahead.peek().copied()
            && first_offset <= offset.0
        {
            self.ahead.pop();
            self.aborted.entry(ProducerId(producer_id)).or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use records::{
        BATCH_HEADER_BYTES, BatchBuilder, BatchHeader, Compression, NewRecord, RecordIter,
    };
    use types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, TimestampMs};

    use super::{AbortedTransaction, CleanedTransactions, Marker};

    fn batch(id: i64, offset: i64, control: bool, key: &[u8]) -> (BatchHeader, Marker) {
        let mut builder = BatchBuilder::new(Compression::None)
            .at(Offset(offset), LeaderEpoch(0))
            .producer(ProducerId(id), ProducerEpoch(0), 0)
            .transactional();
        if control {
            builder = builder.control();
        }
        builder.push(&NewRecord {
            timestamp: TimestampMs(1),
            key: Some(key),
            value: Some(b"v"),
            headers: &[],
        });
        let bytes = builder.build().expect("nothing is compressed");
        let header = BatchHeader::parse(&bytes).expect("just built");
        let marker = Marker::of(RecordIter::new(&header, &bytes[BATCH_HEADER_BYTES..]));
        (header, marker)
    }

    #[test]
    fn markers_stay_as_long_as_their_records() {
        let aborted = AbortedTransaction {
            producer_id: ProducerId(1),
            first_offset: Offset(0),
        };
        let mut transactions = CleanedTransactions::new([aborted]);
        assert!(transactions.is_aborted(&batch(1, 0, false, b"k").0));
        assert!(!transactions.is_aborted(&batch(2, 1, false, b"k").0));
        let (abort, marker) = batch(1, 2, true, &[0, 0, 0, 0]);
        assert_eq!(marker, Marker::Abort);
        assert!(!transactions.is_marker_of_nothing(&abort, marker));
        // What the same producer writes next is another transaction.
        assert!(!transactions.is_aborted(&batch(1, 3, false, b"k").0));
        let (commit, marker) = batch(2, 4, true, &[0, 0, 0, 1]);
        assert_eq!(marker, Marker::Commit);
        assert!(!transactions.is_marker_of_nothing(&commit, marker));
        assert!(
            transactions.is_marker_of_nothing(&commit, marker),
            "a second one"
        );
        assert!(
            transactions.is_marker_of_nothing(&abort, Marker::Abort),
            "a second one"
        );
        assert!(transactions.is_marker_of_nothing(&abort, Marker::Empty));
        let (other, marker) = batch(3, 5, true, &[0, 0, 0, 9]);
        assert_eq!(marker, Marker::Other);
        assert!(!transactions.is_marker_of_nothing(&other, marker));
    }

    #[test]
    fn an_aborted_transaction_counts_from_its_first_record_on() {
        let aborted = AbortedTransaction {
            producer_id: ProducerId(1),
            first_offset: Offset(10),
        };
        let mut transactions = CleanedTransactions::new([aborted]);
        assert!(!transactions.is_aborted(&batch(1, 9, false, b"k").0));
        assert!(transactions.is_aborted(&batch(1, 10, false, b"k").0));
    }
}
