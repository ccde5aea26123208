//! The coordinator's configuration, as values with units.
//!
//! The host makes it of `server.properties` and of the group configurations, and hands over a new one when either
//! changes.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use protocol::Str;

/// What every group of a coordinator is held to. The defaults are those of Kafka 4.3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupConfig {
    /// `group.min.session.timeout.ms`: the shortest session of a classic member.
    pub session_timeout_min: Duration,
    /// `group.max.session.timeout.ms`: the longest session of a classic member.
    pub session_timeout_max: Duration,
    /// `group.initial.rebalance.delay.ms`: how long an empty classic group waits for further members.
    pub initial_rebalance_delay: Duration,
    /// `group.max.size`: members of a classic group. Kafka has no limit unless one is set.
    pub classic_members_max: usize,
    /// `offset.metadata.max.bytes`: the longest metadata string of a commit, in UTF-16 units as Kafka counts them.
    pub offset_metadata_len_max: usize,
    /// `offsets.retention.minutes`.
    pub offsets_retention: Duration,
    /// `offsets.retention.check.interval.ms`.
    pub offsets_retention_check_interval: Duration,
    /// The most bytes that the records of one decision may take in the log: the internal topic's
    /// `max.message.bytes`. Decisions that only delete may be longer; the host splits them.
    pub batch_len_max_bytes: usize,
    /// `logan.group.memory.bytes`: bytes that all groups may take in memory, those of other coordinators that share it
    /// included ([`Context::memory_elsewhere_bytes`](crate::Context)). What would make them take more is refused.
    pub memory_max_bytes: usize,
    /// What consumer groups (KIP-848) are held to, unless [`GroupConfig::groups`] says otherwise.
    pub consumer: ConsumerGroupConfig,
    /// Group configurations by group id; a group that is not named has the values of `consumer`.
    pub groups: BTreeMap<Str, Rc<ConsumerGroupConfig>>,
}

impl Default for GroupConfig {
    fn default() -> Self {
        Self {
            session_timeout_min: Duration::from_secs(6),
            session_timeout_max: Duration::from_secs(1_800),
            initial_rebalance_delay: Duration::from_secs(3),
            classic_members_max: i32::MAX as usize,
            offset_metadata_len_max: 4_096,
            offsets_retention: Duration::from_secs(7 * 24 * 60 * 60),
            offsets_retention_check_interval: Duration::from_secs(600),
            batch_len_max_bytes: 1_048_588,
            memory_max_bytes: 512 * 1024 * 1024,
            consumer: ConsumerGroupConfig::default(),
            groups: BTreeMap::new(),
        }
    }
}

impl GroupConfig {
    /// What this consumer group is held to.
    #[must_use]
    pub fn consumer_group(&self, group_id: &str) -> &ConsumerGroupConfig {
        let own = self.groups.get(group_id);
        own.map_or(&self.consumer, |own| own)
    }
}

/// What a consumer group (KIP-848) is held to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerGroupConfig {
    /// `consumer.session.timeout.ms`.
    pub session_timeout: Duration,
    /// `consumer.heartbeat.interval.ms`: what members are told.
    pub heartbeat_interval: Duration,
    /// `consumer.assignment.interval.ms`: the least time between two assignments.
    pub assignment_interval: Duration,
    /// `group.consumer.max.size`: members of a consumer group.
    pub members_max: usize,
    /// `group.consumer.assignors`: the names of server-side assignors; the first is the default.
    pub assignors: Vec<Str>,
    /// `group.consumer.migration.policy`: which conversions of classic groups are allowed.
    pub migration: MigrationPolicy,
    /// `group.consumer.regex.refresh.interval.ms`.
    pub regex_refresh_interval: Duration,
}

impl Default for ConsumerGroupConfig {
    fn default() -> Self {
        Self {
            session_timeout: Duration::from_secs(45),
            heartbeat_interval: Duration::from_secs(5),
            assignment_interval: Duration::from_secs(1),
            members_max: i32::MAX as usize,
            assignors: vec![Str::from_static("uniform"), Str::from_static("range")],
            migration: MigrationPolicy::Bidirectional,
            regex_refresh_interval: Duration::from_secs(600),
        }
    }
}

/// Which conversions between classic and consumer groups are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MigrationPolicy {
    /// Both.
    Bidirectional,
    /// From classic to consumer.
    Upgrade,
    /// From consumer to classic.
    Downgrade,
    /// None.
    Disabled,
}

impl MigrationPolicy {
    /// Whether a classic group may become a consumer group.
    #[must_use]
    pub fn allows_upgrade(self) -> bool {
        matches!(self, Self::Bidirectional | Self::Upgrade)
    }

    /// Whether a consumer group may become a classic group.
    #[must_use]
    pub fn allows_downgrade(self) -> bool {
        matches!(self, Self::Bidirectional | Self::Downgrade)
    }
}
