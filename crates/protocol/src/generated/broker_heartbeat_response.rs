// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `BrokerHeartbeatResponse`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Wire};

#[derive(Clone, Debug, PartialEq)]
pub struct BrokerHeartbeatResponse {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub is_caught_up: bool,
    pub is_fenced: bool,
    pub should_shut_down: bool,
}

impl Default for BrokerHeartbeatResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: 0,
            is_caught_up: false,
            is_fenced: true,
            should_shut_down: false,
        }
    }
}

impl Wire for BrokerHeartbeatResponse {
    fn decode(d: &mut Decoder, _version: i16) -> Result<Self, DecodeError> {
        let mut it = Self::default();
        it.throttle_time_ms = d.i32()?;
        it.error_code = d.i16()?;
        it.is_caught_up = d.bool()?;
        it.is_fenced = d.bool()?;
        it.should_shut_down = d.bool()?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        e.i32(self.throttle_time_ms);
        e.i16(self.error_code);
        e.bool(self.is_caught_up);
        e.bool(self.is_fenced);
        e.bool(self.should_shut_down);
        {
            e.no_tags();
        }
        Ok(())
    }

    fn each_error(&self, see: &mut dyn FnMut(i16)) {
        see(self.error_code);
    }
}

impl Message for BrokerHeartbeatResponse {
    const NAME: &'static str = "BrokerHeartbeatResponse";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 2;
    const SCHEMA_KEY: Option<i16> = Some(63);

    fn is_flexible(_version: i16) -> bool {
        true
    }
}
