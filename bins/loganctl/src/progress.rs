//! A bar on standard error for work that takes long, when somebody watches and results go elsewhere.

use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Work that is done before this needs no bar.
const SHOWN_AFTER: Duration = Duration::from_secs(1);

/// The progress of one command.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    started: Instant,
    /// Whether a bar may appear; not where results go to the same screen.
    is_allowed: bool,
    is_shown: bool,
}

impl Progress {
    /// Counts records written to standard output; `total` of them if that is known.
    pub(crate) fn of_records(total: Option<u64>, is_allowed: bool) -> Self {
        Self::new(
            total,
            is_allowed,
            "{wide_bar} {human_pos}/{human_len} records, {msg}, {eta} left",
        )
    }

    /// Counts bytes of input; `total` of them if that is known.
    pub(crate) fn of_bytes(total: Option<u64>) -> Self {
        Self::new(
            total,
            true,
            "{wide_bar} {bytes}/{total_bytes}, {msg}, {eta} left",
        )
    }

    fn new(total: Option<u64>, is_allowed: bool, template: &str) -> Self {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
        let style = match total {
            Some(_) => ProgressStyle::with_template(template),
            None => ProgressStyle::with_template("{spinner} {msg}, {elapsed}"),
        };
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self {
            bar,
            started: Instant::now(),
            is_allowed,
            is_shown: false,
        }
    }

    /// Moves the bar. It draws nothing where standard error is no terminal.
    pub(crate) fn update(&mut self, position: u64, records: u64, bytes: u64) {
        let elapsed = self.started.elapsed();
        if !self.is_shown {
            if elapsed < SHOWN_AFTER || !self.is_allowed {
                return;
            }
            self.is_shown = true;
            // Draws on terminals only.
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        let rate = bytes / elapsed.as_secs().max(1);
        let records = HumanCount(records);
        let message = format!("{records} records at {}/s", HumanBytes(rate));
        self.bar.set_message(message);
        self.bar.set_position(position);
    }

    /// Takes the bar away.
    pub(crate) fn finish(self) {
        self.bar.finish_and_clear();
    }
}
