//! Every message in every version, from bytes and back.

use std::collections::BTreeSet;

use bytes::Bytes;
use protocol::DecodeError;

use crate::support::codecs::{self, Decode};
use crate::support::sample::Sampler;
use crate::support::schema;

const SAMPLES: u64 = 24;

fn recode(decode: Decode, bytes: Vec<u8>, version: i16) -> Result<Bytes, String> {
    let message = decode(bytes.into(), version).map_err(|error| error.to_string())?;
    message.encode(version).map_err(|error| error.to_string())
}

#[test]
fn the_codec_has_exactly_the_messages_of_the_schema() {
    let schema = schema::messages();
    let schema: BTreeSet<&str> = schema.iter().map(|message| message.name.as_str()).collect();
    let codecs: BTreeSet<&str> = codecs::all().into_iter().map(|(name, _)| name).collect();
    assert_eq!(schema, codecs);
}

#[test]
fn every_version_of_every_message_comes_back_byte_for_byte() {
    for message in schema::messages() {
        let decode = codecs::find(&message.name);
        for version in message.versions.clone() {
            for seed in 0..SAMPLES {
                let bytes = Sampler::new(&message, version, seed).bytes();
                let again = recode(decode, bytes.clone(), version);
                assert_eq!(
                    again.as_deref(),
                    Ok(&*bytes),
                    "{} v{version}, seed {seed}",
                    message.name
                );
            }
        }
    }
}

#[test]
fn unknown_tagged_fields_are_passed_over_everywhere() {
    for message in schema::messages() {
        let decode = codecs::find(&message.name);
        for version in message
            .versions
            .clone()
            .filter(|version| message.is_flexible(*version))
        {
            for seed in 0..SAMPLES / 4 {
                let known = Sampler::new(&message, version, seed).bytes();
                let with_unknown = Sampler::new(&message, version, seed)
                    .with_unknown_tags()
                    .bytes();
                assert!(with_unknown.len() > known.len());
                let again = recode(decode, with_unknown, version);
                assert_eq!(
                    again.as_deref(),
                    Ok(&*known),
                    "{} v{version}, seed {seed}",
                    message.name
                );
            }
        }
    }
}

#[test]
fn versions_outside_of_the_schema_are_refused() {
    for message in schema::messages() {
        let decode = codecs::find(&message.name);
        for version in [
            message.versions.start() - 1,
            message.versions.end() + 1,
            i16::MIN,
            i16::MAX,
        ] {
            let refused = decode(vec![0; 64].into(), version).err();
            assert_eq!(
                refused,
                Some(DecodeError::UnsupportedVersion(version)),
                "{}",
                message.name
            );
        }
    }
}
