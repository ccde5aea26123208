//! Values of options that more than one program has.

use std::time::Duration;

/// A span of time above zero, such as 500ms, 30s or 2m.
///
/// # Errors
/// A sentence that says how spans are written.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(span) if !span.is_zero() => Ok(span),
        Ok(_) => Err("a span above zero is needed, such as 500ms, 30s or 2m".to_owned()),
        Err(error) => Err(format!("{error}; write 500ms, 30s or 2m")),
    }
}

/// An address with a port: like Kafka's own tools this assumes none.
///
/// # Errors
/// A sentence that says how addresses are written.
pub fn parse_server(text: &str) -> Result<String, String> {
    let parsed = text.rsplit_once(':').filter(|(host, port)| {
        let is_plain = !host.is_empty() && !host.contains([':', '/', '[', ']']);
        let is_ipv6 = host.starts_with('[') && host.ends_with(']') && host.len() > 2;
        (is_plain || is_ipv6) && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    match parsed {
        Some(_) => Ok(text.to_owned()),
        None => Err("write a host and a port, such as 127.0.0.1:9092 or [::1]:9092".to_owned()),
    }
}

/// A setting of a topic or a broker.
///
/// # Errors
/// A sentence that says how settings are written.
pub fn parse_setting(text: &str) -> Result<(String, String), String> {
    parse_pair(text, "retention.ms=3600000")
}

/// A key and a value with an equals sign in between; everything behind the first one belongs to the value.
///
/// # Errors
/// A sentence that shows `example`.
pub fn parse_pair(text: &str, example: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, _)) if key.trim().is_empty() => {
            Err(format!("the key before '=' is empty; write {example}"))
        }
        Some((key, value)) => Ok((key.trim().to_owned(), value.to_owned())),
        None => Err(format!("there is no '='; write {example}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_above_zero() {
        assert_eq!(parse_duration("1m 30s"), Ok(Duration::from_secs(90)));
        assert!(parse_duration("0s").is_err());
        assert!(parse_duration("30").is_err());
    }

    #[test]
    fn servers_have_a_host_and_a_port() {
        for wrong in [
            "127.0.0.1",
            "::1",
            "host:",
            ":9092",
            "host:0",
            "host:65536",
            "[]:1",
        ] {
            assert!(parse_server(wrong).is_err(), "{wrong}");
        }
        for right in ["localhost:9092", "[::1]:1", "10.0.0.1:65535"] {
            assert_eq!(parse_server(right).as_deref(), Ok(right));
        }
    }

    #[test]
    fn pairs_keep_everything_behind_the_first_equals_sign() {
        assert_eq!(
            parse_setting("a=b=c"),
            Ok(("a".to_owned(), "b=c".to_owned()))
        );
        assert_eq!(parse_pair("a=", "x"), Ok(("a".to_owned(), String::new())));
        assert!(parse_setting("a").is_err_and(|text| text.contains("retention.ms")));
        assert!(parse_pair("=a", "x").is_err());
        assert!(parse_pair(" =a", "x").is_err());
    }
}
