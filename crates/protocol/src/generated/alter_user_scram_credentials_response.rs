// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `AlterUserScramCredentialsResponse`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Str, Wire};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlterUserScramCredentialsResponse {
    pub throttle_time_ms: i32,
    pub results: Vec<AlterUserScramCredentialsResult>,
}

impl Wire for AlterUserScramCredentialsResponse {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.throttle_time_ms = d.i32()?;
        it.results = d.array(flexible, |d| AlterUserScramCredentialsResult::decode(d, version))?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.i32(self.throttle_time_ms);
        e.array(&self.results, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        {
            e.no_tags();
        }
        Ok(())
    }

    fn each_error(&self, see: &mut dyn FnMut(i16)) {
        for item in &self.results {
            item.each_error(see);
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct AlterUserScramCredentialsResult {
    pub user: Str,
    pub error_code: i16,
    pub error_message: Option<Str>,
}

impl Default for AlterUserScramCredentialsResult {
    fn default() -> Self {
        Self {
            user: Str::default(),
            error_code: 0,
            error_message: Some(Str::default()),
        }
    }
}

impl Wire for AlterUserScramCredentialsResult {
    fn decode(d: &mut Decoder, _version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.user = d.string(flexible)?;
        it.error_code = d.i16()?;
        it.error_message = d.nullable_string(flexible)?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.string(&self.user, flexible)?;
        e.i16(self.error_code);
        e.nullable_string(self.error_message.as_ref(), flexible)?;
        {
            e.no_tags();
        }
        Ok(())
    }

    fn each_error(&self, see: &mut dyn FnMut(i16)) {
        see(self.error_code);
    }
}

impl Message for AlterUserScramCredentialsResponse {
    const NAME: &'static str = "AlterUserScramCredentialsResponse";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 0;
    const SCHEMA_KEY: Option<i16> = Some(51);

    fn is_flexible(_version: i16) -> bool {
        true
    }
}
