// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `ShareGroupDescribeRequest`

use crate::wire::prelude::{ApiKey, DecodeError, Decoder, EncodeError, Encoder, Message, Request, Str, Wire};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct ShareGroupDescribeRequest {
    pub group_ids: Vec<Str>,
    pub include_authorized_operations: bool,
}

impl Wire for ShareGroupDescribeRequest {
    fn decode(d: &mut Decoder, _version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.group_ids = d.array(flexible, |d| d.string(flexible))?;
        it.include_authorized_operations = d.bool()?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.array(&self.group_ids, flexible, |e, item| { e.string(item, flexible)?; Ok(()) })?;
        e.bool(self.include_authorized_operations);
        {
            e.no_tags();
        }
        Ok(())
    }
}

impl Message for ShareGroupDescribeRequest {
    const NAME: &'static str = "ShareGroupDescribeRequest";
    const FIRST_VERSION: i16 = 1;
    const LAST_VERSION: i16 = 1;
    const SCHEMA_KEY: Option<i16> = Some(77);

    fn is_flexible(_version: i16) -> bool {
        true
    }
}

impl Request for ShareGroupDescribeRequest {
    const KEY: ApiKey = ApiKey::ShareGroupDescribe;
    type Response = super::ShareGroupDescribeResponse;
}
