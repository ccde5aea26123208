//! What becomes of the figures. Plain decisions: a value other than the built-in one is taken only where every round with it was
//! better than every round without, and by a tenth at least.

use serde::Serialize;

/// What is built in: the default of `logan.disk.write.bytes`.
pub(super) const WRITE_BYTES: usize = 256 << 10;

/// What is built in: the default of `logan.disk.commit.window.us`.
pub(super) const WINDOW_US: u64 = 500;

/// How much better something else must be to be taken.
const BETTER: f64 = 1.1;

/// How much worse it may be in what it is not taken for.
const AS_GOOD: f64 = 0.95;

/// A largest write, and the megabytes that were durable in a second with it, by rounds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Size {
    pub(super) write_bytes: usize,
    pub(super) mb_per_second: Vec<f64>,
}

/// A window, and what a log made of it, by rounds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Window {
    pub(super) window_us: u64,
    /// The time from when a batch was due until it was durable, at a rate that leaves the disk time.
    pub(super) p50_ms: Vec<f64>,
    pub(super) p99_ms: Vec<f64>,
    /// What is durable in a second when batches come as fast as they are taken.
    pub(super) mb_per_second: Vec<f64>,
}

/// A value, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Choice {
    pub(super) key: &'static str,
    pub(super) value: u64,
    pub(super) built_in: u64,
    pub(super) reason: String,
}

/// The largest write.
pub(super) fn write_bytes(sizes: &[Size]) -> Choice {
    let built_in = sizes.iter().find(|it| it.write_bytes == WRITE_BYTES);
    let better = sizes.iter().filter(|size| {
        built_in.is_some_and(|known| is_clearly_more(&size.mb_per_second, &known.mb_per_second))
    });
    let best = better.max_by(|a, b| median(&a.mb_per_second).total_cmp(&median(&b.mb_per_second)));
    let (value, reason) = match (best, built_in) {
        (Some(best), Some(known)) => (
            best.write_bytes,
            format!(
                "{:.0} instead of {:.0} MB/s are durable with it",
                median(&best.mb_per_second),
                median(&known.mb_per_second)
            ),
        ),
        _ => (WRITE_BYTES, "no other size was clearly faster".to_owned()),
    };
    Choice {
        key: "logan.disk.write.bytes",
        value: value as u64,
        built_in: WRITE_BYTES as u64,
        reason,
    }
}

/// The time that a commit waits for more.
pub(super) fn window(windows: &[Window]) -> Choice {
    let built_in = windows.iter().find(|it| it.window_us == WINDOW_US);
    let mut best: Option<(&Window, String)> = None;
    for window in windows {
        let Some(reason) = built_in.and_then(|known| advantage(window, known)) else {
            continue;
        };
        let is_best = best
            .as_ref()
            .is_none_or(|(best, _)| median(&window.p99_ms) < median(&best.p99_ms));
        if is_best {
            best = Some((window, reason));
        }
    }
    let (value, reason) = match best {
        Some((best, reason)) => (best.window_us, reason),
        None => (WINDOW_US, "no other window was clearly better".to_owned()),
    };
    Choice {
        key: "logan.disk.commit.window.us",
        value,
        built_in: WINDOW_US,
        reason,
    }
}

/// What a window is better in than the built-in one, if it is not worse in the rest.
fn advantage(window: &Window, known: &Window) -> Option<String> {
    let (latency, known_latency) = (median(&window.p99_ms), median(&known.p99_ms));
    let (speed, known_speed) = (median(&window.mb_per_second), median(&known.mb_per_second));
    if is_clearly_more(&known.p99_ms, &window.p99_ms) && speed >= known_speed * AS_GOOD {
        return Some(format!(
            "99 of 100 batches are durable within {latency:.2} instead of {known_latency:.2} ms"
        ));
    }
    let is_faster = is_clearly_more(&window.mb_per_second, &known.mb_per_second);
    (is_faster && latency * AS_GOOD <= known_latency)
        .then(|| format!("{speed:.0} instead of {known_speed:.0} MB/s are durable with it"))
}

/// Whether every one of `these` is more than all of `those`, and the middle one by a tenth.
fn is_clearly_more(these: &[f64], those: &[f64]) -> bool {
    let least = these.iter().copied().fold(f64::INFINITY, f64::min);
    let most = those.iter().copied().fold(0.0, f64::max);
    !these.is_empty()
        && !those.is_empty()
        && least > most
        && median(these) >= median(those) * BETTER
}

/// The middle value; 0 of none.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(write_bytes: usize, rounds: [f64; 3]) -> Size {
        Size {
            write_bytes,
            mb_per_second: rounds.to_vec(),
        }
    }

    fn window_of(window_us: u64, p99_ms: [f64; 3], mb_per_second: [f64; 3]) -> Window {
        Window {
            window_us,
            p50_ms: vec![0.1; 3],
            p99_ms: p99_ms.to_vec(),
            mb_per_second: mb_per_second.to_vec(),
        }
    }

    #[test]
    fn another_size_is_taken_only_if_it_is_faster_in_every_round() {
        let known = size(WRITE_BYTES, [100.0, 110.0, 105.0]);
        let slower = size(64 << 10, [99.0, 300.0, 400.0]);
        let little = size(16 << 10, [111.0, 112.0, 113.0]);
        let choice = write_bytes(&[slower.clone(), little.clone(), known.clone()]);
        assert_eq!((choice.value, choice.built_in), (262_144, 262_144));
        let faster = size(1 << 20, [130.0, 120.0, 125.0]);
        let choice = write_bytes(&[slower, little, known, faster]);
        assert_eq!(choice.value, 1 << 20);
        assert_eq!(choice.reason, "125 instead of 105 MB/s are durable with it");
    }

    #[test]
    fn a_window_wins_by_latency_or_by_speed_and_loses_neither() {
        let speed = [200.0, 210.0, 205.0];
        let known = window_of(WINDOW_US, [2.0, 2.2, 2.1], speed);
        let choice = |other: Window| window(&[other, known.clone()]).value;
        assert_eq!(choice(window_of(0, [1.0, 1.5, 1.2], speed)), 0);
        assert_eq!(
            choice(window_of(0, [1.0, 1.5, 2.1], speed)),
            WINDOW_US,
            "once it was not"
        );
        assert_eq!(
            choice(window_of(0, [1.0, 1.5, 1.2], [100.0; 3])),
            WINDOW_US,
            "it costs speed"
        );
        assert_eq!(choice(window_of(2000, [2.0, 2.2, 2.1], [300.0; 3])), 2000);
        assert_eq!(
            choice(window_of(2000, [3.0, 3.2, 3.1], [300.0; 3])),
            WINDOW_US,
            "it costs time"
        );
    }

    #[test]
    fn without_figures_everything_stays() {
        assert_eq!(write_bytes(&[]).value, WRITE_BYTES as u64);
        assert_eq!(window(&[]).value, WINDOW_US);
        assert!(median(&[]).abs() < f64::EPSILON);
    }
}
