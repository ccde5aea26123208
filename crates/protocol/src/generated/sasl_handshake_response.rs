// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `SaslHandshakeResponse`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Str, Wire};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct SaslHandshakeResponse {
    pub error_code: i16,
    pub mechanisms: Vec<Str>,
}

impl Wire for SaslHandshakeResponse {
    fn decode(d: &mut Decoder, _version: i16) -> Result<Self, DecodeError> {
        let flexible = false;
        let mut it = Self::default();
        it.error_code = d.i16()?;
        it.mechanisms = d.array(flexible, |d| d.string(flexible))?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        let flexible = false;
        e.i16(self.error_code);
        e.array(&self.mechanisms, flexible, |e, item| { e.string(item, flexible)?; Ok(()) })?;
        Ok(())
    }

    fn each_error(&self, see: &mut dyn FnMut(i16)) {
        see(self.error_code);
    }
}

impl Message for SaslHandshakeResponse {
    const NAME: &'static str = "SaslHandshakeResponse";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 1;
    const SCHEMA_KEY: Option<i16> = Some(17);

    fn is_flexible(_version: i16) -> bool {
        false
    }
}
