//! A bar on standard error while a run takes place, where somebody watches.

use std::time::Duration;

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};

/// The progress of a run.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Of a run of this length, or of unknown length. It draws nothing where standard error is no terminal.
    pub(crate) fn new(length: Option<Duration>) -> Self {
        let total = length.map(|length| u64::try_from(length.as_millis()).unwrap_or(u64::MAX));
        let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
        let template = match total {
            Some(_) => "{wide_bar} {msg}, {eta} left",
            None => "{spinner} {msg} in {elapsed}",
        };
        let style = ProgressStyle::with_template(template);
        bar.set_style(style.expect("the templates above are well-formed"));
        Self { bar }
    }

    /// Moves the bar.
    pub(crate) fn update(&self, elapsed: Duration, records: u64, bytes: u64) {
        let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        let rate = HumanBytes(bytes.saturating_mul(1000) / millis.max(1));
        let text = format!("{} records at {rate}/s", HumanCount(records));
        self.bar.set_message(text);
        if self.bar.length().is_some() {
            self.bar.set_position(millis);
        } else {
            self.bar.tick();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
