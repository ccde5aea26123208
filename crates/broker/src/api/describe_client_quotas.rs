//! DescribeClientQuotas (key 48, versions 0 and 1): there are no quotas, so every valid filter finds none.
//!
//! Source: KIP-546; `ClientQuotasImage.describe` of Kafka 4.3.1.

use io::Io;
use protocol::messages::describe_client_quotas_request::ComponentData;
use protocol::messages::{DescribeClientQuotasRequest, DescribeClientQuotasResponse};
use types::ErrorCode;

use super::{Call, Outcome};

/// The kinds of entities that can have quotas.
const USER: &str = "user";
const CLIENT_ID: &str = "client-id";
const IP: &str = "ip";

/// How a component of a filter matches.
const MATCH_EXACT: i8 = 0;
const MATCH_DEFAULT: i8 = 1;
const MATCH_SPECIFIED: i8 = 2;

pub(super) async fn handle<I: Io>(
    _call: Call<I>,
    request: DescribeClientQuotasRequest,
) -> Outcome<DescribeClientQuotasResponse> {
    Outcome::Answer(match check(&request.components) {
        Ok(()) => DescribeClientQuotasResponse {
            entries: Some(Vec::new()),
            ..DescribeClientQuotasResponse::default()
        },
        Err((code, message)) => DescribeClientQuotasResponse {
            error_code: code.code(),
            error_message: Some(message.into()),
            entries: None,
            ..DescribeClientQuotasResponse::default()
        },
    })
}

/// Says in Kafka's words what is wrong with a filter.
fn check(components: &[ComponentData]) -> Result<(), (ErrorCode, String)> {
    let invalid = |message: String| Err((ErrorCode::InvalidRequest, message));
    let mut kinds: Vec<&str> = Vec::with_capacity(components.len().min(3));
    for component in components {
        let kind = component.entity_type.as_str();
        if kind.is_empty() {
            return invalid("Invalid empty entity type.".to_owned());
        }
        if kinds.contains(&kind) {
            return invalid(format!(
                "Entity type {kind} cannot appear more than once in the filter."
            ));
        }
        if ![IP, USER, CLIENT_ID].contains(&kind) {
            let message = format!("Unsupported entity type {kind}");
            return Err((ErrorCode::UnsupportedVersion, message));
        }
        kinds.push(kind);
        match (component.match_type, &component.r#match) {
            (MATCH_EXACT, Some(_)) | (MATCH_DEFAULT | MATCH_SPECIFIED, None) => {}
            (MATCH_EXACT, None) => {
                let message = "Request specified MATCH_TYPE_EXACT, but set match string to null.";
                return invalid(message.to_owned());
            }
            (MATCH_DEFAULT, Some(_)) => return invalid(also_specified("DEFAULT")),
            (MATCH_SPECIFIED, Some(_)) => return invalid(also_specified("SPECIFIED")),
            (unknown, _) => return invalid(format!("Unknown match type {unknown}")),
        }
    }
    if kinds.contains(&IP) && kinds.len() > 1 {
        return invalid(
            "Invalid entity filter component combination. IP filter component should not be used with user or \
             clientId filter component."
                .to_owned(),
        );
    }
    Ok(())
}

fn also_specified(kind: &str) -> String {
    format!("Request specified MATCH_TYPE_{kind}, but also specified a match string.")
}

#[cfg(test)]
mod tests {
    use protocol::messages::describe_client_quotas_request::ComponentData;
    use types::ErrorCode;

    use super::check;

    fn component(kind: &'static str, match_type: i8, text: Option<&'static str>) -> ComponentData {
        ComponentData {
            entity_type: kind.into(),
            match_type,
            r#match: text.map(Into::into),
        }
    }

    #[test]
    fn filters_are_judged_as_kafka_does() {
        let one = |kind, match_type, text| vec![component(kind, match_type, text)];
        let two = |first, second| vec![component(first, 1, None), component(second, 1, None)];
        let (fine, invalid) = (None, Some(ErrorCode::InvalidRequest));
        let table = [
            (Vec::new(), fine),
            (one("user", 0, Some("alice")), fine),
            (one("client-id", 2, None), fine),
            (two("user", "client-id"), fine),
            (one("", 0, None), invalid),
            (one("user", 0, None), invalid),
            (one("user", 1, Some("alice")), invalid),
            (one("user", 2, Some("alice")), invalid),
            (one("user", 3, None), invalid),
            (two("user", "user"), invalid),
            (two("ip", "user"), invalid),
            (one("group", 1, None), Some(ErrorCode::UnsupportedVersion)),
        ];
        for (components, expected) in table {
            let found = check(&components).err().map(|(code, _)| code);
            assert_eq!(found, expected, "{components:?}");
        }
    }
}
