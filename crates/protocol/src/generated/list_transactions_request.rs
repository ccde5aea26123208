// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `ListTransactionsRequest`

use crate::wire::prelude::{ApiKey, DecodeError, Decoder, EncodeError, Encoder, Message, Request, Str, Wire};

#[derive(Clone, Debug, PartialEq)]
pub struct ListTransactionsRequest {
    pub state_filters: Vec<Str>,
    pub producer_id_filters: Vec<i64>,
    pub duration_filter: i64,
    pub transactional_id_pattern: Option<Str>,
}

impl Default for ListTransactionsRequest {
    fn default() -> Self {
        Self {
            state_filters: Vec::new(),
            producer_id_filters: Vec::new(),
            duration_filter: -1,
            transactional_id_pattern: None,
        }
    }
}

impl Wire for ListTransactionsRequest {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.state_filters = d.array(flexible, |d| d.string(flexible))?;
        it.producer_id_filters = d.array(flexible, |d| d.i64())?;
        if version >= 1 {
            it.duration_filter = d.i64()?;
        }
        if version == 2 {
            it.transactional_id_pattern = d.nullable_string(flexible)?;
        }
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.array(&self.state_filters, flexible, |e, item| { e.string(item, flexible)?; Ok(()) })?;
        e.array(&self.producer_id_filters, flexible, |e, item| { e.i64(*item); Ok(()) })?;
        if version >= 1 {
            e.i64(self.duration_filter);
        } else if self.duration_filter != -1 {
            return Err(EncodeError::not_in_version("DurationFilter", version));
        }
        if version == 2 {
            e.nullable_string(self.transactional_id_pattern.as_ref(), flexible)?;
        } else if self.transactional_id_pattern.is_some() {
            return Err(EncodeError::not_in_version("TransactionalIdPattern", version));
        }
        {
            e.no_tags();
        }
        Ok(())
    }
}

impl Message for ListTransactionsRequest {
    const NAME: &'static str = "ListTransactionsRequest";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 2;
    const SCHEMA_KEY: Option<i16> = Some(66);

    fn is_flexible(_version: i16) -> bool {
        true
    }
}

impl Request for ListTransactionsRequest {
    const KEY: ApiKey = ApiKey::ListTransactions;
    type Response = super::ListTransactionsResponse;
}
