// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `InitProducerIdRequest`

use crate::wire::prelude::{ApiKey, DecodeError, Decoder, EncodeError, Encoder, Message, Request, Str, Wire};

#[derive(Clone, Debug, PartialEq)]
pub struct InitProducerIdRequest {
    pub transactional_id: Option<Str>,
    pub transaction_timeout_ms: i32,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub enable2_pc: bool,
    pub keep_prepared_txn: bool,
}

impl Default for InitProducerIdRequest {
    fn default() -> Self {
        Self {
            transactional_id: Some(Str::default()),
            transaction_timeout_ms: 0,
            producer_id: -1,
            producer_epoch: -1,
            enable2_pc: false,
            keep_prepared_txn: false,
        }
    }
}

impl Wire for InitProducerIdRequest {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 2;
        let mut it = Self::default();
        it.transactional_id = d.nullable_string(flexible)?;
        it.transaction_timeout_ms = d.i32()?;
        if version >= 3 {
            it.producer_id = d.i64()?;
        }
        if version >= 3 {
            it.producer_epoch = d.i16()?;
        }
        if version == 6 {
            it.enable2_pc = d.bool()?;
        }
        if version == 6 {
            it.keep_prepared_txn = d.bool()?;
        }
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 2;
        e.nullable_string(self.transactional_id.as_ref(), flexible)?;
        e.i32(self.transaction_timeout_ms);
        if version >= 3 {
            e.i64(self.producer_id);
        } else if self.producer_id != -1 {
            return Err(EncodeError::not_in_version("ProducerId", version));
        }
        if version >= 3 {
            e.i16(self.producer_epoch);
        } else if self.producer_epoch != -1 {
            return Err(EncodeError::not_in_version("ProducerEpoch", version));
        }
        if version == 6 {
            e.bool(self.enable2_pc);
        } else if self.enable2_pc {
            return Err(EncodeError::not_in_version("Enable2Pc", version));
        }
        if version == 6 {
            e.bool(self.keep_prepared_txn);
        } else if self.keep_prepared_txn {
            return Err(EncodeError::not_in_version("KeepPreparedTxn", version));
        }
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

impl Message for InitProducerIdRequest {
    const NAME: &'static str = "InitProducerIdRequest";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 6;
    const SCHEMA_KEY: Option<i16> = Some(22);

    fn is_flexible(version: i16) -> bool {
        version >= 2
    }
}

impl Request for InitProducerIdRequest {
    const KEY: ApiKey = ApiKey::InitProducerId;
    type Response = super::InitProducerIdResponse;
}
