// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `ListGroupsResponse`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Str, Wire};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListGroupsResponse {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub groups: Vec<ListedGroup>,
}

impl Wire for ListGroupsResponse {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 3;
        let mut it = Self::default();
        if version >= 1 {
            it.throttle_time_ms = d.i32()?;
        }
        it.error_code = d.i16()?;
        it.groups = d.array(flexible, |d| ListedGroup::decode(d, version))?;
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 3;
        if version >= 1 {
            e.i32(self.throttle_time_ms);
        }
        e.i16(self.error_code);
        e.array(&self.groups, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
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
pub struct ListedGroup {
    pub group_id: Str,
    pub protocol_type: Str,
    pub group_state: Str,
    pub group_type: Str,
}

impl Wire for ListedGroup {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 3;
        let mut it = Self::default();
        it.group_id = d.string(flexible)?;
        it.protocol_type = d.string(flexible)?;
        if version >= 4 {
            it.group_state = d.string(flexible)?;
        }
        if version == 5 {
            it.group_type = d.string(flexible)?;
        }
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 3;
        e.string(&self.group_id, flexible)?;
        e.string(&self.protocol_type, flexible)?;
        if version >= 4 {
            e.string(&self.group_state, flexible)?;
        }
        if version == 5 {
            e.string(&self.group_type, flexible)?;
        }
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

impl Message for ListGroupsResponse {
    const NAME: &'static str = "ListGroupsResponse";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 5;
    const SCHEMA_KEY: Option<i16> = Some(16);

    fn is_flexible(version: i16) -> bool {
        version >= 3
    }
}
