// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `ShareGroupHeartbeatRequest`

use crate::wire::prelude::{ApiKey, DecodeError, Decoder, EncodeError, Encoder, Message, Request, Str, Wire};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct ShareGroupHeartbeatRequest {
    pub group_id: Str,
    pub member_id: Str,
    pub member_epoch: i32,
    pub rack_id: Option<Str>,
    pub subscribed_topic_names: Option<Vec<Str>>,
}

impl Wire for ShareGroupHeartbeatRequest {
    fn decode(d: &mut Decoder, _version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.group_id = d.string(flexible)?;
        it.member_id = d.string(flexible)?;
        it.member_epoch = d.i32()?;
        it.rack_id = d.nullable_string(flexible)?;
        it.subscribed_topic_names = d.nullable_array(flexible, |d| d.string(flexible))?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.string(&self.group_id, flexible)?;
        e.string(&self.member_id, flexible)?;
        e.i32(self.member_epoch);
        e.nullable_string(self.rack_id.as_ref(), flexible)?;
        e.nullable_array(self.subscribed_topic_names.as_deref(), flexible, |e, item| { e.string(item, flexible)?; Ok(()) })?;
        {
            e.no_tags();
        }
        Ok(())
    }
}

impl Message for ShareGroupHeartbeatRequest {
    const NAME: &'static str = "ShareGroupHeartbeatRequest";
    const FIRST_VERSION: i16 = 1;
    const LAST_VERSION: i16 = 1;
    const SCHEMA_KEY: Option<i16> = Some(76);

    fn is_flexible(_version: i16) -> bool {
        true
    }
}

impl Request for ShareGroupHeartbeatRequest {
    const KEY: ApiKey = ApiKey::ShareGroupHeartbeat;
    type Response = super::ShareGroupHeartbeatResponse;
}
