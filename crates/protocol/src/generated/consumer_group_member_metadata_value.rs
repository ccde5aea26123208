// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `ConsumerGroupMemberMetadataValue`

use crate::wire::prelude::{Bytes, DecodeError, Decoder, EncodeError, Encoder, Message, Str, Tags, Wire};

#[derive(Clone, Debug, PartialEq)]
pub struct ConsumerGroupMemberMetadataValue {
    pub instance_id: Option<Str>,
    pub rack_id: Option<Str>,
    pub client_id: Str,
    pub client_host: Str,
    pub subscribed_topic_names: Vec<Str>,
    pub subscribed_topic_regex: Option<Str>,
    pub rebalance_timeout_ms: i32,
    pub server_assignor: Option<Str>,
    pub classic_member_metadata: Option<ClassicMemberMetadata>,
}

impl Default for ConsumerGroupMemberMetadataValue {
    fn default() -> Self {
        Self {
            instance_id: Some(Str::default()),
            rack_id: Some(Str::default()),
            client_id: Str::default(),
            client_host: Str::default(),
            subscribed_topic_names: Vec::new(),
            subscribed_topic_regex: Some(Str::default()),
            rebalance_timeout_ms: -1,
            server_assignor: Some(Str::default()),
            classic_member_metadata: Some(ClassicMemberMetadata::default()),
        }
    }
}

impl Wire for ConsumerGroupMemberMetadataValue {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.instance_id = d.nullable_string(flexible)?;
        it.rack_id = d.nullable_string(flexible)?;
        it.client_id = d.string(flexible)?;
        it.client_host = d.string(flexible)?;
        it.subscribed_topic_names = d.array(flexible, |d| d.string(flexible))?;
        it.subscribed_topic_regex = d.nullable_string(flexible)?;
        it.rebalance_timeout_ms = d.i32()?;
        it.server_assignor = d.nullable_string(flexible)?;
        d.tags(|tag, d| {
            match tag {
                0 => it.classic_member_metadata = d.nullable_tagged_struct(|d| ClassicMemberMetadata::decode(d, version))?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.nullable_string(self.instance_id.as_ref(), flexible)?;
        e.nullable_string(self.rack_id.as_ref(), flexible)?;
        e.string(&self.client_id, flexible)?;
        e.string(&self.client_host, flexible)?;
        e.array(&self.subscribed_topic_names, flexible, |e, item| { e.string(item, flexible)?; Ok(()) })?;
        e.nullable_string(self.subscribed_topic_regex.as_ref(), flexible)?;
        e.i32(self.rebalance_timeout_ms);
        e.nullable_string(self.server_assignor.as_ref(), flexible)?;
        {
            let mut tags = Tags::default();
            if self.classic_member_metadata != Some(ClassicMemberMetadata::default()) {
                tags.add(0, |e| { e.nullable_tagged_struct(self.classic_member_metadata.as_ref(), |e, it| it.encode(e, version))?; Ok(()) })?;
            }
            e.tags(tags);
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClassicMemberMetadata {
    pub session_timeout_ms: i32,
    pub supported_protocols: Vec<ClassicProtocol>,
}

impl Wire for ClassicMemberMetadata {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.session_timeout_ms = d.i32()?;
        it.supported_protocols = d.array(flexible, |d| ClassicProtocol::decode(d, version))?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.i32(self.session_timeout_ms);
        e.array(&self.supported_protocols, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClassicProtocol {
    pub name: Str,
    pub metadata: Bytes,
}

impl Wire for ClassicProtocol {
    fn decode(d: &mut Decoder, _version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.name = d.string(flexible)?;
        it.metadata = d.bytes(flexible)?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.string(&self.name, flexible)?;
        e.bytes(&self.metadata, flexible)?;
        {
            e.no_tags();
        }
        Ok(())
    }
}

impl Message for ConsumerGroupMemberMetadataValue {
    const NAME: &'static str = "ConsumerGroupMemberMetadataValue";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 0;
    const SCHEMA_KEY: Option<i16> = Some(5);

    fn is_flexible(_version: i16) -> bool {
        true
    }
}
