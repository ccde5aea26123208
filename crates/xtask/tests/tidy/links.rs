//! Links between documents lead somewhere.

use std::collections::BTreeSet;

use crate::assert_none;
use crate::tree::{TreeFile, files};

/// The targets of the inline links of a document that point into the tree, without their anchors.
fn targets(text: &str) -> impl Iterator<Item = &str> {
    let links = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    let relative = links.filter(|target| !target.contains("://") && !target.starts_with('#'));
    relative.map(|target| target.split('#').next().unwrap_or(target))
}

fn broken(files: &[TreeFile]) -> Vec<String> {
    let mut known: BTreeSet<&str> = BTreeSet::new();
    for file in files {
        // The file and every folder above it.
        let ends = file.path.match_indices('/').map(|(at, _)| at);
        known.extend(
            ends.filter_map(|at| file.path.get(..at))
                .chain([file.path.as_str()]),
        );
    }
    let documents = files.iter().filter(|file| file.path.ends_with(".md"));
    documents
        .flat_map(|file| {
            targets(file.text.as_deref().unwrap_or_default()).map(move |it| (file, it))
        })
        .filter(|(file, target)| {
            let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
            !known.contains(resolve(folder, target).as_str())
        })
        .map(|(file, target)| format!("{}: {target}", file.path))
        .collect()
}

/// `target` as seen from `folder`, relative to the top.
fn resolve(folder: &str, target: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(target.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[test]
fn links_between_documents_lead_somewhere() {
    assert_none("links to nothing", &broken(&files()));
}

#[test]
fn a_link_to_nothing_is_found() {
    let file = |path: &str, text: &str| TreeFile {
        path: path.to_owned(),
        text: Some(text.to_owned()),
    };
    let text = "[a](../b/c.md#part) [b](../b) [c](missing.md) [d](https://example.com) [e](#here)";
    let files = [file("a/x.md", text), file("b/c.md", "")];
    assert_eq!(broken(&files), ["a/x.md: missing.md"]);
}
