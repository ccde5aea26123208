//! What a panic does to the process.
//!
//! A panic inside [`io::contain`] is caught there and ends one connection. Any other panic of a shard may have left a
//! log, shard state or a coordinator half-changed, and a panic of the router or the watchdog leaves the broker deaf
//! or blind: those end the process, so that recovery starts from what is on disk.

use std::cell::Cell;
use std::io::Write as _;
use std::panic::{self, PanicHookInfo};
use std::sync::{Once, OnceLock};

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

/// Installs the panic hook, once; the hook that was there before still runs first.
pub(crate) fn install_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            previous(info);
            on_panic(info);
        }));
    });
}

#[expect(
    clippy::exit,
    reason = "after such a panic nothing in the process can be trusted"
)]
fn on_panic(info: &PanicHookInfo<'_>) {
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
    match LAST_WORDS.get() {
        Some(tell) => tell(&words),
        None => drop(writeln!(std::io::stderr(), "{words}")),
    }
    std::process::exit(EXIT_CODE_PANIC);
}
