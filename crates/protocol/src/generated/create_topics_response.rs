// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `CreateTopicsResponse`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Str, Tags, Uuid, Wire};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct CreateTopicsResponse {
    pub throttle_time_ms: i32,
    pub topics: Vec<CreatableTopicResult>,
}

impl Wire for CreateTopicsResponse {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 5;
        let mut it = Self::default();
        it.throttle_time_ms = d.i32()?;
        it.topics = d.array(flexible, |d| CreatableTopicResult::decode(d, version))?;
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 5;
        e.i32(self.throttle_time_ms);
        e.array(&self.topics, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        if flexible {
            e.no_tags();
        }
        Ok(())
    }

    fn each_error(&self, see: &mut dyn FnMut(i16)) {
        for item in &self.topics {
            item.each_error(see);
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct CreatableTopicResult {
    pub name: Str,
    pub topic_id: Uuid,
    pub error_code: i16,
    pub error_message: Option<Str>,
    pub topic_config_error_code: i16,
    pub num_partitions: i32,
    pub replication_factor: i16,
    pub configs: Option<Vec<CreatableTopicConfigs>>,
}

impl Default for CreatableTopicResult {
    fn default() -> Self {
        Self {
            name: Str::default(),
            topic_id: Uuid::default(),
            error_code: 0,
            error_message: Some(Str::default()),
            topic_config_error_code: 0,
            num_partitions: -1,
            replication_factor: -1,
            configs: Some(Vec::new()),
        }
    }
}

impl Wire for CreatableTopicResult {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 5;
        let mut it = Self::default();
        it.name = d.string(flexible)?;
        if version == 7 {
            it.topic_id = d.uuid()?;
        }
        it.error_code = d.i16()?;
        it.error_message = d.nullable_string(flexible)?;
        if version >= 5 {
            it.num_partitions = d.i32()?;
        }
        if version >= 5 {
            it.replication_factor = d.i16()?;
        }
        if version >= 5 {
            it.configs = d.nullable_array(flexible, |d| CreatableTopicConfigs::decode(d, version))?;
        }
        if flexible {
            d.tags(|tag, d| {
            match tag {
                0 => it.topic_config_error_code = d.i16()?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 5;
        e.string(&self.name, flexible)?;
        if version == 7 {
            e.uuid(self.topic_id);
        }
        e.i16(self.error_code);
        e.nullable_string(self.error_message.as_ref(), flexible)?;
        if version >= 5 {
            e.i32(self.num_partitions);
        }
        if version >= 5 {
            e.i16(self.replication_factor);
        }
        if version >= 5 {
            e.nullable_array(self.configs.as_deref(), flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        }
        if flexible {
            let mut tags = Tags::default();
            if self.topic_config_error_code != 0 {
                tags.add(0, |e| { e.i16(self.topic_config_error_code); Ok(()) })?;
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
pub struct CreatableTopicConfigs {
    pub name: Str,
    pub value: Option<Str>,
    pub read_only: bool,
    pub config_source: i8,
    pub is_sensitive: bool,
}

impl Default for CreatableTopicConfigs {
    fn default() -> Self {
        Self {
            name: Str::default(),
            value: Some(Str::default()),
            read_only: false,
            config_source: -1,
            is_sensitive: false,
        }
    }
}

impl Wire for CreatableTopicConfigs {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 5;
        let mut it = Self::default();
        if version >= 5 {
            it.name = d.string(flexible)?;
        }
        if version >= 5 {
            it.value = d.nullable_string(flexible)?;
        }
        if version >= 5 {
            it.read_only = d.bool()?;
        }
        if version >= 5 {
            it.config_source = d.i8()?;
        }
        if version >= 5 {
            it.is_sensitive = d.bool()?;
        }
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 5;
        if version >= 5 {
            e.string(&self.name, flexible)?;
        } else if !self.name.is_empty() {
            return Err(EncodeError::not_in_version("Name", version));
        }
        if version >= 5 {
            e.nullable_string(self.value.as_ref(), flexible)?;
        } else if self.value != Some(Str::default()) {
            return Err(EncodeError::not_in_version("Value", version));
        }
        if version >= 5 {
            e.bool(self.read_only);
        } else if self.read_only {
            return Err(EncodeError::not_in_version("ReadOnly", version));
        }
        if version >= 5 {
            e.i8(self.config_source);
        }
        if version >= 5 {
            e.bool(self.is_sensitive);
        } else if self.is_sensitive {
            return Err(EncodeError::not_in_version("IsSensitive", version));
        }
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

impl Message for CreateTopicsResponse {
    const NAME: &'static str = "CreateTopicsResponse";
    const FIRST_VERSION: i16 = 2;
    const LAST_VERSION: i16 = 7;
    const SCHEMA_KEY: Option<i16> = Some(19);

    fn is_flexible(version: i16) -> bool {
        version >= 5
    }
}
