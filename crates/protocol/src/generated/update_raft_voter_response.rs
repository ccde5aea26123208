// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `UpdateRaftVoterResponse`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Str, Tags, Wire};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct UpdateRaftVoterResponse {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub current_leader: CurrentLeader,
}

impl Wire for UpdateRaftVoterResponse {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let mut it = Self::default();
        it.throttle_time_ms = d.i32()?;
        it.error_code = d.i16()?;
        d.tags(|tag, d| {
            match tag {
                0 => it.current_leader = CurrentLeader::decode(d, version)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        e.i32(self.throttle_time_ms);
        e.i16(self.error_code);
        {
            let mut tags = Tags::default();
            if self.current_leader != CurrentLeader::default() {
                tags.add(0, |e| { self.current_leader.encode(e, version)?; Ok(()) })?;
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
pub struct CurrentLeader {
    pub leader_id: i32,
    pub leader_epoch: i32,
    pub host: Str,
    pub port: i32,
}

impl Default for CurrentLeader {
    fn default() -> Self {
        Self {
            leader_id: -1,
            leader_epoch: -1,
            host: Str::default(),
            port: 0,
        }
    }
}

impl Wire for CurrentLeader {
    fn decode(d: &mut Decoder, _version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.leader_id = d.i32()?;
        it.leader_epoch = d.i32()?;
        it.host = d.string(flexible)?;
        it.port = d.i32()?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.i32(self.leader_id);
        e.i32(self.leader_epoch);
        e.string(&self.host, flexible)?;
        e.i32(self.port);
        {
            e.no_tags();
        }
        Ok(())
    }
}

impl Message for UpdateRaftVoterResponse {
    const NAME: &'static str = "UpdateRaftVoterResponse";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 0;
    const SCHEMA_KEY: Option<i16> = Some(82);

    fn is_flexible(_version: i16) -> bool {
        true
    }
}
