// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `SyncGroupResponse`

use crate::wire::prelude::{Bytes, DecodeError, Decoder, EncodeError, Encoder, Message, Str, Wire};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct SyncGroupResponse {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub protocol_type: Option<Str>,
    pub protocol_name: Option<Str>,
    pub assignment: Bytes,
}

impl Wire for SyncGroupResponse {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 4;
        let mut it = Self::default();
        if version >= 1 {
            it.throttle_time_ms = d.i32()?;
        }
        it.error_code = d.i16()?;
        if version == 5 {
            it.protocol_type = d.nullable_string(flexible)?;
        }
        if version == 5 {
            it.protocol_name = d.nullable_string(flexible)?;
        }
        it.assignment = d.bytes(flexible)?;
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 4;
        if version >= 1 {
            e.i32(self.throttle_time_ms);
        }
        e.i16(self.error_code);
        if version == 5 {
            e.nullable_string(self.protocol_type.as_ref(), flexible)?;
        }
        if version == 5 {
            e.nullable_string(self.protocol_name.as_ref(), flexible)?;
        }
        e.bytes(&self.assignment, flexible)?;
        if flexible {
            e.no_tags();
        }
        Ok(())
    }

    fn each_error(&self, see: &mut dyn FnMut(i16)) {
        see(self.error_code);
    }
}

impl Message for SyncGroupResponse {
    const NAME: &'static str = "SyncGroupResponse";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 5;
    const SCHEMA_KEY: Option<i16> = Some(14);

    fn is_flexible(version: i16) -> bool {
        version >= 4
    }
}
