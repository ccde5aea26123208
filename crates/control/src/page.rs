//! The status page: made here, as a whole; its script only fetches it anew every two seconds.
//!
//! Lives on the control thread. Everything that clients have named is escaped, and the page may load nothing but its own
//! style and script.

mod charts;

use std::fmt::{Display, Write as _};
use std::time::Instant;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use types::{Series, Snapshot};

use crate::Facts;
use crate::collect::HighWatermarks;
use crate::http::{Shared, problem};
use crate::moments::{View, number};

/// What the page may load and do.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// Rows of each table.
const ROWS_MAX: usize = 20;

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/", get(whole))
        .route("/page/content", get(content_only))
        .route("/page/style.css", get(style))
        .route("/page/script.js", get(script))
}

async fn style() -> Response {
    let text = include_str!("page/style.css");
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], text).into_response()
}

async fn script() -> Response {
    let text = include_str!("page/script.js");
    ([(CONTENT_TYPE, "text/javascript; charset=utf-8")], text).into_response()
}

async fn whole(State(shared): State<Shared>) -> Response {
    match render(&shared).await {
        Some(content) => {
            let facts = shared.process.facts();
            html(format!(
                "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Logan {}</title>\
                 <meta name=\"viewport\" content=\"width=device-width\"><link rel=\"stylesheet\" href=\"/page/style.css\">\
                 <script src=\"/page/script.js\" defer></script></head><body><main id=\"content\">{content}</main></body></html>\n",
                facts.node_id
            ))
        }
        None => problem(StatusCode::SERVICE_UNAVAILABLE, "nothing is known yet"),
    }
}

async fn content_only(State(shared): State<Shared>) -> Response {
    match render(&shared).await {
        Some(content) => html(content),
        None => problem(StatusCode::SERVICE_UNAVAILABLE, "nothing is known yet"),
    }
}

fn html(text: String) -> Response {
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (CACHE_CONTROL, "no-store"),
    ];
    (headers, text).into_response()
}

/// The content of the page, of a moment that is at most a second old.
async fn render(shared: &Shared) -> Option<String> {
    // One asks; who looks meanwhile waits for the same answer.
    let mut moments = shared.moments.lock().await;
    if !moments.is_fresh(Instant::now()) {
        let everything = shared.ask(Series::ALL).await;
        moments.push(Instant::now(), everything);
    }
    let view = moments.view()?;
    drop(moments);
    Some(content(shared, &view))
}

fn content(shared: &Shared, view: &View) -> String {
    let mut page = Page::default();
    let facts = shared.process.facts();
    head(&mut page, shared, view, &facts);
    page.push("<section class=\"charts\">");
    charts::charts(&mut page.0, &view.points);
    page.push("</section>");
    shards(&mut page, shared, view);
    hot_spots(&mut page, view);
    groups(&mut page, view);
    page.0
}

/// HTML that grows.
#[derive(Debug, Default)]
struct Page(String);

impl Page {
    /// Adds markup.
    fn push(&mut self, markup: &str) {
        self.0.push_str(markup);
    }

    /// Adds a cell with text.
    fn cell(&mut self, text: impl Display) {
        self.push("<td>");
        self.text(&text.to_string());
        self.push("</td>");
    }

    /// Adds a cell with a number, which stands below others with its last digit.
    fn number(&mut self, text: impl Display) {
        self.push("<td class=\"number\">");
        self.text(&text.to_string());
        self.push("</td>");
    }

    /// Adds a table's head: columns of text, then columns of numbers.
    fn table(&mut self, title: &str, texts: &[&str], numbers: &[&str]) {
        self.push("<section><h2>");
        self.text(title);
        self.push("</h2><table><thead><tr>");
        for column in texts {
            self.push("<th>");
            self.text(column);
            self.push("</th>");
        }
        for column in numbers {
            self.push("<th class=\"number\">");
            self.text(column);
            self.push("</th>");
        }
        self.push("</tr></thead><tbody>");
    }

