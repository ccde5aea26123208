//! Lines over the last few minutes, as SVG.

use std::fmt::Write as _;

use super::{bytes, percent};
use crate::moments::Point;

/// The drawing area of a chart, with room for half a line's width around it.
const WIDTH: f64 = 240.0;
const HEIGHT: f64 = 60.0;
const MARGIN: f64 = 1.0;

/// Shards that have a line of their own in the chart of busy shares.
const LINES_MAX: usize = 64;

/// Adds all charts.
pub(super) fn charts(to: &mut String, points: &[Point]) {
    let column = |of: fn(&Point) -> f64| points.iter().map(of).collect::<Vec<f64>>();
    let per_second = |value: f64| format!("{}/s", bytes(value));
    chart(
        to,
        "Bytes in",
        &[column(|it| it.bytes_in)],
        None,
        per_second,
    );
    chart(
        to,
        "Bytes out",
        &[column(|it| it.bytes_out)],
        None,
        per_second,
    );
    let requests = column(|it| it.requests);
    chart(to, "Requests", &[requests], None, |it| format!("{it:.0}/s"));
    let shards = points.last().map_or(0, |it| it.busy.len()).min(LINES_MAX);
    let of_shard = |shard: usize| {
        let busy = points.iter();
        busy.map(|it| it.busy.get(shard).copied().flatten().unwrap_or(0.0))
            .collect()
    };
    let busy: Vec<Vec<f64>> = (0..shards).map(of_shard).collect();
    chart(to, "Busiest shard", &busy, Some(1.0), percent);
}

/// Adds a chart with a line for each series. Its scale ends at `top`, or at the highest value.
fn chart(
    to: &mut String,
    title: &str,
    series: &[Vec<f64>],
    top: Option<f64>,
    show: impl Fn(f64) -> String,
) {
    let highest = series.iter().flatten().copied().fold(0.0, f64::max);
    let top = top.unwrap_or(highest).max(f64::MIN_POSITIVE);
    let last = series.iter().filter_map(|it| it.last().copied());
    let last = last.fold(0.0, f64::max);
    let mut add = |what: std::fmt::Arguments<'_>| to.write_fmt(what).expect("text takes text");
    let (now, most) = (show(last), show(highest));
    let caption = format!("<figcaption>{title} <b>{now}</b> <i>most {most}</i></figcaption>");
    let (width, height) = (WIDTH + 2.0 * MARGIN, HEIGHT + 2.0 * MARGIN);
    add(format_args!(
        "<figure>{caption}<svg viewBox=\"-{MARGIN} -{MARGIN} {width} {height}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{title}\">"
    ));
    for line in series {
        add(format_args!("<polyline points=\""));
        let right = line.len().saturating_sub(1).max(1);
        for (index, value) in line.iter().enumerate() {
            let x = WIDTH * fraction(index, right);
            let y = HEIGHT - HEIGHT * (value / top).clamp(0.0, 1.0);
            add(format_args!("{x:.1},{y:.1} "));
        }
        add(format_args!("\"/>"));
    }
    add(format_args!("</svg></figure>"));
}

#[expect(clippy::cast_precision_loss, reason = "there are some hundred points")]
fn fraction(index: usize, of: usize) -> f64 {
    index as f64 / of as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_from_the_left_to_the_right_and_its_highest_point_is_at_the_top() {
        let mut svg = String::new();
        let line = vec![0.0, 5.0, 10.0];
        chart(&mut svg, "X", &[line], None, |it| format!("{it}"));
        assert!(
            svg.contains("points=\"0.0,60.0 120.0,30.0 240.0,0.0 \""),
            "{svg}"
        );
        assert!(svg.contains("X <b>10</b> <i>most 10</i>"), "{svg}");
    }

    #[test]
    fn no_points_are_no_line() {
        let mut svg = String::new();
        charts(&mut svg, &[]);
        assert_eq!(svg.matches("<figure>").count(), 4);
        assert!(!svg.contains("NaN"), "{svg}");
    }
}
