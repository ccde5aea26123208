//! A member of a classic group.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use protocol::Str;
use protocol::messages::group_metadata_value::MemberMetadata;
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::{JoinGroupRequest, JoinGroupResponse};
use types::ErrorCode;

use crate::context::{Caller, Instant, Ticket};
use crate::memory::{MEMBER_BYTES, PROTOCOL_BYTES};

/// By so much the name of a protocol may be longer than another's.
const PROTOCOL_NAME_BYTES: usize = 64;

/// A JoinGroup that waits for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AwaitingJoin {
    /// Where the reply goes.
    pub(crate) ticket: Ticket,
    /// The request's version.
    pub(crate) version: i16,
}

impl AwaitingJoin {
    /// The request of this caller.
    pub(crate) fn of(caller: &Caller) -> Self {
        Self {
            ticket: caller.ticket,
            version: caller.version,
        }
    }
}

/// A protocol that a member supports, with what it says to the leader under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SupportedProtocol {
    /// The assignor's name.
    pub(crate) name: Str,
    /// The subscription.
    pub(crate) metadata: Bytes,
}

/// A member. Its strings and bytes are memory of its own.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) id: Str,
    pub(crate) instance_id: Option<Str>,
    pub(crate) client_id: Str,
    pub(crate) client_host: Str,
    pub(crate) rebalance_timeout_ms: i32,
    pub(crate) session_timeout_ms: i32,
    /// In the order of its preference, without repeated names.
    pub(crate) protocols: Vec<SupportedProtocol>,
    /// Whether the log brought it back and it has not joined since. The log knows one of its protocols only.
    pub(crate) is_restored: bool,
    pub(crate) assignment: Bytes,
    /// Its JoinGroup, while it waits.
    pub(crate) awaiting_join: Option<AwaitingJoin>,
    /// Its SyncGroup, while it waits.
    pub(crate) awaiting_sync: Option<Ticket>,
    /// Joined, and the rebalance has not ended yet. Such a member expires even while its JoinGroup waits.
    pub(crate) is_new: bool,
    /// When it is taken for dead; `None` while it is not watched because it waits.
    pub(crate) session_ends: Option<Instant>,
}

impl Member {
    /// A member as its JoinGroup describes it, with an id that it has or was just given.
    pub(crate) fn joining(id: Str, caller: &Caller, request: &JoinGroupRequest) -> Self {
        let mut member = Self {
            id,
            instance_id: request.group_instance_id.as_ref().map(Str::detached),
            client_id: caller.client_id.detached(),
            client_host: caller.client_host.detached(),
            rebalance_timeout_ms: 0,
            session_timeout_ms: 0,
            protocols: Vec::new(),
            is_restored: false,
            assignment: Bytes::new(),
            awaiting_join: None,
            awaiting_sync: None,
            is_new: true,
            session_ends: None,
        };
        member.update(request);
        member
    }

    /// A member as the log describes it.
    pub(crate) fn restored(metadata: &MemberMetadata, protocol: &Str) -> Self {
        // Before version 1 the session timeout was the rebalance timeout, too.
        let rebalance_timeout_ms = if metadata.rebalance_timeout < 0 {
            metadata.session_timeout
        } else {
            metadata.rebalance_timeout
        };
        Self {
            id: metadata.member_id.clone(),
            instance_id: metadata.group_instance_id.clone(),
            client_id: metadata.client_id.clone(),
            client_host: metadata.client_host.clone(),
            rebalance_timeout_ms,
            session_timeout_ms: metadata.session_timeout,
            protocols: vec![SupportedProtocol {
                name: protocol.clone(),
                metadata: metadata.subscription.clone(),
            }],
            is_restored: true,
            assignment: metadata.assignment.clone(),
            awaiting_join: None,
            awaiting_sync: None,
            is_new: false,
            session_ends: None,
        }
    }

