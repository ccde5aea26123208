// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `ListOffsetsResponse`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Str, Wire};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListOffsetsResponse {
    pub throttle_time_ms: i32,
    pub topics: Vec<ListOffsetsTopicResponse>,
}

impl Wire for ListOffsetsResponse {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 6;
        let mut it = Self::default();
        if version >= 2 {
            it.throttle_time_ms = d.i32()?;
        }
        it.topics = d.array(flexible, |d| ListOffsetsTopicResponse::decode(d, version))?;
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 6;
        if version >= 2 {
            e.i32(self.throttle_time_ms);
        }
        e.array(&self.topics, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        if flexible {
            e.no_tags();
        }
        Ok(())
    }

    fn each_error(&self, see: &mut dyn FnMut(i16)) {
        for item in &self.topics {
            item.each_error(see);
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListOffsetsTopicResponse {
    pub name: Str,
    pub partitions: Vec<ListOffsetsPartitionResponse>,
}

impl Wire for ListOffsetsTopicResponse {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 6;
        let mut it = Self::default();
        it.name = d.string(flexible)?;
        it.partitions = d.array(flexible, |d| ListOffsetsPartitionResponse::decode(d, version))?;
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 6;
        e.string(&self.name, flexible)?;
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

#[derive(Clone, Debug, PartialEq)]
pub struct ListOffsetsPartitionResponse {
    pub partition_index: i32,
    pub error_code: i16,
    pub timestamp: i64,
    pub offset: i64,
    pub leader_epoch: i32,
}

impl Default for ListOffsetsPartitionResponse {
    fn default() -> Self {
        Self {
            partition_index: 0,
            error_code: 0,
            timestamp: -1,
            offset: -1,
            leader_epoch: -1,
        }
    }
}

impl Wire for ListOffsetsPartitionResponse {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 6;
        let mut it = Self::default();
        it.partition_index = d.i32()?;
        it.error_code = d.i16()?;
        it.timestamp = d.i64()?;
        it.offset = d.i64()?;
        if version >= 4 {
            it.leader_epoch = d.i32()?;
        }
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 6;
        e.i32(self.partition_index);
        e.i16(self.error_code);
        e.i64(self.timestamp);
        e.i64(self.offset);
        if version >= 4 {
            e.i32(self.leader_epoch);
        } else if self.leader_epoch != -1 {
            return Err(EncodeError::not_in_version("LeaderEpoch", version));
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

impl Message for ListOffsetsResponse {
    const NAME: &'static str = "ListOffsetsResponse";
    const FIRST_VERSION: i16 = 1;
    const LAST_VERSION: i16 = 11;
    const SCHEMA_KEY: Option<i16> = Some(2);

    fn is_flexible(version: i16) -> bool {
        version >= 6
    }
}
