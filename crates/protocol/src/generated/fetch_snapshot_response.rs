// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `FetchSnapshotResponse`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Records, Str, Tags, Wire};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct FetchSnapshotResponse {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub topics: Vec<TopicSnapshot>,
    pub node_endpoints: Vec<NodeEndpoint>,
}

impl Wire for FetchSnapshotResponse {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.throttle_time_ms = d.i32()?;
        it.error_code = d.i16()?;
        it.topics = d.array(flexible, |d| TopicSnapshot::decode(d, version))?;
        d.tags(|tag, d| {
            match tag {
                0 if version == 1 => it.node_endpoints = d.array(flexible, |d| NodeEndpoint::decode(d, version))?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.i32(self.throttle_time_ms);
        e.i16(self.error_code);
        e.array(&self.topics, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        {
            let mut tags = Tags::default();
            if version == 1 && !self.node_endpoints.is_empty() {
                tags.add(0, |e| { e.array(&self.node_endpoints, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?; Ok(()) })?;
            }
            e.tags(tags);
        }
        Ok(())
    }

    fn each_error(&self, see: &mut dyn FnMut(i16)) {
        see(self.error_code);
        for item in &self.topics {
            item.each_error(see);
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct TopicSnapshot {
    pub name: Str,
    pub partitions: Vec<PartitionSnapshot>,
}

impl Wire for TopicSnapshot {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.name = d.string(flexible)?;
        it.partitions = d.array(flexible, |d| PartitionSnapshot::decode(d, version))?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.string(&self.name, flexible)?;
        e.array(&self.partitions, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        {
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

#[derive(Clone, Debug, Default, PartialEq)]
pub struct PartitionSnapshot {
    pub index: i32,
    pub error_code: i16,
    pub snapshot_id: SnapshotId,
    pub current_leader: LeaderIdAndEpoch,
    pub size: i64,
    pub position: i64,
    pub unaligned_records: Records,
}

impl Wire for PartitionSnapshot {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.index = d.i32()?;
        it.error_code = d.i16()?;
        it.snapshot_id = SnapshotId::decode(d, version)?;
        it.size = d.i64()?;
        it.position = d.i64()?;
        it.unaligned_records = d.records(flexible)?;
        d.tags(|tag, d| {
            match tag {
                0 => it.current_leader = LeaderIdAndEpoch::decode(d, version)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.i32(self.index);
        e.i16(self.error_code);
        self.snapshot_id.encode(e, version)?;
        e.i64(self.size);
        e.i64(self.position);
        e.records(&self.unaligned_records, flexible)?;
        {
            let mut tags = Tags::default();
            if self.current_leader != LeaderIdAndEpoch::default() {
                tags.add(0, |e| { self.current_leader.encode(e, version)?; Ok(()) })?;
            }
            e.tags(tags);
        }
        Ok(())
    }

    fn each_error(&self, see: &mut dyn FnMut(i16)) {
        see(self.error_code);
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct SnapshotId {
    pub end_offset: i64,
    pub epoch: i32,
}

impl Wire for SnapshotId {
    fn decode(d: &mut Decoder, _version: i16) -> Result<Self, DecodeError> {
        let mut it = Self::default();
        it.end_offset = d.i64()?;
        it.epoch = d.i32()?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        e.i64(self.end_offset);
        e.i32(self.epoch);
        {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct LeaderIdAndEpoch {
    pub leader_id: i32,
    pub leader_epoch: i32,
}

impl Wire for LeaderIdAndEpoch {
    fn decode(d: &mut Decoder, _version: i16) -> Result<Self, DecodeError> {
        let mut it = Self::default();
        it.leader_id = d.i32()?;
        it.leader_epoch = d.i32()?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        e.i32(self.leader_id);
        e.i32(self.leader_epoch);
        {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeEndpoint {
    pub node_id: i32,
    pub host: Str,
    pub port: u16,
}

impl Wire for NodeEndpoint {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        if version == 1 {
            it.node_id = d.i32()?;
        }
        if version == 1 {
            it.host = d.string(flexible)?;
        }
        if version == 1 {
            it.port = d.u16()?;
        }
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        if version == 1 {
            e.i32(self.node_id);
        } else if self.node_id != 0 {
            return Err(EncodeError::not_in_version("NodeId", version));
        }
        if version == 1 {
            e.string(&self.host, flexible)?;
        } else if !self.host.is_empty() {
            return Err(EncodeError::not_in_version("Host", version));
        }
        if version == 1 {
            e.u16(self.port);
        } else if self.port != 0 {
            return Err(EncodeError::not_in_version("Port", version));
        }
        {
            e.no_tags();
        }
        Ok(())
    }
}

impl Message for FetchSnapshotResponse {
    const NAME: &'static str = "FetchSnapshotResponse";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 1;
    const SCHEMA_KEY: Option<i16> = Some(59);

    fn is_flexible(_version: i16) -> bool {
        true
    }
}
