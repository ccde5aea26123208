//! Events of the flight recorder, a row each.

use std::time::{Duration, SystemTime};

use command_line::{Column, Tabular};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// An answer.
#[derive(Debug, Deserialize)]
pub(super) struct Events {
    pub(super) events: Vec<Event>,
}

/// What has happened.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Event {
    shard: u16,
    number: u64,
    timestamp: u64,
    monotonic_nanos: u64,
    event: String,
    /// What else is told of it.
    #[serde(flatten)]
    details: Map<String, Value>,
}

impl Event {
    /// `name=value`, separated by spaces.
    fn detail(&self) -> String {
        let detail = |(name, value): (&String, &Value)| match value {
            Value::String(text) => format!("{name}={text}"),
            other => format!("{name}={other}"),
        };
        let details: Vec<_> = self.details.iter().map(detail).collect();
        details.join(" ")
    }
}

impl Tabular for Event {
    const COLUMNS: &'static [Column] = &[
        Column::Text("TIME"),
        Column::Number("SHARD"),
        Column::Number("NUMBER"),
        Column::Text("EVENT"),
        Column::Text("DETAIL"),
    ];

    fn cells(&self) -> Vec<String> {
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(self.timestamp);
        vec![
            humantime::format_rfc3339_millis(at).to_string(),
            self.shard.to_string(),
            self.number.to_string(),
            self.event.clone(),
            self.detail(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_row_and_stays_whole_for_programs() {
        let text = r#"{"shard":1,"number":7,"timestamp":1500,"monotonicNanos":9,"event":"sync-completed",
            "topic":"orders","partition":3,"tookMicros":812.5,"isOk":true}"#;
        let event: Event = serde_json::from_str(text).expect("an event");
        assert_eq!(
            event.cells(),
            [
                "1970-01-01T00:00:01.500Z",
                "1",
                "7",
                "sync-completed",
                "isOk=true partition=3 tookMicros=812.5 topic=orders",
            ]
        );
        let again = serde_json::to_value(&event).expect("JSON");
        let before: Value = serde_json::from_str(text).expect("JSON");
        assert_eq!(again, before);
    }
}
