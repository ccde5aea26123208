// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `EnvelopeRequest`

use crate::wire::prelude::{ApiKey, Bytes, DecodeError, Decoder, EncodeError, Encoder, Message, Request, Wire};

#[derive(Clone, Debug, PartialEq)]
pub struct EnvelopeRequest {
    pub request_data: Bytes,
    pub request_principal: Option<Bytes>,
    pub client_host_address: Bytes,
}

impl Default for EnvelopeRequest {
    fn default() -> Self {
        Self {
            request_data: Bytes::default(),
            request_principal: Some(Bytes::default()),
            client_host_address: Bytes::default(),
        }
    }
}

impl Wire for EnvelopeRequest {
    fn decode(d: &mut Decoder, _version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.request_data = d.bytes(flexible)?;
        it.request_principal = d.nullable_bytes(flexible)?;
        it.client_host_address = d.bytes(flexible)?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.bytes(&self.request_data, flexible)?;
        e.nullable_bytes(self.request_principal.as_ref(), flexible)?;
        e.bytes(&self.client_host_address, flexible)?;
        {
            e.no_tags();
        }
        Ok(())
    }
}

impl Message for EnvelopeRequest {
    const NAME: &'static str = "EnvelopeRequest";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 0;
    const SCHEMA_KEY: Option<i16> = Some(58);

    fn is_flexible(_version: i16) -> bool {
        true
    }
}

impl Request for EnvelopeRequest {
    const KEY: ApiKey = ApiKey::Envelope;
    type Response = super::EnvelopeResponse;
}
