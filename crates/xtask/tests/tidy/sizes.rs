//! Hand-written files stay under [`LINES_MAX`] lines, in whatever language.

use crate::assert_none;
use crate::tree::{TreeFile, files};

/// A hand-written file has fewer lines than this.
const LINES_MAX: usize = 600;

/// Folders whose content a program wrote.
const WRITTEN_BY_PROGRAMS: [&str; 3] = [
    "crates/protocol/src/generated/",
    "crates/protocol/schema/",
    "tests/golden/",
];
/// Files that a tool keeps.
const LOCKS: [&str; 3] = ["Cargo.lock", "package-lock.json", "go.sum"];
/// Folders of recorded output, at any depth.
const RECORDED: [&str; 3] = ["/results/", "/corpus/", "/proptest-regressions/"];

fn is_hand_written(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    !WRITTEN_BY_PROGRAMS
        .iter()
        .any(|folder| path.starts_with(folder))
        && !LOCKS.contains(&name)
        && !RECORDED.iter().any(|folder| path.contains(folder))
}

fn too_long(files: &[TreeFile]) -> Vec<String> {
    let hand_written = files.iter().filter(|file| is_hand_written(&file.path));
    hand_written
        .filter_map(|file| {
            let lines = file.text.as_ref()?.lines().count();
            (lines >= LINES_MAX).then(|| format!("{}: {lines} lines", file.path))
        })
        .collect()
}

#[test]
fn hand_written_files_are_short() {
    assert_none(&format!("{LINES_MAX} lines or more"), &too_long(&files()));
}

#[test]
fn a_long_file_is_found_unless_a_program_wrote_it() {
    let file = |path: &str, lines: usize| TreeFile {
        path: path.to_owned(),
        text: Some("a line\n".repeat(lines)),
    };
    let files = [
        file("crates/broker/src/lib.rs", LINES_MAX - 1),
        file("tests/clients/main.py", LINES_MAX),
        file("crates/protocol/src/generated/mod.rs", LINES_MAX),
        file("tests/clients/go.sum", LINES_MAX),
        file("benches/results/run.txt", LINES_MAX),
    ];
    assert_eq!(too_long(&files), ["tests/clients/main.py: 600 lines"]);
}
