// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `ConsumerGroupMetadataValue`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Tags, Wire};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConsumerGroupMetadataValue {
    pub epoch: i32,
    pub metadata_hash: i64,
}

impl Wire for ConsumerGroupMetadataValue {
    fn decode(d: &mut Decoder, _version: i16) -> Result<Self, DecodeError> {
        let mut it = Self::default();
        it.epoch = d.i32()?;
        d.tags(|tag, d| {
            match tag {
                0 => it.metadata_hash = d.i64()?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        e.i32(self.epoch);
        {
            let mut tags = Tags::default();
            if self.metadata_hash != 0 {
                tags.add(0, |e| { e.i64(self.metadata_hash); Ok(()) })?;
            }
            e.tags(tags);
        }
        Ok(())
    }
}

impl Message for ConsumerGroupMetadataValue {
    const NAME: &'static str = "ConsumerGroupMetadataValue";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 0;
    const SCHEMA_KEY: Option<i16> = Some(3);

    fn is_flexible(_version: i16) -> bool {
        true
    }
}
