// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `ShareFetchResponse`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Records, Str, Uuid, Wire, not_null};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct ShareFetchResponse {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub error_message: Option<Str>,
    pub acquisition_lock_timeout_ms: i32,
    pub responses: Vec<ShareFetchableTopicResponse>,
    pub node_endpoints: Vec<NodeEndpoint>,
}

impl Wire for ShareFetchResponse {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.throttle_time_ms = d.i32()?;
        it.error_code = d.i16()?;
        it.error_message = d.nullable_string(flexible)?;
        it.acquisition_lock_timeout_ms = d.i32()?;
        it.responses = d.array(flexible, |d| ShareFetchableTopicResponse::decode(d, version))?;
        it.node_endpoints = d.array(flexible, |d| NodeEndpoint::decode(d, version))?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.i32(self.throttle_time_ms);
        e.i16(self.error_code);
        e.nullable_string(self.error_message.as_ref(), flexible)?;
        e.i32(self.acquisition_lock_timeout_ms);
        e.array(&self.responses, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        e.array(&self.node_endpoints, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        {
            e.no_tags();
        }
        Ok(())
    }

    fn each_error(&self, see: &mut dyn FnMut(i16)) {
        see(self.error_code);
        for item in &self.responses {
            item.each_error(see);
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct ShareFetchableTopicResponse {
    pub topic_id: Uuid,
    pub partitions: Vec<PartitionData>,
}

impl Wire for ShareFetchableTopicResponse {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.topic_id = d.uuid()?;
        it.partitions = d.array(flexible, |d| PartitionData::decode(d, version))?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.uuid(self.topic_id);
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
    pub acknowledge_error_code: i16,
    pub acknowledge_error_message: Option<Str>,
    pub current_leader: LeaderIdAndEpoch,
    pub records: Option<Records>,
    pub acquired_records: Vec<AcquiredRecords>,
}

impl Default for PartitionData {
    fn default() -> Self {
        Self {
            partition_index: 0,
            error_code: 0,
            error_message: None,
            acknowledge_error_code: 0,
            acknowledge_error_message: None,
            current_leader: LeaderIdAndEpoch::default(),
            records: Some(Records::default()),
            acquired_records: Vec::new(),
        }
    }
}

impl Wire for PartitionData {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.partition_index = d.i32()?;
        it.error_code = d.i16()?;
        it.error_message = d.nullable_string(flexible)?;
        it.acknowledge_error_code = d.i16()?;
        it.acknowledge_error_message = d.nullable_string(flexible)?;
        it.current_leader = LeaderIdAndEpoch::decode(d, version)?;
        it.records = Some(d.records(flexible)?);
        it.acquired_records = d.array(flexible, |d| AcquiredRecords::decode(d, version))?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.i32(self.partition_index);
        e.i16(self.error_code);
        e.nullable_string(self.error_message.as_ref(), flexible)?;
        e.i16(self.acknowledge_error_code);
        e.nullable_string(self.acknowledge_error_message.as_ref(), flexible)?;
        self.current_leader.encode(e, version)?;
        e.records(not_null(self.records.as_ref(), "Records")?, flexible)?;
        e.array(&self.acquired_records, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
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
pub struct LeaderIdAndEpoch {
    pub leader_id: i32,
    pub leader_epoch: i32,
}

impl Wire for LeaderIdAndEpoch {
    fn decode(d: &mut Decoder, _version: i16) -> Result<Self, DecodeError> {
        let mut it = Self::default();
        it.leader_id = d.i32()?;
        it.leader_epoch = d.i32()?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        e.i32(self.leader_id);
        e.i32(self.leader_epoch);
        {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct AcquiredRecords {
    pub first_offset: i64,
    pub last_offset: i64,
    pub delivery_count: i16,
}

impl Wire for AcquiredRecords {
    fn decode(d: &mut Decoder, _version: i16) -> Result<Self, DecodeError> {
        let mut it = Self::default();
        it.first_offset = d.i64()?;
        it.last_offset = d.i64()?;
        it.delivery_count = d.i16()?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        e.i64(self.first_offset);
        e.i64(self.last_offset);
        e.i16(self.delivery_count);
        {
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
    fn decode(d: &mut Decoder, _version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.node_id = d.i32()?;
        it.host = d.string(flexible)?;
        it.port = d.i32()?;
        it.rack = d.nullable_string(flexible)?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.i32(self.node_id);
        e.string(&self.host, flexible)?;
        e.i32(self.port);
        e.nullable_string(self.rack.as_ref(), flexible)?;
        {
            e.no_tags();
        }
        Ok(())
    }
}

impl Message for ShareFetchResponse {
    const NAME: &'static str = "ShareFetchResponse";
    const FIRST_VERSION: i16 = 1;
    const LAST_VERSION: i16 = 2;
    const SCHEMA_KEY: Option<i16> = Some(78);

    fn is_flexible(_version: i16) -> bool {
        true
    }
}
