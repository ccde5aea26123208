//! What a scraper gets.

use std::time::{Duration, Instant};

use control::{ANSWER_TIME_MAX, Phase, Source};
use types::{Metric, Series};

use crate::common::{Shard, Telling, get, metrics_address, start, start_in, start_with};

#[test]
fn metrics_of_all_shards_are_told_apart() {
    let control = start(&[Some(5), Some(7)]);
    let response = get(metrics_address(&control), "/metrics");
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
    for line in [
        "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n",
        "# TYPE x_bytes counter\n",
        "x_bytes_total{shard=\"0\"} 5\n",
        "x_bytes_total{shard=\"1\"} 7\n",
        "logan_shard_up{shard=\"1\"} 1\n",
    ] {
        assert!(response.contains(line), "{line}: {response}");
    }
    let missing = get(metrics_address(&control), "/else");
    assert!(missing.starts_with("HTTP/1.1 404 "), "{missing}");
}

#[test]
fn what_is_summed_is_left_out_while_a_shard_is_silent() {
    static SUM: Metric = Metric::counter("x_sum", "A sum.").summed();
    let telling = |shard| -> Box<dyn Source> {
        let samples = vec![SUM.is(7)];
        Box::new(Telling { shard, samples })
    };
    let silent = Box::new(Shard {
        number: 1,
        bytes: None,
    });
    let start = |sources| start_with(sources, Phase::Ready, Duration::ZERO, Series::ALL);
    let whole = start(vec![telling(0), telling(1)]);
    let response = get(metrics_address(&whole), "/metrics");
    assert!(response.contains("x_sum_total 14\n"), "{response}");
    let partial = start(vec![telling(0), silent]);
    let response = get(metrics_address(&partial), "/metrics");
    assert!(
        response.contains("logan_shard_up{shard=\"1\"} 0\n"),
        "{response}"
    );
    assert!(
        !response.contains("x_sum_total"),
        "a reset, to Prometheus: {response}"
    );
}

#[test]
fn a_shard_that_hangs_is_told_of_and_hides_no_other() {
    let control = start(&[None, Some(7)]);
    let began = Instant::now();
    let response = get(metrics_address(&control), "/metrics");
    assert!(began.elapsed() >= ANSWER_TIME_MAX);
    for line in [
        "logan_shard_up{shard=\"0\"} 0\n",
        "logan_shard_up{shard=\"1\"} 1\n",
        "x_bytes_total{shard=\"1\"} 7\n",
    ] {
        assert!(response.contains(line), "{line}: {response}");
    }
}

#[test]
fn rows_are_series_unless_they_are_switched_off() {
    let control = start(&[Some(5), Some(7)]);
    let response = get(metrics_address(&control), "/metrics");
    for line in [
        "logan_topic_bytes_in_total{topic=\"<b>\"} 12\n",
        "logan_partition_size_bytes{topic=\"<b>\",partition=\"1\",shard=\"1\"} 700\n",
        "logan_group_members{group=\"g\",protocol=\"classic\",state=\"Stable\"} 3\n",
        "logan_group_lag_records{group=\"g\",topic=\"<b>\",partition=\"1\"} 6\n",
        "logan_group_committed_offset{group=\"g\",topic=\"<b>\",partition=\"7\"} 4\n",
    ] {
        assert!(response.contains(line), "{line}: {response}");
    }
    // The high watermark of a partition that is gone is not known.
    let lags = response
        .lines()
        .filter(|it| it.starts_with("logan_group_lag_records{"));
    assert_eq!(lags.count(), 2, "{response}");
    let control = start_in(&[Some(5)], Phase::Ready, Duration::ZERO, Series::default());
    let response = get(metrics_address(&control), "/metrics");
    assert!(response.contains("x_bytes_total"), "{response}");
    for name in ["logan_topic_", "logan_partition_", "logan_group_"] {
        assert!(!response.contains(name), "{name}: {response}");
    }
}
