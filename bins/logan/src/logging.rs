//! What is logged, and how.
//!
//! Lines go to standard error: readable ones, or with `LOGAN_LOG_FORMAT=json` an object each. Under systemd, which notes the
//! time of each line itself, readable lines have none. `LOGAN_LOG` says what is logged, and can be changed while the broker
//! runs.

use std::io::IsTerminal as _;

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

/// What is logged where nothing is said.
const DEFAULT: &str = "info";

/// Changes what is logged.
#[derive(Clone)]
pub(crate) struct Levels(reload::Handle<EnvFilter, Registry>);

impl Levels {
    /// What is logged now.
    pub(crate) fn filter(&self) -> String {
        let filter = self.0.with_current(ToString::to_string);
        filter.unwrap_or_else(|_gone| DEFAULT.to_owned())
    }

    /// Logs something else from now on.
    ///
    /// # Errors
    /// What is wrong with the filter.
    pub(crate) fn set(&self, filter: &str) -> Result<(), String> {
        let parsed = EnvFilter::try_new(filter).map_err(|error| error.to_string())?;
        let before = self.filter();
        self.0.reload(parsed).map_err(|error| error.to_string())?;
        // Whoever reads the log has to know why it changes; with a filter that lets this pass.
        tracing::warn!(
            before,
            now = filter,
            "other log lines are written from here on"
        );
        Ok(())
    }
}

/// Begins to log.
pub(crate) fn begin() -> Levels {
    let filter = EnvFilter::try_from_env("LOGAN_LOG").unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    let (filter, handle) = reload::Layer::new(filter);
    let is_json = std::env::var("LOGAN_LOG_FORMAT").is_ok_and(|it| it == "json");
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines: Box<dyn Layer<_> + Send + Sync> = if is_json {
        Box::new(lines.json().flatten_event(true))
    } else {
        let has_colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let lines = lines.with_ansi(has_colours);
        if std::env::var_os("JOURNAL_STREAM").is_some() {
            Box::new(lines.without_time())
        } else {
            Box::new(lines)
        }
    };
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .init();
    Levels(handle)
}
