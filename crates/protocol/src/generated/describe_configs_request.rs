// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `DescribeConfigsRequest`

use crate::wire::prelude::{ApiKey, DecodeError, Decoder, EncodeError, Encoder, Message, Request, Str, Wire};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct DescribeConfigsRequest {
    pub resources: Vec<DescribeConfigsResource>,
    pub include_synonyms: bool,
    pub include_documentation: bool,
}

impl Wire for DescribeConfigsRequest {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version == 4;
        let mut it = Self::default();
        it.resources = d.array(flexible, |d| DescribeConfigsResource::decode(d, version))?;
        it.include_synonyms = d.bool()?;
        if version >= 3 {
            it.include_documentation = d.bool()?;
        }
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version == 4;
        e.array(&self.resources, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        e.bool(self.include_synonyms);
        if version >= 3 {
            e.bool(self.include_documentation);
        } else if self.include_documentation {
            return Err(EncodeError::not_in_version("IncludeDocumentation", version));
        }
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct DescribeConfigsResource {
    pub resource_type: i8,
    pub resource_name: Str,
    pub configuration_keys: Option<Vec<Str>>,
}

impl Default for DescribeConfigsResource {
    fn default() -> Self {
        Self {
            resource_type: 0,
            resource_name: Str::default(),
            configuration_keys: Some(Vec::new()),
        }
    }
}

impl Wire for DescribeConfigsResource {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version == 4;
        let mut it = Self::default();
        it.resource_type = d.i8()?;
        it.resource_name = d.string(flexible)?;
        it.configuration_keys = d.nullable_array(flexible, |d| d.string(flexible))?;
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version == 4;
        e.i8(self.resource_type);
        e.string(&self.resource_name, flexible)?;
        e.nullable_array(self.configuration_keys.as_deref(), flexible, |e, item| { e.string(item, flexible)?; Ok(()) })?;
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

impl Message for DescribeConfigsRequest {
    const NAME: &'static str = "DescribeConfigsRequest";
    const FIRST_VERSION: i16 = 1;
    const LAST_VERSION: i16 = 4;
    const SCHEMA_KEY: Option<i16> = Some(32);

    fn is_flexible(version: i16) -> bool {
        version == 4
    }
}

impl Request for DescribeConfigsRequest {
    const KEY: ApiKey = ApiKey::DescribeConfigs;
    type Response = super::DescribeConfigsResponse;
}
