// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `StreamsGroupHeartbeatResponse`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Str, Wire};

#[derive(Clone, Debug, PartialEq)]
pub struct StreamsGroupHeartbeatResponse {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub error_message: Option<Str>,
    pub member_id: Str,
    pub member_epoch: i32,
    pub heartbeat_interval_ms: i32,
    pub acceptable_recovery_lag: i32,
    pub task_offset_interval_ms: i32,
    pub status: Option<Vec<Status>>,
    pub active_tasks: Option<Vec<TaskIds>>,
    pub standby_tasks: Option<Vec<TaskIds>>,
    pub warmup_tasks: Option<Vec<TaskIds>>,
    pub endpoint_information_epoch: i32,
    pub partitions_by_user_endpoint: Option<Vec<EndpointToPartitions>>,
}

impl Default for StreamsGroupHeartbeatResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: 0,
            error_message: None,
            member_id: Str::default(),
            member_epoch: 0,
            heartbeat_interval_ms: 0,
            acceptable_recovery_lag: 0,
            task_offset_interval_ms: 0,
            status: Some(Vec::new()),
            active_tasks: None,
            standby_tasks: None,
            warmup_tasks: None,
            endpoint_information_epoch: 0,
            partitions_by_user_endpoint: None,
        }
    }
}

impl Wire for StreamsGroupHeartbeatResponse {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.throttle_time_ms = d.i32()?;
        it.error_code = d.i16()?;
        it.error_message = d.nullable_string(flexible)?;
        it.member_id = d.string(flexible)?;
        it.member_epoch = d.i32()?;
        it.heartbeat_interval_ms = d.i32()?;
        it.acceptable_recovery_lag = d.i32()?;
        it.task_offset_interval_ms = d.i32()?;
        it.status = d.nullable_array(flexible, |d| Status::decode(d, version))?;
        it.active_tasks = d.nullable_array(flexible, |d| TaskIds::decode(d, version))?;
        it.standby_tasks = d.nullable_array(flexible, |d| TaskIds::decode(d, version))?;
        it.warmup_tasks = d.nullable_array(flexible, |d| TaskIds::decode(d, version))?;
        it.endpoint_information_epoch = d.i32()?;
        it.partitions_by_user_endpoint = d.nullable_array(flexible, |d| EndpointToPartitions::decode(d, version))?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.i32(self.throttle_time_ms);
        e.i16(self.error_code);
        e.nullable_string(self.error_message.as_ref(), flexible)?;
        e.string(&self.member_id, flexible)?;
        e.i32(self.member_epoch);
        e.i32(self.heartbeat_interval_ms);
        e.i32(self.acceptable_recovery_lag);
        e.i32(self.task_offset_interval_ms);
        e.nullable_array(self.status.as_deref(), flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        e.nullable_array(self.active_tasks.as_deref(), flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        e.nullable_array(self.standby_tasks.as_deref(), flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        e.nullable_array(self.warmup_tasks.as_deref(), flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        e.i32(self.endpoint_information_epoch);
        e.nullable_array(self.partitions_by_user_endpoint.as_deref(), flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
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
pub struct EndpointToPartitions {
    pub user_endpoint: Endpoint,
    pub active_partitions: Vec<TopicPartition>,
    pub standby_partitions: Vec<TopicPartition>,
}

impl Wire for EndpointToPartitions {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.user_endpoint = Endpoint::decode(d, version)?;
        it.active_partitions = d.array(flexible, |d| TopicPartition::decode(d, version))?;
        it.standby_partitions = d.array(flexible, |d| TopicPartition::decode(d, version))?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        self.user_endpoint.encode(e, version)?;
        e.array(&self.active_partitions, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        e.array(&self.standby_partitions, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Status {
    pub status_code: i8,
    pub status_detail: Str,
}

impl Wire for Status {
    fn decode(d: &mut Decoder, _version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.status_code = d.i8()?;
        it.status_detail = d.string(flexible)?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.i8(self.status_code);
        e.string(&self.status_detail, flexible)?;
        {
            e.no_tags();
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
    fn decode(d: &mut Decoder, _version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.topic = d.string(flexible)?;
        it.partitions = d.array(flexible, |d| d.i32())?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.string(&self.topic, flexible)?;
        e.array(&self.partitions, flexible, |e, item| { e.i32(*item); Ok(()) })?;
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

impl Message for StreamsGroupHeartbeatResponse {
    const NAME: &'static str = "StreamsGroupHeartbeatResponse";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 0;
    const SCHEMA_KEY: Option<i16> = Some(88);

    fn is_flexible(_version: i16) -> bool {
        true
    }
}
