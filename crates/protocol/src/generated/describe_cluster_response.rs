// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `DescribeClusterResponse`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Str, Wire};

#[derive(Clone, Debug, PartialEq)]
pub struct DescribeClusterResponse {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub error_message: Option<Str>,
    pub endpoint_type: i8,
    pub cluster_id: Str,
    pub controller_id: i32,
    pub brokers: Vec<DescribeClusterBroker>,
    pub cluster_authorized_operations: i32,
}

impl Default for DescribeClusterResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: 0,
            error_message: None,
            endpoint_type: 1,
            cluster_id: Str::default(),
            controller_id: -1,
            brokers: Vec::new(),
            cluster_authorized_operations: -2147483648,
        }
    }
}

impl Wire for DescribeClusterResponse {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.throttle_time_ms = d.i32()?;
        it.error_code = d.i16()?;
        it.error_message = d.nullable_string(flexible)?;
        if version >= 1 {
            it.endpoint_type = d.i8()?;
        }
        it.cluster_id = d.string(flexible)?;
        it.controller_id = d.i32()?;
        it.brokers = d.array(flexible, |d| DescribeClusterBroker::decode(d, version))?;
        it.cluster_authorized_operations = d.i32()?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.i32(self.throttle_time_ms);
        e.i16(self.error_code);
        e.nullable_string(self.error_message.as_ref(), flexible)?;
        if version >= 1 {
            e.i8(self.endpoint_type);
        } else if self.endpoint_type != 1 {
            return Err(EncodeError::not_in_version("EndpointType", version));
        }
        e.string(&self.cluster_id, flexible)?;
        e.i32(self.controller_id);
        e.array(&self.brokers, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        e.i32(self.cluster_authorized_operations);
        {
            e.no_tags();
        }
        Ok(())
    }

    fn each_error(&self, see: &mut dyn FnMut(i16)) {
        see(self.error_code);
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct DescribeClusterBroker {
    pub broker_id: i32,
    pub host: Str,
    pub port: i32,
    pub rack: Option<Str>,
    pub is_fenced: bool,
}

impl Wire for DescribeClusterBroker {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.broker_id = d.i32()?;
        it.host = d.string(flexible)?;
        it.port = d.i32()?;
        it.rack = d.nullable_string(flexible)?;
        if version == 2 {
            it.is_fenced = d.bool()?;
        }
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.i32(self.broker_id);
        e.string(&self.host, flexible)?;
        e.i32(self.port);
        e.nullable_string(self.rack.as_ref(), flexible)?;
        if version == 2 {
            e.bool(self.is_fenced);
        } else if self.is_fenced {
            return Err(EncodeError::not_in_version("IsFenced", version));
        }
        {
            e.no_tags();
        }
        Ok(())
    }
}

impl Message for DescribeClusterResponse {
    const NAME: &'static str = "DescribeClusterResponse";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 2;
    const SCHEMA_KEY: Option<i16> = Some(60);

    fn is_flexible(_version: i16) -> bool {
        true
    }
}
