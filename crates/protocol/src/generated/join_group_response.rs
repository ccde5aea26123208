// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `JoinGroupResponse`

use crate::wire::prelude::{Bytes, DecodeError, Decoder, EncodeError, Encoder, Message, Str, Wire, not_null};

#[derive(Clone, Debug, PartialEq)]
pub struct JoinGroupResponse {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub generation_id: i32,
    pub protocol_type: Option<Str>,
    pub protocol_name: Option<Str>,
    pub leader: Str,
    pub skip_assignment: bool,
    pub member_id: Str,
    pub members: Vec<JoinGroupResponseMember>,
}

impl Default for JoinGroupResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: 0,
            generation_id: -1,
            protocol_type: None,
            protocol_name: Some(Str::default()),
            leader: Str::default(),
            skip_assignment: false,
            member_id: Str::default(),
            members: Vec::new(),
        }
    }
}

impl Wire for JoinGroupResponse {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 6;
        let mut it = Self::default();
        if version >= 2 {
            it.throttle_time_ms = d.i32()?;
        }
        it.error_code = d.i16()?;
        it.generation_id = d.i32()?;
        if version >= 7 {
            it.protocol_type = d.nullable_string(flexible)?;
        }
        it.protocol_name = if version >= 7 { d.nullable_string(flexible)? } else { Some(d.string(flexible)?) };
        it.leader = d.string(flexible)?;
        if version == 9 {
            it.skip_assignment = d.bool()?;
        }
        it.member_id = d.string(flexible)?;
        it.members = d.array(flexible, |d| JoinGroupResponseMember::decode(d, version))?;
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 6;
        if version >= 2 {
            e.i32(self.throttle_time_ms);
        }
        e.i16(self.error_code);
        e.i32(self.generation_id);
        if version >= 7 {
            e.nullable_string(self.protocol_type.as_ref(), flexible)?;
        }
        if version >= 7 { e.nullable_string(self.protocol_name.as_ref(), flexible)? } else { e.string(not_null(self.protocol_name.as_ref(), "ProtocolName")?, flexible)? };
        e.string(&self.leader, flexible)?;
        if version == 9 {
            e.bool(self.skip_assignment);
        } else if self.skip_assignment {
            return Err(EncodeError::not_in_version("SkipAssignment", version));
        }
        e.string(&self.member_id, flexible)?;
        e.array(&self.members, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
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
pub struct JoinGroupResponseMember {
    pub member_id: Str,
    pub group_instance_id: Option<Str>,
    pub metadata: Bytes,
}

impl Wire for JoinGroupResponseMember {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 6;
        let mut it = Self::default();
        it.member_id = d.string(flexible)?;
        if version >= 5 {
            it.group_instance_id = d.nullable_string(flexible)?;
        }
        it.metadata = d.bytes(flexible)?;
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 6;
        e.string(&self.member_id, flexible)?;
        if version >= 5 {
            e.nullable_string(self.group_instance_id.as_ref(), flexible)?;
        }
        e.bytes(&self.metadata, flexible)?;
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

impl Message for JoinGroupResponse {
    const NAME: &'static str = "JoinGroupResponse";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 9;
    const SCHEMA_KEY: Option<i16> = Some(11);

    fn is_flexible(version: i16) -> bool {
        version >= 6
    }
}
