//! What is encoded here is read by two other implementations, and what they write is read here.
//!
//! Both are generated from Kafka's specifications too, `kafka-protocol` from those of Kafka 4.1 and `kafka-wire` from
//! those of a later one than 4.3; they are asked for every request and response in every version that they have.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, RequestKind, ResponseKind};
use kafka_wire_core::{ApiVersion, DecodeLimits, KafkaDecode, KafkaEncode};
use protocol::Message;

use crate::support::sample::Sampler;
use crate::support::{codecs, schema};

const SAMPLES: u64 = 12;

/// A request or response as the oracles are asked for it.
struct Api {
    name: &'static str,
    key: i16,
    versions: std::ops::RangeInclusive<i16>,
    kafka_wire: fn(Bytes, i16) -> Option<Result<Bytes, String>>,
}

fn api<M: Message, W: KafkaWire>(name: &'static str) -> Api {
    Api {
        name,
        key: M::SCHEMA_KEY.expect("requests and responses have a key"),
        versions: M::FIRST_VERSION..=M::LAST_VERSION,
        kafka_wire: W::recode,
    }
}

fn apis() -> Vec<Api> {
    let mut apis = Vec::new();
    macro_rules! pair {
        ($request:ident, $response:ident) => {
            apis.push(api::<protocol::messages::$request, kafka_wire::$request>(
                stringify!($request),
            ));
            apis.push(api::<protocol::messages::$response, kafka_wire::$response>(
                stringify!($response),
            ));
        };
    }
    protocol::for_each_api!(pair);
    apis
}

trait KafkaWire: kafka_wire::KafkaMessage {
    fn recode(bytes: Bytes, version: i16) -> Option<Result<Bytes, String>> {
        let version = ApiVersion::new(version);
        if !Self::supports(version) {
            return None;
        }
        let message =
            <Self as KafkaDecode>::decode_from_bytes(bytes, version, DecodeLimits::default());
        Some(
            message
                .map_err(|error| error.to_string())
                .and_then(|message| {
                    let bytes = KafkaEncode::encode_to_bytes(&message, version);
                    bytes.map_err(|error| error.to_string())
                }),
        )
    }
}

impl<M: kafka_wire::KafkaMessage> KafkaWire for M {}

fn kafka_wire(api: &Api, bytes: Bytes, version: i16) -> Option<Result<Bytes, String>> {
    (api.kafka_wire)(bytes, version)
}

fn kafka_protocol(api: &Api, bytes: Bytes, version: i16) -> Option<Result<Bytes, String>> {
    let key = ApiKey::try_from(api.key).ok()?;
    let known = key.valid_versions();
    if !(known.min..=known.max).contains(&version) {
        return None;
    }
    let mut rest = bytes;
    let mut out = BytesMut::new();
    let done = if api.name.ends_with("Request") {
        RequestKind::decode(key, &mut rest, version)
            .and_then(|message| message.encode(&mut out, version))
    } else {
        ResponseKind::decode(key, &mut rest, version)
            .and_then(|message| message.encode(&mut out, version))
    };
    Some(match done {
        Ok(()) if rest.is_empty() => Ok(out.freeze()),
        Ok(()) => Err(format!("{} bytes are left over", rest.len())),
        Err(error) => Err(error.to_string()),
    })
}

/// Holds the codec against an oracle; the number of versions that both have.
fn compare(
    oracle: fn(&Api, Bytes, i16) -> Option<Result<Bytes, String>>,
    differs: &[(&str, i16)],
) -> usize {
    let schema = schema::messages();
    let mut versions = 0;
    let mut differences = Vec::new();
    for api in apis() {
        let message = schema
            .iter()
            .find(|message| message.name == api.name)
            .expect("it is in the schema");
        let decode = codecs::find(api.name);
        for version in api.versions.clone() {
            let sample = |seed| {
                let bytes = Sampler::new(message, version, seed).bytes();
                let message = decode(bytes.into(), version).expect("a valid encoding");
                let ours = message
                    .encode(version)
                    .expect("what was read can be written");
                let theirs = oracle(&api, ours.clone(), version)?;
                Some((seed, ours, theirs))
            };
            let results: Vec<_> = (0..SAMPLES).filter_map(sample).collect();
            versions += usize::from(!results.is_empty());
            let wrong = results
                .into_iter()
                .find(|(_, ours, theirs)| theirs.as_ref() != Ok(ours));
            let is_expected = differs.contains(&(api.name, version));
            if wrong.is_some() != is_expected {
                differences.push(format!("{} v{version}: {wrong:?}", api.name));
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    versions
}

#[test]
fn kafka_protocol_reads_and_writes_the_same_bytes() {
    // Its table of versions promises three that its own messages do not have.
    let absent = [
        ("OffsetCommitRequest", 10),
        ("OffsetFetchRequest", 10),
        ("InitProducerIdRequest", 6),
    ];
    let versions = compare(kafka_protocol, &absent);
    assert!(versions > 400, "only {versions} versions were compared");
}

#[test]
fn kafka_wire_reads_and_writes_the_same_bytes() {
    let versions = compare(kafka_wire, &[]);
    assert!(versions > 400, "only {versions} versions were compared");
}
