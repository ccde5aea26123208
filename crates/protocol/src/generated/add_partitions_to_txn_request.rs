// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `AddPartitionsToTxnRequest`

use crate::wire::prelude::{ApiKey, DecodeError, Decoder, EncodeError, Encoder, Message, Request, Str, Wire};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct AddPartitionsToTxnRequest {
    pub transactions: Vec<AddPartitionsToTxnTransaction>,
    pub v3_and_below_transactional_id: Str,
    pub v3_and_below_producer_id: i64,
    pub v3_and_below_producer_epoch: i16,
    pub v3_and_below_topics: Vec<AddPartitionsToTxnTopic>,
}

impl Wire for AddPartitionsToTxnRequest {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 3;
        let mut it = Self::default();
        if version >= 4 {
            it.transactions = d.array(flexible, |d| AddPartitionsToTxnTransaction::decode(d, version))?;
        }
        if version <= 3 {
            it.v3_and_below_transactional_id = d.string(flexible)?;
        }
        if version <= 3 {
            it.v3_and_below_producer_id = d.i64()?;
        }
        if version <= 3 {
            it.v3_and_below_producer_epoch = d.i16()?;
        }
        if version <= 3 {
            it.v3_and_below_topics = d.array(flexible, |d| AddPartitionsToTxnTopic::decode(d, version))?;
        }
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 3;
        if version >= 4 {
            e.array(&self.transactions, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        } else if !self.transactions.is_empty() {
            return Err(EncodeError::not_in_version("Transactions", version));
        }
        if version <= 3 {
            e.string(&self.v3_and_below_transactional_id, flexible)?;
        } else if !self.v3_and_below_transactional_id.is_empty() {
            return Err(EncodeError::not_in_version("V3AndBelowTransactionalId", version));
        }
        if version <= 3 {
            e.i64(self.v3_and_below_producer_id);
        } else if self.v3_and_below_producer_id != 0 {
            return Err(EncodeError::not_in_version("V3AndBelowProducerId", version));
        }
        if version <= 3 {
            e.i16(self.v3_and_below_producer_epoch);
        } else if self.v3_and_below_producer_epoch != 0 {
            return Err(EncodeError::not_in_version("V3AndBelowProducerEpoch", version));
        }
        if version <= 3 {
            e.array(&self.v3_and_below_topics, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        } else if !self.v3_and_below_topics.is_empty() {
            return Err(EncodeError::not_in_version("V3AndBelowTopics", version));
        }
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct AddPartitionsToTxnTransaction {
    pub transactional_id: Str,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub verify_only: bool,
    pub topics: Vec<AddPartitionsToTxnTopic>,
}

impl Wire for AddPartitionsToTxnTransaction {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 3;
        let mut it = Self::default();
        if version >= 4 {
            it.transactional_id = d.string(flexible)?;
        }
        if version >= 4 {
            it.producer_id = d.i64()?;
        }
        if version >= 4 {
            it.producer_epoch = d.i16()?;
        }
        if version >= 4 {
            it.verify_only = d.bool()?;
        }
        if version >= 4 {
            it.topics = d.array(flexible, |d| AddPartitionsToTxnTopic::decode(d, version))?;
        }
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 3;
        if version >= 4 {
            e.string(&self.transactional_id, flexible)?;
        } else if !self.transactional_id.is_empty() {
            return Err(EncodeError::not_in_version("TransactionalId", version));
        }
        if version >= 4 {
            e.i64(self.producer_id);
        } else if self.producer_id != 0 {
            return Err(EncodeError::not_in_version("ProducerId", version));
        }
        if version >= 4 {
            e.i16(self.producer_epoch);
        } else if self.producer_epoch != 0 {
            return Err(EncodeError::not_in_version("ProducerEpoch", version));
        }
        if version >= 4 {
            e.bool(self.verify_only);
        } else if self.verify_only {
            return Err(EncodeError::not_in_version("VerifyOnly", version));
        }
        if version >= 4 {
            e.array(&self.topics, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        } else if !self.topics.is_empty() {
            return Err(EncodeError::not_in_version("Topics", version));
        }
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct AddPartitionsToTxnTopic {
    pub name: Str,
    pub partitions: Vec<i32>,
}

impl Wire for AddPartitionsToTxnTopic {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 3;
        let mut it = Self::default();
        it.name = d.string(flexible)?;
        it.partitions = d.array(flexible, |d| d.i32())?;
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 3;
        e.string(&self.name, flexible)?;
        e.array(&self.partitions, flexible, |e, item| { e.i32(*item); Ok(()) })?;
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

impl Message for AddPartitionsToTxnRequest {
    const NAME: &'static str = "AddPartitionsToTxnRequest";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 5;
    const SCHEMA_KEY: Option<i16> = Some(24);

    fn is_flexible(version: i16) -> bool {
        version >= 3
    }
}

impl Request for AddPartitionsToTxnRequest {
    const KEY: ApiKey = ApiKey::AddPartitionsToTxn;
    type Response = super::AddPartitionsToTxnResponse;
}
