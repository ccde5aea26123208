// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `StreamsGroupMetadataValue`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Str, Tags, Wire};

#[derive(Clone, Debug, PartialEq)]
pub struct StreamsGroupMetadataValue {
    pub epoch: i32,
    pub metadata_hash: i64,
    pub validated_topology_epoch: i32,
    pub last_assignment_configs: Option<Vec<LastAssignmentConfig>>,
}

impl Default for StreamsGroupMetadataValue {
    fn default() -> Self {
        Self {
            epoch: 0,
            metadata_hash: 0,
            validated_topology_epoch: -1,
            last_assignment_configs: Some(Vec::new()),
        }
    }
}

impl Wire for StreamsGroupMetadataValue {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.epoch = d.i32()?;
        it.metadata_hash = d.i64()?;
        d.tags(|tag, d| {
            match tag {
                0 => it.validated_topology_epoch = d.i32()?,
                1 => it.last_assignment_configs = d.nullable_array(flexible, |d| LastAssignmentConfig::decode(d, version))?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.i32(self.epoch);
        e.i64(self.metadata_hash);
        {
            let mut tags = Tags::default();
            if self.validated_topology_epoch != -1 {
                tags.add(0, |e| { e.i32(self.validated_topology_epoch); Ok(()) })?;
            }
            if self.last_assignment_configs != Some(Vec::new()) {
                tags.add(1, |e| { e.nullable_array(self.last_assignment_configs.as_deref(), flexible, |e, item| { item.encode(e, version)?; Ok(()) })?; Ok(()) })?;
            }
            e.tags(tags);
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct LastAssignmentConfig {
    pub key: Str,
    pub value: Str,
}

impl Wire for LastAssignmentConfig {
    fn decode(d: &mut Decoder, _version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.key = d.string(flexible)?;
        it.value = d.string(flexible)?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.string(&self.key, flexible)?;
        e.string(&self.value, flexible)?;
        {
            e.no_tags();
        }
        Ok(())
    }
}

impl Message for StreamsGroupMetadataValue {
    const NAME: &'static str = "StreamsGroupMetadataValue";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 0;
    const SCHEMA_KEY: Option<i16> = Some(17);

    fn is_flexible(_version: i16) -> bool {
        true
    }
}
