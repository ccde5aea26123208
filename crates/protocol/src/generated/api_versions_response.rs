// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `ApiVersionsResponse`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Str, Tags, Wire};

#[derive(Clone, Debug, PartialEq)]
pub struct ApiVersionsResponse {
    pub error_code: i16,
    pub api_keys: Vec<ApiVersion>,
    pub throttle_time_ms: i32,
    pub supported_features: Vec<SupportedFeatureKey>,
    pub finalized_features_epoch: i64,
    pub finalized_features: Vec<FinalizedFeatureKey>,
    pub zk_migration_ready: bool,
}

impl Default for ApiVersionsResponse {
    fn default() -> Self {
        Self {
            error_code: 0,
            api_keys: Vec::new(),
            throttle_time_ms: 0,
            supported_features: Vec::new(),
            finalized_features_epoch: -1,
            finalized_features: Vec::new(),
            zk_migration_ready: false,
        }
    }
}

impl Wire for ApiVersionsResponse {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 3;
        let mut it = Self::default();
        it.error_code = d.i16()?;
        it.api_keys = d.array(flexible, |d| ApiVersion::decode(d, version))?;
        if version >= 1 {
            it.throttle_time_ms = d.i32()?;
        }
        if flexible {
            d.tags(|tag, d| {
            match tag {
                0 => it.supported_features = d.array(flexible, |d| SupportedFeatureKey::decode(d, version))?,
                1 => it.finalized_features_epoch = d.i64()?,
                2 => it.finalized_features = d.array(flexible, |d| FinalizedFeatureKey::decode(d, version))?,
                3 => it.zk_migration_ready = d.bool()?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 3;
        e.i16(self.error_code);
        e.array(&self.api_keys, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        if version >= 1 {
            e.i32(self.throttle_time_ms);
        }
        if flexible {
            let mut tags = Tags::default();
            if !self.supported_features.is_empty() {
                tags.add(0, |e| { e.array(&self.supported_features, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?; Ok(()) })?;
            }
            if self.finalized_features_epoch != -1 {
                tags.add(1, |e| { e.i64(self.finalized_features_epoch); Ok(()) })?;
            }
            if !self.finalized_features.is_empty() {
                tags.add(2, |e| { e.array(&self.finalized_features, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?; Ok(()) })?;
            }
            if self.zk_migration_ready {
                tags.add(3, |e| { e.bool(self.zk_migration_ready); Ok(()) })?;
            }
            e.tags(tags);
        }
        Ok(())
    }

    fn each_error(&self, see: &mut dyn FnMut(i16)) {
        see(self.error_code);
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct ApiVersion {
    pub api_key: i16,
    pub min_version: i16,
    pub max_version: i16,
}

impl Wire for ApiVersion {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 3;
        let mut it = Self::default();
        it.api_key = d.i16()?;
        it.min_version = d.i16()?;
        it.max_version = d.i16()?;
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 3;
        e.i16(self.api_key);
        e.i16(self.min_version);
        e.i16(self.max_version);
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct SupportedFeatureKey {
    pub name: Str,
    pub min_version: i16,
    pub max_version: i16,
}

impl Wire for SupportedFeatureKey {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 3;
        let mut it = Self::default();
        if version >= 3 {
            it.name = d.string(flexible)?;
        }
        if version >= 3 {
            it.min_version = d.i16()?;
        }
        if version >= 3 {
            it.max_version = d.i16()?;
        }
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 3;
        if version >= 3 {
            e.string(&self.name, flexible)?;
        } else if !self.name.is_empty() {
            return Err(EncodeError::not_in_version("Name", version));
        }
        if version >= 3 {
            e.i16(self.min_version);
        } else if self.min_version != 0 {
            return Err(EncodeError::not_in_version("MinVersion", version));
        }
        if version >= 3 {
            e.i16(self.max_version);
        } else if self.max_version != 0 {
            return Err(EncodeError::not_in_version("MaxVersion", version));
        }
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct FinalizedFeatureKey {
    pub name: Str,
    pub max_version_level: i16,
    pub min_version_level: i16,
}

impl Wire for FinalizedFeatureKey {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 3;
        let mut it = Self::default();
        if version >= 3 {
            it.name = d.string(flexible)?;
        }
        if version >= 3 {
            it.max_version_level = d.i16()?;
        }
        if version >= 3 {
            it.min_version_level = d.i16()?;
        }
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 3;
        if version >= 3 {
            e.string(&self.name, flexible)?;
        } else if !self.name.is_empty() {
            return Err(EncodeError::not_in_version("Name", version));
        }
        if version >= 3 {
            e.i16(self.max_version_level);
        } else if self.max_version_level != 0 {
            return Err(EncodeError::not_in_version("MaxVersionLevel", version));
        }
        if version >= 3 {
            e.i16(self.min_version_level);
        } else if self.min_version_level != 0 {
            return Err(EncodeError::not_in_version("MinVersionLevel", version));
        }
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

impl Message for ApiVersionsResponse {
    const NAME: &'static str = "ApiVersionsResponse";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 4;
    const SCHEMA_KEY: Option<i16> = Some(18);

    fn is_flexible(version: i16) -> bool {
        version >= 3
    }
}
