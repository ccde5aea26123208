// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `OffsetCommitValue`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Str, Tags, Uuid, Wire};

#[derive(Clone, Debug, PartialEq)]
pub struct OffsetCommitValue {
    pub offset: i64,
    pub leader_epoch: i32,
    pub metadata: Str,
    pub commit_timestamp: i64,
    pub expire_timestamp: i64,
    pub topic_id: Uuid,
}

impl Default for OffsetCommitValue {
    fn default() -> Self {
        Self {
            offset: 0,
            leader_epoch: -1,
            metadata: Str::default(),
            commit_timestamp: 0,
            expire_timestamp: -1,
            topic_id: Uuid::default(),
        }
    }
}

impl Wire for OffsetCommitValue {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version == 4;
        let mut it = Self::default();
        it.offset = d.i64()?;
        if version >= 3 {
            it.leader_epoch = d.i32()?;
        }
        it.metadata = d.string(flexible)?;
        it.commit_timestamp = d.i64()?;
        if version == 1 {
            it.expire_timestamp = d.i64()?;
        }
        if flexible {
            d.tags(|tag, d| {
            match tag {
                0 => it.topic_id = d.uuid()?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version == 4;
        e.i64(self.offset);
        if version >= 3 {
            e.i32(self.leader_epoch);
        }
        e.string(&self.metadata, flexible)?;
        e.i64(self.commit_timestamp);
        if version == 1 {
            e.i64(self.expire_timestamp);
        }
        if flexible {
            let mut tags = Tags::default();
            if self.topic_id != Uuid::default() {
                tags.add(0, |e| { e.uuid(self.topic_id); Ok(()) })?;
            }
            e.tags(tags);
        }
        Ok(())
    }
}

impl Message for OffsetCommitValue {
    const NAME: &'static str = "OffsetCommitValue";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 4;
    const SCHEMA_KEY: Option<i16> = Some(1);

    fn is_flexible(version: i16) -> bool {
        version == 4
    }
}
