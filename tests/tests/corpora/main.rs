//! The checks of the fuzz targets of the whole over their committed corpora.
//!
//! With `LOGAN_FUZZ_SECONDS` set it goes on for so long with inputs that are changed by chance: a search without coverage, for
//! where cargo-fuzz is not at hand (`LOGAN_FUZZ_SEED` repeats one). An input that panics is written to the directory for
//! temporary files, and named.
//!
//! One test: what an input makes the code allocate is counted for the whole process.

#![expect(clippy::print_stderr, reason = "a search says what it has done")]

#[path = "../../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "the fuzz targets are another crate")]
mod targets;

use std::fs;
use std::panic;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tests::{Chance, number_from_environment};

type Check = fn(&[u8]);

const TARGETS: [(&str, Check); 10] = [
    ("admin", targets::admin),
    ("client", targets::client),
    ("connection", targets::connection),
    ("directory", targets::directory),
    ("files", targets::files),
    ("groups", targets::groups),
    ("log", targets::log),
    ("machine", targets::machine),
    ("metadata", targets::metadata),
    ("server_properties", targets::server_properties),
];

/// Changes of one input.
const CHANGES_MAX: u64 = 6;

/// How many panics there were. The broker contains those of requests; here they count all the same.
static PANICS: AtomicUsize = AtomicUsize::new(0);
/// The input that is looked at.
static CURRENT: Mutex<(&str, Vec<u8>)> = Mutex::new(("", Vec::new()));

/// The inputs that are committed for a target.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let inputs = fs::read_dir(folder).expect("the folder is committed");
    let inputs = inputs.map(|input| {
        let path = input.expect("a readable folder").path();
        fs::read(&path).expect("a readable file")
    });
    inputs.collect()
}

fn run(target: &'static str, check: Check, input: &[u8]) {
    *CURRENT.lock().unwrap_or_else(PoisonError::into_inner) = (target, input.to_vec());
    check(input);
    assert_eq!(PANICS.load(Ordering::Relaxed), 0, "{target}");
}

/// Keeps the input of a panic.
fn keep() {
    let current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
    let name = format!("logan-{}-{}", current.0, std::process::id());
    let path = std::env::temp_dir().join(name);
    if fs::write(&path, &current.1).is_ok() {
        eprintln!("the input is in {}", path.display());
    }
}

/// An input that is a little different from one of the corpus.
fn changed(chance: &mut Chance, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut below = |end: usize| {
        let end = u64::try_from(end.max(1)).expect("64 bits");
        usize::try_from(chance.below(end)).expect("64 bits")
    };
    let mut input = corpus[below(corpus.len())].clone();
    let changes = below(usize::try_from(CHANGES_MAX).expect("small")) + 1;
    for _ in 0..changes {
        let at = below(input.len() + 1);
        let byte = u8::try_from(below(256)).expect("below 256");
        match below(6) {
            0 => input.insert(at, byte),
            1 => input.truncate(at),
            2 => {
                let end = (at + below(16)).min(input.len());
                input.drain(at..end);
            }
            3 => {
                let other = &corpus[below(corpus.len())];
                let start = below(other.len());
                let end = (start + below(64)).min(other.len());
                input.splice(at..at, other[start..end].iter().copied());
            }
            _ => {
                if let Some(old) = input.get_mut(at) {
                    *old = match below(3) {
                        0 => *old ^ (1 << (byte & 7)),
                        1 => [0, 1, 0x7f, 0x80, 0xff][below(5)],
                        _ => byte,
                    };
                }
            }
        }
    }
    input
}

/// Looks at changed inputs of all targets in turn.
fn search(span: Duration) {
    let (mut chance, seed) = Chance::from_environment("LOGAN_FUZZ_SEED");
    eprintln!("LOGAN_FUZZ_SEED={seed}");
    let corpora = TARGETS.map(|(target, _)| corpus(target));
    let mut counts = [0_u64; TARGETS.len()];
    let until = Instant::now() + span;
    while Instant::now() < until {
        for (number, (target, check)) in TARGETS.into_iter().enumerate() {
            run(target, check, &changed(&mut chance, &corpora[number]));
            counts[number] += 1;
        }
    }
    for ((target, _), count) in TARGETS.into_iter().zip(counts) {
        eprintln!("{target}: {count} inputs");
    }
}

#[test]
fn every_committed_input_is_taken() {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if PANICS.fetch_add(1, Ordering::Relaxed) == 0 {
            keep();
        }
        report(info);
    }));
    for (target, check) in TARGETS {
        let corpus = corpus(target);
        assert!(!corpus.is_empty(), "{target}");
        for input in corpus {
            run(target, check, &input);
        }
    }
    if let Some(seconds) = number_from_environment("LOGAN_FUZZ_SECONDS") {
        search(Duration::from_secs(seconds));
    }
}
