// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `EndTxnResponse`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Wire};

#[derive(Clone, Debug, PartialEq)]
pub struct EndTxnResponse {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub producer_id: i64,
    pub producer_epoch: i16,
}

impl Default for EndTxnResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: 0,
            producer_id: -1,
            producer_epoch: -1,
        }
    }
}

impl Wire for EndTxnResponse {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 3;
        let mut it = Self::default();
        it.throttle_time_ms = d.i32()?;
        it.error_code = d.i16()?;
        if version == 5 {
            it.producer_id = d.i64()?;
        }
        if version == 5 {
            it.producer_epoch = d.i16()?;
        }
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 3;
        e.i32(self.throttle_time_ms);
        e.i16(self.error_code);
        if version == 5 {
            e.i64(self.producer_id);
        }
        if version == 5 {
            e.i16(self.producer_epoch);
        }
        if flexible {
            e.no_tags();
        }
        Ok(())
    }

    fn each_error(&self, see: &mut dyn FnMut(i16)) {
        see(self.error_code);
    }
}

impl Message for EndTxnResponse {
    const NAME: &'static str = "EndTxnResponse";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 5;
    const SCHEMA_KEY: Option<i16> = Some(26);

    fn is_flexible(version: i16) -> bool {
        version >= 3
    }
}
