//! A record as an object: what `consume` writes and `produce --input json` reads.
//!
//! Kafka's keys and values are bytes. Text stands as it is; what is no UTF-8 stands as base64 in a field of its own.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use records::Record;
use serde::{Deserialize, Serialize};

/// One record. Fields that are unknown when reading are passed over.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RecordJson {
    #[serde(default)]
    pub(crate) topic: String,
    #[serde(default)]
    pub(crate) partition: i32,
    #[serde(default)]
    pub(crate) offset: i64,
    /// Milliseconds since 1970; when reading, now if it is not there.
    #[serde(default)]
    pub(crate) timestamp: Option<i64>,
    #[serde(default)]
    key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_base64: Option<String>,
    #[serde(default)]
    value: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value_base64: Option<String>,
    #[serde(default)]
    headers: Vec<HeaderJson>,
}

#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct HeaderJson {
    key: String,
    #[serde(default)]
    value: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value_base64: Option<String>,
}

/// Bytes of a record that is to be sent; `None` is null.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct RecordBytes {
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    pub(crate) timestamp: Option<i64>,
}

impl RecordJson {
    pub(crate) fn new(topic: &str, partition: i32, record: &Record<'_>) -> Self {
        let (key, key_base64) = encode(record.key);
        let (value, value_base64) = encode(record.value);
        let headers = record.headers().map(|header| {
            let (value, value_base64) = encode(header.value);
            HeaderJson {
                key: String::from_utf8_lossy(header.key).into_owned(),
                value,
                value_base64,
            }
        });
        Self {
            topic: topic.to_owned(),
            partition,
            offset: record.offset.0,
            timestamp: (record.timestamp.0 >= 0).then_some(record.timestamp.0),
            key,
            key_base64,
            value,
            value_base64,
            headers: headers.collect(),
        }
    }

    /// Key and value as text: base64 where they are none, a dash where there are none.
    pub(crate) fn shown(&self) -> (&str, &str) {
        (
            self.key
                .as_deref()
                .or(self.key_base64.as_deref())
                .unwrap_or("-"),
            self.value
                .as_deref()
                .or(self.value_base64.as_deref())
                .unwrap_or("-"),
        )
    }

    /// What is to be sent, or what is wrong with it.
    pub(crate) fn into_bytes(self) -> Result<RecordBytes, String> {
        let headers = self.headers.into_iter().map(|header| {
            let value = decode("value", header.value, header.value_base64)?;
            Ok((header.key.into_bytes(), value))
        });
        Ok(RecordBytes {
            key: decode("key", self.key, self.key_base64)?,
            value: decode("value", self.value, self.value_base64)?,
            headers: headers.collect::<Result<_, String>>()?,
            timestamp: self.timestamp,
        })
    }
}

fn encode(bytes: Option<&[u8]>) -> (Option<String>, Option<String>) {
    match bytes.map(|bytes| (bytes, std::str::from_utf8(bytes))) {
        None => (None, None),
        Some((_, Ok(text))) => (Some(text.to_owned()), None),
        Some((bytes, Err(_))) => (None, Some(BASE64.encode(bytes))),
    }
}

fn decode(
    name: &str,
    text: Option<String>,
    base64: Option<String>,
) -> Result<Option<Vec<u8>>, String> {
    match (text, base64) {
        (None, None) => Ok(None),
        (Some(text), None) => Ok(Some(text.into_bytes())),
        (None, Some(text)) => {
            let bytes = BASE64.decode(text);
            bytes
                .map(Some)
                .map_err(|error| format!("{name}_base64 is no base64: {error}"))
        }
        (Some(_), Some(_)) => Err(format!("{name} and {name}_base64 exclude each other")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<RecordBytes, String> {
        let record: RecordJson = serde_json::from_str(text).map_err(|error| error.to_string())?;
        record.into_bytes()
    }

    #[test]
    fn text_stays_text_and_other_bytes_become_base64() {
        assert_eq!(encode(Some(b"a")), (Some("a".to_owned()), None));
        assert_eq!(encode(Some(b"\xff")), (None, Some("/w==".to_owned())));
        assert_eq!(encode(None), (None, None));
    }

    #[test]
    fn what_was_written_is_read_back() {
        let written = RecordJson {
            timestamp: Some(5),
            value_base64: Some("/w==".to_owned()),
            headers: vec![HeaderJson {
                key: "h".to_owned(),
                ..HeaderJson::default()
            }],
            ..RecordJson::default()
        };
        let text = serde_json::to_string(&written).expect("plain values");
        let expected = RecordBytes {
            key: None,
            value: Some(vec![0xff]),
            headers: vec![(b"h".to_vec(), None)],
            timestamp: Some(5),
        };
        assert_eq!(read(&text), Ok(expected));
    }

    #[test]
    fn a_value_alone_is_enough() {
        let record = read(r#"{"value": "v", "more": 1}"#).expect("a record");
        assert_eq!(record.value.as_deref(), Some(&b"v"[..]));
        assert_eq!((record.key, record.timestamp), (None, None));
    }

    #[test]
    fn contradictions_and_bad_base64_are_refused() {
        assert!(read(r#"{"key": "a", "key_base64": "YQ=="}"#).is_err());
        assert!(read(r#"{"key_base64": "?"}"#).is_err_and(|text| text.contains("key_base64")));
    }
}
