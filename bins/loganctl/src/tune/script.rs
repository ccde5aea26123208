//! The changes as a shell script, for operators who want to read first and for what runs at the start of a machine.

use std::fmt::Write as _;
use std::path::Path;

use super::finding::{Change, Finding};

/// A script that makes every change, each tuner's with its reason.
pub(super) fn script(findings: &[Finding], root: &Path) -> String {
    let mut text = String::from(
        "#!/bin/sh\n# Written by `loganctl tune script`. Run it as root; what it sets lasts until the machine restarts.\nset -eu\n",
    );
    let mut last = "";
    // Writing to a string cannot fail.
    for finding in findings {
        if !finding.why.is_empty() && finding.tuner != last {
            let _infallible = write!(text, "\n# {}: {}\n", finding.tuner, finding.why);
            last = finding.tuner;
        }
        if !finding.why.is_empty() {
            let (subject, now, wanted) = (&finding.subject, &finding.now, &finding.wanted);
            let reason = format!("{subject}: {now}; wanted: {wanted}");
            let _infallible = writeln!(text, "# {}", on_one_line(&reason));
        }
        if let Some(by_hand) = &finding.by_hand {
            let _infallible = writeln!(text, "# by hand: {}", on_one_line(by_hand));
        }
        for change in &finding.changes {
            let _infallible = writeln!(text, "{}", line(change, root));
        }
    }
    if findings.iter().all(|finding| finding.changes.is_empty()) {
        text += "\n# Nothing has to be changed.\n";
    }
    text
}

/// A comment's text. What files say and directories are called must not become commands.
fn on_one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter.is_control() {
            true => line.extend(letter.escape_default()),
            false => line.push(letter),
        }
    }
    line
}

/// The change as a command.
pub(super) fn line(change: &Change, root: &Path) -> String {
    match change {
        Change::Write { path, text } => {
            format!("echo {} > {}", quoted(text), quoted_path(&root.join(path)))
        }
        Change::Reserve { path, bytes } => {
            format!("fallocate -l {bytes} {}", quoted_path(&root.join(path)))
        }
    }
}

fn quoted_path(path: &Path) -> String {
    quoted(&path.display().to_string())
}

/// One word of a shell, whatever is in it.
fn quoted(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-:+,".contains(letter);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::finding::Finding;
    use super::{quoted, script};

    #[test]
    fn what_files_say_never_becomes_a_command() {
        let finding =
            Finding::fine("a\nrm -rf b", "now\rtouch c").change("w\ntouch d", vec![], "Why.");
        let text = script(&[finding], Path::new("/"));
        let commands = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        assert_eq!(Vec::from_iter(commands), ["set -eu"], "{text}");
    }

    #[test]
    fn words_are_quoted_when_they_have_to_be() {
        assert_eq!(quoted("0-3,8"), "0-3,8");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
