// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `CreateDelegationTokenRequest`

use crate::wire::prelude::{ApiKey, DecodeError, Decoder, EncodeError, Encoder, Message, Request, Str, Wire};

#[derive(Clone, Debug, PartialEq)]
pub struct CreateDelegationTokenRequest {
    pub owner_principal_type: Option<Str>,
    pub owner_principal_name: Option<Str>,
    pub renewers: Vec<CreatableRenewers>,
    pub max_lifetime_ms: i64,
}

impl Default for CreateDelegationTokenRequest {
    fn default() -> Self {
        Self {
            owner_principal_type: Some(Str::default()),
            owner_principal_name: Some(Str::default()),
            renewers: Vec::new(),
            max_lifetime_ms: 0,
        }
    }
}

impl Wire for CreateDelegationTokenRequest {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 2;
        let mut it = Self::default();
        if version == 3 {
            it.owner_principal_type = d.nullable_string(flexible)?;
        }
        if version == 3 {
            it.owner_principal_name = d.nullable_string(flexible)?;
        }
        it.renewers = d.array(flexible, |d| CreatableRenewers::decode(d, version))?;
        it.max_lifetime_ms = d.i64()?;
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 2;
        if version == 3 {
            e.nullable_string(self.owner_principal_type.as_ref(), flexible)?;
        } else if self.owner_principal_type != Some(Str::default()) {
            return Err(EncodeError::not_in_version("OwnerPrincipalType", version));
        }
        if version == 3 {
            e.nullable_string(self.owner_principal_name.as_ref(), flexible)?;
        } else if self.owner_principal_name != Some(Str::default()) {
            return Err(EncodeError::not_in_version("OwnerPrincipalName", version));
        }
        e.array(&self.renewers, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        e.i64(self.max_lifetime_ms);
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct CreatableRenewers {
    pub principal_type: Str,
    pub principal_name: Str,
}

impl Wire for CreatableRenewers {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 2;
        let mut it = Self::default();
        it.principal_type = d.string(flexible)?;
        it.principal_name = d.string(flexible)?;
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 2;
        e.string(&self.principal_type, flexible)?;
        e.string(&self.principal_name, flexible)?;
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

impl Message for CreateDelegationTokenRequest {
    const NAME: &'static str = "CreateDelegationTokenRequest";
    const FIRST_VERSION: i16 = 1;
    const LAST_VERSION: i16 = 3;
    const SCHEMA_KEY: Option<i16> = Some(38);

    fn is_flexible(version: i16) -> bool {
        version >= 2
    }
}

impl Request for CreateDelegationTokenRequest {
    const KEY: ApiKey = ApiKey::CreateDelegationToken;
    type Response = super::CreateDelegationTokenResponse;
}
