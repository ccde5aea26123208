//! Who may ask the admin listener for what. A metrics listener that is bound to the loopback interface is guarded alike; one
//! that others can reach tells what it has to whoever connects.
//!
//! It has no users: whoever reaches it may read. What a browser brings along must not count as reaching it:
//! - A page from elsewhere that made its own name point here (DNS rebinding) asks with that name: `Host` must be an IP address,
//!   `localhost`, or a name from `logan.admin.hosts`.
//! - A page from elsewhere that asks openly (cross-site requests) is told apart by `Origin` and `Sec-Fetch-Site`.
//! - What changes anything needs the token of `logan.admin.token.file` besides, which no browser sends by itself.
//!
//! Source: WHATWG Fetch (forbidden request headers), W3C "Fetch Metadata Request Headers".

use std::net::{IpAddr, Ipv6Addr};

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::http::{Shared, problem};

/// The shortest token that is accepted.
pub const TOKEN_LEN_MIN: usize = 16;

/// Who may ask for what.
#[derive(Debug, Default)]
pub struct Access {
    /// Names of this machine that `Host` may have, besides IP addresses and `localhost`.
    pub hosts: Vec<String>,
    /// What a request that changes something has to bring along; without one nothing can be changed.
    pub token: Option<String>,
}

impl Access {
    /// Why a request is refused, if so.
    fn refusal(&self, method: &Method, headers: &HeaderMap) -> Option<(StatusCode, String)> {
        let text = |name| headers.get(name).and_then(|it| it.to_str().ok());
        let host = text(HOST).unwrap_or_default();
        if !self.knows(host) {
            let message = format!(
                "the name {host:?} is not known here: use an IP address or localhost, or add the name to logan.admin.hosts"
            );
            return Some((StatusCode::MISDIRECTED_REQUEST, message));
        }
        let is_foreign = match headers.get(ORIGIN) {
            Some(origin) => origin.to_str().ok().and_then(authority) != Some(host),
            None => false,
        };
        let fetch = |name| headers.get(name).map(|it| it.as_bytes());
        let is_cross_site = !matches!(
            fetch("sec-fetch-site"),
            None | Some(b"same-origin" | b"none")
        );
        // Somebody who follows a link sees the page; the one that has the link sees nothing of it.
        let is_link = *method == Method::GET
            && fetch("sec-fetch-mode") == Some(b"navigate")
            && fetch("sec-fetch-dest") == Some(b"document");
        if is_foreign || is_cross_site && !is_link {
            let message = "requests from pages of other sites are refused".to_owned();
            return Some((StatusCode::FORBIDDEN, message));
        }
        if matches!(*method, Method::GET | Method::HEAD) {
            return None;
        }
        let Some(token) = &self.token else {
            let message = "nothing can be changed here without logan.admin.token.file".to_owned();
            return Some((StatusCode::FORBIDDEN, message));
        };
        let given = text(AUTHORIZATION).and_then(|it| it.split_once(' '));
        let is_given = given.is_some_and(|(scheme, given)| {
            scheme.eq_ignore_ascii_case("bearer") && is_same(given.as_bytes(), token.as_bytes())
        });
        if !is_given {
            let message = "this needs the header \"Authorization: Bearer\" with the token of logan.admin.token.file".to_owned();
            return Some((StatusCode::UNAUTHORIZED, message));
        }
        None
    }

    /// Whether a `Host` names this machine in a way that no other site can.
    fn knows(&self, host: &str) -> bool {
        let name = without_port(host);
        let is_address = name.parse::<IpAddr>().is_ok();
        let in_brackets = name.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        let is_address_6 = in_brackets.is_some_and(|it| it.parse::<Ipv6Addr>().is_ok());
        let is_named = self.hosts.iter().any(|it| it.eq_ignore_ascii_case(name));
        is_address || is_address_6 || name.eq_ignore_ascii_case("localhost") || is_named
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|it| it.is_ascii_digit()) => name,
        _ => host,
    }
}

/// The host and port of an origin.
fn authority(origin: &str) -> Option<&str> {
    let (_, authority) = origin.split_once("://")?;
    Some(authority)
}

