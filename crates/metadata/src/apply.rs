//! Applying records: the only way in which an image changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::Str;
use types::{LeaderEpoch, NodeId, Offset, ShardId, Uuid};

use crate::error::MetadataError;
use crate::image::{Configs, MetadataImage, PartitionImage, TopicImage};
use crate::record::{
    ConfigRecord, MetadataRecord, PartitionChangeRecord, PartitionRecord, PlacementRecord,
    RESOURCE_BROKER, RESOURCE_GROUP, RESOURCE_TOPIC, TopicRecord,
};

/// Kafka's "the leader stays" of a partition change.
pub(crate) const NO_LEADER_CHANGE: i32 = -2;

impl MetadataImage {
    /// Applies the next record of the log.
    ///
    /// # Errors
    ///
    /// [`MetadataError::Contradiction`] if the record does not fit what came before it; the image must then not be
    /// used. No record that a decision made on this image does that.
    pub fn apply(&mut self, record: &MetadataRecord) -> Result<(), MetadataError> {
        let offset = Offset(self.end_offset);
        self.replay(record)
            .map_err(|problem| MetadataError::Contradiction { offset, problem })?;
        self.end_offset += 1;
        let changes_topics = matches!(
            record,
            MetadataRecord::Topic(_)
                | MetadataRecord::Partition(_)
                | MetadataRecord::RemoveTopic(_)
        );
        self.topics_version.0 += u64::from(changes_topics);
        Ok(())
    }

    /// A new image with the records of one decision applied to this one, which stays as it is.
    ///
    /// # Errors
    ///
    /// As [`MetadataImage::apply`].
    pub fn with(&self, records: &[MetadataRecord]) -> Result<Self, MetadataError> {
        let mut image = self.clone();
        records.iter().try_for_each(|record| image.apply(record))?;
        Ok(image)
    }

    fn replay(&mut self, record: &MetadataRecord) -> Result<(), String> {
        match record {
            MetadataRecord::Cluster(record) => match self.cluster_id.replace(record.cluster_id) {
                Some(id) if id != record.cluster_id => Err(format!("it belongs to cluster {id}")),
                _ => Ok(()),
            },
            MetadataRecord::RegisterBroker(record) => {
                self.brokers
                    .insert(NodeId(record.broker_id), Arc::new((**record).clone()));
                Ok(())
            }
            MetadataRecord::Topic(record) => self.add_topic(record),
            MetadataRecord::Partition(record) => self.add_partition(record),
            MetadataRecord::PartitionChange(record) => self.change_partition(record),
            MetadataRecord::Placement(record) => self.place(record),
            MetadataRecord::ShardCount(record) => {
                self.shard_count = Some(record.shards);
                Ok(())
            }
            MetadataRecord::RemoveTopic(record) => self.remove_topic(record.topic_id),
            MetadataRecord::Config(record) => self.configure(record),
            MetadataRecord::ProducerIds(record)
                if record.next_producer_id < self.next_producer_id =>
            {
                Err(format!(
                    "producer ids from {} on were given out before",
                    record.next_producer_id
                ))
            }
            MetadataRecord::ProducerIds(record) => {
                self.next_producer_id = record.next_producer_id;
                Ok(())
            }
            MetadataRecord::FeatureLevel(record) if record.feature_level == 0 => {
                self.features.remove(&record.name);
                Ok(())
            }
            MetadataRecord::FeatureLevel(record) => {
                self.features
                    .insert(record.name.clone(), record.feature_level);
                Ok(())
            }
        }
    }

    fn add_topic(&mut self, record: &TopicRecord) -> Result<(), String> {
        if self.topics.contains_key(&record.topic_id) {
            return Err(format!(
                "there is a topic of id {} already",
                record.topic_id
            ));
        }
        if self.topic_ids.contains_key(&record.name) {
            return Err(format!(
                "there is a topic of name {} already",
                &*record.name
            ));
        }
        let topic = TopicImage {
            id: record.topic_id,
            name: record.name.detached(),
            partitions: Vec::new(),
            configs: Configs::new(),
        };
        self.topic_ids
            .insert_mut(topic.name.clone(), record.topic_id);
        self.topics.insert_mut(record.topic_id, Arc::new(topic));
        self.changes.note(self.end_offset, record.topic_id);
        Ok(())
    }

    fn topic_mut(&mut self, id: Uuid) -> Result<&mut TopicImage, String> {
        let topic = self
            .topics
            .get_mut(&id)
            .ok_or_else(|| format!("there is no topic of id {id}"))?;
        self.changes.note(self.end_offset, id);
        Ok(Arc::make_mut(topic))
    }

