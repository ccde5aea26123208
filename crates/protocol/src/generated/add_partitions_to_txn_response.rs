// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `AddPartitionsToTxnResponse`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Str, Wire};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct AddPartitionsToTxnResponse {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub results_by_transaction: Vec<AddPartitionsToTxnResult>,
    pub results_by_topic_v3_and_below: Vec<AddPartitionsToTxnTopicResult>,
}

impl Wire for AddPartitionsToTxnResponse {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 3;
        let mut it = Self::default();
        it.throttle_time_ms = d.i32()?;
        if version >= 4 {
            it.error_code = d.i16()?;
        }
        if version >= 4 {
            it.results_by_transaction = d.array(flexible, |d| AddPartitionsToTxnResult::decode(d, version))?;
        }
        if version <= 3 {
            it.results_by_topic_v3_and_below = d.array(flexible, |d| AddPartitionsToTxnTopicResult::decode(d, version))?;
        }
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 3;
        e.i32(self.throttle_time_ms);
        if version >= 4 {
            e.i16(self.error_code);
        }
        if version >= 4 {
            e.array(&self.results_by_transaction, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        } else if !self.results_by_transaction.is_empty() {
            return Err(EncodeError::not_in_version("ResultsByTransaction", version));
        }
        if version <= 3 {
            e.array(&self.results_by_topic_v3_and_below, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        } else if !self.results_by_topic_v3_and_below.is_empty() {
            return Err(EncodeError::not_in_version("ResultsByTopicV3AndBelow", version));
        }
        if flexible {
            e.no_tags();
        }
        Ok(())
    }

    fn each_error(&self, see: &mut dyn FnMut(i16)) {
        see(self.error_code);
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct AddPartitionsToTxnResult {
    pub transactional_id: Str,
    pub topic_results: Vec<AddPartitionsToTxnTopicResult>,
}

impl Wire for AddPartitionsToTxnResult {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 3;
        let mut it = Self::default();
        if version >= 4 {
            it.transactional_id = d.string(flexible)?;
        }
        if version >= 4 {
            it.topic_results = d.array(flexible, |d| AddPartitionsToTxnTopicResult::decode(d, version))?;
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
            e.array(&self.topic_results, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        } else if !self.topic_results.is_empty() {
            return Err(EncodeError::not_in_version("TopicResults", version));
        }
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct AddPartitionsToTxnTopicResult {
    pub name: Str,
    pub results_by_partition: Vec<AddPartitionsToTxnPartitionResult>,
}

impl Wire for AddPartitionsToTxnTopicResult {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 3;
        let mut it = Self::default();
        it.name = d.string(flexible)?;
        it.results_by_partition = d.array(flexible, |d| AddPartitionsToTxnPartitionResult::decode(d, version))?;
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 3;
        e.string(&self.name, flexible)?;
        e.array(&self.results_by_partition, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct AddPartitionsToTxnPartitionResult {
    pub partition_index: i32,
    pub partition_error_code: i16,
}

impl Wire for AddPartitionsToTxnPartitionResult {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 3;
        let mut it = Self::default();
        it.partition_index = d.i32()?;
        it.partition_error_code = d.i16()?;
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 3;
        e.i32(self.partition_index);
        e.i16(self.partition_error_code);
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

impl Message for AddPartitionsToTxnResponse {
    const NAME: &'static str = "AddPartitionsToTxnResponse";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 5;
    const SCHEMA_KEY: Option<i16> = Some(24);

    fn is_flexible(version: i16) -> bool {
        version >= 3
    }
}
