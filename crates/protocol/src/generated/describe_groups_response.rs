// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `DescribeGroupsResponse`

use crate::wire::prelude::{Bytes, DecodeError, Decoder, EncodeError, Encoder, Message, Str, Wire};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct DescribeGroupsResponse {
    pub throttle_time_ms: i32,
    pub groups: Vec<DescribedGroup>,
}

impl Wire for DescribeGroupsResponse {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 5;
        let mut it = Self::default();
        if version >= 1 {
            it.throttle_time_ms = d.i32()?;
        }
        it.groups = d.array(flexible, |d| DescribedGroup::decode(d, version))?;
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 5;
        if version >= 1 {
            e.i32(self.throttle_time_ms);
        }
        e.array(&self.groups, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        if flexible {
            e.no_tags();
        }
        Ok(())
    }

    fn each_error(&self, see: &mut dyn FnMut(i16)) {
        for item in &self.groups {
            item.each_error(see);
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct DescribedGroup {
    pub error_code: i16,
    pub error_message: Option<Str>,
    pub group_id: Str,
    pub group_state: Str,
    pub protocol_type: Str,
    pub protocol_data: Str,
    pub members: Vec<DescribedGroupMember>,
    pub authorized_operations: i32,
}

impl Default for DescribedGroup {
    fn default() -> Self {
        Self {
            error_code: 0,
            error_message: None,
            group_id: Str::default(),
            group_state: Str::default(),
            protocol_type: Str::default(),
            protocol_data: Str::default(),
            members: Vec::new(),
            authorized_operations: -2147483648,
        }
    }
}

impl Wire for DescribedGroup {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 5;
        let mut it = Self::default();
        it.error_code = d.i16()?;
        if version == 6 {
            it.error_message = d.nullable_string(flexible)?;
        }
        it.group_id = d.string(flexible)?;
        it.group_state = d.string(flexible)?;
        it.protocol_type = d.string(flexible)?;
        it.protocol_data = d.string(flexible)?;
        it.members = d.array(flexible, |d| DescribedGroupMember::decode(d, version))?;
        if version >= 3 {
            it.authorized_operations = d.i32()?;
        }
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 5;
        e.i16(self.error_code);
        if version == 6 {
            e.nullable_string(self.error_message.as_ref(), flexible)?;
        } else if self.error_message.is_some() {
            return Err(EncodeError::not_in_version("ErrorMessage", version));
        }
        e.string(&self.group_id, flexible)?;
        e.string(&self.group_state, flexible)?;
        e.string(&self.protocol_type, flexible)?;
        e.string(&self.protocol_data, flexible)?;
        e.array(&self.members, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        if version >= 3 {
            e.i32(self.authorized_operations);
        } else if self.authorized_operations != -2147483648 {
            return Err(EncodeError::not_in_version("AuthorizedOperations", version));
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
pub struct DescribedGroupMember {
    pub member_id: Str,
    pub group_instance_id: Option<Str>,
    pub client_id: Str,
    pub client_host: Str,
    pub member_metadata: Bytes,
    pub member_assignment: Bytes,
}

impl Wire for DescribedGroupMember {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 5;
        let mut it = Self::default();
        it.member_id = d.string(flexible)?;
        if version >= 4 {
            it.group_instance_id = d.nullable_string(flexible)?;
        }
        it.client_id = d.string(flexible)?;
        it.client_host = d.string(flexible)?;
        it.member_metadata = d.bytes(flexible)?;
        it.member_assignment = d.bytes(flexible)?;
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 5;
        e.string(&self.member_id, flexible)?;
        if version >= 4 {
            e.nullable_string(self.group_instance_id.as_ref(), flexible)?;
        }
        e.string(&self.client_id, flexible)?;
        e.string(&self.client_host, flexible)?;
        e.bytes(&self.member_metadata, flexible)?;
        e.bytes(&self.member_assignment, flexible)?;
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

impl Message for DescribeGroupsResponse {
    const NAME: &'static str = "DescribeGroupsResponse";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 6;
    const SCHEMA_KEY: Option<i16> = Some(15);

    fn is_flexible(version: i16) -> bool {
        version >= 5
    }
}
