//! The top level holds what it is agreed to hold, and files that tools look for there.

use std::collections::BTreeSet;

use crate::assert_none;
use crate::tree::files;

const REQUIRED: [&str; 12] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "benches",
    "bins",
    "crates",
    "deploy",
    "docs",
    "tests",
];
const TOOL_FILES: [&str; 10] = [
    ".cargo",
    ".ci",
    ".config",
    ".editorconfig",
    ".gitattributes",
    ".gitignore",
    "Cargo.lock",
    "clippy.toml",
    "deny.toml",
    "rust-toolchain.toml",
];

fn differences(paths: impl Iterator<Item = String>) -> Vec<String> {
    let found: BTreeSet<String> = paths
        .filter_map(|path| path.split('/').next().map(str::to_owned))
        .collect();
    let missing = REQUIRED.iter().filter(|name| !found.contains(**name));
    let strange = found
        .iter()
        .filter(|name| !REQUIRED.contains(&name.as_str()) && !TOOL_FILES.contains(&name.as_str()));
    let missing = missing.map(|name| format!("{name} is missing"));
    missing
        .chain(strange.map(|name| format!("{name} does not belong there")))
        .collect()
}

#[test]
fn the_top_level_is_as_agreed() {
    assert_none(
        "the top level",
        &differences(files().into_iter().map(|file| file.path)),
    );
}

#[test]
fn a_missing_and_a_strange_entry_are_found() {
    let names = REQUIRED
        .iter()
        .filter(|name| **name != "docs")
        .map(|name| format!("{name}/file"));
    let names = names.chain(["notes.txt".to_owned(), ".gitignore".to_owned()]);
    assert_eq!(
        differences(names),
        ["docs is missing", "notes.txt does not belong there"]
    );
}