    fn end_table(&mut self, empty: &str, is_empty: bool) {
        self.push("</tbody></table>");
        if is_empty {
            self.push("<p class=\"quiet\">");
            self.text(empty);
            self.push("</p>");
        }
        self.push("</section>");
    }

    /// Adds text, whatever is in it.
    fn text(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                '<' => self.push("&lt;"),
                '>' => self.push("&gt;"),
                '&' => self.push("&amp;"),
                '"' => self.push("&quot;"),
                '\'' => self.push("&#39;"),
                other => self.0.push(other),
            }
        }
    }
}

fn head(page: &mut Page, shared: &Shared, view: &View, facts: &Facts) {
    let phase = shared.process.phase().name();
    let everything = &view.current.everything;
    let up = everything.snapshots().count();
    let ailments = everything.ailments();
    let is_well = up == everything.shards.len() && phase == "ready" && ailments.is_empty();
    page.push("<header><h1>Logan</h1><span class=\"");
    page.push(if is_well { "well" } else { "ill" });
    page.push("\">");
    page.text(phase);
    page.push("</span><dl>");
    let sum = |name| -> u64 {
        let snapshots = everything.snapshots();
        snapshots.map(|(_, it)| number(it, name, None)).sum()
    };
    let facts = [
        ("node", facts.node_id.to_string()),
        ("version", facts.version.to_owned()),
        ("up for", duration(facts.uptime.as_secs())),
        ("shards", format!("{up} of {}", everything.shards.len())),
        ("partitions", sum("logan_partitions").to_string()),
        ("offline", sum("logan_offline_partitions").to_string()),
        ("connections", sum("logan_connections").to_string()),
    ];
    for (name, value) in facts {
        let is_ill = name == "offline" && value != "0";
        page.push("<div><dt>");
        page.text(name);
        page.push(if is_ill {
            "</dt><dd class=\"ill\">"
        } else {
            "</dt><dd>"
        });
        page.text(&value);
        page.push("</dd></div>");
    }
    page.push("</dl></header>");
    for ailment in ailments {
        page.push("<p class=\"ill\">");
        page.text(&ailment);
        page.push("</p>");
    }
}

fn shards(page: &mut Page, shared: &Shared, view: &View) {
    let numbers = [
        "busy",
        "partitions",
        "connections",
        "in flight",
        "waiting",
        "cache",
        "staging",
        "stalls",
        "delay p99",
        "delay max",
    ];
    page.table("Shards", &["shard", "state"], &numbers);
    let delays = shared.process.delays();
    for told in &view.current.everything.shards {
        let index = usize::from(told.shard);
        page.push("<tr>");
        page.cell(told.shard);
        let Some(snapshot) = &told.snapshot else {
            page.push("<td class=\"ill\">silent</td><td colspan=\"10\"></td></tr>");
            continue;
        };
        let of = |name: &str| grouped(number(snapshot, name, None));
        page.cell("up");
        let busy = view.points.last().and_then(|it| *it.busy.get(index)?);
        page.number(busy.map_or_else(|| "-".to_owned(), percent));
        page.number(of("logan_partitions"));
        page.number(of("logan_connections"));
        page.number(of("logan_requests_in_flight"));
        page.number(grouped(waiting(snapshot)));
        page.number(bytes_of(snapshot, "cache"));
        page.number(bytes_of(snapshot, "staging"));
        match delays.get(index) {
            Some(delay) => {
                page.number(grouped(delay.stalls));
                page.number(format!("{:.1?}", delay.p99));
                page.number(format!("{:.1?}", delay.max));
            }
            None => page.push("<td colspan=\"3\"></td>"),
        }
        page.push("</tr>");
    }
    page.end_table("", false);
}

/// Messages of other shards that nobody has taken up.
fn waiting(snapshot: &Snapshot) -> u64 {
    let queues = ["requests", "control", "replies"];
    let depths = queues.map(|it| number(snapshot, "logan_queue_depth", Some(it)));
    depths.iter().sum()
}

