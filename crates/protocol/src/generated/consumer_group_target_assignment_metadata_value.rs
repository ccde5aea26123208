// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `ConsumerGroupTargetAssignmentMetadataValue`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Tags, Wire};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConsumerGroupTargetAssignmentMetadataValue {
    pub assignment_epoch: i32,
    pub assignment_timestamp: i64,
}

impl Wire for ConsumerGroupTargetAssignmentMetadataValue {
    fn decode(d: &mut Decoder, _version: i16) -> Result<Self, DecodeError> {
        let mut it = Self::default();
        it.assignment_epoch = d.i32()?;
        d.tags(|tag, d| {
            match tag {
                0 => it.assignment_timestamp = d.i64()?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        e.i32(self.assignment_epoch);
        {
            let mut tags = Tags::default();
            if self.assignment_timestamp != 0 {
                tags.add(0, |e| { e.i64(self.assignment_timestamp); Ok(()) })?;
            }
            e.tags(tags);
        }
        Ok(())
    }
}

impl Message for ConsumerGroupTargetAssignmentMetadataValue {
    const NAME: &'static str = "ConsumerGroupTargetAssignmentMetadataValue";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 0;
    const SCHEMA_KEY: Option<i16> = Some(6);

    fn is_flexible(_version: i16) -> bool {
        true
    }
}
