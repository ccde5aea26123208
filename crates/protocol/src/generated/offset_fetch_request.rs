// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `OffsetFetchRequest`

use crate::wire::prelude::{ApiKey, DecodeError, Decoder, EncodeError, Encoder, Message, Request, Str, Uuid, Wire, not_null};

#[derive(Clone, Debug, PartialEq)]
pub struct OffsetFetchRequest {
    pub group_id: Str,
    pub topics: Option<Vec<OffsetFetchRequestTopic>>,
    pub groups: Vec<OffsetFetchRequestGroup>,
    pub require_stable: bool,
}

impl Default for OffsetFetchRequest {
    fn default() -> Self {
        Self {
            group_id: Str::default(),
            topics: Some(Vec::new()),
            groups: Vec::new(),
            require_stable: false,
        }
    }
}

impl Wire for OffsetFetchRequest {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 6;
        let mut it = Self::default();
        if version <= 7 {
            it.group_id = d.string(flexible)?;
        }
        if version <= 7 {
            it.topics = if version >= 2 { d.nullable_array(flexible, |d| OffsetFetchRequestTopic::decode(d, version))? } else { Some(d.array(flexible, |d| OffsetFetchRequestTopic::decode(d, version))?) };
        }
        if version >= 8 {
            it.groups = d.array(flexible, |d| OffsetFetchRequestGroup::decode(d, version))?;
        }
        if version >= 7 {
            it.require_stable = d.bool()?;
        }
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 6;
        if version <= 7 {
            e.string(&self.group_id, flexible)?;
        } else if !self.group_id.is_empty() {
            return Err(EncodeError::not_in_version("GroupId", version));
        }
        if version <= 7 {
            if version >= 2 { e.nullable_array(self.topics.as_deref(), flexible, |e, item| { item.encode(e, version)?; Ok(()) })? } else { e.array(not_null(self.topics.as_ref(), "Topics")?, flexible, |e, item| { item.encode(e, version)?; Ok(()) })? };
        } else if self.topics != Some(Vec::new()) {
            return Err(EncodeError::not_in_version("Topics", version));
        }
        if version >= 8 {
            e.array(&self.groups, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        } else if !self.groups.is_empty() {
            return Err(EncodeError::not_in_version("Groups", version));
        }
        if version >= 7 {
            e.bool(self.require_stable);
        } else if self.require_stable {
            return Err(EncodeError::not_in_version("RequireStable", version));
        }
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct OffsetFetchRequestTopic {
    pub name: Str,
    pub partition_indexes: Vec<i32>,
}

impl Wire for OffsetFetchRequestTopic {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 6;
        let mut it = Self::default();
        if version <= 7 {
            it.name = d.string(flexible)?;
        }
        if version <= 7 {
            it.partition_indexes = d.array(flexible, |d| d.i32())?;
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
            e.array(&self.partition_indexes, flexible, |e, item| { e.i32(*item); Ok(()) })?;
        } else if !self.partition_indexes.is_empty() {
            return Err(EncodeError::not_in_version("PartitionIndexes", version));
        }
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct OffsetFetchRequestGroup {
    pub group_id: Str,
    pub member_id: Option<Str>,
    pub member_epoch: i32,
    pub topics: Option<Vec<OffsetFetchRequestTopics>>,
}

impl Default for OffsetFetchRequestGroup {
    fn default() -> Self {
        Self {
            group_id: Str::default(),
            member_id: None,
            member_epoch: -1,
            topics: Some(Vec::new()),
        }
    }
}

impl Wire for OffsetFetchRequestGroup {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 6;
        let mut it = Self::default();
        if version >= 8 {
            it.group_id = d.string(flexible)?;
        }
        if version >= 9 {
            it.member_id = d.nullable_string(flexible)?;
        }
        if version >= 9 {
            it.member_epoch = d.i32()?;
        }
        if version >= 8 {
            it.topics = d.nullable_array(flexible, |d| OffsetFetchRequestTopics::decode(d, version))?;
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
        if version >= 9 {
            e.nullable_string(self.member_id.as_ref(), flexible)?;
        }
        if version >= 9 {
            e.i32(self.member_epoch);
        }
        if version >= 8 {
            e.nullable_array(self.topics.as_deref(), flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        } else if self.topics != Some(Vec::new()) {
            return Err(EncodeError::not_in_version("Topics", version));
        }
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct OffsetFetchRequestTopics {
    pub name: Str,
    pub topic_id: Uuid,
    pub partition_indexes: Vec<i32>,
}

impl Wire for OffsetFetchRequestTopics {
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
            it.partition_indexes = d.array(flexible, |d| d.i32())?;
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
            e.array(&self.partition_indexes, flexible, |e, item| { e.i32(*item); Ok(()) })?;
        } else if !self.partition_indexes.is_empty() {
            return Err(EncodeError::not_in_version("PartitionIndexes", version));
        }
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

impl Message for OffsetFetchRequest {
    const NAME: &'static str = "OffsetFetchRequest";
    const FIRST_VERSION: i16 = 1;
    const LAST_VERSION: i16 = 10;
    const SCHEMA_KEY: Option<i16> = Some(9);

    fn is_flexible(version: i16) -> bool {
        version >= 6
    }
}

impl Request for OffsetFetchRequest {
    const KEY: ApiKey = ApiKey::OffsetFetch;
    type Response = super::OffsetFetchResponse;
}
