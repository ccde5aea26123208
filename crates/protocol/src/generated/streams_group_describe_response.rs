// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `StreamsGroupDescribeResponse`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Str, Wire};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct StreamsGroupDescribeResponse {
    pub throttle_time_ms: i32,
    pub groups: Vec<DescribedGroup>,
}

impl Wire for StreamsGroupDescribeResponse {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.throttle_time_ms = d.i32()?;
        it.groups = d.array(flexible, |d| DescribedGroup::decode(d, version))?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.i32(self.throttle_time_ms);
        e.array(&self.groups, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        {
            e.no_tags();
        }
        Ok(())
    }

    fn each_error(&self, see: &mut dyn FnMut(i16)) {
        for item in &self.groups {
            item.each_error(see);
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct DescribedGroup {
    pub error_code: i16,
    pub error_message: Option<Str>,
    pub group_id: Str,
    pub group_state: Str,
    pub group_epoch: i32,
    pub assignment_epoch: i32,
    pub topology: Option<Topology>,
    pub members: Vec<Member>,
    pub authorized_operations: i32,
}

impl Default for DescribedGroup {
    fn default() -> Self {
        Self {
            error_code: 0,
            error_message: None,
            group_id: Str::default(),
            group_state: Str::default(),
            group_epoch: 0,
            assignment_epoch: 0,
            topology: None,
            members: Vec::new(),
            authorized_operations: -2147483648,
        }
    }
}

impl Wire for DescribedGroup {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.error_code = d.i16()?;
        it.error_message = d.nullable_string(flexible)?;
        it.group_id = d.string(flexible)?;
        it.group_state = d.string(flexible)?;
        it.group_epoch = d.i32()?;
        it.assignment_epoch = d.i32()?;
        it.topology = d.nullable_struct(|d| Topology::decode(d, version))?;
        it.members = d.array(flexible, |d| Member::decode(d, version))?;
        it.authorized_operations = d.i32()?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.i16(self.error_code);
        e.nullable_string(self.error_message.as_ref(), flexible)?;
        e.string(&self.group_id, flexible)?;
        e.string(&self.group_state, flexible)?;
        e.i32(self.group_epoch);
        e.i32(self.assignment_epoch);
        e.nullable_struct(self.topology.as_ref(), |e, it| it.encode(e, version))?;
        e.array(&self.members, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        e.i32(self.authorized_operations);
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
pub struct Topology {
    pub epoch: i32,
    pub subtopologies: Option<Vec<Subtopology>>,
}

impl Wire for Topology {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.epoch = d.i32()?;
        it.subtopologies = d.nullable_array(flexible, |d| Subtopology::decode(d, version))?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.i32(self.epoch);
        e.nullable_array(self.subtopologies.as_deref(), flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
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
    pub repartition_sink_topics: Vec<Str>,
    pub state_changelog_topics: Vec<TopicInfo>,
    pub repartition_source_topics: Vec<TopicInfo>,
}

impl Wire for Subtopology {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.subtopology_id = d.string(flexible)?;
        it.source_topics = d.array(flexible, |d| d.string(flexible))?;
        it.repartition_sink_topics = d.array(flexible, |d| d.string(flexible))?;
        it.state_changelog_topics = d.array(flexible, |d| TopicInfo::decode(d, version))?;
        it.repartition_source_topics = d.array(flexible, |d| TopicInfo::decode(d, version))?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.string(&self.subtopology_id, flexible)?;
        e.array(&self.source_topics, flexible, |e, item| { e.string(item, flexible)?; Ok(()) })?;
        e.array(&self.repartition_sink_topics, flexible, |e, item| { e.string(item, flexible)?; Ok(()) })?;
        e.array(&self.state_changelog_topics, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        e.array(&self.repartition_source_topics, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Member {
    pub member_id: Str,
    pub member_epoch: i32,
    pub instance_id: Option<Str>,
    pub rack_id: Option<Str>,
    pub client_id: Str,
    pub client_host: Str,
    pub topology_epoch: i32,
    pub process_id: Str,
    pub user_endpoint: Option<Endpoint>,
    pub client_tags: Vec<KeyValue>,
    pub task_offsets: Vec<TaskOffset>,
    pub task_end_offsets: Vec<TaskOffset>,
    pub assignment: Assignment,
    pub target_assignment: Assignment,
    pub is_classic: bool,
}

impl Wire for Member {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.member_id = d.string(flexible)?;
        it.member_epoch = d.i32()?;
        it.instance_id = d.nullable_string(flexible)?;
        it.rack_id = d.nullable_string(flexible)?;
        it.client_id = d.string(flexible)?;
        it.client_host = d.string(flexible)?;
        it.topology_epoch = d.i32()?;
        it.process_id = d.string(flexible)?;
        it.user_endpoint = d.nullable_struct(|d| Endpoint::decode(d, version))?;
        it.client_tags = d.array(flexible, |d| KeyValue::decode(d, version))?;
        it.task_offsets = d.array(flexible, |d| TaskOffset::decode(d, version))?;
        it.task_end_offsets = d.array(flexible, |d| TaskOffset::decode(d, version))?;
        it.assignment = Assignment::decode(d, version)?;
        it.target_assignment = Assignment::decode(d, version)?;
        it.is_classic = d.bool()?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.string(&self.member_id, flexible)?;
        e.i32(self.member_epoch);
        e.nullable_string(self.instance_id.as_ref(), flexible)?;
        e.nullable_string(self.rack_id.as_ref(), flexible)?;
        e.string(&self.client_id, flexible)?;
        e.string(&self.client_host, flexible)?;
        e.i32(self.topology_epoch);
        e.string(&self.process_id, flexible)?;
        e.nullable_struct(self.user_endpoint.as_ref(), |e, it| it.encode(e, version))?;
        e.array(&self.client_tags, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        e.array(&self.task_offsets, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        e.array(&self.task_end_offsets, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        self.assignment.encode(e, version)?;
        self.target_assignment.encode(e, version)?;
        e.bool(self.is_classic);
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
pub struct Assignment {
    pub active_tasks: Vec<TaskIds>,
    pub standby_tasks: Vec<TaskIds>,
    pub warmup_tasks: Vec<TaskIds>,
}

impl Wire for Assignment {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.active_tasks = d.array(flexible, |d| TaskIds::decode(d, version))?;
        it.standby_tasks = d.array(flexible, |d| TaskIds::decode(d, version))?;
        it.warmup_tasks = d.array(flexible, |d| TaskIds::decode(d, version))?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.array(&self.active_tasks, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        e.array(&self.standby_tasks, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        e.array(&self.warmup_tasks, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
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

impl Message for StreamsGroupDescribeResponse {
    const NAME: &'static str = "StreamsGroupDescribeResponse";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 0;
    const SCHEMA_KEY: Option<i16> = Some(89);

    fn is_flexible(_version: i16) -> bool {
        true
    }
}
