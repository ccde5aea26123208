//! `docs/unsafe.md` lists every use of `unsafe`: by file, how many there are; and each has its argument in the code too.

use std::collections::BTreeMap;

use crate::assert_none;
use crate::tree::{MEASUREMENTS, TreeFile, files};

const DOCUMENT: &str = "docs/unsafe.md";
/// What opens a use, behind the word itself.
const FORMS: [&str; 5] = ["{", "fn ", "impl", "extern ", "trait "];
/// The marks of an argument: of a use, and of a trait or function that asks one of its users.
const MARKS: [&str; 2] = ["SAFETY:", "# Safety"];
/// Lines of a statement above the line that has the word.
const STATEMENT_LINES_MAX: usize = 2;

/// The line numbers of all uses, counted from 0.
fn uses(text: &str) -> Vec<usize> {
    let lines = text.lines().enumerate();
    let found = lines.flat_map(|(number, line)| {
        let code = line.split("//").next().unwrap_or_default();
        let uses = code.split("unsafe ").skip(1);
        let uses = uses.filter(|rest| FORMS.iter().any(|form| rest.starts_with(form)));
        uses.map(move |_| number)
    });
    found.collect()
}

/// Whether the comment above the statement of a line says why it is sound.
fn is_argued(lines: &[&str], number: usize) -> bool {
    let is_comment = |line: &&str| line.trim_start().starts_with("//");
    let above = lines[..number].iter().rev().copied();
    let mut comment = above
        .enumerate()
        .skip_while(|(distance, line)| *distance < STATEMENT_LINES_MAX && !is_comment(line))
        .map(|(_, line)| line)
        .take_while(is_comment);
    comment.any(|line| MARKS.iter().any(|mark| line.contains(mark)))
}

/// The rows of the document: files, and how many uses each is said to have.
fn listed(document: &str) -> BTreeMap<&str, usize> {
    let rows = document.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split('|');
        let path = cells.next()?.trim().strip_suffix('`')?;
        let count = cells.next()?.trim().parse().ok()?;
        Some((path, count))
    });
    rows.collect()
}

fn violations(files: &[TreeFile]) -> Vec<String> {
    let document = files.iter().find(|file| file.path == DOCUMENT);
    let document = document.and_then(|file| file.text.as_deref());
    let mut listed = listed(document.unwrap_or_default());
    let mut found = Vec::new();
    for file in files {
        let (path, text) = (&*file.path, file.text.as_deref().unwrap_or_default());
        if !path.ends_with(".rs")
            || path.starts_with(MEASUREMENTS)
            || path.starts_with("crates/xtask/tests/tidy/")
        {
            continue;
        }
        let uses = uses(text);
        let said = listed.remove(path).unwrap_or_default();
        if uses.len() != said {
            found.push(format!(
                "{path} has {} uses, {DOCUMENT} says {said}",
                uses.len()
            ));
        }
        let lines: Vec<_> = text.lines().collect();
        let silent = uses.into_iter().filter(|use_| !is_argued(&lines, *use_));
        found.extend(silent.map(|line| format!("{path}:{} has no argument", line + 1)));
    }
    found.extend(
        listed
            .into_keys()
            .map(|path| format!("{DOCUMENT} names {path}, which is not there")),
    );
    found
}

#[test]
fn unsafe_code_is_what_docs_unsafe_md_says() {
    assert_none("unsafe code and its list", &violations(&files()));
}

#[test]
fn uses_that_are_not_listed_or_not_argued_are_found() {
    let file = |path: &str, text: String| TreeFile {
        path: path.to_owned(),
        text: Some(text),
    };
    let block = concat!("let x =\n    unsafe", " { y };\n");
    let argued = format!("// SAFETY: it is mine.\n{block}");
    let files = [
        file(
            DOCUMENT,
            "| `a.rs` | 1 | x | y |\n| `b.rs` | 2 | x | y |\n| `d.rs` | 1 | x | y |\n".to_owned(),
        ),
        file("a.rs", argued.clone()),
        file("b.rs", argued.clone() + block),
        file("c.rs", argued),
    ];
    assert_eq!(
        violations(&files),
        [
            "b.rs:5 has no argument",
            "c.rs has 1 uses, docs/unsafe.md says 0",
            "docs/unsafe.md names d.rs, which is not there",
        ]
    );
}
