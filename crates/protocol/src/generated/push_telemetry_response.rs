// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `PushTelemetryResponse`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Wire};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct PushTelemetryResponse {
    pub throttle_time_ms: i32,
    pub error_code: i16,
}

impl Wire for PushTelemetryResponse {
    fn decode(d: &mut Decoder, _version: i16) -> Result<Self, DecodeError> {
        let mut it = Self::default();
        it.throttle_time_ms = d.i32()?;
        it.error_code = d.i16()?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        e.i32(self.throttle_time_ms);
        e.i16(self.error_code);
        {
            e.no_tags();
        }
        Ok(())
    }

    fn each_error(&self, see: &mut dyn FnMut(i16)) {
        see(self.error_code);
    }
}

impl Message for PushTelemetryResponse {
    const NAME: &'static str = "PushTelemetryResponse";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 0;
    const SCHEMA_KEY: Option<i16> = Some(72);

    fn is_flexible(_version: i16) -> bool {
        true
    }
}
