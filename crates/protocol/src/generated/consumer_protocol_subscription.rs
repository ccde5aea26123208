// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `ConsumerProtocolSubscription`

use crate::wire::prelude::{Bytes, DecodeError, Decoder, EncodeError, Encoder, Message, Str, Wire};

#[derive(Clone, Debug, PartialEq)]
pub struct ConsumerProtocolSubscription {
    pub topics: Vec<Str>,
    pub user_data: Option<Bytes>,
    pub owned_partitions: Vec<TopicPartition>,
    pub generation_id: i32,
    pub rack_id: Option<Str>,
}

impl Default for ConsumerProtocolSubscription {
    fn default() -> Self {
        Self {
            topics: Vec::new(),
            user_data: None,
            owned_partitions: Vec::new(),
            generation_id: -1,
            rack_id: None,
        }
    }
}

impl Wire for ConsumerProtocolSubscription {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = false;
        let mut it = Self::default();
        it.topics = d.array(flexible, |d| d.string(flexible))?;
        it.user_data = d.nullable_bytes(flexible)?;
        if version >= 1 {
            it.owned_partitions = d.array(flexible, |d| TopicPartition::decode(d, version))?;
        }
        if version >= 2 {
            it.generation_id = d.i32()?;
        }
        if version == 3 {
            it.rack_id = d.nullable_string(flexible)?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = false;
        e.array(&self.topics, flexible, |e, item| { e.string(item, flexible)?; Ok(()) })?;
        e.nullable_bytes(self.user_data.as_ref(), flexible)?;
        if version >= 1 {
            e.array(&self.owned_partitions, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        }
        if version >= 2 {
            e.i32(self.generation_id);
        }
        if version == 3 {
            e.nullable_string(self.rack_id.as_ref(), flexible)?;
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct TopicPartition {
    pub topic: Str,
    pub partitions: Vec<i32>,
}

impl Wire for TopicPartition {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = false;
        let mut it = Self::default();
        if version >= 1 {
            it.topic = d.string(flexible)?;
        }
        if version >= 1 {
            it.partitions = d.array(flexible, |d| d.i32())?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = false;
        if version >= 1 {
            e.string(&self.topic, flexible)?;
        } else if !self.topic.is_empty() {
            return Err(EncodeError::not_in_version("Topic", version));
        }
        if version >= 1 {
            e.array(&self.partitions, flexible, |e, item| { e.i32(*item); Ok(()) })?;
        } else if !self.partitions.is_empty() {
            return Err(EncodeError::not_in_version("Partitions", version));
        }
        Ok(())
    }
}

impl Message for ConsumerProtocolSubscription {
    const NAME: &'static str = "ConsumerProtocolSubscription";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 3;
    const SCHEMA_KEY: Option<i16> = None;

    fn is_flexible(_version: i16) -> bool {
        false
    }
}
