//! The cluster image and the records that change it.
//!
//! A core without I/O, clock or randomness: `decide_*` functions take an image and a request and say which records
//! to write and what to answer; [`MetadataImage::apply`] is the only thing that changes an image; [`log`] and
//! [`snapshot`] turn records and images into bytes and back. The broker writes the records of a decision as one
//! batch, waits until it is durable, applies it, and only then answers: a decision happens wholly or not at all.
//! Everything is plain data that lives on any core; one core at a time decides.
//!
//! It deliberately knows nothing about files, requests' versions and the meaning of configuration keys.

mod apply;
mod assignment;
mod balance;
mod batch;
mod broker;
mod changes;
mod configs;
mod create;
mod delete;
mod directory;
mod error;
mod features;
mod image;
pub mod log;
mod partitions;
mod placement;
mod reassign;
pub mod record;
pub mod snapshot;

mod topic_name;

pub use assignment::ManualAssignment;
pub use balance::{
    BalanceRules, Balancer, Measured, NANOS_PER_BYTE, PartitionLoad, WORK_DIFFERENCE_MIN, Weighed,
    decide_balance,
};
pub use broker::{
    PRODUCER_ID_BLOCK_SIZE, ProducerIdBlock, decide_bootstrap, decide_producer_ids,
    decide_register_broker,
};
pub use configs::{
    AlterConfigsReply, AlterConfigsRules, BrokerConfigs, CONFIG_BYTES_PER_REQUEST_MAX,
    ConfigChange, ConfigOperation, ConfigResource, decide_alter_configs,
};
pub use create::{
    ConfigCheck, CreateTopicsReply, CreateTopicsRules, CreatedTopic, NewTopic,
    PARTITIONS_PER_REQUEST_MAX, decide_create_topics,
};
pub use delete::{DeletedTopic, TopicSelector, decide_delete_topics};
pub use directory::{DirectoryChange, decide_directory_change};
pub use error::{MetadataError, Refusal};
pub use features::{
    FeatureUpdate, GROUP_VERSION, METADATA_VERSION, METADATA_VERSION_LEVEL, SUPPORTED_FEATURES,
    SupportedFeature, UpgradeType, decide_update_features,
};
pub use image::{Configs, MetadataImage, PartitionImage, TopicImage};
pub use partitions::{CreatePartitionsReply, NewPartitions, decide_create_partitions};
pub use placement::{Machine, MachineDirectory, PartitionMove, decide_spread};
pub use reassign::{
    MOVES_AT_ONCE, Reassignment, ReassignmentReply, ReplicaPlace, TargetReplica, decide_election,
    decide_reassignment, next_moves,
};
pub use record::MetadataRecord;
pub use topic_name::{CLUSTER_METADATA_TOPIC, TOPIC_NAME_BYTES_MAX, validate_topic_name};

/// What to do about a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision<R> {
    /// The records to write as one batch; none if nothing changes.
    pub records: Vec<MetadataRecord>,
    /// What to answer once they are durable.
    pub reply: R,
}

impl<R> Decision<R> {
    /// The same records with another answer.
    pub fn map<S>(self, answer: impl FnOnce(R) -> S) -> Decision<S> {
        Decision {
            records: self.records,
            reply: answer(self.reply),
        }
    }

    /// The answer alone, for a request that only validates.
    #[must_use]
    pub fn without_records(self) -> Self {
        Self {
            records: Vec::new(),
            reply: self.reply,
        }
    }
}
