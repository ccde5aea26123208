// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `MetadataRequest`

use crate::wire::prelude::{ApiKey, DecodeError, Decoder, EncodeError, Encoder, Message, Request, Str, Uuid, Wire, not_null};

#[derive(Clone, Debug, PartialEq)]
pub struct MetadataRequest {
    pub topics: Option<Vec<MetadataRequestTopic>>,
    pub allow_auto_topic_creation: bool,
    pub include_cluster_authorized_operations: bool,
    pub include_topic_authorized_operations: bool,
}

impl Default for MetadataRequest {
    fn default() -> Self {
        Self {
            topics: Some(Vec::new()),
            allow_auto_topic_creation: true,
            include_cluster_authorized_operations: false,
            include_topic_authorized_operations: false,
        }
    }
}

impl Wire for MetadataRequest {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 9;
        let mut it = Self::default();
        it.topics = if version >= 1 { d.nullable_array(flexible, |d| MetadataRequestTopic::decode(d, version))? } else { Some(d.array(flexible, |d| MetadataRequestTopic::decode(d, version))?) };
        if version >= 4 {
            it.allow_auto_topic_creation = d.bool()?;
        }
        if (8..=10).contains(&version) {
            it.include_cluster_authorized_operations = d.bool()?;
        }
        if version >= 8 {
            it.include_topic_authorized_operations = d.bool()?;
        }
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 9;
        if version >= 1 { e.nullable_array(self.topics.as_deref(), flexible, |e, item| { item.encode(e, version)?; Ok(()) })? } else { e.array(not_null(self.topics.as_ref(), "Topics")?, flexible, |e, item| { item.encode(e, version)?; Ok(()) })? };
        if version >= 4 {
            e.bool(self.allow_auto_topic_creation);
        } else if !self.allow_auto_topic_creation {
            return Err(EncodeError::not_in_version("AllowAutoTopicCreation", version));
        }
        if (8..=10).contains(&version) {
            e.bool(self.include_cluster_authorized_operations);
        } else if self.include_cluster_authorized_operations {
            return Err(EncodeError::not_in_version("IncludeClusterAuthorizedOperations", version));
        }
        if version >= 8 {
            e.bool(self.include_topic_authorized_operations);
        } else if self.include_topic_authorized_operations {
            return Err(EncodeError::not_in_version("IncludeTopicAuthorizedOperations", version));
        }
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct MetadataRequestTopic {
    pub topic_id: Uuid,
    pub name: Option<Str>,
}

impl Default for MetadataRequestTopic {
    fn default() -> Self {
        Self {
            topic_id: Uuid::default(),
            name: Some(Str::default()),
        }
    }
}

impl Wire for MetadataRequestTopic {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 9;
        let mut it = Self::default();
        if version >= 10 {
            it.topic_id = d.uuid()?;
        }
        it.name = if version >= 10 { d.nullable_string(flexible)? } else { Some(d.string(flexible)?) };
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 9;
        if version >= 10 {
            e.uuid(self.topic_id);
        }
        if version >= 10 { e.nullable_string(self.name.as_ref(), flexible)? } else { e.string(not_null(self.name.as_ref(), "Name")?, flexible)? };
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

impl Message for MetadataRequest {
    const NAME: &'static str = "MetadataRequest";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 13;
    const SCHEMA_KEY: Option<i16> = Some(3);

    fn is_flexible(version: i16) -> bool {
        version >= 9
    }
}

impl Request for MetadataRequest {
    const KEY: ApiKey = ApiKey::Metadata;
    type Response = super::MetadataResponse;
}
