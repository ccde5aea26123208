// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `BrokerRegistrationChangeRecord`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Tags, Uuid, Wire};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct BrokerRegistrationChangeRecord {
    pub broker_id: i32,
    pub broker_epoch: i64,
    pub fenced: i8,
    pub in_controlled_shutdown: i8,
    pub log_dirs: Vec<Uuid>,
    pub cordoned_log_dirs: Option<Vec<Uuid>>,
}

impl Wire for BrokerRegistrationChangeRecord {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.broker_id = d.i32()?;
        it.broker_epoch = d.i64()?;
        d.tags(|tag, d| {
            match tag {
                0 => it.fenced = d.i8()?,
                1 if version >= 1 => it.in_controlled_shutdown = d.i8()?,
                2 if version >= 2 => it.log_dirs = d.array(flexible, |d| d.uuid())?,
                3 if version == 3 => it.cordoned_log_dirs = d.nullable_array(flexible, |d| d.uuid())?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.i32(self.broker_id);
        e.i64(self.broker_epoch);
        {
            let mut tags = Tags::default();
            if self.fenced != 0 {
                tags.add(0, |e| { e.i8(self.fenced); Ok(()) })?;
            }
            if version >= 1 && self.in_controlled_shutdown != 0 {
                tags.add(1, |e| { e.i8(self.in_controlled_shutdown); Ok(()) })?;
            }
            if version >= 2 && !self.log_dirs.is_empty() {
                tags.add(2, |e| { e.array(&self.log_dirs, flexible, |e, item| { e.uuid(*item); Ok(()) })?; Ok(()) })?;
            }
            if version == 3 && self.cordoned_log_dirs.is_some() {
                tags.add(3, |e| { e.nullable_array(self.cordoned_log_dirs.as_deref(), flexible, |e, item| { e.uuid(*item); Ok(()) })?; Ok(()) })?;
            }
            e.tags(tags);
        }
        Ok(())
    }
}

impl Message for BrokerRegistrationChangeRecord {
    const NAME: &'static str = "BrokerRegistrationChangeRecord";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 3;
    const SCHEMA_KEY: Option<i16> = Some(17);

    fn is_flexible(_version: i16) -> bool {
        true
    }
}
