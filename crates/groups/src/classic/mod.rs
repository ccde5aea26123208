//! Classic groups: JoinGroup, SyncGroup, Heartbeat and LeaveGroup.

use protocol::messages::GroupMetadataValue;

use crate::context::Instant;

/// The members of a classic group.
#[derive(Debug, Default)]
pub(crate) struct ClassicGroup {
    /// What the log says; `None` if nothing was written, or a tombstone.
    durable: Option<GroupMetadataValue>,
}

impl ClassicGroup {
    /// Whether nothing is known of it.
    pub(crate) fn is_vacant(&self) -> bool {
        self.durable.is_none()
    }

    /// Kafka's name of its state.
    #[expect(clippy::unused_self, reason = "to be filled in")]
    pub(crate) fn state_name(&self) -> &'static str {
        "Empty"
    }

    /// The earliest time at which something happens on its own.
    #[expect(clippy::unused_self, reason = "to be filled in")]
    pub(crate) fn earliest_deadline(&self) -> Option<Instant> {
        None
    }

    /// What the log says about the group from now on.
    pub(crate) fn apply(&mut self, value: Option<&GroupMetadataValue>) {
        self.durable = value.cloned();
    }
}
