// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `StreamsGroupCurrentMemberAssignmentValue`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Str, Tags, Wire};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct StreamsGroupCurrentMemberAssignmentValue {
    pub member_epoch: i32,
    pub previous_member_epoch: i32,
    pub state: i8,
    pub active_tasks: Vec<TaskIds>,
    pub standby_tasks: Vec<TaskIds>,
    pub warmup_tasks: Vec<TaskIds>,
    pub active_tasks_pending_revocation: Vec<TaskIds>,
    pub standby_tasks_pending_revocation: Vec<TaskIds>,
    pub warmup_tasks_pending_revocation: Vec<TaskIds>,
}

impl Wire for StreamsGroupCurrentMemberAssignmentValue {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.member_epoch = d.i32()?;
        it.previous_member_epoch = d.i32()?;
        it.state = d.i8()?;
        it.active_tasks = d.array(flexible, |d| TaskIds::decode(d, version))?;
        it.standby_tasks = d.array(flexible, |d| TaskIds::decode(d, version))?;
        it.warmup_tasks = d.array(flexible, |d| TaskIds::decode(d, version))?;
        it.active_tasks_pending_revocation = d.array(flexible, |d| TaskIds::decode(d, version))?;
        it.standby_tasks_pending_revocation = d.array(flexible, |d| TaskIds::decode(d, version))?;
        it.warmup_tasks_pending_revocation = d.array(flexible, |d| TaskIds::decode(d, version))?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.i32(self.member_epoch);
        e.i32(self.previous_member_epoch);
        e.i8(self.state);
        e.array(&self.active_tasks, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        e.array(&self.standby_tasks, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        e.array(&self.warmup_tasks, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        e.array(&self.active_tasks_pending_revocation, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        e.array(&self.standby_tasks_pending_revocation, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        e.array(&self.warmup_tasks_pending_revocation, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct TaskIds {
    pub subtopology_id: Str,
    pub partitions: Vec<i32>,
    pub assignment_epochs: Option<Vec<i32>>,
}

impl Default for TaskIds {
    fn default() -> Self {
        Self {
            subtopology_id: Str::default(),
            partitions: Vec::new(),
            assignment_epochs: Some(Vec::new()),
        }
    }
}

impl Wire for TaskIds {
    fn decode(d: &mut Decoder, _version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.subtopology_id = d.string(flexible)?;
        it.partitions = d.array(flexible, |d| d.i32())?;
        d.tags(|tag, d| {
            match tag {
                0 => it.assignment_epochs = d.nullable_array(flexible, |d| d.i32())?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.string(&self.subtopology_id, flexible)?;
        e.array(&self.partitions, flexible, |e, item| { e.i32(*item); Ok(()) })?;
        {
            let mut tags = Tags::default();
            if self.assignment_epochs != Some(Vec::new()) {
                tags.add(0, |e| { e.nullable_array(self.assignment_epochs.as_deref(), flexible, |e, item| { e.i32(*item); Ok(()) })?; Ok(()) })?;
            }
            e.tags(tags);
        }
        Ok(())
    }
}

impl Message for StreamsGroupCurrentMemberAssignmentValue {
    const NAME: &'static str = "StreamsGroupCurrentMemberAssignmentValue";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 0;
    const SCHEMA_KEY: Option<i16> = Some(22);

    fn is_flexible(_version: i16) -> bool {
        true
    }
}
