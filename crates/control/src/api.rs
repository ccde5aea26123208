//! The JSON API, described in `openapi.json` beside this file. A test holds the two against each other.
//!
//! Lives on the control thread. Long lists are cut at [`ITEMS_MAX`], and say so.

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequestParts, Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use types::{GroupRow, PartitionRow, Series};

use crate::collect::HighWatermarks;
use crate::http::{Shared, answer, problem};
use crate::moments::number;
use crate::recorder;

/// The description of this API.
pub(crate) const OPENAPI: &str = include_str!("openapi.json");

/// The most items of one list.
const ITEMS_MAX: usize = 10_000;

const PARTITIONS: Series = Series {
    topics: false,
    partitions: true,
    groups: false,
};
const GROUPS: Series = Series {
    topics: false,
    partitions: false,
    groups: true,
};
const TOPICS: Series = Series {
    topics: true,
    partitions: true,
    groups: false,
};

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/openapi.json", get(openapi))
        .route("/api/v1/status", get(status))
        .route("/api/v1/shards", get(shards))
        .route("/api/v1/topics", get(topics))
        .route("/api/v1/partitions", get(partitions))
        .route("/api/v1/groups", get(groups))
        .route(
            "/api/v1/recorder",
            get(recorder::events).post(recorder::dump),
        )
        .route("/api/v1/log-levels", get(log_levels).put(set_log_levels))
}

