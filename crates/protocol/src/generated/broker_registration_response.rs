// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `BrokerRegistrationResponse`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Wire};

#[derive(Clone, Debug, PartialEq)]
pub struct BrokerRegistrationResponse {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub broker_epoch: i64,
}

impl Default for BrokerRegistrationResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: 0,
            broker_epoch: -1,
        }
    }
}

impl Wire for BrokerRegistrationResponse {
    fn decode(d: &mut Decoder, _version: i16) -> Result<Self, DecodeError> {
        let mut it = Self::default();
        it.throttle_time_ms = d.i32()?;
        it.error_code = d.i16()?;
        it.broker_epoch = d.i64()?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        e.i32(self.throttle_time_ms);
        e.i16(self.error_code);
        e.i64(self.broker_epoch);
        {
            e.no_tags();
        }
        Ok(())
    }

    fn each_error(&self, see: &mut dyn FnMut(i16)) {
        see(self.error_code);
    }
}

impl Message for BrokerRegistrationResponse {
    const NAME: &'static str = "BrokerRegistrationResponse";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 4;
    const SCHEMA_KEY: Option<i16> = Some(62);

    fn is_flexible(_version: i16) -> bool {
        true
    }
}
