// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `MetadataResponse`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Str, Uuid, Wire, not_null};

#[derive(Clone, Debug, PartialEq)]
pub struct MetadataResponse {
    pub throttle_time_ms: i32,
    pub brokers: Vec<MetadataResponseBroker>,
    pub cluster_id: Option<Str>,
    pub controller_id: i32,
    pub topics: Vec<MetadataResponseTopic>,
    pub cluster_authorized_operations: i32,
    pub error_code: i16,
}

impl Default for MetadataResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            brokers: Vec::new(),
            cluster_id: None,
            controller_id: -1,
            topics: Vec::new(),
            cluster_authorized_operations: -2147483648,
            error_code: 0,
        }
    }
}

impl Wire for MetadataResponse {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 9;
        let mut it = Self::default();
        if version >= 3 {
            it.throttle_time_ms = d.i32()?;
        }
        it.brokers = d.array(flexible, |d| MetadataResponseBroker::decode(d, version))?;
        if version >= 2 {
            it.cluster_id = d.nullable_string(flexible)?;
        }
        if version >= 1 {
            it.controller_id = d.i32()?;
        }
        it.topics = d.array(flexible, |d| MetadataResponseTopic::decode(d, version))?;
        if (8..=10).contains(&version) {
            it.cluster_authorized_operations = d.i32()?;
        }
        if version == 13 {
            it.error_code = d.i16()?;
        }
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 9;
        if version >= 3 {
            e.i32(self.throttle_time_ms);
        }
        e.array(&self.brokers, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        if version >= 2 {
            e.nullable_string(self.cluster_id.as_ref(), flexible)?;
        }
        if version >= 1 {
            e.i32(self.controller_id);
        }
        e.array(&self.topics, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        if (8..=10).contains(&version) {
            e.i32(self.cluster_authorized_operations);
        } else if self.cluster_authorized_operations != -2147483648 {
            return Err(EncodeError::not_in_version("ClusterAuthorizedOperations", version));
        }
        if version == 13 {
            e.i16(self.error_code);
        }
        if flexible {
            e.no_tags();
        }
        Ok(())
    }

    fn each_error(&self, see: &mut dyn FnMut(i16)) {
        for item in &self.topics {
            item.each_error(see);
        }
        see(self.error_code);
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetadataResponseBroker {
    pub node_id: i32,
    pub host: Str,
    pub port: i32,
    pub rack: Option<Str>,
}

impl Wire for MetadataResponseBroker {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 9;
        let mut it = Self::default();
        it.node_id = d.i32()?;
        it.host = d.string(flexible)?;
        it.port = d.i32()?;
        if version >= 1 {
            it.rack = d.nullable_string(flexible)?;
        }
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 9;
        e.i32(self.node_id);
        e.string(&self.host, flexible)?;
        e.i32(self.port);
        if version >= 1 {
            e.nullable_string(self.rack.as_ref(), flexible)?;
        }
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct MetadataResponseTopic {
    pub error_code: i16,
    pub name: Option<Str>,
    pub topic_id: Uuid,
    pub is_internal: bool,
    pub partitions: Vec<MetadataResponsePartition>,
    pub topic_authorized_operations: i32,
}

impl Default for MetadataResponseTopic {
    fn default() -> Self {
        Self {
            error_code: 0,
            name: Some(Str::default()),
            topic_id: Uuid::default(),
            is_internal: false,
            partitions: Vec::new(),
            topic_authorized_operations: -2147483648,
        }
    }
}

impl Wire for MetadataResponseTopic {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 9;
        let mut it = Self::default();
        it.error_code = d.i16()?;
        it.name = if version >= 12 { d.nullable_string(flexible)? } else { Some(d.string(flexible)?) };
        if version >= 10 {
            it.topic_id = d.uuid()?;
        }
        if version >= 1 {
            it.is_internal = d.bool()?;
        }
        it.partitions = d.array(flexible, |d| MetadataResponsePartition::decode(d, version))?;
        if version >= 8 {
            it.topic_authorized_operations = d.i32()?;
        }
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 9;
        e.i16(self.error_code);
        if version >= 12 { e.nullable_string(self.name.as_ref(), flexible)? } else { e.string(not_null(self.name.as_ref(), "Name")?, flexible)? };
        if version >= 10 {
            e.uuid(self.topic_id);
        }
        if version >= 1 {
            e.bool(self.is_internal);
        }
        e.array(&self.partitions, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        if version >= 8 {
            e.i32(self.topic_authorized_operations);
        } else if self.topic_authorized_operations != -2147483648 {
            return Err(EncodeError::not_in_version("TopicAuthorizedOperations", version));
        }
        if flexible {
            e.no_tags();
        }
        Ok(())
    }

    fn each_error(&self, see: &mut dyn FnMut(i16)) {
        see(self.error_code);
        for item in &self.partitions {
            item.each_error(see);
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct MetadataResponsePartition {
    pub error_code: i16,
    pub partition_index: i32,
    pub leader_id: i32,
    pub leader_epoch: i32,
    pub replica_nodes: Vec<i32>,
    pub isr_nodes: Vec<i32>,
    pub offline_replicas: Vec<i32>,
}

impl Default for MetadataResponsePartition {
    fn default() -> Self {
        Self {
            error_code: 0,
            partition_index: 0,
            leader_id: 0,
            leader_epoch: -1,
            replica_nodes: Vec::new(),
            isr_nodes: Vec::new(),
            offline_replicas: Vec::new(),
        }
    }
}

impl Wire for MetadataResponsePartition {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 9;
        let mut it = Self::default();
        it.error_code = d.i16()?;
        it.partition_index = d.i32()?;
        it.leader_id = d.i32()?;
        if version >= 7 {
            it.leader_epoch = d.i32()?;
        }
        it.replica_nodes = d.array(flexible, |d| d.i32())?;
        it.isr_nodes = d.array(flexible, |d| d.i32())?;
        if version >= 5 {
            it.offline_replicas = d.array(flexible, |d| d.i32())?;
        }
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 9;
        e.i16(self.error_code);
        e.i32(self.partition_index);
        e.i32(self.leader_id);
        if version >= 7 {
            e.i32(self.leader_epoch);
        }
        e.array(&self.replica_nodes, flexible, |e, item| { e.i32(*item); Ok(()) })?;
        e.array(&self.isr_nodes, flexible, |e, item| { e.i32(*item); Ok(()) })?;
        if version >= 5 {
            e.array(&self.offline_replicas, flexible, |e, item| { e.i32(*item); Ok(()) })?;
        }
        if flexible {
            e.no_tags();
        }
        Ok(())
    }

    fn each_error(&self, see: &mut dyn FnMut(i16)) {
        see(self.error_code);
    }
}

impl Message for MetadataResponse {
    const NAME: &'static str = "MetadataResponse";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 13;
    const SCHEMA_KEY: Option<i16> = Some(3);

    fn is_flexible(version: i16) -> bool {
        version >= 9
    }
}
