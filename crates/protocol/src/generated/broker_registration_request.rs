// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `BrokerRegistrationRequest`

use crate::wire::prelude::{ApiKey, DecodeError, Decoder, EncodeError, Encoder, Message, Request, Str, Uuid, Wire};

#[derive(Clone, Debug, PartialEq)]
pub struct BrokerRegistrationRequest {
    pub broker_id: i32,
    pub cluster_id: Str,
    pub incarnation_id: Uuid,
    pub listeners: Vec<Listener>,
    pub features: Vec<Feature>,
    pub rack: Option<Str>,
    pub is_migrating_zk_broker: bool,
    pub log_dirs: Vec<Uuid>,
    pub previous_broker_epoch: i64,
}

impl Default for BrokerRegistrationRequest {
    fn default() -> Self {
        Self {
            broker_id: 0,
            cluster_id: Str::default(),
            incarnation_id: Uuid::default(),
            listeners: Vec::new(),
            features: Vec::new(),
            rack: Some(Str::default()),
            is_migrating_zk_broker: false,
            log_dirs: Vec::new(),
            previous_broker_epoch: -1,
        }
    }
}

impl Wire for BrokerRegistrationRequest {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.broker_id = d.i32()?;
        it.cluster_id = d.string(flexible)?;
        it.incarnation_id = d.uuid()?;
        it.listeners = d.array(flexible, |d| Listener::decode(d, version))?;
        it.features = d.array(flexible, |d| Feature::decode(d, version))?;
        it.rack = d.nullable_string(flexible)?;
        if version >= 1 {
            it.is_migrating_zk_broker = d.bool()?;
        }
        if version >= 2 {
            it.log_dirs = d.array(flexible, |d| d.uuid())?;
        }
        if version >= 3 {
            it.previous_broker_epoch = d.i64()?;
        }
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.i32(self.broker_id);
        e.string(&self.cluster_id, flexible)?;
        e.uuid(self.incarnation_id);
        e.array(&self.listeners, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        e.array(&self.features, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        e.nullable_string(self.rack.as_ref(), flexible)?;
        if version >= 1 {
            e.bool(self.is_migrating_zk_broker);
        } else if self.is_migrating_zk_broker {
            return Err(EncodeError::not_in_version("IsMigratingZkBroker", version));
        }
        if version >= 2 {
            e.array(&self.log_dirs, flexible, |e, item| { e.uuid(*item); Ok(()) })?;
        }
        if version >= 3 {
            e.i64(self.previous_broker_epoch);
        }
        {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listener {
    pub name: Str,
    pub host: Str,
    pub port: u16,
    pub security_protocol: i16,
}

impl Wire for Listener {
    fn decode(d: &mut Decoder, _version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.name = d.string(flexible)?;
        it.host = d.string(flexible)?;
        it.port = d.u16()?;
        it.security_protocol = d.i16()?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.string(&self.name, flexible)?;
        e.string(&self.host, flexible)?;
        e.u16(self.port);
        e.i16(self.security_protocol);
        {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Feature {
    pub name: Str,
    pub min_supported_version: i16,
    pub max_supported_version: i16,
}

impl Wire for Feature {
    fn decode(d: &mut Decoder, _version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.name = d.string(flexible)?;
        it.min_supported_version = d.i16()?;
        it.max_supported_version = d.i16()?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.string(&self.name, flexible)?;
        e.i16(self.min_supported_version);
        e.i16(self.max_supported_version);
        {
            e.no_tags();
        }
        Ok(())
    }
}

impl Message for BrokerRegistrationRequest {
    const NAME: &'static str = "BrokerRegistrationRequest";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 4;
    const SCHEMA_KEY: Option<i16> = Some(62);

    fn is_flexible(_version: i16) -> bool {
        true
    }
}

impl Request for BrokerRegistrationRequest {
    const KEY: ApiKey = ApiKey::BrokerRegistration;
    type Response = super::BrokerRegistrationResponse;
}
