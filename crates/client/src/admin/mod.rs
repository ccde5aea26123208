//! Administration: what Kafka's admin API offers for topics, configurations, partitions and their places on disk.
//!
//! Each call sends one API in the newest version that both sides know. Requests about a broker go to that broker, those
//! about records to the leaders, those about groups to their coordinators, and those that change the cluster to whichever broker is at hand: Kafka's brokers and
//! Logan's shards hand them on to the one that decides.
//!
//! Deliberately absent: transactions, users and quotas.

mod configs;
mod groups;
mod log_dirs;
mod partitions;
mod producer_ids;
mod reassign;
mod records;
mod topics;

pub use configs::{
    ConfigChange, ConfigDetail, ConfigEntry, ConfigResource, ConfigSource, ConfigSynonym,
};
pub use groups::{
    Committed, CommittedOffsets, GroupDescription, GroupMember, ListedGroup, TopicPartition,
};
pub use log_dirs::{LogDir, LogDirReplica};
pub use reassign::Reassignment;
pub use topics::{CreatedTopic, NewTopic};

use types::ErrorCode;

use crate::{Client, ClientError, ResponseFault};

impl Client {
    /// Repeats `attempt` like all requests, except where something does not exist: Kafka calls that retriable for
    /// producers that wait for a topic, but nobody waits for one in order to administer it.
    fn at_once<T>(
        &mut self,
        mut attempt: impl FnMut(&mut Self) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        self.with_retries(|client| match attempt(client) {
            Err(error) if error.code() == Some(ErrorCode::UnknownTopicOrPartition) => {
                Ok(Err(error))
            }
            other => other.map(Ok),
        })?
    }

    /// The error of a response that leaves out what was asked for.
    fn missing(&self, api: &'static str, subject: impl Into<String>) -> ClientError {
        ClientError::BadResponse {
            address: self.config.bootstrap_servers.join(","),
            api,
            fault: ResponseFault::Missing(subject.into()),
        }
    }
}