    /// Takes over what a JoinGroup says.
    pub(crate) fn update(&mut self, request: &JoinGroupRequest) {
        self.rebalance_timeout_ms = rebalance_timeout_ms(request);
        self.session_timeout_ms = request.session_timeout_ms;
        self.is_restored = false;
        let mut names = BTreeSet::new();
        self.protocols = request
            .protocols
            .iter()
            .filter(|protocol| names.insert(&protocol.name))
            .map(|protocol| SupportedProtocol {
                name: protocol.name.detached(),
                metadata: Bytes::copy_from_slice(&protocol.metadata),
            })
            .collect();
    }

    /// Whether it says what it said before.
    pub(crate) fn matches(&self, protocols: &[JoinGroupRequestProtocol]) -> bool {
        self.protocols.len() == protocols.len()
            && self
                .protocols
                .iter()
                .zip(protocols)
                .all(|(ours, theirs)| ours.name == theirs.name && ours.metadata == theirs.metadata)
    }

    /// What it says under a protocol; empty for one that it does not support.
    pub(crate) fn metadata(&self, protocol: &str) -> Bytes {
        self.protocols
            .iter()
            .find(|supported| supported.name == *protocol)
            .map(|supported| supported.metadata.clone())
            .unwrap_or_default()
    }

    /// The first of its protocols that is among the candidates.
    pub(crate) fn vote(&self, candidates: &BTreeSet<Str>) -> Option<&Str> {
        self.protocols
            .iter()
            .map(|supported| &supported.name)
            .find(|name| candidates.contains(*name))
    }

    /// The length of its session.
    pub(crate) fn session_timeout(&self) -> Duration {
        span_ms(self.session_timeout_ms)
    }

    /// Bytes that it takes in memory, roughly, what it is assigned not included.
    pub(crate) fn memory_bytes(&self) -> usize {
        let instance_id = self.instance_id.as_ref().map_or(0, |id| 2 * id.len());
        let protocols = self.protocols.len() * PROTOCOL_BYTES + self.protocols_len_bytes();
        // Whoever takes the place of one that the log brought back has perhaps two, as Java's consumers have.
        let others = if self.is_restored {
            protocols + PROTOCOL_NAME_BYTES
        } else {
            0
        };
        MEMBER_BYTES
            + 2 * self.id.len()
            + instance_id
            + self.client_id.len()
            + self.client_host.len()
            + protocols
            + others
    }

    /// Bytes that its protocols take.
    pub(crate) fn protocols_len_bytes(&self) -> usize {
        self.protocols
            .iter()
            .map(|protocol| protocol.name.len() + protocol.metadata.len())
            .sum()
    }

    /// What the log is to say about it under the group's protocol, with this assignment.
    pub(crate) fn to_record(&self, protocol: &str, assignment: Bytes) -> MemberMetadata {
        MemberMetadata {
            member_id: self.id.clone(),
            group_instance_id: self.instance_id.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            rebalance_timeout: self.rebalance_timeout_ms,
            session_timeout: self.session_timeout_ms,
            subscription: self.metadata(protocol),
            assignment,
        }
    }
}

/// The rebalance timeout of a JoinGroup. Version 0 has none and means the session's.
pub(crate) fn rebalance_timeout_ms(request: &JoinGroupRequest) -> i32 {
    if request.rebalance_timeout_ms < 0 {
        request.session_timeout_ms
    } else {
        request.rebalance_timeout_ms
    }
}

/// A number of milliseconds as a span; negative ones are none.
pub(crate) fn span_ms(milliseconds: i32) -> Duration {
    Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0))
}

/// The first version of JoinGroup whose response may be without a protocol's name.
const NULL_PROTOCOL_NAME_VERSION: i16 = 7;

/// The answer of a JoinGroup that reaches no coordinator, in the form that `version` can carry.
#[must_use]
pub fn join_group_error(error: ErrorCode, version: i16) -> JoinGroupResponse {
    let response = JoinGroupResponse {
        error_code: error.code(),
        protocol_name: None,
        ..JoinGroupResponse::default()
    };
    in_version(response, version)
}

/// A response in the form that `version` can carry.
pub(crate) fn in_version(mut response: JoinGroupResponse, version: i16) -> JoinGroupResponse {
    if version < NULL_PROTOCOL_NAME_VERSION && response.protocol_name.is_none() {
        response.protocol_name = Some(Str::default());
    }
    response
}
