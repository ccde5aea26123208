// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `GroupMetadataValue`

use crate::wire::prelude::{Bytes, DecodeError, Decoder, EncodeError, Encoder, Message, Str, Wire};

#[derive(Clone, Debug, PartialEq)]
pub struct GroupMetadataValue {
    pub protocol_type: Str,
    pub generation: i32,
    pub protocol: Option<Str>,
    pub leader: Option<Str>,
    pub current_state_timestamp: i64,
    pub members: Vec<MemberMetadata>,
}

impl Default for GroupMetadataValue {
    fn default() -> Self {
        Self {
            protocol_type: Str::default(),
            generation: 0,
            protocol: Some(Str::default()),
            leader: Some(Str::default()),
            current_state_timestamp: -1,
            members: Vec::new(),
        }
    }
}

impl Wire for GroupMetadataValue {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version == 4;
        let mut it = Self::default();
        it.protocol_type = d.string(flexible)?;
        it.generation = d.i32()?;
        it.protocol = d.nullable_string(flexible)?;
        it.leader = d.nullable_string(flexible)?;
        if version >= 2 {
            it.current_state_timestamp = d.i64()?;
        }
        it.members = d.array(flexible, |d| MemberMetadata::decode(d, version))?;
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version == 4;
        e.string(&self.protocol_type, flexible)?;
        e.i32(self.generation);
        e.nullable_string(self.protocol.as_ref(), flexible)?;
        e.nullable_string(self.leader.as_ref(), flexible)?;
        if version >= 2 {
            e.i64(self.current_state_timestamp);
        }
        e.array(&self.members, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct MemberMetadata {
    pub member_id: Str,
    pub group_instance_id: Option<Str>,
    pub client_id: Str,
    pub client_host: Str,
    pub rebalance_timeout: i32,
    pub session_timeout: i32,
    pub subscription: Bytes,
    pub assignment: Bytes,
}

impl Default for MemberMetadata {
    fn default() -> Self {
        Self {
            member_id: Str::default(),
            group_instance_id: None,
            client_id: Str::default(),
            client_host: Str::default(),
            rebalance_timeout: -1,
            session_timeout: 0,
            subscription: Bytes::default(),
            assignment: Bytes::default(),
        }
    }
}

impl Wire for MemberMetadata {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version == 4;
        let mut it = Self::default();
        it.member_id = d.string(flexible)?;
        if version >= 3 {
            it.group_instance_id = d.nullable_string(flexible)?;
        }
        it.client_id = d.string(flexible)?;
        it.client_host = d.string(flexible)?;
        if version >= 1 {
            it.rebalance_timeout = d.i32()?;
        }
        it.session_timeout = d.i32()?;
        it.subscription = d.bytes(flexible)?;
        it.assignment = d.bytes(flexible)?;
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version == 4;
        e.string(&self.member_id, flexible)?;
        if version >= 3 {
            e.nullable_string(self.group_instance_id.as_ref(), flexible)?;
        }
        e.string(&self.client_id, flexible)?;
        e.string(&self.client_host, flexible)?;
        if version >= 1 {
            e.i32(self.rebalance_timeout);
        }
        e.i32(self.session_timeout);
        e.bytes(&self.subscription, flexible)?;
        e.bytes(&self.assignment, flexible)?;
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

impl Message for GroupMetadataValue {
    const NAME: &'static str = "GroupMetadataValue";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 4;
    const SCHEMA_KEY: Option<i16> = Some(2);

    fn is_flexible(version: i16) -> bool {
        version == 4
    }
}
