// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `CreateDelegationTokenResponse`

use crate::wire::prelude::{Bytes, DecodeError, Decoder, EncodeError, Encoder, Message, Str, Wire};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct CreateDelegationTokenResponse {
    pub error_code: i16,
    pub principal_type: Str,
    pub principal_name: Str,
    pub token_requester_principal_type: Str,
    pub token_requester_principal_name: Str,
    pub issue_timestamp_ms: i64,
    pub expiry_timestamp_ms: i64,
    pub max_timestamp_ms: i64,
    pub token_id: Str,
    pub hmac: Bytes,
    pub throttle_time_ms: i32,
}

impl Wire for CreateDelegationTokenResponse {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 2;
        let mut it = Self::default();
        it.error_code = d.i16()?;
        it.principal_type = d.string(flexible)?;
        it.principal_name = d.string(flexible)?;
        if version == 3 {
            it.token_requester_principal_type = d.string(flexible)?;
        }
        if version == 3 {
            it.token_requester_principal_name = d.string(flexible)?;
        }
        it.issue_timestamp_ms = d.i64()?;
        it.expiry_timestamp_ms = d.i64()?;
        it.max_timestamp_ms = d.i64()?;
        it.token_id = d.string(flexible)?;
        it.hmac = d.bytes(flexible)?;
        it.throttle_time_ms = d.i32()?;
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 2;
        e.i16(self.error_code);
        e.string(&self.principal_type, flexible)?;
        e.string(&self.principal_name, flexible)?;
        if version == 3 {
            e.string(&self.token_requester_principal_type, flexible)?;
        } else if !self.token_requester_principal_type.is_empty() {
            return Err(EncodeError::not_in_version("TokenRequesterPrincipalType", version));
        }
        if version == 3 {
            e.string(&self.token_requester_principal_name, flexible)?;
        } else if !self.token_requester_principal_name.is_empty() {
            return Err(EncodeError::not_in_version("TokenRequesterPrincipalName", version));
        }
        e.i64(self.issue_timestamp_ms);
        e.i64(self.expiry_timestamp_ms);
        e.i64(self.max_timestamp_ms);
        e.string(&self.token_id, flexible)?;
        e.bytes(&self.hmac, flexible)?;
        e.i32(self.throttle_time_ms);
        if flexible {
            e.no_tags();
        }
        Ok(())
    }

    fn each_error(&self, see: &mut dyn FnMut(i16)) {
        see(self.error_code);
    }
}

impl Message for CreateDelegationTokenResponse {
    const NAME: &'static str = "CreateDelegationTokenResponse";
    const FIRST_VERSION: i16 = 1;
    const LAST_VERSION: i16 = 3;
    const SCHEMA_KEY: Option<i16> = Some(38);

    fn is_flexible(version: i16) -> bool {
        version >= 2
    }
}
