// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `BrokerHeartbeatRequest`

use crate::wire::prelude::{ApiKey, DecodeError, Decoder, EncodeError, Encoder, Message, Request, Tags, Uuid, Wire};

#[derive(Clone, Debug, PartialEq)]
pub struct BrokerHeartbeatRequest {
    pub broker_id: i32,
    pub broker_epoch: i64,
    pub current_metadata_offset: i64,
    pub want_fence: bool,
    pub want_shut_down: bool,
    pub offline_log_dirs: Vec<Uuid>,
    pub cordoned_log_dirs: Option<Vec<Uuid>>,
}

impl Default for BrokerHeartbeatRequest {
    fn default() -> Self {
        Self {
            broker_id: 0,
            broker_epoch: -1,
            current_metadata_offset: 0,
            want_fence: false,
            want_shut_down: false,
            offline_log_dirs: Vec::new(),
            cordoned_log_dirs: None,
        }
    }
}

impl Wire for BrokerHeartbeatRequest {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.broker_id = d.i32()?;
        it.broker_epoch = d.i64()?;
        it.current_metadata_offset = d.i64()?;
        it.want_fence = d.bool()?;
        it.want_shut_down = d.bool()?;
        d.tags(|tag, d| {
            match tag {
                0 if version >= 1 => it.offline_log_dirs = d.array(flexible, |d| d.uuid())?,
                1 if version == 2 => it.cordoned_log_dirs = d.nullable_array(flexible, |d| d.uuid())?,
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
        e.i64(self.current_metadata_offset);
        e.bool(self.want_fence);
        e.bool(self.want_shut_down);
        {
            let mut tags = Tags::default();
            if version >= 1 && !self.offline_log_dirs.is_empty() {
                tags.add(0, |e| { e.array(&self.offline_log_dirs, flexible, |e, item| { e.uuid(*item); Ok(()) })?; Ok(()) })?;
            }
            if version == 2 && self.cordoned_log_dirs.is_some() {
                tags.add(1, |e| { e.nullable_array(self.cordoned_log_dirs.as_deref(), flexible, |e, item| { e.uuid(*item); Ok(()) })?; Ok(()) })?;
            }
            e.tags(tags);
        }
        Ok(())
    }
}

impl Message for BrokerHeartbeatRequest {
    const NAME: &'static str = "BrokerHeartbeatRequest";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 2;
    const SCHEMA_KEY: Option<i16> = Some(63);

    fn is_flexible(_version: i16) -> bool {
        true
    }
}

impl Request for BrokerHeartbeatRequest {
    const KEY: ApiKey = ApiKey::BrokerHeartbeat;
    type Response = super::BrokerHeartbeatResponse;
}
