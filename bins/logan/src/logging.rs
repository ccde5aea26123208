//! What is logged, and how.
//!
//! Lines go to standard error: readable ones, or with `LOGAN_LOG_FORMAT=json` an object each. In systemd's journal, which notes
//! the time of each line itself, they have none, but begin with their priority, which the journal takes off and
//! `journalctl -p warning` asks for. `LOGAN_LOG` says what is logged, and can be changed while the broker runs.
//!
//! Nobody who logs waits: see `log_lines`. The process's last words, and those of a panic, go the same way.
//!
//! Source: sd-daemon(3) for the priorities, systemd.exec(5) for `JOURNAL_STREAM`.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::env::VarError;
use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::panic::{self, PanicHookInfo};

use tracing::{Level, Metadata};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use crate::log_lines::Lines;

/// What is logged where nothing is said.
const DEFAULT: &str = "info";
/// Says what is logged.
const FILTER: &str = "LOGAN_LOG";
/// Says how.
const FORMAT: &str = "LOGAN_LOG_FORMAT";
/// Modules whose errors an operator has to see.
const VITAL: [&str; 4] = ["broker", "logan", "runtime", "storage"];

/// The log of this process.
#[derive(Clone)]
pub(crate) struct Log {
    levels: reload::Handle<EnvFilter, Registry>,
    style: Style,
    lines: Lines,
}

impl Log {
    /// Begins to log, as `LOGAN_LOG` and `LOGAN_LOG_FORMAT` say. From here on panics are logged, too.
    ///
    /// # Errors
    /// What is wrong with them, and what would be right; or why there can be no log.
    pub(crate) fn begin() -> Result<Self, String> {
        let wanted = variable(FILTER)?;
        let filter = wanted.as_deref().unwrap_or(DEFAULT);
        let parsed = parse(filter).map_err(|problem| format!("{FILTER}={filter}: {problem}"))?;
        let style = Style {
            has_priorities: is_journal(),
            is_json: is_json(variable(FORMAT)?.as_deref())?,
        };
        let lines = Lines::start(&io::stderr());
        let lines = lines.map_err(|error| format!("cannot begin to log: {error}"))?;
        let (layer, levels) = reload::Layer::new(EnvFilter::new(DEFAULT));
        tracing_subscriber::registry()
            .with(layer)
            .with(style.layer(&lines))
            .init();
        // While the default counts.
        warn_of_silence(filter);
        let reloaded = levels.reload(parsed);
        reloaded.map_err(|error| format!("cannot begin to log: {error}"))?;
        let log = Self {
            levels,
            style,
            lines,
        };
        let last = log.clone();
        runtime::on_fatal_panic(move |words| last.tell_at_last(words));
        panic::set_hook(Box::new(log_panic));
        Ok(log)
    }

    /// What is logged now.
    pub(crate) fn filter(&self) -> String {
        let filter = self.levels.with_current(ToString::to_string);
        filter.unwrap_or_else(|_gone| DEFAULT.to_owned())
    }

    /// Logs something else from now on.
    ///
    /// # Errors
    /// What is wrong with the filter.
    pub(crate) fn set_filter(&self, filter: &str) -> Result<(), String> {
        let parsed = parse(filter)?;
        let before = self.filter();
        let tell = || {
            tracing::warn!(
                before,
                now = filter,
                "other log lines are written from here on"
            );
        };
        // Whoever reads the log has to know why it changes, and that it falls silent; with a filter that lets this pass.
        let is_heard = tracing::enabled!(Level::WARN);
        if is_heard {
            tell();
        }
        warn_of_silence(filter);
        let reloaded = self.levels.reload(parsed);
        reloaded.map_err(|error| error.to_string())?;
        if !is_heard {
            tell();
        }
        Ok(())
    }

    /// Where lines go.
    pub(crate) fn lines(&self) -> &Lines {
        &self.lines
    }

