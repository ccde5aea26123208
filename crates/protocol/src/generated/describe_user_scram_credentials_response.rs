// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `DescribeUserScramCredentialsResponse`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Str, Wire};

#[derive(Clone, Debug, PartialEq)]
pub struct DescribeUserScramCredentialsResponse {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub error_message: Option<Str>,
    pub results: Vec<DescribeUserScramCredentialsResult>,
}

impl Default for DescribeUserScramCredentialsResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: 0,
            error_message: Some(Str::default()),
            results: Vec::new(),
        }
    }
}

impl Wire for DescribeUserScramCredentialsResponse {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.throttle_time_ms = d.i32()?;
        it.error_code = d.i16()?;
        it.error_message = d.nullable_string(flexible)?;
        it.results = d.array(flexible, |d| DescribeUserScramCredentialsResult::decode(d, version))?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.i32(self.throttle_time_ms);
        e.i16(self.error_code);
        e.nullable_string(self.error_message.as_ref(), flexible)?;
        e.array(&self.results, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        {
            e.no_tags();
        }
        Ok(())
    }

    fn each_error(&self, see: &mut dyn FnMut(i16)) {
        see(self.error_code);
        for item in &self.results {
            item.each_error(see);
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct DescribeUserScramCredentialsResult {
    pub user: Str,
    pub error_code: i16,
    pub error_message: Option<Str>,
    pub credential_infos: Vec<CredentialInfo>,
}

impl Default for DescribeUserScramCredentialsResult {
    fn default() -> Self {
        Self {
            user: Str::default(),
            error_code: 0,
            error_message: Some(Str::default()),
            credential_infos: Vec::new(),
        }
    }
}

impl Wire for DescribeUserScramCredentialsResult {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.user = d.string(flexible)?;
        it.error_code = d.i16()?;
        it.error_message = d.nullable_string(flexible)?;
        it.credential_infos = d.array(flexible, |d| CredentialInfo::decode(d, version))?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.string(&self.user, flexible)?;
        e.i16(self.error_code);
        e.nullable_string(self.error_message.as_ref(), flexible)?;
        e.array(&self.credential_infos, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        {
            e.no_tags();
        }
        Ok(())
    }

    fn each_error(&self, see: &mut dyn FnMut(i16)) {
        see(self.error_code);
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct CredentialInfo {
    pub mechanism: i8,
    pub iterations: i32,
}

impl Wire for CredentialInfo {
    fn decode(d: &mut Decoder, _version: i16) -> Result<Self, DecodeError> {
        let mut it = Self::default();
        it.mechanism = d.i8()?;
        it.iterations = d.i32()?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        e.i8(self.mechanism);
        e.i32(self.iterations);
        {
            e.no_tags();
        }
        Ok(())
    }
}

impl Message for DescribeUserScramCredentialsResponse {
    const NAME: &'static str = "DescribeUserScramCredentialsResponse";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 0;
    const SCHEMA_KEY: Option<i16> = Some(50);

    fn is_flexible(_version: i16) -> bool {
        true
    }
}
