//! Member ids that were given out, and have not come back with a JoinGroup (KIP-394).

use std::collections::BTreeMap;

use protocol::Str;

use crate::context::Instant;
use crate::memory::ITEM_BYTES;

/// The ids, and when each is forgotten.
#[derive(Debug, Default)]
pub(super) struct PendingIds {
    ends: BTreeMap<Str, Instant>,
    text_bytes: usize,
}

impl PendingIds {
    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn contains(&self, id: &str) -> bool {
        self.ends.contains_key(id)
    }

    pub(super) fn insert(&mut self, id: Str, ends: Instant) {
        let id_bytes = id.len();
        if self.ends.insert(id, ends).is_none() {
            self.text_bytes += id_bytes;
        }
    }

    pub(super) fn remove(&mut self, id: &str) {
        if self.ends.remove(id).is_some() {
            self.text_bytes -= id.len();
        }
    }

    /// Forgets those whose time has come. `true` if there were any.
    pub(super) fn expire(&mut self, now: Instant) -> bool {
        let before = self.ends.len();
        let text_bytes = &mut self.text_bytes;
        self.ends.retain(|id, ends| {
            let stays = *ends > now;
            *text_bytes -= if stays { 0 } else { id.len() };
            stays
        });
        self.ends.len() < before
    }

    pub(super) fn ends(&self) -> impl Iterator<Item = Instant> {
        self.ends.values().copied()
    }

    /// Bytes that they take in memory, roughly.
    pub(super) fn memory_bytes(&self) -> usize {
        self.ends.len() * ITEM_BYTES + self.text_bytes
    }
}
