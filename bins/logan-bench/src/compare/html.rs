//! The comparison as one page: charts in SVG, every setting, nothing from elsewhere.

use serde_json::Value;

use super::summary::Row;
use super::{Comparison, DISK_ALONE, Run};
use crate::yardstick::Yardstick;

const COLORS: [&str; 6] = [
    "#1565c0", "#c62828", "#2e7d32", "#6a1b9a", "#ef6c00", "#455a64",
];
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 200.0;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em}\
    svg{max-width:100%;height:auto}pre{background:#8881;padding:1em;overflow:auto}\
    .machine{margin:0;font-size:12px;opacity:.7}td{padding-right:2em}.partial{background:#c62828;color:#fff;padding:.5em 1em}text{font-size:12px;fill:currentColor}";

/// The page.
pub(crate) fn page(comparison: &Comparison) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>logan-bench compare</title>\
         <style>{STYLE}</style>\n<h1>Brokers compared</h1>\n"
    );
    if let Some(reason) = &comparison.reason {
        add(
            &mut page,
            &format!("<p class=\"partial\">PARTIAL: {}</p>\n", escape(reason)),
        );
    }
    add(
        &mut page,
        &format!("<p>{}</p>\n", escape(&comparison.machine.line())),
    );
    let names = comparison
        .manifest
        .broker
        .iter()
        .map(|one| one.name.as_str());
    let disk = (!comparison.manifest.disk_alone.is_empty()).then_some(DISK_ALONE);
    let legend = names.chain(disk).map(|name| {
        format!(
            "<span style=\"color:{}\">&#9632;</span> {} ",
            color_of(comparison, name),
            escape(name)
        )
    });
    add(
        &mut page,
        &format!("<p>{}</p>\n", legend.collect::<String>()),
    );
    if let Some(machine) = &comparison.yardstick {
        add(&mut page, &yardstick(machine));
    }
    for (scenario, text) in &comparison.scenarios {
        add(&mut page, &format!("<h2>{}</h2>\n", escape(scenario)));
        let rows: Vec<&Row> = comparison
            .medians
            .iter()
            .filter(|row| row.scenario == *scenario)
            .collect();
        for group in rows.chunk_by(|one, other| one.metric == other.metric) {
            add(&mut page, &bars(comparison, group));
        }
        let runs: Vec<&Run> = comparison
            .runs
            .iter()
            .filter(|run| run.scenario == *scenario)
            .collect();
        for side in ["produced", "consumed"] {
            add(
                &mut page,
                &lines(
                    comparison,
                    &runs,
                    side,
                    "throughput, MB by second",
                    &over_time,
                ),
            );
            add(
                &mut page,
                &lines(
                    comparison,
                    &runs,
                    side,
                    "latency, ms by percentile, both logarithmic",
                    &percentiles,
                ),
            );
        }
        add(
            &mut page,
            &format!(
                "<details><summary>scenario</summary><pre>{}</pre></details>\n",
                escape(text)
            ),
        );
    }
    let settings = serde_json::to_string_pretty(&comparison.manifest).unwrap_or_default();
    add(
        &mut page,
        &format!(
            "<h2>How to repeat it</h2>\n<pre>{}</pre>\n</html>\n",
            escape(&settings)
        ),
    );
    page
}

fn add(page: &mut String, text: &str) {
    page.push_str(text);
}

fn color(at: usize) -> &'static str {
    COLORS[at % COLORS.len()]
}

fn color_of(comparison: &Comparison, name: &str) -> &'static str {
    if name == DISK_ALONE {
        return "#888";
    }
    let found = comparison
        .manifest
        .broker
        .iter()
        .position(|broker| broker.name == name);
    color(found.unwrap_or(0))
}

/// A metric's medians as bars, with what they are in words.
fn bars(comparison: &Comparison, rows: &[&Row]) -> String {
    const BAR: f64 = 22.0;
    let most = rows.iter().map(|row| row.max).fold(f64::EPSILON, f64::max);
    let height = BAR * rows.len() as f64;
    let mut svg = format!(
        "<h3>{}</h3>\n<svg viewBox=\"0 0 {WIDTH} {height}\">",
        escape(rows[0].metric)
    );
    for (row, at) in rows.iter().zip(0u32..) {
        let y = BAR * f64::from(at);
        let length = row.median / most * (WIDTH * 0.6);
        let color = color_of(comparison, &row.broker);
        let text = format!("{} {}", row.broker, row.figure());
        svg.push_str(&format!(
            "<rect x=\"0\" y=\"{y}\" width=\"{length:.1}\" height=\"18\" fill=\"{color}\"/><text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            length + 6.0,
            y + 13.0,
            escape(&text)
        ));
    }
    svg.push_str("</svg>\n");
    for row in rows.iter().filter(|row| !row.fractions.is_empty()) {
        let text = format!("{}: {}", row.broker, row.of_machine());
        svg.push_str(&format!("<p class=\"machine\">{}</p>\n", escape(&text)));
    }
    svg
}

