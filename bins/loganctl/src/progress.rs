//! A bar on standard error for work that takes long, when somebody watches and results go elsewhere.

use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Work that is done before this needs no bar.
const SHOWN_AFTER: Duration = Duration::from_secs(1);

/// The progress of one command.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    measure: Measure,
    started: Instant,
    /// Whether a bar may appear; not where results go to the same screen.
    is_allowed: bool,
    is_shown: bool,
}

/// What the length of the bar stands for.
#[derive(Clone, Copy, Debug)]
enum Measure {
    Records,
    Bytes,
    Items,
}

impl Progress {
    /// Counts records; `total` of them if that is known.
    pub(crate) fn of_records(total: Option<u64>, is_allowed: bool) -> Self {
        Self::new(Measure::Records, total, is_allowed)
    }

    /// Counts bytes; `total` of them if that is known.
    pub(crate) fn of_bytes(total: Option<u64>, is_allowed: bool) -> Self {
        Self::new(Measure::Bytes, total, is_allowed)
    }

    /// Counts things of which little is to be said, such as partitions.
    pub(crate) fn of_items(name: &'static str, total: Option<u64>) -> Self {
        let progress = Self::new(Measure::Items, total, true);
        progress.bar.set_message(name);
        progress
    }

    fn new(measure: Measure, total: Option<u64>, is_allowed: bool) -> Self {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
        let template = match total {
            Some(_) => "{wide_bar} {msg}, {eta} left",
            None => "{spinner} {msg} in {elapsed}",
        };
        let style = ProgressStyle::with_template(template);
        bar.set_style(style.expect("the templates above are well-formed"));
        Self {
            bar,
            measure,
            started: Instant::now(),
            is_allowed,
            is_shown: false,
        }
    }

    /// Moves the bar to what has been done so far. It draws nothing where standard error is no terminal.
    pub(crate) fn update(&mut self, records: u64, bytes: u64) {
        let elapsed = self.started.elapsed();
        if !self.show(elapsed) {
            return;
        }
        let rate = HumanBytes(bytes / elapsed.as_secs().max(1));
        let done = HumanCount(records);
        self.bar.set_message(format!("{done} records at {rate}/s"));
        self.bar.set_position(match self.measure {
            Measure::Records | Measure::Items => records,
            Measure::Bytes => bytes,
        });
    }

    /// Moves the bar of items to how many are done.
    pub(crate) fn done(&mut self, items: u64) {
        if self.show(self.started.elapsed()) {
            self.bar.set_position(items);
        }
    }

    /// Whether the bar is there; it appears when the work takes long.
    fn show(&mut self, elapsed: Duration) -> bool {
        if !self.is_shown && self.is_allowed && elapsed >= SHOWN_AFTER {
            self.is_shown = true;
            // Draws on terminals only.
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.is_shown
    }

    /// Takes the bar away.
    pub(crate) fn finish(self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_can_be_made_with_and_without_a_total() {
        for total in [None, Some(0), Some(10)] {
            for mut progress in [
                Progress::of_records(total, true),
                Progress::of_bytes(total, true),
            ] {
                progress.update(3, 100);
                assert!(!progress.is_shown, "work of no length is not shown");
                progress.finish();
            }
        }
    }
}
