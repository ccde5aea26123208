// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `FindCoordinatorRequest`

use crate::wire::prelude::{ApiKey, DecodeError, Decoder, EncodeError, Encoder, Message, Request, Str, Wire};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct FindCoordinatorRequest {
    pub key: Str,
    pub key_type: i8,
    pub coordinator_keys: Vec<Str>,
}

impl Wire for FindCoordinatorRequest {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 3;
        let mut it = Self::default();
        if version <= 3 {
            it.key = d.string(flexible)?;
        }
        if version >= 1 {
            it.key_type = d.i8()?;
        }
        if version >= 4 {
            it.coordinator_keys = d.array(flexible, |d| d.string(flexible))?;
        }
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 3;
        if version <= 3 {
            e.string(&self.key, flexible)?;
        } else if !self.key.is_empty() {
            return Err(EncodeError::not_in_version("Key", version));
        }
        if version >= 1 {
            e.i8(self.key_type);
        } else if self.key_type != 0 {
            return Err(EncodeError::not_in_version("KeyType", version));
        }
        if version >= 4 {
            e.array(&self.coordinator_keys, flexible, |e, item| { e.string(item, flexible)?; Ok(()) })?;
        } else if !self.coordinator_keys.is_empty() {
            return Err(EncodeError::not_in_version("CoordinatorKeys", version));
        }
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

impl Message for FindCoordinatorRequest {
    const NAME: &'static str = "FindCoordinatorRequest";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 6;
    const SCHEMA_KEY: Option<i16> = Some(10);

    fn is_flexible(version: i16) -> bool {
        version >= 3
    }
}

impl Request for FindCoordinatorRequest {
    const KEY: ApiKey = ApiKey::FindCoordinator;
    type Response = super::FindCoordinatorResponse;
}
