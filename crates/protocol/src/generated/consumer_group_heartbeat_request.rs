// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `ConsumerGroupHeartbeatRequest`

use crate::wire::prelude::{ApiKey, DecodeError, Decoder, EncodeError, Encoder, Message, Request, Str, Uuid, Wire};

#[derive(Clone, Debug, PartialEq)]
pub struct ConsumerGroupHeartbeatRequest {
    pub group_id: Str,
    pub member_id: Str,
    pub member_epoch: i32,
    pub instance_id: Option<Str>,
    pub rack_id: Option<Str>,
    pub rebalance_timeout_ms: i32,
    pub subscribed_topic_names: Option<Vec<Str>>,
    pub subscribed_topic_regex: Option<Str>,
    pub server_assignor: Option<Str>,
    pub topic_partitions: Option<Vec<TopicPartitions>>,
}

impl Default for ConsumerGroupHeartbeatRequest {
    fn default() -> Self {
        Self {
            group_id: Str::default(),
            member_id: Str::default(),
            member_epoch: 0,
            instance_id: None,
            rack_id: None,
            rebalance_timeout_ms: -1,
            subscribed_topic_names: None,
            subscribed_topic_regex: None,
            server_assignor: None,
            topic_partitions: None,
        }
    }
}

impl Wire for ConsumerGroupHeartbeatRequest {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.group_id = d.string(flexible)?;
        it.member_id = d.string(flexible)?;
        it.member_epoch = d.i32()?;
        it.instance_id = d.nullable_string(flexible)?;
        it.rack_id = d.nullable_string(flexible)?;
        it.rebalance_timeout_ms = d.i32()?;
        it.subscribed_topic_names = d.nullable_array(flexible, |d| d.string(flexible))?;
        if version == 1 {
            it.subscribed_topic_regex = d.nullable_string(flexible)?;
        }
        it.server_assignor = d.nullable_string(flexible)?;
        it.topic_partitions = d.nullable_array(flexible, |d| TopicPartitions::decode(d, version))?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.string(&self.group_id, flexible)?;
        e.string(&self.member_id, flexible)?;
        e.i32(self.member_epoch);
        e.nullable_string(self.instance_id.as_ref(), flexible)?;
        e.nullable_string(self.rack_id.as_ref(), flexible)?;
        e.i32(self.rebalance_timeout_ms);
        e.nullable_array(self.subscribed_topic_names.as_deref(), flexible, |e, item| { e.string(item, flexible)?; Ok(()) })?;
        if version == 1 {
            e.nullable_string(self.subscribed_topic_regex.as_ref(), flexible)?;
        } else if self.subscribed_topic_regex.is_some() {
            return Err(EncodeError::not_in_version("SubscribedTopicRegex", version));
        }
        e.nullable_string(self.server_assignor.as_ref(), flexible)?;
        e.nullable_array(self.topic_partitions.as_deref(), flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct TopicPartitions {
    pub topic_id: Uuid,
    pub partitions: Vec<i32>,
}

impl Wire for TopicPartitions {
    fn decode(d: &mut Decoder, _version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.topic_id = d.uuid()?;
        it.partitions = d.array(flexible, |d| d.i32())?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.uuid(self.topic_id);
        e.array(&self.partitions, flexible, |e, item| { e.i32(*item); Ok(()) })?;
        {
            e.no_tags();
        }
        Ok(())
    }
}

impl Message for ConsumerGroupHeartbeatRequest {
    const NAME: &'static str = "ConsumerGroupHeartbeatRequest";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 1;
    const SCHEMA_KEY: Option<i16> = Some(68);

    fn is_flexible(_version: i16) -> bool {
        true
    }
}

impl Request for ConsumerGroupHeartbeatRequest {
    const KEY: ApiKey = ApiKey::ConsumerGroupHeartbeat;
    type Response = super::ConsumerGroupHeartbeatResponse;
}
