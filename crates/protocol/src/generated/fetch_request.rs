// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `FetchRequest`

use crate::wire::prelude::{ApiKey, DecodeError, Decoder, EncodeError, Encoder, Message, Request, Str, Tags, Uuid, Wire};

#[derive(Clone, Debug, PartialEq)]
pub struct FetchRequest {
    pub cluster_id: Option<Str>,
    pub replica_id: i32,
    pub replica_state: ReplicaState,
    pub max_wait_ms: i32,
    pub min_bytes: i32,
    pub max_bytes: i32,
    pub isolation_level: i8,
    pub session_id: i32,
    pub session_epoch: i32,
    pub topics: Vec<FetchTopic>,
    pub forgotten_topics_data: Vec<ForgottenTopic>,
    pub rack_id: Str,
}

impl Default for FetchRequest {
    fn default() -> Self {
        Self {
            cluster_id: None,
            replica_id: -1,
            replica_state: ReplicaState::default(),
            max_wait_ms: 0,
            min_bytes: 0,
            max_bytes: 0x7fffffff,
            isolation_level: 0,
            session_id: 0,
            session_epoch: -1,
            topics: Vec::new(),
            forgotten_topics_data: Vec::new(),
            rack_id: Str::default(),
        }
    }
}

impl Wire for FetchRequest {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 12;
        let mut it = Self::default();
        if version <= 14 {
            it.replica_id = d.i32()?;
        }
        it.max_wait_ms = d.i32()?;
        it.min_bytes = d.i32()?;
        it.max_bytes = d.i32()?;
        it.isolation_level = d.i8()?;
        if version >= 7 {
            it.session_id = d.i32()?;
        }
        if version >= 7 {
            it.session_epoch = d.i32()?;
        }
        it.topics = d.array(flexible, |d| FetchTopic::decode(d, version))?;
        if version >= 7 {
            it.forgotten_topics_data = d.array(flexible, |d| ForgottenTopic::decode(d, version))?;
        }
        if version >= 11 {
            it.rack_id = d.string(flexible)?;
        }
        if flexible {
            d.tags(|tag, d| {
            match tag {
                0 => it.cluster_id = d.nullable_string(flexible)?,
                1 if version >= 15 => it.replica_state = ReplicaState::decode(d, version)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 12;
        if version <= 14 {
            e.i32(self.replica_id);
        } else if self.replica_id != -1 {
            return Err(EncodeError::not_in_version("ReplicaId", version));
        }
        e.i32(self.max_wait_ms);
        e.i32(self.min_bytes);
        e.i32(self.max_bytes);
        e.i8(self.isolation_level);
        if version >= 7 {
            e.i32(self.session_id);
        }
        if version >= 7 {
            e.i32(self.session_epoch);
        }
        e.array(&self.topics, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        if version >= 7 {
            e.array(&self.forgotten_topics_data, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        } else if !self.forgotten_topics_data.is_empty() {
            return Err(EncodeError::not_in_version("ForgottenTopicsData", version));
        }
        if version >= 11 {
            e.string(&self.rack_id, flexible)?;
        }
        if flexible {
            let mut tags = Tags::default();
            if self.cluster_id.is_some() {
                tags.add(0, |e| { e.nullable_string(self.cluster_id.as_ref(), flexible)?; Ok(()) })?;
            }
            if version >= 15 && self.replica_state != ReplicaState::default() {
                tags.add(1, |e| { self.replica_state.encode(e, version)?; Ok(()) })?;
            }
            e.tags(tags);
        }
        Ok(())
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct ReplicaState {
    pub replica_id: i32,
    pub replica_epoch: i64,
}

impl Default for ReplicaState {
    fn default() -> Self {
        Self {
            replica_id: -1,
            replica_epoch: -1,
        }
    }
}

impl Wire for ReplicaState {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 12;
        let mut it = Self::default();
        if version >= 15 {
            it.replica_id = d.i32()?;
        }
        if version >= 15 {
            it.replica_epoch = d.i64()?;
        }
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 12;
        if version >= 15 {
            e.i32(self.replica_id);
        } else if self.replica_id != -1 {
            return Err(EncodeError::not_in_version("ReplicaId", version));
        }
        if version >= 15 {
            e.i64(self.replica_epoch);
        } else if self.replica_epoch != -1 {
            return Err(EncodeError::not_in_version("ReplicaEpoch", version));
        }
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct FetchTopic {
    pub topic: Str,
    pub topic_id: Uuid,
    pub partitions: Vec<FetchPartition>,
}

impl Wire for FetchTopic {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 12;
        let mut it = Self::default();
        if version <= 12 {
            it.topic = d.string(flexible)?;
        }
        if version >= 13 {
            it.topic_id = d.uuid()?;
        }
        it.partitions = d.array(flexible, |d| FetchPartition::decode(d, version))?;
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 12;
        if version <= 12 {
            e.string(&self.topic, flexible)?;
        }
        if version >= 13 {
            e.uuid(self.topic_id);
        }
        e.array(&self.partitions, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct FetchPartition {
    pub partition: i32,
    pub current_leader_epoch: i32,
    pub fetch_offset: i64,
    pub last_fetched_epoch: i32,
    pub log_start_offset: i64,
    pub partition_max_bytes: i32,
    pub replica_directory_id: Uuid,
    pub high_watermark: i64,
}

impl Default for FetchPartition {
    fn default() -> Self {
        Self {
            partition: 0,
            current_leader_epoch: -1,
            fetch_offset: 0,
            last_fetched_epoch: -1,
            log_start_offset: -1,
            partition_max_bytes: 0,
            replica_directory_id: Uuid::default(),
            high_watermark: 9223372036854775807,
        }
    }
}

impl Wire for FetchPartition {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 12;
        let mut it = Self::default();
        it.partition = d.i32()?;
        if version >= 9 {
            it.current_leader_epoch = d.i32()?;
        }
        it.fetch_offset = d.i64()?;
        if version >= 12 {
            it.last_fetched_epoch = d.i32()?;
        }
        if version >= 5 {
            it.log_start_offset = d.i64()?;
        }
        it.partition_max_bytes = d.i32()?;
        if flexible {
            d.tags(|tag, d| {
            match tag {
                0 if version >= 17 => it.replica_directory_id = d.uuid()?,
                1 if version == 18 => it.high_watermark = d.i64()?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 12;
        e.i32(self.partition);
        if version >= 9 {
            e.i32(self.current_leader_epoch);
        }
        e.i64(self.fetch_offset);
        if version >= 12 {
            e.i32(self.last_fetched_epoch);
        } else if self.last_fetched_epoch != -1 {
            return Err(EncodeError::not_in_version("LastFetchedEpoch", version));
        }
        if version >= 5 {
            e.i64(self.log_start_offset);
        }
        e.i32(self.partition_max_bytes);
        if flexible {
            let mut tags = Tags::default();
            if version >= 17 && self.replica_directory_id != Uuid::default() {
                tags.add(0, |e| { e.uuid(self.replica_directory_id); Ok(()) })?;
            }
            if version == 18 && self.high_watermark != 9223372036854775807 {
                tags.add(1, |e| { e.i64(self.high_watermark); Ok(()) })?;
            }
            e.tags(tags);
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct ForgottenTopic {
    pub topic: Str,
    pub topic_id: Uuid,
    pub partitions: Vec<i32>,
}

impl Wire for ForgottenTopic {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 12;
        let mut it = Self::default();
        if (7..=12).contains(&version) {
            it.topic = d.string(flexible)?;
        }
        if version >= 13 {
            it.topic_id = d.uuid()?;
        }
        if version >= 7 {
            it.partitions = d.array(flexible, |d| d.i32())?;
        }
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 12;
        if (7..=12).contains(&version) {
            e.string(&self.topic, flexible)?;
        }
        if version >= 13 {
            e.uuid(self.topic_id);
        }
        if version >= 7 {
            e.array(&self.partitions, flexible, |e, item| { e.i32(*item); Ok(()) })?;
        } else if !self.partitions.is_empty() {
            return Err(EncodeError::not_in_version("Partitions", version));
        }
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

impl Message for FetchRequest {
    const NAME: &'static str = "FetchRequest";
    const FIRST_VERSION: i16 = 4;
    const LAST_VERSION: i16 = 18;
    const SCHEMA_KEY: Option<i16> = Some(1);

    fn is_flexible(version: i16) -> bool {
        version >= 12
    }
}

impl Request for FetchRequest {
    const KEY: ApiKey = ApiKey::Fetch;
    type Response = super::FetchResponse;
}
