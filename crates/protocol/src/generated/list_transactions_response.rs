// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `ListTransactionsResponse`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Str, Wire};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListTransactionsResponse {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub unknown_state_filters: Vec<Str>,
    pub transaction_states: Vec<TransactionState>,
}

impl Wire for ListTransactionsResponse {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.throttle_time_ms = d.i32()?;
        it.error_code = d.i16()?;
        it.unknown_state_filters = d.array(flexible, |d| d.string(flexible))?;
        it.transaction_states = d.array(flexible, |d| TransactionState::decode(d, version))?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.i32(self.throttle_time_ms);
        e.i16(self.error_code);
        e.array(&self.unknown_state_filters, flexible, |e, item| { e.string(item, flexible)?; Ok(()) })?;
        e.array(&self.transaction_states, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
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
pub struct TransactionState {
    pub transactional_id: Str,
    pub producer_id: i64,
    pub transaction_state: Str,
}

impl Wire for TransactionState {
    fn decode(d: &mut Decoder, _version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.transactional_id = d.string(flexible)?;
        it.producer_id = d.i64()?;
        it.transaction_state = d.string(flexible)?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.string(&self.transactional_id, flexible)?;
        e.i64(self.producer_id);
        e.string(&self.transaction_state, flexible)?;
        {
            e.no_tags();
        }
        Ok(())
    }
}

impl Message for ListTransactionsResponse {
    const NAME: &'static str = "ListTransactionsResponse";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 2;
    const SCHEMA_KEY: Option<i16> = Some(66);

    fn is_flexible(_version: i16) -> bool {
        true
    }
}
