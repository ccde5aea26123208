// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `RegisterBrokerRecord`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Str, Tags, Uuid, Wire};

#[derive(Clone, Debug, PartialEq)]
pub struct RegisterBrokerRecord {
    pub broker_id: i32,
    pub is_migrating_zk_broker: bool,
    pub incarnation_id: Uuid,
    pub broker_epoch: i64,
    pub end_points: Vec<BrokerEndpoint>,
    pub features: Vec<BrokerFeature>,
    pub rack: Option<Str>,
    pub fenced: bool,
    pub in_controlled_shutdown: bool,
    pub log_dirs: Vec<Uuid>,
    pub cordoned_log_dirs: Option<Vec<Uuid>>,
}

impl Default for RegisterBrokerRecord {
    fn default() -> Self {
        Self {
            broker_id: 0,
            is_migrating_zk_broker: false,
            incarnation_id: Uuid::default(),
            broker_epoch: 0,
            end_points: Vec::new(),
            features: Vec::new(),
            rack: Some(Str::default()),
            fenced: true,
            in_controlled_shutdown: false,
            log_dirs: Vec::new(),
            cordoned_log_dirs: None,
        }
    }
}

impl Wire for RegisterBrokerRecord {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.broker_id = d.i32()?;
        if version >= 2 {
            it.is_migrating_zk_broker = d.bool()?;
        }
        it.incarnation_id = d.uuid()?;
        it.broker_epoch = d.i64()?;
        it.end_points = d.array(flexible, |d| BrokerEndpoint::decode(d, version))?;
        it.features = d.array(flexible, |d| BrokerFeature::decode(d, version))?;
        it.rack = d.nullable_string(flexible)?;
        it.fenced = d.bool()?;
        if version >= 1 {
            it.in_controlled_shutdown = d.bool()?;
        }
        d.tags(|tag, d| {
            match tag {
                0 if version >= 3 => it.log_dirs = d.array(flexible, |d| d.uuid())?,
                1 if version == 4 => it.cordoned_log_dirs = d.nullable_array(flexible, |d| d.uuid())?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.i32(self.broker_id);
        if version >= 2 {
            e.bool(self.is_migrating_zk_broker);
        } else if self.is_migrating_zk_broker {
            return Err(EncodeError::not_in_version("IsMigratingZkBroker", version));
        }
        e.uuid(self.incarnation_id);
        e.i64(self.broker_epoch);
        e.array(&self.end_points, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        e.array(&self.features, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        e.nullable_string(self.rack.as_ref(), flexible)?;
        e.bool(self.fenced);
        if version >= 1 {
            e.bool(self.in_controlled_shutdown);
        } else if self.in_controlled_shutdown {
            return Err(EncodeError::not_in_version("InControlledShutdown", version));
        }
        {
            let mut tags = Tags::default();
            if version >= 3 && !self.log_dirs.is_empty() {
                tags.add(0, |e| { e.array(&self.log_dirs, flexible, |e, item| { e.uuid(*item); Ok(()) })?; Ok(()) })?;
            }
            if version == 4 && self.cordoned_log_dirs.is_some() {
                tags.add(1, |e| { e.nullable_array(self.cordoned_log_dirs.as_deref(), flexible, |e, item| { e.uuid(*item); Ok(()) })?; Ok(()) })?;
            }
            e.tags(tags);
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct BrokerEndpoint {
    pub name: Str,
    pub host: Str,
    pub port: u16,
    pub security_protocol: i16,
}

impl Wire for BrokerEndpoint {
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
pub struct BrokerFeature {
    pub name: Str,
    pub min_supported_version: i16,
    pub max_supported_version: i16,
}

impl Wire for BrokerFeature {
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

impl Message for RegisterBrokerRecord {
    const NAME: &'static str = "RegisterBrokerRecord";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 4;
    const SCHEMA_KEY: Option<i16> = Some(0);

    fn is_flexible(_version: i16) -> bool {
        true
    }
}
