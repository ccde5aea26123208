//! What the members of a classic group have in common: protocol types, protocols, subscribed topics.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use protocol::messages::{ConsumerProtocolSubscription, JoinGroupRequest};
use protocol::wire::decode_versioned;
use protocol::{DecodeError, Decoder, Str};

use super::{CONSUMER_PROTOCOL_TYPE, ClassicGroup, State};
use crate::memory::ITEM_BYTES;

/// Topics that a group remembers to be subscribed to. One that is subscribed to more is taken to be so to all that there
/// are, which lets no offset expire too early.
const SUBSCRIBED_TOPICS_MAX: usize = 10_000;

impl ClassicGroup {
    /// Whether a joining member speaks a protocol that everybody else speaks.
    pub(super) fn supports(&self, request: &JoinGroupRequest) -> bool {
        if self.state == State::Empty {
            return !request.protocol_type.is_empty() && !request.protocols.is_empty();
        }
        self.protocol_type.as_ref() == Some(&request.protocol_type)
            && request.protocols.iter().any(|protocol| {
                let supporters = self.supported.get(&protocol.name).copied();
                supporters.unwrap_or(0) == self.members.len()
            })
    }

    /// The protocol that most members prefer among those that all support; of equals the one whose name comes first.
    /// `None` without members.
    pub(super) fn select_protocol(&self) -> Option<Str> {
        let supported = self.supported.iter();
        let candidates: BTreeSet<Str> = supported
            .filter(|(_, supporters)| **supporters == self.members.len())
            .map(|(name, _)| name.clone())
            .collect();
        let mut votes: BTreeMap<&Str, usize> = BTreeMap::new();
        for member in self.members.values() {
            if let Some(name) = member.vote(&candidates) {
                *votes.entry(name).or_default() += 1;
            }
        }
        let most = votes.values().copied().max()?;
        let winner = votes.into_iter().find(|(_, count)| *count == most);
        winner.map(|(name, _)| name.clone())
    }

    /// Whether its members are consumers.
    pub(crate) fn is_of_consumers(&self) -> bool {
        let kind = self.protocol_type.as_ref();
        kind.is_some_and(|kind| *kind == CONSUMER_PROTOCOL_TYPE)
    }

    /// Whether the offsets of a topic are in use. Where it is not known what consumers subscribe to, all are.
    pub(crate) fn is_subscribed(&self, topic: &str) -> bool {
        match &self.subscribed_topics {
            Some(topics) => topics.contains(topic),
            None => self.is_of_consumers(),
        }
    }

    /// Notes what its consumers subscribe to from now on.
    pub(super) fn update_subscribed_topics(&mut self) {
        self.subscribed_topics = self.compute_subscribed_topics();
        let topics = self.subscribed_topics.iter().flatten();
        self.subscribed_bytes = topics.map(|topic| ITEM_BYTES + topic.len()).sum();
    }

    /// What its consumers subscribe to under the chosen protocol; `None` for other groups and for subscriptions that
    /// cannot be read, or are too many.
    fn compute_subscribed_topics(&self) -> Option<BTreeSet<Str>> {
        if !self.is_of_consumers() {
            return None;
        }
        let mut topics = BTreeSet::new();
        if self.members.is_empty() {
            return Some(topics);
        }
        let protocol = self.protocol.as_ref()?;
        for member in self.members.values() {
            for topic in subscribed_topics(member.metadata(protocol)).ok()? {
                if !topics.contains(&topic) {
                    topics.insert(topic.detached());
                }
            }
            if topics.len() > SUBSCRIBED_TOPICS_MAX {
                return None;
            }
        }
        Some(topics)
    }
}

/// The topics of a consumer's subscription. All its versions begin alike, and what follows is not looked at.
fn subscribed_topics(metadata: Bytes) -> Result<Vec<Str>, DecodeError> {
    let mut decoder = Decoder::new(metadata);
    let _version = decoder.i16()?;
    let subscription: ConsumerProtocolSubscription = decode_versioned(&mut decoder, 0)?;
    Ok(subscription.topics)
}
