// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `DescribeQuorumResponse`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Str, Uuid, Wire};

#[derive(Clone, Debug, PartialEq)]
pub struct DescribeQuorumResponse {
    pub error_code: i16,
    pub error_message: Option<Str>,
    pub topics: Vec<TopicData>,
    pub nodes: Vec<Node>,
}

impl Default for DescribeQuorumResponse {
    fn default() -> Self {
        Self {
            error_code: 0,
            error_message: Some(Str::default()),
            topics: Vec::new(),
            nodes: Vec::new(),
        }
    }
}

impl Wire for DescribeQuorumResponse {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.error_code = d.i16()?;
        if version == 2 {
            it.error_message = d.nullable_string(flexible)?;
        }
        it.topics = d.array(flexible, |d| TopicData::decode(d, version))?;
        if version == 2 {
            it.nodes = d.array(flexible, |d| Node::decode(d, version))?;
        }
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.i16(self.error_code);
        if version == 2 {
            e.nullable_string(self.error_message.as_ref(), flexible)?;
        }
        e.array(&self.topics, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        if version == 2 {
            e.array(&self.nodes, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        } else if !self.nodes.is_empty() {
            return Err(EncodeError::not_in_version("Nodes", version));
        }
        {
            e.no_tags();
        }
        Ok(())
    }

    fn each_error(&self, see: &mut dyn FnMut(i16)) {
        see(self.error_code);
        for item in &self.topics {
            item.each_error(see);
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct TopicData {
    pub topic_name: Str,
    pub partitions: Vec<PartitionData>,
}

impl Wire for TopicData {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.topic_name = d.string(flexible)?;
        it.partitions = d.array(flexible, |d| PartitionData::decode(d, version))?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.string(&self.topic_name, flexible)?;
        e.array(&self.partitions, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        {
            e.no_tags();
        }
        Ok(())
    }

    fn each_error(&self, see: &mut dyn FnMut(i16)) {
        for item in &self.partitions {
            item.each_error(see);
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct PartitionData {
    pub partition_index: i32,
    pub error_code: i16,
    pub error_message: Option<Str>,
    pub leader_id: i32,
    pub leader_epoch: i32,
    pub high_watermark: i64,
    pub current_voters: Vec<ReplicaState>,
    pub observers: Vec<ReplicaState>,
}

impl Default for PartitionData {
    fn default() -> Self {
        Self {
            partition_index: 0,
            error_code: 0,
            error_message: Some(Str::default()),
            leader_id: 0,
            leader_epoch: 0,
            high_watermark: 0,
            current_voters: Vec::new(),
            observers: Vec::new(),
        }
    }
}

impl Wire for PartitionData {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.partition_index = d.i32()?;
        it.error_code = d.i16()?;
        if version == 2 {
            it.error_message = d.nullable_string(flexible)?;
        }
        it.leader_id = d.i32()?;
        it.leader_epoch = d.i32()?;
        it.high_watermark = d.i64()?;
        it.current_voters = d.array(flexible, |d| ReplicaState::decode(d, version))?;
        it.observers = d.array(flexible, |d| ReplicaState::decode(d, version))?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.i32(self.partition_index);
        e.i16(self.error_code);
        if version == 2 {
            e.nullable_string(self.error_message.as_ref(), flexible)?;
        }
        e.i32(self.leader_id);
        e.i32(self.leader_epoch);
        e.i64(self.high_watermark);
        e.array(&self.current_voters, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        e.array(&self.observers, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        {
            e.no_tags();
        }
        Ok(())
    }

    fn each_error(&self, see: &mut dyn FnMut(i16)) {
        see(self.error_code);
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Node {
    pub node_id: i32,
    pub listeners: Vec<Listener>,
}

impl Wire for Node {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        if version == 2 {
            it.node_id = d.i32()?;
        }
        if version == 2 {
            it.listeners = d.array(flexible, |d| Listener::decode(d, version))?;
        }
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        if version == 2 {
            e.i32(self.node_id);
        } else if self.node_id != 0 {
            return Err(EncodeError::not_in_version("NodeId", version));
        }
        if version == 2 {
            e.array(&self.listeners, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        } else if !self.listeners.is_empty() {
            return Err(EncodeError::not_in_version("Listeners", version));
        }
        {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listener {
    pub name: Str,
    pub host: Str,
    pub port: u16,
}

impl Wire for Listener {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        if version == 2 {
            it.name = d.string(flexible)?;
        }
        if version == 2 {
            it.host = d.string(flexible)?;
        }
        if version == 2 {
            it.port = d.u16()?;
        }
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        if version == 2 {
            e.string(&self.name, flexible)?;
        } else if !self.name.is_empty() {
            return Err(EncodeError::not_in_version("Name", version));
        }
        if version == 2 {
            e.string(&self.host, flexible)?;
        } else if !self.host.is_empty() {
            return Err(EncodeError::not_in_version("Host", version));
        }
        if version == 2 {
            e.u16(self.port);
        } else if self.port != 0 {
            return Err(EncodeError::not_in_version("Port", version));
        }
        {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct ReplicaState {
    pub replica_id: i32,
    pub replica_directory_id: Uuid,
    pub log_end_offset: i64,
    pub last_fetch_timestamp: i64,
    pub last_caught_up_timestamp: i64,
}

impl Default for ReplicaState {
    fn default() -> Self {
        Self {
            replica_id: 0,
            replica_directory_id: Uuid::default(),
            log_end_offset: 0,
            last_fetch_timestamp: -1,
            last_caught_up_timestamp: -1,
        }
    }
}

impl Wire for ReplicaState {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let mut it = Self::default();
        it.replica_id = d.i32()?;
        if version == 2 {
            it.replica_directory_id = d.uuid()?;
        }
        it.log_end_offset = d.i64()?;
        if version >= 1 {
            it.last_fetch_timestamp = d.i64()?;
        }
        if version >= 1 {
            it.last_caught_up_timestamp = d.i64()?;
        }
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        e.i32(self.replica_id);
        if version == 2 {
            e.uuid(self.replica_directory_id);
        } else if self.replica_directory_id != Uuid::default() {
            return Err(EncodeError::not_in_version("ReplicaDirectoryId", version));
        }
        e.i64(self.log_end_offset);
        if version >= 1 {
            e.i64(self.last_fetch_timestamp);
        }
        if version >= 1 {
            e.i64(self.last_caught_up_timestamp);
        }
        {
            e.no_tags();
        }
        Ok(())
    }
}

impl Message for DescribeQuorumResponse {
    const NAME: &'static str = "DescribeQuorumResponse";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 2;
    const SCHEMA_KEY: Option<i16> = Some(55);

    fn is_flexible(_version: i16) -> bool {
        true
    }
}
