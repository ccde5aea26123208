//! What a panic does to the process.
//!
//! A panic inside [`io::contain`] is caught there and ends one connection. Any other panic of a shard may have left a
//! log, shard state or a coordinator half-changed, and a panic of the router or the watchdog leaves the broker deaf
//! or blind: those end the process, so that recovery starts from what is on disk.

use std::cell::Cell;
use std::io::Write as _;
use std::panic::{self, PanicHookInfo};
use std::sync::OnceLock;

use crate::recorder::{Recorder, dump_at_the_end};

/// The exit code after a panic: `EX_SOFTWARE` of sysexits.h, an internal software error.
pub const EXIT_CODE_PANIC: i32 = 70;

thread_local! {
    static ROLE: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// Who writes the last words of the process, and waits a little until they are out.
type LastWords = Box<dyn Fn(&str) + Send + Sync>;

static LAST_WORDS: OnceLock<LastWords> = OnceLock::new();

/// Has `tell` write the last words of a process that a panic ends, instead of a write to standard error that may wait for ever.
/// It is called on the thread that panicked, and must return soon. The first one counts.
pub fn on_fatal_panic(tell: impl Fn(&str) + Send + Sync + 'static) {
    LAST_WORDS.get_or_init(|| Box::new(tell));
}

/// Marks this thread as one that the broker cannot go on without.
pub(crate) fn mark_vital(role: &'static str) {
    ROLE.set(Some(role));
}

/// Installs the panic hook, once, with the recorder that is dumped then; the hook that was there before still runs first.
pub(crate) fn install_hook(recorder: &Recorder) {
    static INSTALLED: OnceLock<Recorder> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let previous = panic::take_hook();
        let dumped = recorder.clone();
        panic::set_hook(Box::new(move |info| {
            previous(info);
            on_panic(info, &dumped);
        }));
        recorder.clone()
    });
}

#[expect(
    clippy::exit,
    reason = "after such a panic nothing in the process can be trusted"
)]
fn on_panic(info: &PanicHookInfo<'_>, recorder: &Recorder) {
    let Some(role) = ROLE.get() else {
        return;
    };
    if io::contain::is_contained() {
        return;
    }
    let place = info
        .location()
        .map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    let message = info.payload_as_str().unwrap_or("a panic without a message");
    // The process ends whether or not anybody reads this.
    let words = format!(
        "fatal: {role} panicked at {place}: {message}. What is in memory can no longer be trusted, so the broker \
         stops; acknowledged records are on disk and are recovered by the next start. Please report this."
    );
    let tell = |words: &str| match LAST_WORDS.get() {
        Some(tell) => tell(words),
        None => drop(writeln!(std::io::stderr(), "{words}")),
    };
    tell(&words);
    let detail = format!("{role} panicked at {place}: {message}");
    if let Some(path) = dump_at_the_end(recorder, detail) {
        let path = path.display();
        tell(&format!(
            "What the shards did before is written down in {path}."
        ));
    }
    std::process::exit(EXIT_CODE_PANIC);
}
