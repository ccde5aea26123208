// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `BeginQuorumEpochResponse`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Str, Tags, Wire};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct BeginQuorumEpochResponse {
    pub error_code: i16,
    pub topics: Vec<TopicData>,
    pub node_endpoints: Vec<NodeEndpoint>,
}

impl Wire for BeginQuorumEpochResponse {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version == 1;
        let mut it = Self::default();
        it.error_code = d.i16()?;
        it.topics = d.array(flexible, |d| TopicData::decode(d, version))?;
        if flexible {
            d.tags(|tag, d| {
            match tag {
                0 => it.node_endpoints = d.array(flexible, |d| NodeEndpoint::decode(d, version))?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version == 1;
        e.i16(self.error_code);
        e.array(&self.topics, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        if flexible {
            let mut tags = Tags::default();
            if !self.node_endpoints.is_empty() {
                tags.add(0, |e| { e.array(&self.node_endpoints, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?; Ok(()) })?;
            }
            e.tags(tags);
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
        let flexible = version == 1;
        let mut it = Self::default();
        it.topic_name = d.string(flexible)?;
        it.partitions = d.array(flexible, |d| PartitionData::decode(d, version))?;
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version == 1;
        e.string(&self.topic_name, flexible)?;
        e.array(&self.partitions, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        if flexible {
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

#[derive(Clone, Debug, Default, PartialEq)]
pub struct PartitionData {
    pub partition_index: i32,
    pub error_code: i16,
    pub leader_id: i32,
    pub leader_epoch: i32,
}

impl Wire for PartitionData {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version == 1;
        let mut it = Self::default();
        it.partition_index = d.i32()?;
        it.error_code = d.i16()?;
        it.leader_id = d.i32()?;
        it.leader_epoch = d.i32()?;
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version == 1;
        e.i32(self.partition_index);
        e.i16(self.error_code);
        e.i32(self.leader_id);
        e.i32(self.leader_epoch);
        if flexible {
            e.no_tags();
        }
        Ok(())
    }

    fn each_error(&self, see: &mut dyn FnMut(i16)) {
        see(self.error_code);
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeEndpoint {
    pub node_id: i32,
    pub host: Str,
    pub port: u16,
}

impl Wire for NodeEndpoint {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version == 1;
        let mut it = Self::default();
        if version == 1 {
            it.node_id = d.i32()?;
        }
        if version == 1 {
            it.host = d.string(flexible)?;
        }
        if version == 1 {
            it.port = d.u16()?;
        }
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version == 1;
        if version == 1 {
            e.i32(self.node_id);
        } else if self.node_id != 0 {
            return Err(EncodeError::not_in_version("NodeId", version));
        }
        if version == 1 {
            e.string(&self.host, flexible)?;
        } else if !self.host.is_empty() {
            return Err(EncodeError::not_in_version("Host", version));
        }
        if version == 1 {
            e.u16(self.port);
        } else if self.port != 0 {
            return Err(EncodeError::not_in_version("Port", version));
        }
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

impl Message for BeginQuorumEpochResponse {
    const NAME: &'static str = "BeginQuorumEpochResponse";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 1;
    const SCHEMA_KEY: Option<i16> = Some(53);

    fn is_flexible(version: i16) -> bool {
        version == 1
    }
}
