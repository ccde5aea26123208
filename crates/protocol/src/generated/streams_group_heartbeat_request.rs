// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `StreamsGroupHeartbeatRequest`

use crate::wire::prelude::{ApiKey, DecodeError, Decoder, EncodeError, Encoder, Message, Request, Str, Wire};

#[derive(Clone, Debug, PartialEq)]
pub struct StreamsGroupHeartbeatRequest {
    pub group_id: Str,
    pub member_id: Str,
    pub member_epoch: i32,
    pub endpoint_information_epoch: i32,
    pub instance_id: Option<Str>,
    pub rack_id: Option<Str>,
    pub rebalance_timeout_ms: i32,
    pub topology: Option<Topology>,
    pub active_tasks: Option<Vec<TaskIds>>,
    pub standby_tasks: Option<Vec<TaskIds>>,
    pub warmup_tasks: Option<Vec<TaskIds>>,
    pub process_id: Option<Str>,
    pub user_endpoint: Option<Endpoint>,
    pub client_tags: Option<Vec<KeyValue>>,
    pub task_offsets: Option<Vec<TaskOffset>>,
    pub task_end_offsets: Option<Vec<TaskOffset>>,
    pub shutdown_application: bool,
}

impl Default for StreamsGroupHeartbeatRequest {
    fn default() -> Self {
        Self {
            group_id: Str::default(),
            member_id: Str::default(),
            member_epoch: 0,
            endpoint_information_epoch: 0,
            instance_id: None,
            rack_id: None,
            rebalance_timeout_ms: -1,
            topology: None,
            active_tasks: None,
            standby_tasks: None,
            warmup_tasks: None,
            process_id: None,
            user_endpoint: None,
            client_tags: None,
            task_offsets: None,
            task_end_offsets: None,
            shutdown_application: false,
        }
    }
}

