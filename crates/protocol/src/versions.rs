//! The APIs and versions that a Kafka 4.3 broker advertises.
//!
//! Source: Apache Kafka 4.3.1, `ApiKeys` and the message specifications' valid versions. What Logan answers to
//! ApiVersions is this table cut to the APIs that the broker implements.

use crate::messages::ApiKey;

/// The first and last version to advertise for an API, both inclusive.
#[must_use]
pub const fn advertised(key: ApiKey) -> (i16, i16) {
    let (first, last) = stable(key);
    match key {
        // Versions 0 to 2 are refused, but older librdkafka disables compression unless they are listed (KAFKA-18659).
        ApiKey::Produce => (0, last),
        _ => (first, last),
    }
}

/// The first and last version that is served.
#[must_use]
pub const fn stable(key: ApiKey) -> (i16, i16) {
    let (first, last) = key.schema_versions();
    match key {
        // The latest version is marked unstable in Kafka 4.3.1.
        ApiKey::InitProducerId => (first, 5),
        _ => (first, last),
    }
}