fn bytes_of(snapshot: &Snapshot, budget: &str) -> String {
    let used = number(snapshot, "logan_memory_used_bytes", Some(budget));
    let limit = number(snapshot, "logan_memory_limit_bytes", Some(budget));
    format!("{} / {}", bytes(to_float(used)), bytes(to_float(limit)))
}

fn hot_spots(page: &mut Page, view: &View) {
    let numbers = ["partition", "shard", "in", "out", "size", "high watermark"];
    page.table("Hot spots", &["topic"], &numbers);
    let hot = view.hot_partitions(ROWS_MAX);
    for (shard, row, bytes_in, bytes_out) in &hot {
        page.push("<tr>");
        page.cell(&row.topic);
        page.number(row.partition);
        page.number(shard);
        page.number(format!("{}/s", bytes(*bytes_in)));
        page.number(format!("{}/s", bytes(*bytes_out)));
        page.number(bytes(to_float(row.size_bytes)));
        page.number(grouped(u64::try_from(row.high_watermark).unwrap_or(0)));
        page.push("</tr>");
    }
    let empty = if view.points.is_empty() {
        "Rates are known in two seconds."
    } else {
        "Nothing is written or read."
    };
    page.end_table(empty, hot.is_empty());
}

fn groups(page: &mut Page, view: &View) {
    page.table(
        "Groups",
        &["group", "protocol", "state"],
        &["members", "lag"],
    );
    let everything = &view.current.everything;
    let marks: HighWatermarks = everything.high_watermarks();
    let rows = everything.snapshots().flat_map(|(_, it)| &it.groups);
    let mut rows: Vec<_> = rows
        .map(|row| {
            let lags = row.offsets.iter().filter_map(|it| marks.lag(it));
            (row, lags.sum::<u64>())
        })
        .collect();
    rows.sort_by_key(|(row, lag)| (std::cmp::Reverse(*lag), &row.group));
    let left_out = rows.len().saturating_sub(ROWS_MAX);
    for (row, lag) in rows.iter().take(ROWS_MAX) {
        page.push("<tr>");
        page.cell(&row.group);
        page.cell(row.protocol);
        page.cell(row.state);
        page.number(row.members);
        page.number(grouped(*lag));
        page.push("</tr>");
    }
    if left_out > 0 {
        let more = write!(
            page.0,
            "<tr><td colspan=\"5\">and {left_out} more</td></tr>"
        );
        more.expect("text takes text");
    }
    page.end_table("There are none.", rows.is_empty());
}

fn duration(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours) {
        (0, 0) if minutes == 0 => format!("{seconds} s"),
        (0, 0) => format!("{minutes} min {} s", seconds % 60),
        (0, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// A whole number with a comma before every three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn to_float(number: u64) -> f64 {
    number as f64
}

/// Bytes with a unit, in three digits.
fn bytes(bytes: f64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut value = bytes;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    let digits = if value >= 99.95 || unit == 0 { 0 } else { 1 };
    format!("{value:.digits$} {}", units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_have_named_is_text_and_nothing_else() {
        let mut page = Page::default();
        page.cell("<script>alert('1')</script>&\"");
        let expected = "<td>&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;&quot;</td>";
        assert_eq!(page.0, expected);
    }

    #[test]
    fn large_numbers_can_be_read() {
        let texts = [0, 999, 1000, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn bytes_and_times_are_short() {
        assert_eq!(bytes(0.0), "0 B");
        assert_eq!(bytes(999.0), "999 B");
        assert_eq!(bytes(1000.0), "1.0 KiB");
        assert_eq!(bytes(1_048_576.0 * 250.0), "250 MiB");
        assert_eq!(bytes(f64::from(u32::MAX)), "4.0 GiB");
        assert_eq!(duration(26), "26 s");
        assert_eq!(duration(61), "1 min 1 s");
        assert_eq!(duration(90_000), "1 d 1 h");
    }
}
