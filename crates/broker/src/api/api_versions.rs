//! ApiVersions (key 18, versions 0 to 4).
//!
//! Source: KIP-35, KIP-511, KIP-584; `ApiVersionsRequest.isValid` and `ApiVersionsResponse` of Kafka 4.3.1.

use io::Io;
use protocol::messages::api_versions_response::{
    ApiVersion, FinalizedFeatureKey, SupportedFeatureKey,
};
use protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use protocol::{ApiKey, versions};
use types::ErrorCode;

use super::{Call, IMPLEMENTED, Outcome};
use crate::connection::{ClientSoftware, Held, Response};

/// The first version that names the client's software.
const SOFTWARE_SINCE: i16 = 3;

/// Before this version a feature's lowest level 0 cannot be told (KAFKA-17011).
const LEVEL_ZERO_SINCE: i16 = 4;

pub(super) async fn handle<I: Io>(
    call: Call<I>,
    request: ApiVersionsRequest,
) -> Outcome<ApiVersionsResponse> {
    if call.version >= SOFTWARE_SINCE {
        let (name, version) = (
            &request.client_software_name,
            &request.client_software_version,
        );
        if !is_valid_software(name) || !is_valid_software(version) {
            return Outcome::Answer(ApiVersionsResponse {
                error_code: ErrorCode::InvalidRequest.code(),
                ..ApiVersionsResponse::default()
            });
        }
        let software = ClientSoftware {
            name: name.as_str().to_owned(),
            version: version.as_str().to_owned(),
        };
        call.connection.introduce(software, call.shard.advertise());
    }
    let view = call.shard.view();
    Outcome::Answer(ApiVersionsResponse {
        error_code: ErrorCode::None.code(),
        api_keys: IMPLEMENTED.iter().map(|key| offer(*key)).collect(),
        throttle_time_ms: 0,
        supported_features: metadata::SUPPORTED_FEATURES
            .iter()
            .filter(|feature| feature.level_min > 0 || call.version >= LEVEL_ZERO_SINCE)
            .map(|feature| SupportedFeatureKey {
                name: feature.name.into(),
                min_version: feature.level_min,
                max_version: feature.level_max,
            })
            .collect(),
        finalized_features_epoch: view.image.end_offset().0 - 1,
        finalized_features: view
            .image
            .features()
            .map(|(name, level)| FinalizedFeatureKey {
                name: name.clone(),
                max_version_level: level,
                min_version_level: level,
            })
            .collect(),
        zk_migration_ready: false,
    })
}

/// The answer to a version that is not served: in the form of version 0, whatever the client asked with, and naming
/// the versions of this API alone.
pub(super) fn unsupported_version(correlation_id: i32) -> Response {
    let response = ApiVersionsResponse {
        error_code: ErrorCode::UnsupportedVersion.code(),
        api_keys: vec![offer(ApiKey::ApiVersions)],
        ..ApiVersionsResponse::default()
    };
    match protocol::encode_response_frame(ApiKey::ApiVersions, 0, correlation_id, &response) {
        Ok(chunks) => Response::Send(chunks.into_chunks(), Held::default()),
        Err(_too_long) => Response::Close,
    }
}

fn offer(key: ApiKey) -> ApiVersion {
    let (min_version, max_version) = versions::advertised(key);
    ApiVersion {
        api_key: key as i16,
        min_version,
        max_version,
    }
}

/// Kafka's pattern: letters, digits, `-` and `.`, beginning and ending with a letter or digit.
fn is_valid_software(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric();
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
        return false;
    };
    is_word(*first)
        && is_word(*last)
        && bytes
            .iter()
            .all(|byte| is_word(*byte) || matches!(byte, b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::is_valid_software;

    #[test]
    fn software_names_follow_kafkas_pattern() {
        for valid in [
            "a",
            "librdkafka",
            "apache-kafka-java",
            "4.3.1",
            "v2.15.0-RC1",
        ] {
            assert!(is_valid_software(valid), "{valid}");
        }
        for invalid in ["", "-a", "a.", "a b", "ä", "a_b"] {
            assert!(!is_valid_software(invalid), "{invalid}");
        }
    }
}
