//! Files of a newer version: a directory is refused by name and version, and not touched; derived files are made anew. What
//! becomes of one partition that cannot be read is in [`crate::damage`].

use std::fs;

use tests::{Launch, temporary_directory};

use crate::damage::{End, change, expect_everything, prepare};

/// Puts another text in the place of one in a file.
fn replace(content: &mut Vec<u8>, from: &str, to: &str) {
    let text = String::from_utf8(std::mem::take(content)).expect("a file of text");
    assert!(text.contains(from), "{text}");
    *content = text.replacen(from, to, 1).into_bytes();
}

#[test]
fn a_directory_of_a_newer_version_refuses_the_start_and_is_not_touched() {
    let directory = temporary_directory();
    prepare(directory.path(), End::Killed);
    let path = directory.path().join("meta.properties");
    change(&path, |content| replace(content, "version=1", "version=2"));
    let listing = || {
        let entries = fs::read_dir(directory.path().join("kept-0")).expect("a directory");
        let mut found: Vec<_> = entries
            .map(|entry| {
                let entry = entry.expect("an entry");
                (entry.file_name(), entry.metadata().expect("a file").len())
            })
            .collect();
        found.sort();
        found
    };
    let before = listing();
    let ended = Launch::in_directory(directory.path()).fail();
    assert_eq!(ended.code(), 1, "{}", ended.log);
    let said = ended.last_words();
    for part in ["meta.properties", "version 2", "knows 1 only"] {
        assert!(said.contains(part), "{said}");
    }
    assert_eq!(listing(), before);
    change(&path, |content| replace(content, "version=2", "version=1"));
    let broker = Launch::in_directory(directory.path()).start();
    expect_everything(&broker, "it is of this version again");
}

#[test]
fn derived_files_of_a_newer_version_are_made_anew() {
    let directory = temporary_directory();
    prepare(directory.path(), End::Stopped);
    let of_partition = directory
        .path()
        .join("kept-0")
        .join("leader-epoch-checkpoint");
    let checkpoints = [
        "recovery-point-offset-checkpoint",
        "replication-offset-checkpoint",
        "log-start-offset-checkpoint",
    ];
    let checkpoints = checkpoints.map(|name| directory.path().join(name));
    let mut changed = 0;
    for path in checkpoints
        .iter()
        .chain([&of_partition])
        .filter(|it| it.exists())
    {
        change(path, |content| replace(content, "0\n", "1\n"));
        changed += 1;
    }
    let entries = fs::read_dir(directory.path().join("kept-0")).expect("a directory");
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        if path.extension().is_some_and(|it| it == "snapshot") {
            change(&path, |content| content[1] = 9);
            changed += 1;
        }
    }
    assert!(changed >= 2, "{changed} files");
    let broker = Launch::in_directory(directory.path()).start();
    expect_everything(&broker, "derived files of a newer version");
}
