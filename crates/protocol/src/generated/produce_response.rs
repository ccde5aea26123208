// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `ProduceResponse`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Str, Tags, Uuid, Wire};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProduceResponse {
    pub responses: Vec<TopicProduceResponse>,
    pub throttle_time_ms: i32,
    pub node_endpoints: Vec<NodeEndpoint>,
}

impl Wire for ProduceResponse {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 9;
        let mut it = Self::default();
        it.responses = d.array(flexible, |d| TopicProduceResponse::decode(d, version))?;
        it.throttle_time_ms = d.i32()?;
        if flexible {
            d.tags(|tag, d| {
            match tag {
                0 if version >= 10 => it.node_endpoints = d.array(flexible, |d| NodeEndpoint::decode(d, version))?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 9;
        e.array(&self.responses, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        e.i32(self.throttle_time_ms);
        if flexible {
            let mut tags = Tags::default();
            if version >= 10 && !self.node_endpoints.is_empty() {
                tags.add(0, |e| { e.array(&self.node_endpoints, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?; Ok(()) })?;
            }
            e.tags(tags);
        }
        Ok(())
    }

    fn each_error(&self, see: &mut dyn FnMut(i16)) {
        for item in &self.responses {
            item.each_error(see);
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct TopicProduceResponse {
    pub name: Str,
    pub topic_id: Uuid,
    pub partition_responses: Vec<PartitionProduceResponse>,
}

impl Wire for TopicProduceResponse {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 9;
        let mut it = Self::default();
        if version <= 12 {
            it.name = d.string(flexible)?;
        }
        if version == 13 {
            it.topic_id = d.uuid()?;
        }
        it.partition_responses = d.array(flexible, |d| PartitionProduceResponse::decode(d, version))?;
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 9;
        if version <= 12 {
            e.string(&self.name, flexible)?;
        }
        if version == 13 {
            e.uuid(self.topic_id);
        }
        e.array(&self.partition_responses, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        if flexible {
            e.no_tags();
        }
        Ok(())
    }

    fn each_error(&self, see: &mut dyn FnMut(i16)) {
        for item in &self.partition_responses {
            item.each_error(see);
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct PartitionProduceResponse {
    pub index: i32,
    pub error_code: i16,
    pub base_offset: i64,
    pub log_append_time_ms: i64,
    pub log_start_offset: i64,
    pub record_errors: Vec<BatchIndexAndErrorMessage>,
    pub error_message: Option<Str>,
    pub current_leader: LeaderIdAndEpoch,
}

impl Default for PartitionProduceResponse {
    fn default() -> Self {
        Self {
            index: 0,
            error_code: 0,
            base_offset: 0,
            log_append_time_ms: -1,
            log_start_offset: -1,
            record_errors: Vec::new(),
            error_message: None,
            current_leader: LeaderIdAndEpoch::default(),
        }
    }
}

impl Wire for PartitionProduceResponse {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 9;
        let mut it = Self::default();
        it.index = d.i32()?;
        it.error_code = d.i16()?;
        it.base_offset = d.i64()?;
        it.log_append_time_ms = d.i64()?;
        if version >= 5 {
            it.log_start_offset = d.i64()?;
        }
        if version >= 8 {
            it.record_errors = d.array(flexible, |d| BatchIndexAndErrorMessage::decode(d, version))?;
        }
        if version >= 8 {
            it.error_message = d.nullable_string(flexible)?;
        }
        if flexible {
            d.tags(|tag, d| {
            match tag {
                0 if version >= 10 => it.current_leader = LeaderIdAndEpoch::decode(d, version)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 9;
        e.i32(self.index);
        e.i16(self.error_code);
        e.i64(self.base_offset);
        e.i64(self.log_append_time_ms);
        if version >= 5 {
            e.i64(self.log_start_offset);
        }
        if version >= 8 {
            e.array(&self.record_errors, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        }
        if version >= 8 {
            e.nullable_string(self.error_message.as_ref(), flexible)?;
        }
        if flexible {
            let mut tags = Tags::default();
            if version >= 10 && self.current_leader != LeaderIdAndEpoch::default() {
                tags.add(0, |e| { self.current_leader.encode(e, version)?; Ok(()) })?;
            }
            e.tags(tags);
        }
        Ok(())
    }

    fn each_error(&self, see: &mut dyn FnMut(i16)) {
        see(self.error_code);
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct BatchIndexAndErrorMessage {
    pub batch_index: i32,
    pub batch_index_error_message: Option<Str>,
}

impl Wire for BatchIndexAndErrorMessage {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 9;
        let mut it = Self::default();
        if version >= 8 {
            it.batch_index = d.i32()?;
        }
        if version >= 8 {
            it.batch_index_error_message = d.nullable_string(flexible)?;
        }
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 9;
        if version >= 8 {
            e.i32(self.batch_index);
        } else if self.batch_index != 0 {
            return Err(EncodeError::not_in_version("BatchIndex", version));
        }
        if version >= 8 {
            e.nullable_string(self.batch_index_error_message.as_ref(), flexible)?;
        } else if self.batch_index_error_message.is_some() {
            return Err(EncodeError::not_in_version("BatchIndexErrorMessage", version));
        }
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct LeaderIdAndEpoch {
    pub leader_id: i32,
    pub leader_epoch: i32,
}

impl Default for LeaderIdAndEpoch {
    fn default() -> Self {
        Self {
            leader_id: -1,
            leader_epoch: -1,
        }
    }
}

impl Wire for LeaderIdAndEpoch {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 9;
        let mut it = Self::default();
        if version >= 10 {
            it.leader_id = d.i32()?;
        }
        if version >= 10 {
            it.leader_epoch = d.i32()?;
        }
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 9;
        if version >= 10 {
            e.i32(self.leader_id);
        } else if self.leader_id != -1 {
            return Err(EncodeError::not_in_version("LeaderId", version));
        }
        if version >= 10 {
            e.i32(self.leader_epoch);
        } else if self.leader_epoch != -1 {
            return Err(EncodeError::not_in_version("LeaderEpoch", version));
        }
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeEndpoint {
    pub node_id: i32,
    pub host: Str,
    pub port: i32,
    pub rack: Option<Str>,
}

impl Wire for NodeEndpoint {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 9;
        let mut it = Self::default();
        if version >= 10 {
            it.node_id = d.i32()?;
        }
        if version >= 10 {
            it.host = d.string(flexible)?;
        }
        if version >= 10 {
            it.port = d.i32()?;
        }
        if version >= 10 {
            it.rack = d.nullable_string(flexible)?;
        }
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 9;
        if version >= 10 {
            e.i32(self.node_id);
        } else if self.node_id != 0 {
            return Err(EncodeError::not_in_version("NodeId", version));
        }
        if version >= 10 {
            e.string(&self.host, flexible)?;
        } else if !self.host.is_empty() {
            return Err(EncodeError::not_in_version("Host", version));
        }
        if version >= 10 {
            e.i32(self.port);
        } else if self.port != 0 {
            return Err(EncodeError::not_in_version("Port", version));
        }
        if version >= 10 {
            e.nullable_string(self.rack.as_ref(), flexible)?;
        } else if self.rack.is_some() {
            return Err(EncodeError::not_in_version("Rack", version));
        }
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

impl Message for ProduceResponse {
    const NAME: &'static str = "ProduceResponse";
    const FIRST_VERSION: i16 = 3;
    const LAST_VERSION: i16 = 13;
    const SCHEMA_KEY: Option<i16> = Some(0);

    fn is_flexible(version: i16) -> bool {
        version >= 9
    }
}
