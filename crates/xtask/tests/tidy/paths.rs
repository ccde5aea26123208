//! Nothing in the tree knows where somebody's machine keeps things, and decision records are numbered in a row.

use std::path::Path;

use crate::assert_none;
use crate::tree::{TreeFile, files, root};

/// Where people keep their work trees; no file of a service lies there.
const PERSONAL_FOLDERS: [&str; 4] = ["home", "root", "Users", "work"];
const ADR_FOLDER: &str = "docs/adr/";

fn machine_paths(files: &[TreeFile], work_tree: &Path) -> Vec<String> {
    let mut needles: Vec<String> = PERSONAL_FOLDERS
        .iter()
        .map(|folder| format!("/{folder}/"))
        .collect();
    needles.push(work_tree.display().to_string());
    let mut violations = Vec::new();
    for file in files {
        for (index, line) in file.text.iter().flat_map(|text| text.lines()).enumerate() {
            if needles.iter().any(|needle| has_absolute(line, needle)) {
                violations.push(format!("{}:{}: {}", file.path, index + 1, line.trim()));
            }
        }
    }
    violations
}

/// Whether `path` stands in `line` as the beginning of a path and not within one.
fn has_absolute(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        !before.is_some_and(|it| it.is_alphanumeric() || "._-/}*$~".contains(it))
    })
}

/// The numbers of the decision records that are missing or given twice.
fn misnumbered(paths: &[&str]) -> Vec<String> {
    let mut numbers: Vec<&str> = paths
        .iter()
        .filter_map(|path| path.strip_prefix(ADR_FOLDER))
        .filter(|name| name.ends_with(".md") && !name.contains('/') && *name != "README.md")
        .map(|name| name.split('-').next().unwrap_or(name))
        .collect();
    numbers.sort_unstable();
    let expected = (1..).map(|number| format!("{number:04}"));
    let pairs = numbers.iter().zip(expected);
    pairs
        .filter(|(found, expected)| **found != expected.as_str())
        .map(|(found, expected)| format!("{ADR_FOLDER}{found} where {expected} should follow"))
        .collect()
}

#[test]
fn no_file_names_a_path_of_some_machine() {
    assert_none(
        "absolute paths of a machine",
        &machine_paths(&files(), &root()),
    );
}

#[test]
fn decision_records_are_numbered_without_gaps() {
    let files = files();
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    assert_none("decision records", &misnumbered(&paths));
}

#[test]
fn a_path_of_a_machine_is_found() {
    let file = |text: String| TreeFile {
        path: "run.sh".to_owned(),
        text: Some(text),
    };
    let home = format!("cd \"/{}/me/logan\"", PERSONAL_FOLDERS[0]);
    let here = "cat /srv/checkout/target/log".to_owned();
    let relative = format!("ls docs/{}/me", PERSONAL_FOLDERS[0]);
    let found = machine_paths(
        &[file(home), file(here), file(relative)],
        Path::new("/srv/checkout"),
    );
    assert_eq!(found.len(), 2, "{found:?}");
}

#[test]
fn a_gap_and_a_double_number_are_found() {
    let of = |names: &[&str]| -> Vec<String> {
        let paths: Vec<String> = names
            .iter()
            .map(|name| format!("{ADR_FOLDER}{name}"))
            .collect();
        misnumbered(&paths.iter().map(String::as_str).collect::<Vec<_>>())
    };
    assert!(of(&["0002-b.md", "0001-a.md", "measurements/src/lib.rs"]).is_empty());
    assert_eq!(
        of(&["0001-a.md", "0003-c.md"]),
        ["docs/adr/0003 where 0002 should follow"]
    );
    assert_eq!(
        of(&["0001-a.md", "0001-b.md"]),
        ["docs/adr/0001 where 0002 should follow"]
    );
}
