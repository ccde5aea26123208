// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `FetchResponse`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Records, Str, Tags, Uuid, Wire};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct FetchResponse {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub session_id: i32,
    pub responses: Vec<FetchableTopicResponse>,
    pub node_endpoints: Vec<NodeEndpoint>,
}

impl Wire for FetchResponse {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 12;
        let mut it = Self::default();
        it.throttle_time_ms = d.i32()?;
        if version >= 7 {
            it.error_code = d.i16()?;
        }
        if version >= 7 {
            it.session_id = d.i32()?;
        }
        it.responses = d.array(flexible, |d| FetchableTopicResponse::decode(d, version))?;
        if flexible {
            d.tags(|tag, d| {
            match tag {
                0 if version >= 16 => it.node_endpoints = d.array(flexible, |d| NodeEndpoint::decode(d, version))?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 12;
        e.i32(self.throttle_time_ms);
        if version >= 7 {
            e.i16(self.error_code);
        }
        if version >= 7 {
            e.i32(self.session_id);
        } else if self.session_id != 0 {
            return Err(EncodeError::not_in_version("SessionId", version));
        }
        e.array(&self.responses, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        if flexible {
            let mut tags = Tags::default();
            if version >= 16 && !self.node_endpoints.is_empty() {
                tags.add(0, |e| { e.array(&self.node_endpoints, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?; Ok(()) })?;
            }
            e.tags(tags);
        }
        Ok(())
    }

    fn each_error(&self, see: &mut dyn FnMut(i16)) {
        see(self.error_code);
        for item in &self.responses {
            item.each_error(see);
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct FetchableTopicResponse {
    pub topic: Str,
    pub topic_id: Uuid,
    pub partitions: Vec<PartitionData>,
}

impl Wire for FetchableTopicResponse {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 12;
        let mut it = Self::default();
        if version <= 12 {
            it.topic = d.string(flexible)?;
        }
        if version >= 13 {
            it.topic_id = d.uuid()?;
        }
        it.partitions = d.array(flexible, |d| PartitionData::decode(d, version))?;
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

    fn each_error(&self, see: &mut dyn FnMut(i16)) {
        for item in &self.partitions {
            item.each_error(see);
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct PartitionData {
    pub partition_index: i32,
    pub error_code: i16,
    pub high_watermark: i64,
    pub last_stable_offset: i64,
    pub log_start_offset: i64,
    pub diverging_epoch: EpochEndOffset,
    pub current_leader: LeaderIdAndEpoch,
    pub snapshot_id: SnapshotId,
    pub aborted_transactions: Option<Vec<AbortedTransaction>>,
    pub preferred_read_replica: i32,
    pub records: Option<Records>,
}

impl Default for PartitionData {
    fn default() -> Self {
        Self {
            partition_index: 0,
            error_code: 0,
            high_watermark: 0,
            last_stable_offset: -1,
            log_start_offset: -1,
            diverging_epoch: EpochEndOffset::default(),
            current_leader: LeaderIdAndEpoch::default(),
            snapshot_id: SnapshotId::default(),
            aborted_transactions: Some(Vec::new()),
            preferred_read_replica: -1,
            records: Some(Records::default()),
        }
    }
}

impl Wire for PartitionData {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 12;
        let mut it = Self::default();
        it.partition_index = d.i32()?;
        it.error_code = d.i16()?;
        it.high_watermark = d.i64()?;
        it.last_stable_offset = d.i64()?;
        if version >= 5 {
            it.log_start_offset = d.i64()?;
        }
        it.aborted_transactions = d.nullable_array(flexible, |d| AbortedTransaction::decode(d, version))?;
        if version >= 11 {
            it.preferred_read_replica = d.i32()?;
        }
        it.records = d.nullable_records(flexible)?;
        if flexible {
            d.tags(|tag, d| {
            match tag {
                0 => it.diverging_epoch = EpochEndOffset::decode(d, version)?,
                1 => it.current_leader = LeaderIdAndEpoch::decode(d, version)?,
                2 => it.snapshot_id = SnapshotId::decode(d, version)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 12;
        e.i32(self.partition_index);
        e.i16(self.error_code);
        e.i64(self.high_watermark);
        e.i64(self.last_stable_offset);
        if version >= 5 {
            e.i64(self.log_start_offset);
        }
        e.nullable_array(self.aborted_transactions.as_deref(), flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        if version >= 11 {
            e.i32(self.preferred_read_replica);
        } else if self.preferred_read_replica != -1 {
            return Err(EncodeError::not_in_version("PreferredReadReplica", version));
        }
        e.nullable_records(self.records.as_ref(), flexible)?;
        if flexible {
            let mut tags = Tags::default();
            if self.diverging_epoch != EpochEndOffset::default() {
                tags.add(0, |e| { self.diverging_epoch.encode(e, version)?; Ok(()) })?;
            }
            if self.current_leader != LeaderIdAndEpoch::default() {
                tags.add(1, |e| { self.current_leader.encode(e, version)?; Ok(()) })?;
            }
            if self.snapshot_id != SnapshotId::default() {
                tags.add(2, |e| { self.snapshot_id.encode(e, version)?; Ok(()) })?;
            }
            e.tags(tags);
        }
        Ok(())
    }

    fn each_error(&self, see: &mut dyn FnMut(i16)) {
        see(self.error_code);
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct EpochEndOffset {
    pub epoch: i32,
    pub end_offset: i64,
}

impl Default for EpochEndOffset {
    fn default() -> Self {
        Self {
            epoch: -1,
            end_offset: -1,
        }
    }
}

impl Wire for EpochEndOffset {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 12;
        let mut it = Self::default();
        if version >= 12 {
            it.epoch = d.i32()?;
        }
        if version >= 12 {
            it.end_offset = d.i64()?;
        }
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 12;
        if version >= 12 {
            e.i32(self.epoch);
        } else if self.epoch != -1 {
            return Err(EncodeError::not_in_version("Epoch", version));
        }
        if version >= 12 {
            e.i64(self.end_offset);
        } else if self.end_offset != -1 {
            return Err(EncodeError::not_in_version("EndOffset", version));
        }
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct LeaderIdAndEpoch {
    pub leader_id: i32,
    pub leader_epoch: i32,
}

impl Default for LeaderIdAndEpoch {
    fn default() -> Self {
        Self {
            leader_id: -1,
            leader_epoch: -1,
        }
    }
}

impl Wire for LeaderIdAndEpoch {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 12;
        let mut it = Self::default();
        if version >= 12 {
            it.leader_id = d.i32()?;
        }
        if version >= 12 {
            it.leader_epoch = d.i32()?;
        }
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 12;
        if version >= 12 {
            e.i32(self.leader_id);
        } else if self.leader_id != -1 {
            return Err(EncodeError::not_in_version("LeaderId", version));
        }
        if version >= 12 {
            e.i32(self.leader_epoch);
        } else if self.leader_epoch != -1 {
            return Err(EncodeError::not_in_version("LeaderEpoch", version));
        }
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct SnapshotId {
    pub end_offset: i64,
    pub epoch: i32,
}

impl Default for SnapshotId {
    fn default() -> Self {
        Self {
            end_offset: -1,
            epoch: -1,
        }
    }
}

impl Wire for SnapshotId {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 12;
        let mut it = Self::default();
        it.end_offset = d.i64()?;
        it.epoch = d.i32()?;
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 12;
        e.i64(self.end_offset);
        e.i32(self.epoch);
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct AbortedTransaction {
    pub producer_id: i64,
    pub first_offset: i64,
}

impl Wire for AbortedTransaction {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 12;
        let mut it = Self::default();
        it.producer_id = d.i64()?;
        it.first_offset = d.i64()?;
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 12;
        e.i64(self.producer_id);
        e.i64(self.first_offset);
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeEndpoint {
    pub node_id: i32,
    pub host: Str,
    pub port: i32,
    pub rack: Option<Str>,
}

impl Wire for NodeEndpoint {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 12;
        let mut it = Self::default();
        if version >= 16 {
            it.node_id = d.i32()?;
        }
        if version >= 16 {
            it.host = d.string(flexible)?;
        }
        if version >= 16 {
            it.port = d.i32()?;
        }
        if version >= 16 {
            it.rack = d.nullable_string(flexible)?;
        }
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 12;
        if version >= 16 {
            e.i32(self.node_id);
        } else if self.node_id != 0 {
            return Err(EncodeError::not_in_version("NodeId", version));
        }
        if version >= 16 {
            e.string(&self.host, flexible)?;
        } else if !self.host.is_empty() {
            return Err(EncodeError::not_in_version("Host", version));
        }
        if version >= 16 {
            e.i32(self.port);
        } else if self.port != 0 {
            return Err(EncodeError::not_in_version("Port", version));
        }
        if version >= 16 {
            e.nullable_string(self.rack.as_ref(), flexible)?;
        } else if self.rack.is_some() {
            return Err(EncodeError::not_in_version("Rack", version));
        }
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

impl Message for FetchResponse {
    const NAME: &'static str = "FetchResponse";
    const FIRST_VERSION: i16 = 4;
    const LAST_VERSION: i16 = 18;
    const SCHEMA_KEY: Option<i16> = Some(1);

    fn is_flexible(version: i16) -> bool {
        version >= 12
    }
}
