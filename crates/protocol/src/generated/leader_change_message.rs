// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `LeaderChangeMessage`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Uuid, Wire};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct LeaderChangeMessage {
    pub version: i16,
    pub leader_id: i32,
    pub voters: Vec<Voter>,
    pub granting_voters: Vec<Voter>,
}

impl Wire for LeaderChangeMessage {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.version = d.i16()?;
        it.leader_id = d.i32()?;
        it.voters = d.array(flexible, |d| Voter::decode(d, version))?;
        it.granting_voters = d.array(flexible, |d| Voter::decode(d, version))?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.i16(self.version);
        e.i32(self.leader_id);
        e.array(&self.voters, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        e.array(&self.granting_voters, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Voter {
    pub voter_id: i32,
    pub voter_directory_id: Uuid,
}

impl Wire for Voter {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let mut it = Self::default();
        it.voter_id = d.i32()?;
        if version == 1 {
            it.voter_directory_id = d.uuid()?;
        }
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        e.i32(self.voter_id);
        if version == 1 {
            e.uuid(self.voter_directory_id);
        } else if self.voter_directory_id != Uuid::default() {
            return Err(EncodeError::not_in_version("VoterDirectoryId", version));
        }
        {
            e.no_tags();
        }
        Ok(())
    }
}

impl Message for LeaderChangeMessage {
    const NAME: &'static str = "LeaderChangeMessage";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 1;
    const SCHEMA_KEY: Option<i16> = None;

    fn is_flexible(_version: i16) -> bool {
        true
    }
}
