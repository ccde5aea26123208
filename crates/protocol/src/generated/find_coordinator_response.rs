// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `FindCoordinatorResponse`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Str, Wire};

#[derive(Clone, Debug, PartialEq)]
pub struct FindCoordinatorResponse {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub error_message: Option<Str>,
    pub node_id: i32,
    pub host: Str,
    pub port: i32,
    pub coordinators: Vec<Coordinator>,
}

impl Default for FindCoordinatorResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: 0,
            error_message: Some(Str::default()),
            node_id: 0,
            host: Str::default(),
            port: 0,
            coordinators: Vec::new(),
        }
    }
}

impl Wire for FindCoordinatorResponse {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 3;
        let mut it = Self::default();
        if version >= 1 {
            it.throttle_time_ms = d.i32()?;
        }
        if version <= 3 {
            it.error_code = d.i16()?;
        }
        if (1..=3).contains(&version) {
            it.error_message = d.nullable_string(flexible)?;
        }
        if version <= 3 {
            it.node_id = d.i32()?;
        }
        if version <= 3 {
            it.host = d.string(flexible)?;
        }
        if version <= 3 {
            it.port = d.i32()?;
        }
        if version >= 4 {
            it.coordinators = d.array(flexible, |d| Coordinator::decode(d, version))?;
        }
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
        if version <= 3 {
            e.i16(self.error_code);
        } else if self.error_code != 0 {
            return Err(EncodeError::not_in_version("ErrorCode", version));
        }
        if (1..=3).contains(&version) {
            e.nullable_string(self.error_message.as_ref(), flexible)?;
        }
        if version <= 3 {
            e.i32(self.node_id);
        } else if self.node_id != 0 {
            return Err(EncodeError::not_in_version("NodeId", version));
        }
        if version <= 3 {
            e.string(&self.host, flexible)?;
        } else if !self.host.is_empty() {
            return Err(EncodeError::not_in_version("Host", version));
        }
        if version <= 3 {
            e.i32(self.port);
        } else if self.port != 0 {
            return Err(EncodeError::not_in_version("Port", version));
        }
        if version >= 4 {
            e.array(&self.coordinators, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        } else if !self.coordinators.is_empty() {
            return Err(EncodeError::not_in_version("Coordinators", version));
        }
        if flexible {
            e.no_tags();
        }
        Ok(())
    }

    fn each_error(&self, see: &mut dyn FnMut(i16)) {
        see(self.error_code);
        for item in &self.coordinators {
            item.each_error(see);
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Coordinator {
    pub key: Str,
    pub node_id: i32,
    pub host: Str,
    pub port: i32,
    pub error_code: i16,
    pub error_message: Option<Str>,
}

impl Default for Coordinator {
    fn default() -> Self {
        Self {
            key: Str::default(),
            node_id: 0,
            host: Str::default(),
            port: 0,
            error_code: 0,
            error_message: Some(Str::default()),
        }
    }
}

impl Wire for Coordinator {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 3;
        let mut it = Self::default();
        if version >= 4 {
            it.key = d.string(flexible)?;
        }
        if version >= 4 {
            it.node_id = d.i32()?;
        }
        if version >= 4 {
            it.host = d.string(flexible)?;
        }
        if version >= 4 {
            it.port = d.i32()?;
        }
        if version >= 4 {
            it.error_code = d.i16()?;
        }
        if version >= 4 {
            it.error_message = d.nullable_string(flexible)?;
        }
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 3;
        if version >= 4 {
            e.string(&self.key, flexible)?;
        } else if !self.key.is_empty() {
            return Err(EncodeError::not_in_version("Key", version));
        }
        if version >= 4 {
            e.i32(self.node_id);
        } else if self.node_id != 0 {
            return Err(EncodeError::not_in_version("NodeId", version));
        }
        if version >= 4 {
            e.string(&self.host, flexible)?;
        } else if !self.host.is_empty() {
            return Err(EncodeError::not_in_version("Host", version));
        }
        if version >= 4 {
            e.i32(self.port);
        } else if self.port != 0 {
            return Err(EncodeError::not_in_version("Port", version));
        }
        if version >= 4 {
            e.i16(self.error_code);
        } else if self.error_code != 0 {
            return Err(EncodeError::not_in_version("ErrorCode", version));
        }
        if version >= 4 {
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

impl Message for FindCoordinatorResponse {
    const NAME: &'static str = "FindCoordinatorResponse";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 6;
    const SCHEMA_KEY: Option<i16> = Some(10);

    fn is_flexible(version: i16) -> bool {
        version >= 3
    }
}