async fn openapi() -> Response {
    ([(CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

async fn status(State(shared): State<Shared>) -> Response {
    let everything = shared.ask(Series::default()).await;
    let sum = |name| -> u64 {
        let snapshots = everything.snapshots();
        snapshots.map(|(_, it)| number(it, name, None)).sum()
    };
    let facts = shared.process.facts();
    answer(json!({
        "version": facts.version,
        "nodeId": facts.node_id,
        "clusterId": facts.cluster_id,
        "phase": shared.process.phase().name(),
        "uptimeSeconds": facts.uptime.as_secs(),
        "shards": everything.shards.len(),
        "shardsUp": everything.snapshots().count(),
        "partitions": sum("logan_partitions"),
        "ailments": everything.ailments(),
        "offlinePartitions": sum("logan_offline_partitions"),
        "connections": sum("logan_connections"),
        "requests": sum("logan_requests"),
    }))
}

async fn shards(State(shared): State<Shared>) -> Response {
    let everything = shared.ask(Series::default()).await;
    let delays = shared.process.delays();
    let shard = |told: &crate::collect::Told| {
        let delay = delays.get(usize::from(told.shard));
        let snapshot = told.snapshot.as_ref();
        let value = |name| snapshot.map(|it| number(it, name, None));
        json!({
            "shard": told.shard,
            "isUp": snapshot.is_some(),
            "partitions": value("logan_partitions"),
            "offlinePartitions": value("logan_offline_partitions"),
            "connections": value("logan_connections"),
            "requests": value("logan_requests"),
            "busySeconds": value("logan_shard_busy_seconds").map(seconds),
            "cpuSeconds": value("logan_shard_cpu_seconds").map(seconds),
            "stalls": delay.map(|it| it.stalls),
            "delaySecondsP99": delay.map(|it| it.p99.as_secs_f64()),
            "delaySecondsMax": delay.map(|it| it.max.as_secs_f64()),
        })
    };
    let shards: Vec<_> = everything.shards.iter().map(shard).collect();
    answer(json!({ "shards": shards }))
}

#[expect(clippy::cast_precision_loss, reason = "a float has 15 digits")]
fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

/// Which items are wanted.
#[derive(Debug, Default, Deserialize)]
struct Wanted {
    topic: Option<String>,
    group: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Wanted {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(wanted)) => Ok(wanted),
            Err(error) => Err(problem(error.status(), &error.body_text())),
        }
    }
}

async fn topics(State(shared): State<Shared>) -> Response {
    let everything = shared.ask(TOPICS).await;
    let mut topics: std::collections::BTreeMap<&str, [u64; 6]> = std::collections::BTreeMap::new();
    for (_, snapshot) in everything.snapshots() {
        for row in &snapshot.topics {
            let sums = topics.entry(&row.topic).or_default();
            sums[0] += row.batches_in;
            sums[1] += row.records_in;
            sums[2] += row.bytes_in;
            sums[3] += row.bytes_out;
        }
        for row in &snapshot.partitions {
            let sums = topics.entry(&row.topic).or_default();
            sums[4] += 1;
            sums[5] += row.size_bytes;
        }
    }
    let topic = |(name, sums): (&&str, &[u64; 6])| {
        let [
            batches_in,
            records_in,
            bytes_in,
            bytes_out,
            partitions,
            size_bytes,
        ] = sums;
        json!({
            "topic": name,
            "partitions": partitions,
            "sizeBytes": size_bytes,
            "batchesIn": batches_in,
            "recordsIn": records_in,
            "bytesIn": bytes_in,
            "bytesOut": bytes_out,
        })
    };
    answer(list("topics", topics.iter().map(topic)))
}

async fn partitions(State(shared): State<Shared>, wanted: Wanted) -> Response {
    let everything = shared.ask(PARTITIONS).await;
    let rows = everything.snapshots().flat_map(|(shard, it)| {
        let rows = it.partitions.iter();
        rows.map(move |row| (shard, row))
    });
    let is_wanted = |topic: &str| wanted.topic.as_ref().is_none_or(|it| it == topic);
    let mut rows: Vec<_> = rows.filter(|(_, row)| is_wanted(&row.topic)).collect();
    rows.sort_by(|(_, left), (_, right)| {
        let key = |row: &PartitionRow| (std::sync::Arc::clone(&row.topic), row.partition);
        key(left).cmp(&key(right))
    });
    let partition = |(shard, row): (u16, &PartitionRow)| {
        json!({
            "topic": &*row.topic,
            "partition": row.partition,
            "shard": shard,
            "logStartOffset": row.log_start_offset,
            "highWatermark": row.high_watermark,
            "logEndOffset": row.log_end_offset,
            "sizeBytes": row.size_bytes,
            "segments": row.segments,
            "recordsIn": row.records_in,
            "bytesIn": row.bytes_in,
            "bytesOut": row.bytes_out,
            "isFenced": row.is_fenced,
        })
    };
    answer(list("partitions", rows.into_iter().map(partition)))
}

async fn groups(State(shared): State<Shared>, wanted: Wanted) -> Response {
    let everything = shared.ask(GROUPS).await;
    let marks = everything.high_watermarks();
    let is_wanted = |row: &&GroupRow| wanted.group.as_ref().is_none_or(|it| *it == row.group);
    let rows = everything.snapshots().flat_map(|(_, it)| &it.groups);
    let mut rows: Vec<_> = rows.filter(is_wanted).collect();
    rows.sort_by(|left, right| left.group.cmp(&right.group));
    let has_offsets = wanted.group.is_some();
    let group = |row: &GroupRow| group(row, &marks, has_offsets);
    answer(list("groups", rows.into_iter().map(group)))
}

/// A group, with each of its offsets where it was asked for by name.
fn group(row: &GroupRow, marks: &HighWatermarks, has_offsets: bool) -> Value {
    let lag: u64 = row.offsets.iter().filter_map(|it| marks.lag(it)).sum();
    let mut group = json!({
        "group": row.group,
        "protocol": row.protocol,
        "state": row.state,
        "members": row.members,
        "lagRecords": lag,
        "offsetCount": row.offsets.len(),
    });
    if has_offsets {
        let offset = |it: &types::OffsetRow| {
            json!({
                "topic": &*it.topic,
                "partition": it.partition,
                "committedOffset": it.offset,
                "lagRecords": marks.lag(it),
            })
        };
        let offsets: Vec<_> = row.offsets.iter().take(ITEMS_MAX).map(offset).collect();
        group["offsets"] = offsets.into();
    }
    group
}

/// A list that says whether it is whole.
fn list(name: &str, mut items: impl Iterator<Item = Value>) -> Value {
    let first: Vec<_> = items.by_ref().take(ITEMS_MAX).collect();
    let is_truncated = items.next().is_some();
    json!({ name: first, "isTruncated": is_truncated })
}

async fn log_levels(State(shared): State<Shared>) -> Response {
    answer(json!({ "filter": shared.process.log_filter() }))
}

/// Which log lines are wanted.
#[derive(Debug, Deserialize)]
struct LogLevels {
    filter: String,
}

async fn set_log_levels(
    State(shared): State<Shared>,
    levels: Result<Json<LogLevels>, JsonRejection>,
) -> Response {
    let levels = match levels {
        Ok(Json(levels)) => levels,
        Err(error) => return problem(error.status(), &error.body_text()),
    };
    match shared.process.set_log_filter(&levels.filter) {
        Ok(()) => answer(json!({ "filter": shared.process.log_filter() })),
        Err(reason) => problem(StatusCode::UNPROCESSABLE_ENTITY, &reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_is_cut_and_says_so() {
        let items = |count: usize| (0..count).map(|it| json!(it));
        let whole = list("items", items(ITEMS_MAX));
        assert_eq!(whole["isTruncated"], json!(false));
        let cut = list("items", items(ITEMS_MAX + 1));
        assert_eq!(cut["isTruncated"], json!(true));
        assert_eq!(cut["items"].as_array().map(Vec::len), Some(ITEMS_MAX));
    }
}