/// What the machine itself can do, as it was measured before the rounds.
fn yardstick(machine: &Yardstick) -> String {
    let rows = machine.rows().into_iter().map(|(name, text)| {
        format!(
            "<tr><td>{}</td><td>{}</td></tr>\n",
            escape(&name),
            escape(&text)
        )
    });
    format!(
        "<h2>The machine itself</h2>\n<table>\n{}</table>\n",
        rows.collect::<String>()
    )
}

/// A run's points, as pairs of what is drawn.
type Points = dyn Fn(&Value) -> Vec<(f64, f64)>;

fn over_time(side: &Value) -> Vec<(f64, f64)> {
    let series = side["series"].as_array().into_iter().flatten();
    series
        .filter_map(|point| Some((point["second"].as_f64()?, point["mb"].as_f64()?)))
        .collect()
}

fn percentiles(side: &Value) -> Vec<(f64, f64)> {
    let pairs = side["latency_ms"]["distribution"]
        .as_array()
        .into_iter()
        .flatten();
    let pairs = pairs.filter_map(|pair| Some((pair[0].as_f64()?, pair[1].as_f64()?)));
    // 0 for the median's tenfold, 1 for p90, 2 for p99, and so on.
    let drawn = pairs.filter(|(percentile, _)| *percentile < 100.0);
    drawn
        .map(|(percentile, ms)| (-(1.0 - percentile / 100.0).log10(), ms.max(0.001).log10()))
        .collect()
}

/// One line for each run.
fn lines(
    comparison: &Comparison,
    runs: &[&Run],
    side: &str,
    title: &str,
    points: &Points,
) -> String {
    let drawn: Vec<(&str, Vec<(f64, f64)>)> = runs
        .iter()
        .map(|run| (color_of(comparison, &run.broker), points(&run.report[side])))
        .filter(|(_, points)| points.len() > 1)
        .collect();
    let all = || drawn.iter().flat_map(|(_, points)| points.iter().copied());
    if all().next().is_none() {
        return String::new();
    }
    let (left, right) = bounds(all().map(|(x, _)| x));
    let (low, high) = bounds(all().map(|(_, y)| y));
    let mut svg = format!(
        "<h3>{side}: {title}</h3>\n<svg viewBox=\"-2 -2 {} {}\">",
        WIDTH + 4.0,
        HEIGHT + 4.0
    );
    svg.push_str(&format!(
        "<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"none\" stroke=\"#888\"/>"
    ));
    for (color, points) in &drawn {
        let scaled = points.iter().map(|(x, y)| {
            let x = (x - left) / (right - left) * WIDTH;
            let y = HEIGHT - (y - low) / (high - low) * HEIGHT;
            format!("{x:.1},{y:.1} ")
        });
        let scaled: String = scaled.collect();
        svg.push_str(&format!(
            "<polyline points=\"{scaled}\" fill=\"none\" stroke=\"{color}\"/>"
        ));
    }
    svg.push_str(&format!(
        "<text x=\"4\" y=\"14\">{high:.2}</text><text x=\"4\" y=\"{:.1}\">{low:.2}</text></svg>\n",
        HEIGHT - 4.0
    ));
    svg
}

/// The least and the greatest, never equal.
fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let start = (f64::INFINITY, f64::NEG_INFINITY);
    let (low, high) = values.fold(start, |(low, high), value| {
        (low.min(value), high.max(value))
    });
    (low.min(0.0), high.max(low.min(0.0) + 1e-9))
}

fn escape(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_users_write_stays_text() {
        assert_eq!(
            escape("<a href=\"x\">&"),
            "&lt;a href=&quot;x&quot;&gt;&amp;"
        );
    }

    #[test]
    fn bounds_can_be_divided_by() {
        let (low, high) = bounds([5.0, 5.0].into_iter());
        assert!(high > low);
        let (low, high) = bounds([0.0].into_iter());
        assert!(high > low);
    }
}
