// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `PartitionChangeRecord`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Tags, Uuid, Wire};

#[derive(Clone, Debug, PartialEq)]
pub struct PartitionChangeRecord {
    pub partition_id: i32,
    pub topic_id: Uuid,
    pub isr: Option<Vec<i32>>,
    pub leader: i32,
    pub replicas: Option<Vec<i32>>,
    pub removing_replicas: Option<Vec<i32>>,
    pub adding_replicas: Option<Vec<i32>>,
    pub leader_recovery_state: i8,
    pub directories: Option<Vec<Uuid>>,
    pub eligible_leader_replicas: Option<Vec<i32>>,
    pub last_known_elr: Option<Vec<i32>>,
}

impl Default for PartitionChangeRecord {
    fn default() -> Self {
        Self {
            partition_id: -1,
            topic_id: Uuid::default(),
            isr: None,
            leader: -2,
            replicas: None,
            removing_replicas: None,
            adding_replicas: None,
            leader_recovery_state: -1,
            directories: None,
            eligible_leader_replicas: None,
            last_known_elr: None,
        }
    }
}

impl Wire for PartitionChangeRecord {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.partition_id = d.i32()?;
        it.topic_id = d.uuid()?;
        d.tags(|tag, d| {
            match tag {
                0 => it.isr = d.nullable_array(flexible, |d| d.i32())?,
                1 => it.leader = d.i32()?,
                2 => it.replicas = d.nullable_array(flexible, |d| d.i32())?,
                3 => it.removing_replicas = d.nullable_array(flexible, |d| d.i32())?,
                4 => it.adding_replicas = d.nullable_array(flexible, |d| d.i32())?,
                5 => it.leader_recovery_state = d.i8()?,
                8 if version >= 1 => it.directories = d.nullable_array(flexible, |d| d.uuid())?,
                6 if version == 2 => it.eligible_leader_replicas = d.nullable_array(flexible, |d| d.i32())?,
                7 if version == 2 => it.last_known_elr = d.nullable_array(flexible, |d| d.i32())?,
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
        {
            let mut tags = Tags::default();
            if self.isr.is_some() {
                tags.add(0, |e| { e.nullable_array(self.isr.as_deref(), flexible, |e, item| { e.i32(*item); Ok(()) })?; Ok(()) })?;
            }
            if self.leader != -2 {
                tags.add(1, |e| { e.i32(self.leader); Ok(()) })?;
            }
            if self.replicas.is_some() {
                tags.add(2, |e| { e.nullable_array(self.replicas.as_deref(), flexible, |e, item| { e.i32(*item); Ok(()) })?; Ok(()) })?;
            }
            if self.removing_replicas.is_some() {
                tags.add(3, |e| { e.nullable_array(self.removing_replicas.as_deref(), flexible, |e, item| { e.i32(*item); Ok(()) })?; Ok(()) })?;
            }
            if self.adding_replicas.is_some() {
                tags.add(4, |e| { e.nullable_array(self.adding_replicas.as_deref(), flexible, |e, item| { e.i32(*item); Ok(()) })?; Ok(()) })?;
            }
            if self.leader_recovery_state != -1 {
                tags.add(5, |e| { e.i8(self.leader_recovery_state); Ok(()) })?;
            }
            if version == 2 && self.eligible_leader_replicas.is_some() {
                tags.add(6, |e| { e.nullable_array(self.eligible_leader_replicas.as_deref(), flexible, |e, item| { e.i32(*item); Ok(()) })?; Ok(()) })?;
            }
            if version == 2 && self.last_known_elr.is_some() {
                tags.add(7, |e| { e.nullable_array(self.last_known_elr.as_deref(), flexible, |e, item| { e.i32(*item); Ok(()) })?; Ok(()) })?;
            }
            if version >= 1 && self.directories.is_some() {
                tags.add(8, |e| { e.nullable_array(self.directories.as_deref(), flexible, |e, item| { e.uuid(*item); Ok(()) })?; Ok(()) })?;
            }
            e.tags(tags);
        }
        Ok(())
    }
}

impl Message for PartitionChangeRecord {
    const NAME: &'static str = "PartitionChangeRecord";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 2;
    const SCHEMA_KEY: Option<i16> = Some(5);

    fn is_flexible(_version: i16) -> bool {
        true
    }
}