    /// Writes the one line that a person or a script waits for to standard output, whatever is logged. A reader that stands
    /// still holds it up for a little only.
    pub(crate) fn announce(&self, line: &str) {
        // Both streams may be one terminal.
        self.lines.flush();
        match Lines::start(&io::stdout()) {
            Ok(lines) => {
                let style = Style {
                    has_priorities: false,
                    ..self.style
                };
                style.write(&lines, Level::INFO, line);
                lines.flush();
            }
            Err(error) => tracing::warn!(%error, "cannot write to standard output: {line}"),
        }
    }

    /// Writes the process's last word, whatever is logged, and waits a little until it is out.
    pub(crate) fn tell_at_last(&self, words: &str) {
        self.lines.flush();
        self.style.write(&self.lines, Level::ERROR, words);
        self.end();
    }

    /// Waits a little until all lines are out.
    pub(crate) fn end(&self) {
        self.lines.tell_dropped();
        self.lines.flush();
    }
}

/// What lines look like.
#[derive(Clone, Copy)]
struct Style {
    is_json: bool,
    has_priorities: bool,
}

impl Style {
    fn layer<S>(self, lines: &Lines) -> Box<dyn Layer<S> + Send + Sync>
    where
        S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
    {
        let writer = MakeLine {
            has_priorities: self.has_priorities,
            lines: lines.clone(),
        };
        let has_colours = !self.has_priorities
            && io::stderr().is_terminal()
            && std::env::var_os("NO_COLOR").is_none();
        let lines = tracing_subscriber::fmt::layer().with_writer(writer);
        let lines = lines.with_ansi(has_colours && !self.is_json);
        match (self.is_json, self.has_priorities) {
            (true, true) => Box::new(lines.json().flatten_event(true).without_time()),
            (true, false) => Box::new(lines.json().flatten_event(true)),
            (false, true) => Box::new(lines.without_time()),
            (false, false) => Box::new(lines),
        }
    }

    /// Writes a line that no filter holds back: bare words, or an object where all lines are.
    fn write(self, lines: &Lines, level: Level, words: &str) {
        if !self.is_json {
            let priority = self.has_priorities.then(|| priority(level));
            lines.push(with_priority(format!("{words}\n").as_bytes(), priority));
            return;
        }
        let registry = tracing_subscriber::registry().with(self.layer(lines));
        tracing::subscriber::with_default(registry, || match level {
            Level::ERROR => tracing::error!(target: "logan", "{words}"),
            _ => tracing::info!(target: "logan", "{words}"),
        });
    }
}

/// Makes a writer for each event.
struct MakeLine {
    has_priorities: bool,
    lines: Lines,
}

impl<'a> MakeWriter<'a> for MakeLine {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line {
            priority: None,
            lines: &self.lines,
        }
    }

    fn make_writer_for(&'a self, event: &Metadata<'_>) -> Line<'a> {
        Line {
            priority: self.has_priorities.then(|| priority(*event.level())),
            ..self.make_writer()
        }
    }
}

/// Takes the text of one event, in one piece.
struct Line<'a> {
    priority: Option<u8>,
    lines: &'a Lines,
}

impl io::Write for Line<'_> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.lines.push(with_priority(text, self.priority));
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A text each of whose lines begins with its priority.
fn with_priority(text: &[u8], priority: Option<u8>) -> Vec<u8> {
    let Some(priority) = priority else {
        return text.to_vec();
    };
    let prefix = [b'<', b'0' + priority, b'>'];
    let lines = text.split_inclusive(|it| *it == b'\n');
    lines
        .flat_map(|line| [&prefix[..], line].concat())
        .collect()
}

/// What syslog and the journal call a level.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

