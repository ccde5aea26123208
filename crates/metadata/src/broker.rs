//! Deciding about the cluster, its brokers and their producer ids.

use types::{ErrorCode, NodeId, ProducerId, Uuid};

use crate::Decision;
use crate::error::Refusal;
use crate::features::SupportedFeature;
use crate::image::MetadataImage;
use crate::record::{
    ClusterRecord, FeatureLevelRecord, MetadataRecord, ProducerIdsRecord, RegisterBrokerRecord,
};

/// How many producer ids a broker gets at a time.
///
/// Source: `org.apache.kafka.server.common.ProducerIdsBlock`.
pub const PRODUCER_ID_BLOCK_SIZE: i64 = 1000;

/// A block of producer ids that belongs to one broker: `first` and the `len` - 1 after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerIdBlock {
    /// The first id.
    pub first: ProducerId,
    /// How many ids there are, at least 1.
    pub len: i64,
}

/// Decides what an empty log begins with: the cluster's id, and the features at their highest levels. On a log that
/// has been begun there is nothing to decide.
///
/// # Errors
///
/// `INCONSISTENT_CLUSTER_ID` if the log belongs to another cluster.
pub fn decide_bootstrap(
    image: &MetadataImage,
    cluster_id: Uuid,
    supported: &[SupportedFeature],
) -> Result<Decision<()>, Refusal> {
    match image.cluster_id() {
        Some(id) if id == cluster_id => Ok(Decision {
            records: Vec::new(),
            reply: (),
        }),
        Some(id) => {
            let message = format!("the metadata log belongs to cluster {id}, not to {cluster_id}");
            Err(Refusal::new(ErrorCode::InconsistentClusterId, message))
        }
        None => {
            let cluster = MetadataRecord::Cluster(ClusterRecord { cluster_id });
            let features = supported
                .iter()
                .filter(|feature| feature.level_max > 0)
                .map(|feature| {
                    MetadataRecord::FeatureLevel(FeatureLevelRecord {
                        name: feature.name.into(),
                        feature_level: feature.level_max,
                    })
                });
            Ok(Decision {
                records: std::iter::once(cluster).chain(features).collect(),
                reply: (),
            })
        }
    }
}

/// Decides whether a broker that starts must be registered (again): if anything but its incarnation has changed. The
/// `broker_epoch` of `registration` is ignored: it is the offset of the record, as in Kafka.
#[must_use]
pub fn decide_register_broker(
    image: &MetadataImage,
    registration: RegisterBrokerRecord,
) -> Decision<()> {
    let known = image.broker(NodeId(registration.broker_id));
    let is_same = known.is_some_and(|known| {
        let mut same = registration.clone();
        same.incarnation_id = known.incarnation_id;
        same.broker_epoch = known.broker_epoch;
        same == **known
    });
    let record = RegisterBrokerRecord {
        broker_epoch: image.end_offset().0,
        ..registration
    };
    let records = if is_same {
        Vec::new()
    } else {
        vec![MetadataRecord::RegisterBroker(Box::new(record))]
    };
    Decision { records, reply: () }
}

/// Decides which producer ids a broker gets next.
///
/// # Errors
///
/// `UNKNOWN_SERVER_ERROR` when all ids have been given out, or when the broker is not registered.
pub fn decide_producer_ids(
    image: &MetadataImage,
    node: NodeId,
) -> Result<Decision<ProducerIdBlock>, Refusal> {
    let Some(broker) = image.broker(node) else {
        let message = format!("Broker {node} is not registered.");
        return Err(Refusal::new(ErrorCode::BrokerIdNotRegistered, message));
    };
    let first = image.next_producer_id();
    let Some(next_producer_id) = first.0.checked_add(PRODUCER_ID_BLOCK_SIZE) else {
        let message = "Exhausted all producerIds as the next block's end producerId has exceeded the int64 type limit";
        return Err(Refusal::new(ErrorCode::UnknownServerError, message));
    };
    let record = ProducerIdsRecord {
        broker_id: node.0,
        broker_epoch: broker.broker_epoch,
        next_producer_id,
    };
    Ok(Decision {
        records: vec![MetadataRecord::ProducerIds(record)],
        reply: ProducerIdBlock {
            first,
            len: PRODUCER_ID_BLOCK_SIZE,
        },
    })
}
