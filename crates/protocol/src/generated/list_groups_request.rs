// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `ListGroupsRequest`

use crate::wire::prelude::{ApiKey, DecodeError, Decoder, EncodeError, Encoder, Message, Request, Str, Wire};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListGroupsRequest {
    pub states_filter: Vec<Str>,
    pub types_filter: Vec<Str>,
}

impl Wire for ListGroupsRequest {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 3;
        let mut it = Self::default();
        if version >= 4 {
            it.states_filter = d.array(flexible, |d| d.string(flexible))?;
        }
        if version == 5 {
            it.types_filter = d.array(flexible, |d| d.string(flexible))?;
        }
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 3;
        if version >= 4 {
            e.array(&self.states_filter, flexible, |e, item| { e.string(item, flexible)?; Ok(()) })?;
        } else if !self.states_filter.is_empty() {
            return Err(EncodeError::not_in_version("StatesFilter", version));
        }
        if version == 5 {
            e.array(&self.types_filter, flexible, |e, item| { e.string(item, flexible)?; Ok(()) })?;
        } else if !self.types_filter.is_empty() {
            return Err(EncodeError::not_in_version("TypesFilter", version));
        }
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

impl Message for ListGroupsRequest {
    const NAME: &'static str = "ListGroupsRequest";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 5;
    const SCHEMA_KEY: Option<i16> = Some(16);

    fn is_flexible(version: i16) -> bool {
        version >= 3
    }
}

impl Request for ListGroupsRequest {
    const KEY: ApiKey = ApiKey::ListGroups;
    type Response = super::ListGroupsResponse;
}
