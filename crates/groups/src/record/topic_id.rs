//! The topic id of an offset commit that says itself when it expires.
//!
//! Kafka writes such a commit in version 1 of its value, which is the only one with an expiry and has no topic id. Without
//! one, a topic that is deleted while nobody looks would leave its offsets to the next topic of its name. The id
//! therefore goes into a header of the record, which Kafka's readers pass over.

use types::Uuid;

use super::{GroupRecord, TopicIdRoom as _};

/// The name of the header, whose value is the id's 16 bytes.
pub const TOPIC_ID_HEADER: &str = "logan.topic.id";

impl GroupRecord {
    /// The topic id that the record's value has no room for.
    #[must_use]
    pub fn topic_id_beside(&self) -> Option<Uuid> {
        match self {
            Self::OffsetCommit {
                value: Some(value), ..
            } if !value.has_room_for_topic_id() && !value.topic_id.is_zero() => {
                Some(value.topic_id)
            }
            _ => None,
        }
    }

    /// Gives the record what its header [`TOPIC_ID_HEADER`] says. Anything but 16 bytes says nothing, and so does an id
    /// beside a value that has one.
    pub fn take_topic_id(&mut self, id: &[u8]) {
        if let (
            Self::OffsetCommit {
                value: Some(value), ..
            },
            Ok(id),
        ) = (self, id.try_into())
            && !value.has_room_for_topic_id()
        {
            value.topic_id = Uuid(id);
        }
    }
}