impl Wire for StreamsGroupHeartbeatRequest {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.group_id = d.string(flexible)?;
        it.member_id = d.string(flexible)?;
        it.member_epoch = d.i32()?;
        it.endpoint_information_epoch = d.i32()?;
        it.instance_id = d.nullable_string(flexible)?;
        it.rack_id = d.nullable_string(flexible)?;
        it.rebalance_timeout_ms = d.i32()?;
        it.topology = d.nullable_struct(|d| Topology::decode(d, version))?;
        it.active_tasks = d.nullable_array(flexible, |d| TaskIds::decode(d, version))?;
        it.standby_tasks = d.nullable_array(flexible, |d| TaskIds::decode(d, version))?;
        it.warmup_tasks = d.nullable_array(flexible, |d| TaskIds::decode(d, version))?;
        it.process_id = d.nullable_string(flexible)?;
        it.user_endpoint = d.nullable_struct(|d| Endpoint::decode(d, version))?;
        it.client_tags = d.nullable_array(flexible, |d| KeyValue::decode(d, version))?;
        it.task_offsets = d.nullable_array(flexible, |d| TaskOffset::decode(d, version))?;
        it.task_end_offsets = d.nullable_array(flexible, |d| TaskOffset::decode(d, version))?;
        it.shutdown_application = d.bool()?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.string(&self.group_id, flexible)?;
        e.string(&self.member_id, flexible)?;
        e.i32(self.member_epoch);
        e.i32(self.endpoint_information_epoch);
        e.nullable_string(self.instance_id.as_ref(), flexible)?;
        e.nullable_string(self.rack_id.as_ref(), flexible)?;
        e.i32(self.rebalance_timeout_ms);
        e.nullable_struct(self.topology.as_ref(), |e, it| it.encode(e, version))?;
        e.nullable_array(self.active_tasks.as_deref(), flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        e.nullable_array(self.standby_tasks.as_deref(), flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        e.nullable_array(self.warmup_tasks.as_deref(), flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        e.nullable_string(self.process_id.as_ref(), flexible)?;
        e.nullable_struct(self.user_endpoint.as_ref(), |e, it| it.encode(e, version))?;
        e.nullable_array(self.client_tags.as_deref(), flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        e.nullable_array(self.task_offsets.as_deref(), flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        e.nullable_array(self.task_end_offsets.as_deref(), flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        e.bool(self.shutdown_application);
        {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Topology {
    pub epoch: i32,
    pub subtopologies: Vec<Subtopology>,
}

impl Wire for Topology {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.epoch = d.i32()?;
        it.subtopologies = d.array(flexible, |d| Subtopology::decode(d, version))?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.i32(self.epoch);
        e.array(&self.subtopologies, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Subtopology {
    pub subtopology_id: Str,
    pub source_topics: Vec<Str>,
    pub source_topic_regex: Vec<Str>,
    pub state_changelog_topics: Vec<TopicInfo>,
    pub repartition_sink_topics: Vec<Str>,
    pub repartition_source_topics: Vec<TopicInfo>,
    pub copartition_groups: Vec<CopartitionGroup>,
}

impl Wire for Subtopology {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.subtopology_id = d.string(flexible)?;
        it.source_topics = d.array(flexible, |d| d.string(flexible))?;
        it.source_topic_regex = d.array(flexible, |d| d.string(flexible))?;
        it.state_changelog_topics = d.array(flexible, |d| TopicInfo::decode(d, version))?;
        it.repartition_sink_topics = d.array(flexible, |d| d.string(flexible))?;
        it.repartition_source_topics = d.array(flexible, |d| TopicInfo::decode(d, version))?;
        it.copartition_groups = d.array(flexible, |d| CopartitionGroup::decode(d, version))?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.string(&self.subtopology_id, flexible)?;
        e.array(&self.source_topics, flexible, |e, item| { e.string(item, flexible)?; Ok(()) })?;
        e.array(&self.source_topic_regex, flexible, |e, item| { e.string(item, flexible)?; Ok(()) })?;
        e.array(&self.state_changelog_topics, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        e.array(&self.repartition_sink_topics, flexible, |e, item| { e.string(item, flexible)?; Ok(()) })?;
        e.array(&self.repartition_source_topics, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        e.array(&self.copartition_groups, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct CopartitionGroup {
    pub source_topics: Vec<i16>,
    pub source_topic_regex: Vec<i16>,
    pub repartition_source_topics: Vec<i16>,
}

impl Wire for CopartitionGroup {
    fn decode(d: &mut Decoder, _version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.source_topics = d.array(flexible, |d| d.i16())?;
        it.source_topic_regex = d.array(flexible, |d| d.i16())?;
        it.repartition_source_topics = d.array(flexible, |d| d.i16())?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.array(&self.source_topics, flexible, |e, item| { e.i16(*item); Ok(()) })?;
        e.array(&self.source_topic_regex, flexible, |e, item| { e.i16(*item); Ok(()) })?;
        e.array(&self.repartition_source_topics, flexible, |e, item| { e.i16(*item); Ok(()) })?;
        {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeyValue {
    pub key: Str,
    pub value: Str,
}

impl Wire for KeyValue {
    fn decode(d: &mut Decoder, _version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.key = d.string(flexible)?;
        it.value = d.string(flexible)?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.string(&self.key, flexible)?;
        e.string(&self.value, flexible)?;
        {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct TopicInfo {
    pub name: Str,
    pub partitions: i32,
    pub replication_factor: i16,
    pub topic_configs: Vec<KeyValue>,
}

impl Wire for TopicInfo {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.name = d.string(flexible)?;
        it.partitions = d.i32()?;
        it.replication_factor = d.i16()?;
        it.topic_configs = d.array(flexible, |d| KeyValue::decode(d, version))?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.string(&self.name, flexible)?;
        e.i32(self.partitions);
        e.i16(self.replication_factor);
        e.array(&self.topic_configs, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Endpoint {
    pub host: Str,
    pub port: u16,
}

impl Wire for Endpoint {
    fn decode(d: &mut Decoder, _version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.host = d.string(flexible)?;
        it.port = d.u16()?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.string(&self.host, flexible)?;
        e.u16(self.port);
        {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskOffset {
    pub subtopology_id: Str,
    pub partition: i32,
    pub offset: i64,
}

impl Wire for TaskOffset {
    fn decode(d: &mut Decoder, _version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.subtopology_id = d.string(flexible)?;
        it.partition = d.i32()?;
        it.offset = d.i64()?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.string(&self.subtopology_id, flexible)?;
        e.i32(self.partition);
        e.i64(self.offset);
        {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskIds {
    pub subtopology_id: Str,
    pub partitions: Vec<i32>,
}

impl Wire for TaskIds {
    fn decode(d: &mut Decoder, _version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.subtopology_id = d.string(flexible)?;
        it.partitions = d.array(flexible, |d| d.i32())?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.string(&self.subtopology_id, flexible)?;
        e.array(&self.partitions, flexible, |e, item| { e.i32(*item); Ok(()) })?;
        {
            e.no_tags();
        }
        Ok(())
    }
}

impl Message for StreamsGroupHeartbeatRequest {
    const NAME: &'static str = "StreamsGroupHeartbeatRequest";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 0;
    const SCHEMA_KEY: Option<i16> = Some(88);

    fn is_flexible(_version: i16) -> bool {
        true
    }
}

impl Request for StreamsGroupHeartbeatRequest {
    const KEY: ApiKey = ApiKey::StreamsGroupHeartbeat;
    type Response = super::StreamsGroupHeartbeatResponse;
}
