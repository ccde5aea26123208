//! What the shards have done lately: the events of the flight recorder, and their dump to a file.
//!
//! Lives on the control thread, and asks no shard: the process reads what the shards have written, also of one that hangs. A
//! dump is written beside, on a thread for what blocks.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use crate::http::{Shared, answer, problem};

/// Events of one answer where nothing else is asked for, ...
const EVENTS_DEFAULT: usize = 200;
/// ... and the most.
const EVENTS_MAX: usize = 10_000;

/// Which events are wanted.
#[derive(Debug, Deserialize)]
pub(crate) struct Wanted {
    shard: Option<u16>,
    last: Option<usize>,
}

/// The last events, newest last.
pub(crate) async fn events(
    State(shared): State<Shared>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Response {
    let Query(wanted) = match wanted {
        Ok(wanted) => wanted,
        Err(error) => return problem(error.status(), &error.body_text()),
    };
    let last = wanted.last.unwrap_or(EVENTS_DEFAULT).min(EVENTS_MAX);
    match shared.process.recorded(wanted.shard, last) {
        Ok(events) => answer(json!({ "events": events })),
        Err(reason) => problem(StatusCode::CONFLICT, &reason),
    }
}

/// Writes all events to a file.
pub(crate) async fn dump(State(shared): State<Shared>) -> Response {
    let process = Arc::clone(&shared.process);
    let dumped = tokio::task::spawn_blocking(move || process.dump_recorded()).await;
    match dumped {
        Ok(Ok(path)) => answer(json!({ "path": path })),
        Ok(Err(reason)) => problem(StatusCode::CONFLICT, &reason),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}
