// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `EnvelopeResponse`

use crate::wire::prelude::{Bytes, DecodeError, Decoder, EncodeError, Encoder, Message, Wire};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct EnvelopeResponse {
    pub response_data: Option<Bytes>,
    pub error_code: i16,
}

impl Wire for EnvelopeResponse {
    fn decode(d: &mut Decoder, _version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.response_data = d.nullable_bytes(flexible)?;
        it.error_code = d.i16()?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.nullable_bytes(self.response_data.as_ref(), flexible)?;
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

impl Message for EnvelopeResponse {
    const NAME: &'static str = "EnvelopeResponse";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 0;
    const SCHEMA_KEY: Option<i16> = Some(58);

    fn is_flexible(_version: i16) -> bool {
        true
    }
}
