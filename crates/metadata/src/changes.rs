//! Which topics have changed lately, so that whoever follows the image looks at those alone.
//!
//! It knows a bounded number of changes; who follows from further back looks at all topics.

use std::collections::{BTreeSet, VecDeque};

use types::{Offset, Uuid};

/// Changes that an image remembers; more than the topics of an ordinary decision. A copy of an image copies them.
const CHANGES_MAX: usize = 512;

/// The last changes of topics in the order in which they came. It says nothing about the cluster: images that came to the
/// same state on different ways are equal.
#[derive(Clone, Debug, Default)]
pub(crate) struct RecentChanges {
    /// The offset of a record and the topic that it changed. Records in a row about one topic are one change.
    changes: VecDeque<(i64, Uuid)>,
    /// All changes at this offset and after it are known.
    known_from: i64,
}

impl PartialEq for RecentChanges {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl RecentChanges {
    /// The record at `offset` has changed `topic`.
    pub(crate) fn note(&mut self, offset: i64, topic: Uuid) {
        if let Some((last, id)) = self.changes.back_mut()
            && *id == topic
        {
            *last = offset;
            return;
        }
        if self.changes.len() == CHANGES_MAX
            && let Some((first, _)) = self.changes.pop_front()
        {
            self.known_from = first + 1;
        }
        self.changes.push_back((offset, topic));
    }

    /// Nothing is known of what happened before `offset`.
    pub(crate) fn forget_before(&mut self, offset: i64) {
        self.changes.clear();
        self.known_from = offset;
    }

    /// The topics that records at `offset` and after it have changed; `None` if that is not known any more.
    pub(crate) fn since(&self, offset: Offset) -> Option<BTreeSet<Uuid>> {
        let later = self.changes.iter().rev();
        let later = later.take_while(|(at, _)| *at >= offset.0);
        (offset.0 >= self.known_from).then(|| later.map(|(_, topic)| *topic).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use types::{Offset, Uuid};

    use super::{CHANGES_MAX, RecentChanges};

    fn topic(number: usize) -> Uuid {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        Uuid(bytes)
    }

    #[test]
    fn changes_are_known_from_an_offset_on() {
        let mut changes = RecentChanges::default();
        for (offset, number) in [(3, 1), (4, 1), (7, 2), (8, 1)] {
            changes.note(offset, topic(number));
        }
        let since = |offset| changes.since(Offset(offset)).expect("known");
        assert_eq!(since(0), BTreeSet::from([topic(1), topic(2)]));
        assert_eq!(
            since(4),
            BTreeSet::from([topic(1), topic(2)]),
            "the row goes on to 4"
        );
        assert_eq!(since(8), BTreeSet::from([topic(1)]));
        assert_eq!(since(9), BTreeSet::new());
    }

    #[test]
    fn what_was_forgotten_is_not_said_to_be_nothing() {
        let mut changes = RecentChanges::default();
        for number in 0..=CHANGES_MAX {
            changes.note(i64::try_from(number).expect("few"), topic(number));
        }
        assert_eq!(changes.since(Offset(0)), None);
        assert_eq!(
            changes.since(Offset(1)).map(|it| it.len()),
            Some(CHANGES_MAX)
        );
        changes.forget_before(1_000);
        assert_eq!(changes.since(Offset(999)), None);
        assert_eq!(changes.since(Offset(1_000)), Some(BTreeSet::new()));
    }
}
