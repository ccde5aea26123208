// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `ListPartitionReassignmentsResponse`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Str, Wire};

#[derive(Clone, Debug, PartialEq)]
pub struct ListPartitionReassignmentsResponse {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub error_message: Option<Str>,
    pub topics: Vec<OngoingTopicReassignment>,
}

impl Default for ListPartitionReassignmentsResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: 0,
            error_message: Some(Str::default()),
            topics: Vec::new(),
        }
    }
}

impl Wire for ListPartitionReassignmentsResponse {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.throttle_time_ms = d.i32()?;
        it.error_code = d.i16()?;
        it.error_message = d.nullable_string(flexible)?;
        it.topics = d.array(flexible, |d| OngoingTopicReassignment::decode(d, version))?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.i32(self.throttle_time_ms);
        e.i16(self.error_code);
        e.nullable_string(self.error_message.as_ref(), flexible)?;
        e.array(&self.topics, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
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
pub struct OngoingTopicReassignment {
    pub name: Str,
    pub partitions: Vec<OngoingPartitionReassignment>,
}

impl Wire for OngoingTopicReassignment {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.name = d.string(flexible)?;
        it.partitions = d.array(flexible, |d| OngoingPartitionReassignment::decode(d, version))?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.string(&self.name, flexible)?;
        e.array(&self.partitions, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct OngoingPartitionReassignment {
    pub partition_index: i32,
    pub replicas: Vec<i32>,
    pub adding_replicas: Vec<i32>,
    pub removing_replicas: Vec<i32>,
}

impl Wire for OngoingPartitionReassignment {
    fn decode(d: &mut Decoder, _version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.partition_index = d.i32()?;
        it.replicas = d.array(flexible, |d| d.i32())?;
        it.adding_replicas = d.array(flexible, |d| d.i32())?;
        it.removing_replicas = d.array(flexible, |d| d.i32())?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.i32(self.partition_index);
        e.array(&self.replicas, flexible, |e, item| { e.i32(*item); Ok(()) })?;
        e.array(&self.adding_replicas, flexible, |e, item| { e.i32(*item); Ok(()) })?;
        e.array(&self.removing_replicas, flexible, |e, item| { e.i32(*item); Ok(()) })?;
        {
            e.no_tags();
        }
        Ok(())
    }
}

impl Message for ListPartitionReassignmentsResponse {
    const NAME: &'static str = "ListPartitionReassignmentsResponse";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 0;
    const SCHEMA_KEY: Option<i16> = Some(46);

    fn is_flexible(_version: i16) -> bool {
        true
    }
}
