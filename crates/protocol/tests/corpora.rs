//! The checks of the fuzz targets over their committed corpora, and over the frames of real clients.

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

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn requests() {
    assert!(run(&root().join("fuzz/corpus/request"), targets::request) > 0);
    assert!(run(&root().join("../../tests/golden"), targets::request) > 100);
}

#[test]
fn responses() {
    assert!(run(&root().join("fuzz/corpus/response"), targets::response) > 0);
}

#[test]
fn data() {
    assert!(run(&root().join("fuzz/corpus/data"), targets::data) > 0);
}
