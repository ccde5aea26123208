// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `LeaveGroupResponse`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Str, Wire};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct LeaveGroupResponse {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub members: Vec<MemberResponse>,
}

impl Wire for LeaveGroupResponse {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 4;
        let mut it = Self::default();
        if version >= 1 {
            it.throttle_time_ms = d.i32()?;
        }
        it.error_code = d.i16()?;
        if version >= 3 {
            it.members = d.array(flexible, |d| MemberResponse::decode(d, version))?;
        }
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 4;
        if version >= 1 {
            e.i32(self.throttle_time_ms);
        }
        e.i16(self.error_code);
        if version >= 3 {
            e.array(&self.members, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        } else if !self.members.is_empty() {
            return Err(EncodeError::not_in_version("Members", version));
        }
        if flexible {
            e.no_tags();
        }
        Ok(())
    }

    fn each_error(&self, see: &mut dyn FnMut(i16)) {
        see(self.error_code);
        for item in &self.members {
            item.each_error(see);
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct MemberResponse {
    pub member_id: Str,
    pub group_instance_id: Option<Str>,
    pub error_code: i16,
}

impl Default for MemberResponse {
    fn default() -> Self {
        Self {
            member_id: Str::default(),
            group_instance_id: Some(Str::default()),
            error_code: 0,
        }
    }
}

impl Wire for MemberResponse {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 4;
        let mut it = Self::default();
        if version >= 3 {
            it.member_id = d.string(flexible)?;
        }
        if version >= 3 {
            it.group_instance_id = d.nullable_string(flexible)?;
        }
        if version >= 3 {
            it.error_code = d.i16()?;
        }
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 4;
        if version >= 3 {
            e.string(&self.member_id, flexible)?;
        } else if !self.member_id.is_empty() {
            return Err(EncodeError::not_in_version("MemberId", version));
        }
        if version >= 3 {
            e.nullable_string(self.group_instance_id.as_ref(), flexible)?;
        } else if self.group_instance_id != Some(Str::default()) {
            return Err(EncodeError::not_in_version("GroupInstanceId", version));
        }
        if version >= 3 {
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

impl Message for LeaveGroupResponse {
    const NAME: &'static str = "LeaveGroupResponse";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 5;
    const SCHEMA_KEY: Option<i16> = Some(13);

    fn is_flexible(version: i16) -> bool {
        version >= 4
    }
}
