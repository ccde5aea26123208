// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `PartitionRecord`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Tags, Uuid, Wire};

#[derive(Clone, Debug, PartialEq)]
pub struct PartitionRecord {
    pub partition_id: i32,
    pub topic_id: Uuid,
    pub replicas: Vec<i32>,
    pub isr: Vec<i32>,
    pub removing_replicas: Vec<i32>,
    pub adding_replicas: Vec<i32>,
    pub leader: i32,
    pub leader_recovery_state: i8,
    pub leader_epoch: i32,
    pub partition_epoch: i32,
    pub directories: Vec<Uuid>,
    pub eligible_leader_replicas: Option<Vec<i32>>,
    pub last_known_elr: Option<Vec<i32>>,
}

impl Default for PartitionRecord {
    fn default() -> Self {
        Self {
            partition_id: -1,
            topic_id: Uuid::default(),
            replicas: Vec::new(),
            isr: Vec::new(),
            removing_replicas: Vec::new(),
            adding_replicas: Vec::new(),
            leader: -1,
            leader_recovery_state: 0,
            leader_epoch: -1,
            partition_epoch: -1,
            directories: Vec::new(),
            eligible_leader_replicas: None,
            last_known_elr: None,
        }
    }
}

impl Wire for PartitionRecord {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.partition_id = d.i32()?;
        it.topic_id = d.uuid()?;
        it.replicas = d.array(flexible, |d| d.i32())?;
        it.isr = d.array(flexible, |d| d.i32())?;
        it.removing_replicas = d.array(flexible, |d| d.i32())?;
        it.adding_replicas = d.array(flexible, |d| d.i32())?;
        it.leader = d.i32()?;
        it.leader_epoch = d.i32()?;
        it.partition_epoch = d.i32()?;
        if version >= 1 {
            it.directories = d.array(flexible, |d| d.uuid())?;
        }
        d.tags(|tag, d| {
            match tag {
                0 => it.leader_recovery_state = d.i8()?,
                1 if version == 2 => it.eligible_leader_replicas = d.nullable_array(flexible, |d| d.i32())?,
                2 if version == 2 => it.last_known_elr = d.nullable_array(flexible, |d| d.i32())?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.i32(self.partition_id);
        e.uuid(self.topic_id);
        e.array(&self.replicas, flexible, |e, item| { e.i32(*item); Ok(()) })?;
        e.array(&self.isr, flexible, |e, item| { e.i32(*item); Ok(()) })?;
        e.array(&self.removing_replicas, flexible, |e, item| { e.i32(*item); Ok(()) })?;
        e.array(&self.adding_replicas, flexible, |e, item| { e.i32(*item); Ok(()) })?;
        e.i32(self.leader);
        e.i32(self.leader_epoch);
        e.i32(self.partition_epoch);
        if version >= 1 {
            e.array(&self.directories, flexible, |e, item| { e.uuid(*item); Ok(()) })?;
        } else if !self.directories.is_empty() {
            return Err(EncodeError::not_in_version("Directories", version));
        }
        {
            let mut tags = Tags::default();
            if self.leader_recovery_state != 0 {
                tags.add(0, |e| { e.i8(self.leader_recovery_state); Ok(()) })?;
            }
            if version == 2 && self.eligible_leader_replicas.is_some() {
                tags.add(1, |e| { e.nullable_array(self.eligible_leader_replicas.as_deref(), flexible, |e, item| { e.i32(*item); Ok(()) })?; Ok(()) })?;
            }
            if version == 2 && self.last_known_elr.is_some() {
                tags.add(2, |e| { e.nullable_array(self.last_known_elr.as_deref(), flexible, |e, item| { e.i32(*item); Ok(()) })?; Ok(()) })?;
            }
            e.tags(tags);
        }
        Ok(())
    }
}

impl Message for PartitionRecord {
    const NAME: &'static str = "PartitionRecord";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 2;
    const SCHEMA_KEY: Option<i16> = Some(3);

    fn is_flexible(_version: i16) -> bool {
        true
    }
}
