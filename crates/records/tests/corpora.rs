//! The checks of the fuzz targets over their committed corpora.

#[path = "../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "the fuzz targets are another crate")]
mod targets;

use std::fs;
use std::path::Path;

/// Runs a check over every file below a folder; how many there were.
fn run(folder: &Path, check: fn(&[u8])) -> usize {
    let entries = fs::read_dir(folder).expect("the folder is committed");
    let each = entries.map(|entry| {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            return run(&path, check);
        }
        check(&fs::read(&path).expect("a readable file"));
        1
    });
    each.sum()
}

fn run_corpus(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    assert!(run(&folder, check) > 0, "{target}");
}

#[test]
fn validate() {
    run_corpus("validate", targets::validate);
}

#[test]
fn decompress() {
    run_corpus("decompress", targets::decompress);
}

#[test]
fn walk() {
    run_corpus("walk", targets::walk);
}
