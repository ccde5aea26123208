// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `DeleteTopicsRequest`

use crate::wire::prelude::{ApiKey, DecodeError, Decoder, EncodeError, Encoder, Message, Request, Str, Uuid, Wire};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeleteTopicsRequest {
    pub topics: Vec<DeleteTopicState>,
    pub topic_names: Vec<Str>,
    pub timeout_ms: i32,
}

impl Wire for DeleteTopicsRequest {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 4;
        let mut it = Self::default();
        if version == 6 {
            it.topics = d.array(flexible, |d| DeleteTopicState::decode(d, version))?;
        }
        if version <= 5 {
            it.topic_names = d.array(flexible, |d| d.string(flexible))?;
        }
        it.timeout_ms = d.i32()?;
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 4;
        if version == 6 {
            e.array(&self.topics, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        } else if !self.topics.is_empty() {
            return Err(EncodeError::not_in_version("Topics", version));
        }
        if version <= 5 {
            e.array(&self.topic_names, flexible, |e, item| { e.string(item, flexible)?; Ok(()) })?;
        }
        e.i32(self.timeout_ms);
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeleteTopicState {
    pub name: Option<Str>,
    pub topic_id: Uuid,
}

impl Wire for DeleteTopicState {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 4;
        let mut it = Self::default();
        if version == 6 {
            it.name = d.nullable_string(flexible)?;
        }
        if version == 6 {
            it.topic_id = d.uuid()?;
        }
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 4;
        if version == 6 {
            e.nullable_string(self.name.as_ref(), flexible)?;
        } else if self.name.is_some() {
            return Err(EncodeError::not_in_version("Name", version));
        }
        if version == 6 {
            e.uuid(self.topic_id);
        } else if self.topic_id != Uuid::default() {
            return Err(EncodeError::not_in_version("TopicId", version));
        }
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

impl Message for DeleteTopicsRequest {
    const NAME: &'static str = "DeleteTopicsRequest";
    const FIRST_VERSION: i16 = 1;
    const LAST_VERSION: i16 = 6;
    const SCHEMA_KEY: Option<i16> = Some(20);

    fn is_flexible(version: i16) -> bool {
        version >= 4
    }
}

impl Request for DeleteTopicsRequest {
    const KEY: ApiKey = ApiKey::DeleteTopics;
    type Response = super::DeleteTopicsResponse;
}
