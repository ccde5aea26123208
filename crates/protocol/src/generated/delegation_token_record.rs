// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `DelegationTokenRecord`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Str, Wire};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct DelegationTokenRecord {
    pub owner: Str,
    pub requester: Str,
    pub renewers: Vec<Str>,
    pub issue_timestamp: i64,
    pub max_timestamp: i64,
    pub expiration_timestamp: i64,
    pub token_id: Str,
}

impl Wire for DelegationTokenRecord {
    fn decode(d: &mut Decoder, _version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.owner = d.string(flexible)?;
        it.requester = d.string(flexible)?;
        it.renewers = d.array(flexible, |d| d.string(flexible))?;
        it.issue_timestamp = d.i64()?;
        it.max_timestamp = d.i64()?;
        it.expiration_timestamp = d.i64()?;
        it.token_id = d.string(flexible)?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.string(&self.owner, flexible)?;
        e.string(&self.requester, flexible)?;
        e.array(&self.renewers, flexible, |e, item| { e.string(item, flexible)?; Ok(()) })?;
        e.i64(self.issue_timestamp);
        e.i64(self.max_timestamp);
        e.i64(self.expiration_timestamp);
        e.string(&self.token_id, flexible)?;
        {
            e.no_tags();
        }
        Ok(())
    }
}

impl Message for DelegationTokenRecord {
    const NAME: &'static str = "DelegationTokenRecord";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 0;
    const SCHEMA_KEY: Option<i16> = Some(10);

    fn is_flexible(_version: i16) -> bool {
        true
    }
}
