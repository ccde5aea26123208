// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `OffsetCommitResponse`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Str, Uuid, Wire};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct OffsetCommitResponse {
    pub throttle_time_ms: i32,
    pub topics: Vec<OffsetCommitResponseTopic>,
}

impl Wire for OffsetCommitResponse {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 8;
        let mut it = Self::default();
        if version >= 3 {
            it.throttle_time_ms = d.i32()?;
        }
        it.topics = d.array(flexible, |d| OffsetCommitResponseTopic::decode(d, version))?;
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 8;
        if version >= 3 {
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
pub struct OffsetCommitResponseTopic {
    pub name: Str,
    pub topic_id: Uuid,
    pub partitions: Vec<OffsetCommitResponsePartition>,
}

impl Wire for OffsetCommitResponseTopic {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 8;
        let mut it = Self::default();
        if version <= 9 {
            it.name = d.string(flexible)?;
        }
        if version == 10 {
            it.topic_id = d.uuid()?;
        }
        it.partitions = d.array(flexible, |d| OffsetCommitResponsePartition::decode(d, version))?;
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 8;
        if version <= 9 {
            e.string(&self.name, flexible)?;
        }
        if version == 10 {
            e.uuid(self.topic_id);
        }
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
pub struct OffsetCommitResponsePartition {
    pub partition_index: i32,
    pub error_code: i16,
}

impl Wire for OffsetCommitResponsePartition {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 8;
        let mut it = Self::default();
        it.partition_index = d.i32()?;
        it.error_code = d.i16()?;
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 8;
        e.i32(self.partition_index);
        e.i16(self.error_code);
        if flexible {
            e.no_tags();
        }
        Ok(())
    }

    fn each_error(&self, see: &mut dyn FnMut(i16)) {
        see(self.error_code);
    }
}

impl Message for OffsetCommitResponse {
    const NAME: &'static str = "OffsetCommitResponse";
    const FIRST_VERSION: i16 = 2;
    const LAST_VERSION: i16 = 10;
    const SCHEMA_KEY: Option<i16> = Some(8);

    fn is_flexible(version: i16) -> bool {
        version >= 8
    }
}