/// Levels by module.
///
/// # Errors
/// What is wrong with them; also a single word that is no level, which would be a module of which all is logged, and of all
/// others nothing.
fn parse(filter: &str) -> Result<EnvFilter, String> {
    for part in filter.split(',').map(str::trim) {
        let is_word = !part.contains(['=', '[', ':']);
        if is_word && (part.is_empty() || part.parse::<LevelFilter>().is_err()) {
            return Err(format!(
                "{part:?} is no level: there are error, warn, info, debug, trace and off, and MODULE=LEVEL such as broker::groups=debug"
            ));
        }
    }
    EnvFilter::try_new(filter).map_err(|error| {
        format!(
            "{error}; right are a level, or MODULE=LEVEL, or several of them with commas between"
        )
    })
}

/// Warns of a filter that will hide errors of the broker itself.
fn warn_of_silence(filter: &str) {
    // Filters by spans and fields are not looked through.
    let Ok(targets) = filter.parse::<Targets>() else {
        return;
    };
    let silent = VITAL
        .into_iter()
        .filter(|it| !targets.would_enable(it, &Level::ERROR));
    let silent: Vec<_> = silent.collect();
    if !silent.is_empty() {
        let modules = silent.join(", ");
        tracing::warn!(
            modules,
            filter,
            "even errors of these modules are not logged from here on: a level of its own, as in \"{filter},warn\", brings them back"
        );
    }
}

/// A variable that says something.
fn variable(name: &str) -> Result<Option<String>, String> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value).filter(|it| !it.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(value)) => Err(format!("{name}={} is no text", value.display())),
    }
}

fn is_json(format: Option<&str>) -> Result<bool, String> {
    match format {
        None | Some("text") => Ok(false),
        Some("json") => Ok(true),
        Some(other) => Err(format!(
            "{FORMAT}={other}: there is no such format; right are text and json"
        )),
    }
}

/// Whether standard error is the journal itself: the service manager says which file that is, and a child of a service whose
/// output goes elsewhere hears it, too.
fn is_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else {
        return false;
    };
    let stderr = io::stderr().as_fd().try_clone_to_owned().map(File::from);
    let here = stderr.and_then(|it| it.metadata());
    here.is_ok_and(|it| stream == format!("{}:{}", it.dev(), it.ino()))
}

/// Logs a panic as any other error, without waiting for who reads it. What it does to the process is the runtime's concern.
fn log_panic(info: &PanicHookInfo<'_>) {
    let here = std::thread::current();
    let thread = here.name().unwrap_or("unnamed");
    let place = info.location().map(|it| it as &dyn fmt::Display);
    let place = place.unwrap_or(&"an unknown place");
    let message = info.payload_as_str().unwrap_or("a panic without a message");
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        tracing::error!(thread, %place, "panic: {message}\n{backtrace}");
    } else {
        tracing::error!(thread, %place, "panic: {message}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_words_or_belong_to_modules() {
        for right in [
            "info",
            "WARN",
            "off",
            "info,broker=debug",
            "broker::groups=trace",
            "a::b",
        ] {
            assert!(parse(right).is_ok(), "{right}");
        }
        for wrong in [
            "inof",
            "",
            "info,",
            "info,debg",
            "broker=loud",
            "warn,broker",
            "foo=bar=baz",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        let refused = parse("info,broker").expect_err("a module without a level");
        assert!(refused.contains("MODULE=LEVEL"), "{refused}");
    }

    #[test]
    fn every_line_of_a_text_has_its_priority() {
        let priorities = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG].map(priority);
        assert_eq!(priorities, [3, 4, 6, 7]);
        assert_eq!(with_priority(b"one\ntwo\n", Some(4)), b"<4>one\n<4>two\n");
        assert_eq!(with_priority(b"one\n", None), b"one\n");
    }

    #[test]
    fn formats_have_names() {
        assert_eq!(is_json(None), Ok(false));
        assert_eq!(is_json(Some("json")), Ok(true));
        let refused = is_json(Some("xml")).expect_err("no such format");
        assert!(refused.contains("LOGAN_LOG_FORMAT=xml"), "{refused}");
    }
}
