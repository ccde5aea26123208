// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `OffsetFetchResponse`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Str, Uuid, Wire};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct OffsetFetchResponse {
    pub throttle_time_ms: i32,
    pub topics: Vec<OffsetFetchResponseTopic>,
    pub error_code: i16,
    pub groups: Vec<OffsetFetchResponseGroup>,
}

impl Wire for OffsetFetchResponse {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 6;
        let mut it = Self::default();
        if version >= 3 {
            it.throttle_time_ms = d.i32()?;
        }
        if version <= 7 {
            it.topics = d.array(flexible, |d| OffsetFetchResponseTopic::decode(d, version))?;
        }
        if (2..=7).contains(&version) {
            it.error_code = d.i16()?;
        }
        if version >= 8 {
            it.groups = d.array(flexible, |d| OffsetFetchResponseGroup::decode(d, version))?;
        }
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 6;
        if version >= 3 {
            e.i32(self.throttle_time_ms);
        }
        if version <= 7 {
            e.array(&self.topics, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        } else if !self.topics.is_empty() {
            return Err(EncodeError::not_in_version("Topics", version));
        }
        if (2..=7).contains(&version) {
            e.i16(self.error_code);
        }
        if version >= 8 {
            e.array(&self.groups, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        } else if !self.groups.is_empty() {
            return Err(EncodeError::not_in_version("Groups", version));
        }
        if flexible {
            e.no_tags();
        }
        Ok(())
    }

    fn each_error(&self, see: &mut dyn FnMut(i16)) {
        for item in &self.topics {
            item.each_error(see);
        }
        see(self.error_code);
        for item in &self.groups {
            item.each_error(see);
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct OffsetFetchResponseTopic {
    pub name: Str,
    pub partitions: Vec<OffsetFetchResponsePartition>,
}

impl Wire for OffsetFetchResponseTopic {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 6;
        let mut it = Self::default();
        if version <= 7 {
            it.name = d.string(flexible)?;
        }
        if version <= 7 {
            it.partitions = d.array(flexible, |d| OffsetFetchResponsePartition::decode(d, version))?;
        }
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 6;
        if version <= 7 {
            e.string(&self.name, flexible)?;
        } else if !self.name.is_empty() {
            return Err(EncodeError::not_in_version("Name", version));
        }
        if version <= 7 {
            e.array(&self.partitions, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        } else if !self.partitions.is_empty() {
            return Err(EncodeError::not_in_version("Partitions", version));
        }
        if flexible {
            e.no_tags();
        }
        Ok(())
    }

    fn each_error(&self, see: &mut dyn FnMut(i16)) {
        for item in &self.partitions {
            item.each_error(see);
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct OffsetFetchResponsePartition {
    pub partition_index: i32,
    pub committed_offset: i64,
    pub committed_leader_epoch: i32,
    pub metadata: Option<Str>,
    pub error_code: i16,
}

impl Default for OffsetFetchResponsePartition {
    fn default() -> Self {
        Self {
            partition_index: 0,
            committed_offset: 0,
            committed_leader_epoch: -1,
            metadata: Some(Str::default()),
            error_code: 0,
        }
    }
}

impl Wire for OffsetFetchResponsePartition {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 6;
        let mut it = Self::default();
        if version <= 7 {
            it.partition_index = d.i32()?;
        }
        if version <= 7 {
            it.committed_offset = d.i64()?;
        }
        if (5..=7).contains(&version) {
            it.committed_leader_epoch = d.i32()?;
        }
        if version <= 7 {
            it.metadata = d.nullable_string(flexible)?;
        }
        if version <= 7 {
            it.error_code = d.i16()?;
        }
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 6;
        if version <= 7 {
            e.i32(self.partition_index);
        } else if self.partition_index != 0 {
            return Err(EncodeError::not_in_version("PartitionIndex", version));
        }
        if version <= 7 {
            e.i64(self.committed_offset);
        } else if self.committed_offset != 0 {
            return Err(EncodeError::not_in_version("CommittedOffset", version));
        }
        if (5..=7).contains(&version) {
            e.i32(self.committed_leader_epoch);
        }
        if version <= 7 {
            e.nullable_string(self.metadata.as_ref(), flexible)?;
        } else if self.metadata != Some(Str::default()) {
            return Err(EncodeError::not_in_version("Metadata", version));
        }
        if version <= 7 {
            e.i16(self.error_code);
        } else if self.error_code != 0 {
            return Err(EncodeError::not_in_version("ErrorCode", version));
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
pub struct OffsetFetchResponseGroup {
    pub group_id: Str,
    pub topics: Vec<OffsetFetchResponseTopics>,
    pub error_code: i16,
}

impl Wire for OffsetFetchResponseGroup {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 6;
        let mut it = Self::default();
        if version >= 8 {
            it.group_id = d.string(flexible)?;
        }
        if version >= 8 {
            it.topics = d.array(flexible, |d| OffsetFetchResponseTopics::decode(d, version))?;
        }
        if version >= 8 {
            it.error_code = d.i16()?;
        }
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 6;
        if version >= 8 {
            e.string(&self.group_id, flexible)?;
        } else if !self.group_id.is_empty() {
            return Err(EncodeError::not_in_version("GroupId", version));
        }
        if version >= 8 {
            e.array(&self.topics, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        } else if !self.topics.is_empty() {
            return Err(EncodeError::not_in_version("Topics", version));
        }
        if version >= 8 {
            e.i16(self.error_code);
        } else if self.error_code != 0 {
            return Err(EncodeError::not_in_version("ErrorCode", version));
        }
        if flexible {
            e.no_tags();
        }
        Ok(())
    }

    fn each_error(&self, see: &mut dyn FnMut(i16)) {
        for item in &self.topics {
            item.each_error(see);
        }
        see(self.error_code);
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct OffsetFetchResponseTopics {
    pub name: Str,
    pub topic_id: Uuid,
    pub partitions: Vec<OffsetFetchResponsePartitions>,
}

impl Wire for OffsetFetchResponseTopics {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 6;
        let mut it = Self::default();
        if (8..=9).contains(&version) {
            it.name = d.string(flexible)?;
        }
        if version == 10 {
            it.topic_id = d.uuid()?;
        }
        if version >= 8 {
            it.partitions = d.array(flexible, |d| OffsetFetchResponsePartitions::decode(d, version))?;
        }
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 6;
        if (8..=9).contains(&version) {
            e.string(&self.name, flexible)?;
        }
        if version == 10 {
            e.uuid(self.topic_id);
        }
        if version >= 8 {
            e.array(&self.partitions, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        } else if !self.partitions.is_empty() {
            return Err(EncodeError::not_in_version("Partitions", version));
        }
        if flexible {
            e.no_tags();
        }
        Ok(())
    }

    fn each_error(&self, see: &mut dyn FnMut(i16)) {
        for item in &self.partitions {
            item.each_error(see);
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct OffsetFetchResponsePartitions {
    pub partition_index: i32,
    pub committed_offset: i64,
    pub committed_leader_epoch: i32,
    pub metadata: Option<Str>,
    pub error_code: i16,
}

impl Default for OffsetFetchResponsePartitions {
    fn default() -> Self {
        Self {
            partition_index: 0,
            committed_offset: 0,
            committed_leader_epoch: -1,
            metadata: Some(Str::default()),
            error_code: 0,
        }
    }
}

impl Wire for OffsetFetchResponsePartitions {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 6;
        let mut it = Self::default();
        if version >= 8 {
            it.partition_index = d.i32()?;
        }
        if version >= 8 {
            it.committed_offset = d.i64()?;
        }
        if version >= 8 {
            it.committed_leader_epoch = d.i32()?;
        }
        if version >= 8 {
            it.metadata = d.nullable_string(flexible)?;
        }
        if version >= 8 {
            it.error_code = d.i16()?;
        }
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 6;
        if version >= 8 {
            e.i32(self.partition_index);
        } else if self.partition_index != 0 {
            return Err(EncodeError::not_in_version("PartitionIndex", version));
        }
        if version >= 8 {
            e.i64(self.committed_offset);
        } else if self.committed_offset != 0 {
            return Err(EncodeError::not_in_version("CommittedOffset", version));
        }
        if version >= 8 {
            e.i32(self.committed_leader_epoch);
        }
        if version >= 8 {
            e.nullable_string(self.metadata.as_ref(), flexible)?;
        } else if self.metadata != Some(Str::default()) {
            return Err(EncodeError::not_in_version("Metadata", version));
        }
        if version >= 8 {
            e.i16(self.error_code);
        } else if self.error_code != 0 {
            return Err(EncodeError::not_in_version("ErrorCode", version));
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

impl Message for OffsetFetchResponse {
    const NAME: &'static str = "OffsetFetchResponse";
    const FIRST_VERSION: i16 = 1;
    const LAST_VERSION: i16 = 10;
    const SCHEMA_KEY: Option<i16> = Some(9);

    fn is_flexible(version: i16) -> bool {
        version >= 6
    }
}
