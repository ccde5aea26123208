// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `UserScramCredentialRecord`

use crate::wire::prelude::{Bytes, DecodeError, Decoder, EncodeError, Encoder, Message, Str, Wire};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct UserScramCredentialRecord {
    pub name: Str,
    pub mechanism: i8,
    pub salt: Bytes,
    pub stored_key: Bytes,
    pub server_key: Bytes,
    pub iterations: i32,
}

impl Wire for UserScramCredentialRecord {
    fn decode(d: &mut Decoder, _version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.name = d.string(flexible)?;
        it.mechanism = d.i8()?;
        it.salt = d.bytes(flexible)?;
        it.stored_key = d.bytes(flexible)?;
        it.server_key = d.bytes(flexible)?;
        it.iterations = d.i32()?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.string(&self.name, flexible)?;
        e.i8(self.mechanism);
        e.bytes(&self.salt, flexible)?;
        e.bytes(&self.stored_key, flexible)?;
        e.bytes(&self.server_key, flexible)?;
        e.i32(self.iterations);
        {
            e.no_tags();
        }
        Ok(())
    }
}

impl Message for UserScramCredentialRecord {
    const NAME: &'static str = "UserScramCredentialRecord";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 0;
    const SCHEMA_KEY: Option<i16> = Some(11);

    fn is_flexible(_version: i16) -> bool {
        true
    }
}
