//! Every message in every version, from bytes and back.

use std::collections::BTreeSet;

use crate::support::sample::Sampler;
use crate::support::{codecs, schema};

const SAMPLES: u64 = 24;

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
        let recode = codecs::find(&message.name);
        for version in message.versions.clone() {
            for seed in 0..SAMPLES {
                let bytes = Sampler::new(&message, version, seed).bytes();
                let again = recode(bytes.clone().into(), version);
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
        let recode = codecs::find(&message.name);
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
                let again = recode(with_unknown.into(), version);
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
        let recode = codecs::find(&message.name);
        for version in [
            message.versions.start() - 1,
            message.versions.end() + 1,
            i16::MIN,
            i16::MAX,
        ] {
            let refused = recode(vec![0; 64].into(), version);
            assert_eq!(
                refused,
                Err(format!("version {version} is not supported")),
                "{}",
                message.name
            );
        }
    }
}
