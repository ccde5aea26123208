//! Kafka's rules for the names of topics.
//!
//! Source: `org.apache.kafka.common.internals.Topic`; the sentences were taken from a running Kafka 4.3.1.

/// The longest name of a topic, in bytes: the directory `<topic>-<partition>.<id>-delete` must fit a file name.
pub const TOPIC_NAME_BYTES_MAX: usize = 249;

/// As much of a name as a topic's can have: a sentence for each of many partitions must not repeat more.
pub(crate) fn shown(name: &str) -> &str {
    name.get(..name.floor_char_boundary(TOPIC_NAME_BYTES_MAX))
        .unwrap_or_default()
}

/// The topic that holds the metadata log. Clients can neither see, create nor delete it.
pub const CLUSTER_METADATA_TOPIC: &str = "__cluster_metadata";

/// Checks a name.
///
/// # Errors
///
/// Kafka's sentence; the code is `INVALID_TOPIC_EXCEPTION`.
pub fn validate_topic_name(name: &str) -> Result<(), String> {
    let is_permitted =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let problem = if name.is_empty() {
        "the empty string is not allowed".to_owned()
    } else if name == "." || name == ".." {
        format!("'{name}' is not allowed")
    } else if name.len() > TOPIC_NAME_BYTES_MAX {
        format!(
            "the length of '{name}' is longer than the max allowed length {TOPIC_NAME_BYTES_MAX}"
        )
    } else if !name.bytes().all(is_permitted) {
        format!(
            "'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
        )
    } else {
        return Ok(());
    };
    Err(format!("Topic name is invalid: {problem}"))
}

/// A name in the form in which Kafka's metrics would show it: two names that agree in it collide.
pub(crate) fn metric_name(name: &str) -> String {
    name.replace('.', "_")
}

#[cfg(test)]
mod tests {
    use super::validate_topic_name;

    #[test]
    fn names_follow_kafkas_rules() {
        for name in [
            "a",
            "A.b_c-9",
            "...",
            "__consumer_offsets",
            &"x".repeat(249),
        ] {
            assert_eq!(validate_topic_name(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn faults_are_told_in_kafkas_words() {
        let long = "x".repeat(250);
        for (name, problem) in [
            ("", "the empty string is not allowed".to_owned()),
            (".", "'.' is not allowed".to_owned()),
            ("..", "'..' is not allowed".to_owned()),
            (&long, format!("the length of '{long}' is longer than the max allowed length 249")),
            ("a b", "'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'".to_owned()),
            ("a/b", "'a/b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'".to_owned()),
            ("\u{e9}", "'\u{e9}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'".to_owned()),
        ] {
            assert_eq!(validate_topic_name(name), Err(format!("Topic name is invalid: {problem}")));
        }
    }
}