/// Compares without telling by the time it takes how much was right.
fn is_same(given: &[u8], token: &[u8]) -> bool {
    let differences = given
        .iter()
        .zip(token)
        .fold(0, |sum, (left, right)| sum | (left ^ right));
    given.len() == token.len() && differences == 0
}

/// Lets a request through, or refuses it.
pub(crate) async fn guard(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let mut response = match shared.access.refusal(request.method(), request.headers()) {
        Some((status, message)) => problem(status, &message).into_response(),
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    fn refusal(method: &Method, headers: &[(&str, &str)]) -> Option<StatusCode> {
        let access = Access {
            hosts: vec!["broker7.example".to_owned()],
            token: Some("a token of some length".to_owned()),
        };
        let header = |(name, value): &(&str, &str)| {
            let name = HeaderName::try_from(*name).expect("a name");
            (name, value.parse().expect("a value"))
        };
        let headers: HeaderMap = headers.iter().map(header).collect();
        access.refusal(method, &headers).map(|(status, _)| status)
    }

    #[test]
    fn only_names_that_nobody_else_can_point_here_are_known() {
        let known = [
            "127.0.0.1:9644",
            "127.0.0.1",
            "[::1]:9644",
            "[::1]",
            "localhost:9644",
            "LOCALHOST",
            "10.1.2.3:9644",
            "broker7.example:9644",
        ];
        for host in known {
            assert_eq!(refusal(&Method::GET, &[("host", host)]), None, "{host}");
        }
        let unknown = [
            "",
            "evil.example",
            "evil.example:9644",
            "localhost.evil.example",
            "127.0.0.1.evil.example:9644",
            "broker7.example.evil",
            "[::1].evil.example",
        ];
        for host in unknown {
            let refused = refusal(&Method::GET, &[("host", host)]);
            assert_eq!(refused, Some(StatusCode::MISDIRECTED_REQUEST), "{host}");
        }
        let refused = refusal(&Method::GET, &[]);
        assert_eq!(refused, Some(StatusCode::MISDIRECTED_REQUEST));
    }

    #[test]
    fn pages_of_other_sites_are_refused() {
        let host = ("host", "localhost:9644");
        let refused = |name, value| refusal(&Method::GET, &[host, (name, value)]);
        let forbidden = Some(StatusCode::FORBIDDEN);
        assert_eq!(refused("origin", "http://localhost:9644"), None);
        assert_eq!(refused("origin", "http://localhost:9645"), forbidden);
        assert_eq!(refused("origin", "https://evil.example"), forbidden);
        assert_eq!(refused("origin", "null"), forbidden);
        assert_eq!(refused("sec-fetch-site", "same-origin"), None);
        assert_eq!(refused("sec-fetch-site", "none"), None);
        assert_eq!(refused("sec-fetch-site", "same-site"), forbidden);
        assert_eq!(refused("sec-fetch-site", "cross-site"), forbidden);
        let followed = |method, dest| {
            let link = [
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-mode", "navigate"),
                ("sec-fetch-dest", dest),
            ];
            refusal(&method, &[&[host], &link[..]].concat())
        };
        assert_eq!(followed(Method::GET, "document"), None, "a link to it");
        assert_eq!(followed(Method::GET, "iframe"), forbidden);
        assert_eq!(followed(Method::POST, "document"), forbidden, "a form");
    }

    #[test]
    fn changes_need_the_token() {
        let host = ("host", "localhost:9644");
        let with = |value| refusal(&Method::PUT, &[host, ("authorization", value)]);
        let unauthorized = Some(StatusCode::UNAUTHORIZED);
        assert_eq!(refusal(&Method::PUT, &[host]), unauthorized);
        assert_eq!(with("Bearer a token of some lengtH"), unauthorized);
        assert_eq!(with("Bearer a token of some length and more"), unauthorized);
        assert_eq!(with("Basic a token of some length"), unauthorized);
        assert_eq!(with("Bearer a token of some length"), None);
        assert_eq!(with("bearer a token of some length"), None, "RFC 9110");
        let nobody = Access::default();
        let mut headers = HeaderMap::new();
        headers.insert(HOST, "localhost".parse().expect("a value"));
        let refused = nobody.refusal(&Method::POST, &headers);
        assert_eq!(
            refused.map(|(status, _)| status),
            Some(StatusCode::FORBIDDEN)
        );
    }
}
