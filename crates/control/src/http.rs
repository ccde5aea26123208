//! What is answered where.
//!
//! Lives on the control thread. The metrics listener serves what machines ask for again and again; the admin listener serves
//! that too, and beside it the JSON API and the status page, behind [`guard`].

use std::sync::{Arc, Weak};
use std::time::Instant;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use tokio::sync::Mutex;
use types::Series;

use crate::collect::{self, Everything};
use crate::guard::{Access, guard};
use crate::moments::Moments;
use crate::text::Format;
use crate::{Phase, Process, Source, api, page, series};

/// The longest body of a request.
const BODY_BYTES_MAX: usize = 16 << 10;

/// A shard that has not answered for as long as this is given up: a supervisor that watches `/live` starts the broker anew.
const STUCK_SECONDS_MAX: u64 = 60;

/// What all handlers use.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) sources: Vec<Box<dyn Source>>,
    pub(crate) process: Arc<dyn Process>,
    /// What the metrics document has of the much.
    pub(crate) series: Series,
    pub(crate) access: Access,
    pub(crate) moments: Mutex<Moments>,
    /// The last document of each format.
    pub(crate) documents: [Mutex<Option<Made>>; 2],
}

/// A document, for as long as somebody is being sent it.
pub(crate) struct Made {
    /// When the shards were asked.
    began: Instant,
    text: Weak<String>,
}

/// A document that several answers share.
struct Whole(Arc<String>);

impl AsRef<[u8]> for Whole {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl Shared {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// The metrics as of now. One document is made at a time, and all who ask meanwhile share the next one.
    async fn document(&self, format: Format) -> Bytes {
        let arrived = Instant::now();
        let mut last = self.documents[format as usize].lock().await;
        if let Some(made) = &*last
            && made.began >= arrived
            && let Some(text) = made.text.upgrade()
        {
            return Bytes::from_owner(Whole(text));
        }
        let began = Instant::now();
        let everything = self.ask(self.series).await;
        let of_process = self.process.samples();
        let text = series::document(everything, of_process, self.series, format);
        let text = Arc::new(text);
        *last = Some(Made {
            began,
            text: Arc::downgrade(&text),
        });
        Bytes::from_owner(Whole(text))
    }

    /// Asks all shards. The high watermarks that lag is measured by come with the groups.
    pub(crate) async fn ask(&self, series: Series) -> Everything {
        let series = Series {
            partitions: series.partitions || series.groups,
            ..series
        };
        collect::ask(&self.sources, series).await
    }
}

impl std::ops::Deref for Shared {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// An answer in JSON that nobody keeps.
pub(crate) fn answer(value: serde_json::Value) -> Response {
    ([(CACHE_CONTROL, "no-store")], Json(value)).into_response()
}

/// What went wrong, in the form of RFC 9457.
pub(crate) fn problem(status: StatusCode, detail: &str) -> Response {
    let title = status.canonical_reason().unwrap_or("error");
    let body = json!({"title": title, "status": status.as_u16(), "detail": detail});
    let headers = [
        (CONTENT_TYPE, "application/problem+json"),
        (CACHE_CONTROL, "no-store"),
    ];
    (status, headers, body.to_string()).into_response()
}

/// What the metrics listener serves. On the loopback interface only this machine can ask, so that a browser on it is the way
/// by which others could.
pub(crate) fn metrics_routes(shared: Shared, is_loopback: bool) -> Router {
    let routes = machine_routes()
        .fallback(unknown)
        .method_not_allowed_fallback(not_allowed);
    let routes = match is_loopback {
        true => routes.layer(from_fn_with_state(shared.clone(), guard)),
        false => routes,
    };
    routes.with_state(shared)
}

/// What the admin listener serves.
pub(crate) fn admin_routes(shared: Shared) -> Router {
    machine_routes()
        .merge(api::routes())
        .merge(page::routes())
        .fallback(unknown)
        .method_not_allowed_fallback(not_allowed)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(shared.clone(), guard))
        .with_state(shared)
}

fn machine_routes() -> Router<Shared> {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/live", get(live))
        .route("/ready", get(ready))
}

async fn unknown() -> Response {
    problem(StatusCode::NOT_FOUND, "there is nothing at this path")
}

async fn not_allowed() -> Response {
    let detail = "this path has no such method: see /openapi.json of the admin listener";
    problem(StatusCode::METHOD_NOT_ALLOWED, detail)
}

async fn metrics(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let accept = headers.get(ACCEPT).and_then(|it| it.to_str().ok());
    let format = Format::accepted(accept.unwrap_or_default());
    let text = shared.document(format).await;
    ([(CONTENT_TYPE, format.content_type())], text).into_response()
}

/// Whether the process should be left alone: no shard hangs.
async fn live(State(shared): State<Shared>) -> Response {
    let stuck = shared.process.unanswered();
    let stuck = stuck.into_iter().enumerate();
    let stuck = stuck.filter(|(_, since)| since.as_secs() >= STUCK_SECONDS_MAX);
    let stuck: Vec<_> = stuck.map(|(shard, _)| shard).collect();
    if stuck.is_empty() {
        return answer(json!({"status": "live"}));
    }
    let detail = format!("shards that do not answer: {stuck:?}");
    problem(StatusCode::SERVICE_UNAVAILABLE, &detail)
}

/// Whether clients should be sent here: it takes connections, every shard answers, and there is something to serve. A part
/// that does not work is told of, and keeps nobody from the rest.
async fn ready(State(shared): State<Shared>) -> Response {
    let not_ready = |detail: &str| problem(StatusCode::SERVICE_UNAVAILABLE, detail);
    match shared.process.phase() {
        Phase::Starting => return not_ready("logs are being recovered"),
        Phase::Stopping => return not_ready("the broker is stopping"),
        Phase::Ready => {}
    }
    let everything = shared.ask(Series::default()).await;
    let silent = everything.shards.iter().filter(|it| it.snapshot.is_none());
    let silent: Vec<_> = silent.map(|it| it.shard).collect();
    if !silent.is_empty() {
        return not_ready(&format!("shards that do not answer: {silent:?}"));
    }
    if everything.has_no_directory() {
        return not_ready("every log directory has failed");
    }
    answer(json!({"status": "ready", "ailments": everything.ailments()}))
}
