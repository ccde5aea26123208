// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `ShareGroupDescribeResponse`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Str, Uuid, Wire};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct ShareGroupDescribeResponse {
    pub throttle_time_ms: i32,
    pub groups: Vec<DescribedGroup>,
}

impl Wire for ShareGroupDescribeResponse {
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
    pub assignor_name: Str,
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
            assignor_name: Str::default(),
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
        it.assignor_name = d.string(flexible)?;
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
        e.string(&self.assignor_name, flexible)?;
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
pub struct Member {
    pub member_id: Str,
    pub rack_id: Option<Str>,
    pub member_epoch: i32,
    pub client_id: Str,
    pub client_host: Str,
    pub subscribed_topic_names: Vec<Str>,
    pub assignment: Assignment,
}

impl Wire for Member {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.member_id = d.string(flexible)?;
        it.rack_id = d.nullable_string(flexible)?;
        it.member_epoch = d.i32()?;
        it.client_id = d.string(flexible)?;
        it.client_host = d.string(flexible)?;
        it.subscribed_topic_names = d.array(flexible, |d| d.string(flexible))?;
        it.assignment = Assignment::decode(d, version)?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.string(&self.member_id, flexible)?;
        e.nullable_string(self.rack_id.as_ref(), flexible)?;
        e.i32(self.member_epoch);
        e.string(&self.client_id, flexible)?;
        e.string(&self.client_host, flexible)?;
        e.array(&self.subscribed_topic_names, flexible, |e, item| { e.string(item, flexible)?; Ok(()) })?;
        self.assignment.encode(e, version)?;
        {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct TopicPartitions {
    pub topic_id: Uuid,
    pub topic_name: Str,
    pub partitions: Vec<i32>,
}

impl Wire for TopicPartitions {
    fn decode(d: &mut Decoder, _version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.topic_id = d.uuid()?;
        it.topic_name = d.string(flexible)?;
        it.partitions = d.array(flexible, |d| d.i32())?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.uuid(self.topic_id);
        e.string(&self.topic_name, flexible)?;
        e.array(&self.partitions, flexible, |e, item| { e.i32(*item); Ok(()) })?;
        {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Assignment {
    pub topic_partitions: Vec<TopicPartitions>,
}

impl Wire for Assignment {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.topic_partitions = d.array(flexible, |d| TopicPartitions::decode(d, version))?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.array(&self.topic_partitions, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        {
            e.no_tags();
        }
        Ok(())
    }
}

impl Message for ShareGroupDescribeResponse {
    const NAME: &'static str = "ShareGroupDescribeResponse";
    const FIRST_VERSION: i16 = 1;
    const LAST_VERSION: i16 = 1;
    const SCHEMA_KEY: Option<i16> = Some(77);

    fn is_flexible(_version: i16) -> bool {
        true
    }
}