    fn add_partition(&mut self, record: &PartitionRecord) -> Result<(), String> {
        let topic = self.topic_mut(record.topic_id)?;
        if usize::try_from(record.partition_id) != Ok(topic.partitions.len()) {
            let next = topic.partitions.len();
            return Err(format!(
                "partition {} of topic {} comes before {next}",
                record.partition_id, &*topic.name
            ));
        }
        topic.partitions.push(PartitionImage {
            replicas: nodes(&record.replicas),
            isr: nodes(&record.isr),
            directories: record.directories.clone(),
            leader: NodeId(record.leader),
            leader_epoch: LeaderEpoch(record.leader_epoch),
            partition_epoch: record.partition_epoch,
            shard: None,
        });
        Ok(())
    }

    fn partition_mut(&mut self, id: Uuid, index: i32) -> Result<&mut PartitionImage, String> {
        let partition = usize::try_from(index).ok();
        let topic = self.topic_mut(id)?;
        partition
            .and_then(|index| topic.partitions.get_mut(index))
            .ok_or_else(|| format!("topic {} has no partition {index}", &*topic.name))
    }

    fn change_partition(&mut self, record: &PartitionChangeRecord) -> Result<(), String> {
        let partition = self.partition_mut(record.topic_id, record.partition_id)?;
        if let Some(replicas) = &record.replicas {
            partition.replicas = nodes(replicas);
        }
        if let Some(isr) = &record.isr {
            partition.isr = nodes(isr);
        }
        if let Some(directories) = &record.directories {
            partition.directories.clone_from(directories);
        }
        if record.leader != NO_LEADER_CHANGE {
            partition.leader = NodeId(record.leader);
            partition.leader_epoch.0 += 1;
        }
        partition.partition_epoch += 1;
        Ok(())
    }

    fn place(&mut self, record: &PlacementRecord) -> Result<(), String> {
        let partition = self.partition_mut(record.topic_id, record.partition_id)?;
        let before = partition.shard.replace(record.shard);
        self.count(before, |count| count - 1);
        self.count(Some(record.shard), |count| count + 1);
        Ok(())
    }

    fn count(&mut self, shard: Option<ShardId>, change: impl Fn(u32) -> u32) {
        let Some(shard) = shard else { return };
        let index = usize::from(shard.0);
        if self.partitions_per_shard.len() <= index {
            self.partitions_per_shard.resize(index + 1, 0);
        }
        self.partitions_per_shard[index] = change(self.partitions_per_shard[index]);
        // A snapshot knows nothing of shards that have become empty, so neither does the image.
        while self.partitions_per_shard.last() == Some(&0) {
            self.partitions_per_shard.pop();
        }
    }

    fn remove_topic(&mut self, id: Uuid) -> Result<(), String> {
        let topic = self.topics.get(&id).map(Arc::clone);
        let topic = topic.ok_or_else(|| format!("there is no topic of id {id}"))?;
        self.topics.remove_mut(&id);
        self.topic_ids.remove_mut(&topic.name);
        self.changes.note(self.end_offset, id);
        for partition in &topic.partitions {
            self.count(partition.shard, |count| count - 1);
        }
        Ok(())
    }

    fn configure(&mut self, record: &ConfigRecord) -> Result<(), String> {
        let (key, value) = (&record.name, record.value.as_ref());
        match record.resource_type {
            RESOURCE_TOPIC => {
                let id = self.topic_ids.get(&record.resource_name).copied();
                let id =
                    id.ok_or_else(|| format!("there is no topic {}", &*record.resource_name))?;
                set(&mut self.topic_mut(id)?.configs, key, value);
            }
            RESOURCE_BROKER => set_of(&mut self.broker_configs, record),
            RESOURCE_GROUP => set_of(&mut self.group_configs, record),
            other => return Err(format!("resource type {other} has no configuration here")),
        }
        Ok(())
    }
}

/// Gives a resource a value; one without any is forgotten.
fn set_of(resources: &mut BTreeMap<Str, Configs>, record: &ConfigRecord) {
    let name = record.resource_name.detached();
    let configs = resources.entry(name).or_default();
    set(configs, &record.name, record.value.as_ref());
    if configs.is_empty() {
        resources.remove(&record.resource_name);
    }
}

fn set(configs: &mut Configs, key: &Str, value: Option<&Str>) {
    match value {
        Some(value) => configs.insert(key.detached(), value.detached()),
        None => configs.remove(key),
    };
}

fn nodes(ids: &[i32]) -> Vec<NodeId> {
    ids.iter().copied().map(NodeId).collect()
}
