//! Events as JSON.

use std::time::Duration;

use io::Instant;
use serde_json::{Map, Value, json};
use types::{EventValue, TimestampMs};

use super::{Recorded, clock};

/// Both clocks at one moment.
pub(super) struct Clocks {
    monotonic: Instant,
    wall: TimestampMs,
}

impl Clocks {
    pub(super) fn now() -> Self {
        Self {
            monotonic: clock::now(),
            wall: clock::wall_clock(),
        }
    }

    /// The wall clock's time at an earlier moment, in milliseconds, if it has not been set since.
    fn wall_at(&self, at: Instant) -> i64 {
        let before = self.monotonic.saturating_since(at).as_millis();
        self.wall
            .0
            .saturating_sub(i64::try_from(before).unwrap_or(i64::MAX))
    }

    /// This moment on the wall clock.
    pub(super) fn wall(&self) -> TimestampMs {
        self.wall
    }

    /// This moment on the monotonic clock.
    pub(super) fn monotonic(&self) -> Instant {
        self.monotonic
    }
}

/// An event as an object: who, when, what, and what belongs to that.
pub(super) fn object(
    recorded: &Recorded,
    clocks: &Clocks,
    api_name: fn(i16) -> Option<&'static str>,
) -> Value {
    let mut object = Map::new();
    object.insert("shard".to_owned(), recorded.shard.0.into());
    object.insert("number".to_owned(), recorded.number.into());
    object.insert("timestamp".to_owned(), clocks.wall_at(recorded.at).into());
    object.insert("monotonicNanos".to_owned(), recorded.at.0.into());
    object.insert("event".to_owned(), recorded.event.name().into());
    for (name, value) in recorded.event.fields() {
        let (name, value) = match value {
            EventValue::Number(number) => (name.to_owned(), number.into()),
            EventValue::Text(text) => (name.to_owned(), text.into()),
            EventValue::Is(is) => (name.to_owned(), is.into()),
            EventValue::Span(span) => (format!("{name}Micros"), micros(span)),
            EventValue::Api(key) => (
                name.to_owned(),
                api_name(key).map_or(json!(key), Value::from),
            ),
        };
        object.insert(name, value);
    }
    Value::Object(object)
}

#[expect(clippy::cast_precision_loss, reason = "a float has 15 digits")]
fn micros(span: Duration) -> Value {
    (span.as_nanos() as f64 / 1e3).into()
}
