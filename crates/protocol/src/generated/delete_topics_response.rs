// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `DeleteTopicsResponse`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Str, Uuid, Wire, not_null};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeleteTopicsResponse {
    pub throttle_time_ms: i32,
    pub responses: Vec<DeletableTopicResult>,
}

impl Wire for DeleteTopicsResponse {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 4;
        let mut it = Self::default();
        it.throttle_time_ms = d.i32()?;
        it.responses = d.array(flexible, |d| DeletableTopicResult::decode(d, version))?;
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 4;
        e.i32(self.throttle_time_ms);
        e.array(&self.responses, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        if flexible {
            e.no_tags();
        }
        Ok(())
    }

    fn each_error(&self, see: &mut dyn FnMut(i16)) {
        for item in &self.responses {
            item.each_error(see);
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct DeletableTopicResult {
    pub name: Option<Str>,
    pub topic_id: Uuid,
    pub error_code: i16,
    pub error_message: Option<Str>,
}

impl Default for DeletableTopicResult {
    fn default() -> Self {
        Self {
            name: Some(Str::default()),
            topic_id: Uuid::default(),
            error_code: 0,
            error_message: None,
        }
    }
}

impl Wire for DeletableTopicResult {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 4;
        let mut it = Self::default();
        it.name = if version == 6 { d.nullable_string(flexible)? } else { Some(d.string(flexible)?) };
        if version == 6 {
            it.topic_id = d.uuid()?;
        }
        it.error_code = d.i16()?;
        if version >= 5 {
            it.error_message = d.nullable_string(flexible)?;
        }
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 4;
        if version == 6 { e.nullable_string(self.name.as_ref(), flexible)? } else { e.string(not_null(self.name.as_ref(), "Name")?, flexible)? };
        if version == 6 {
            e.uuid(self.topic_id);
        }
        e.i16(self.error_code);
        if version >= 5 {
            e.nullable_string(self.error_message.as_ref(), flexible)?;
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

impl Message for DeleteTopicsResponse {
    const NAME: &'static str = "DeleteTopicsResponse";
    const FIRST_VERSION: i16 = 1;
    const LAST_VERSION: i16 = 6;
    const SCHEMA_KEY: Option<i16> = Some(20);

    fn is_flexible(version: i16) -> bool {
        version >= 4
    }
}
