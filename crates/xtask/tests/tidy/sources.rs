//! Rust sources: each opens with what it is for, and `unsafe` stays where it is agreed to be.

use crate::assert_none;
use crate::tree::{MEASUREMENTS, TreeFile, files};

/// Where `unsafe` may stand: calls of the operating system, and the buffers that are lent.
const UNSAFE_FOLDERS: [&str; 3] = ["crates/runtime/", "crates/io/src/buffer", MEASUREMENTS];
/// Generated modules, and fuzz targets of one line that call a described function.
const SILENT_FOLDERS: [&str; 2] = ["crates/protocol/src/generated/", "/fuzz_targets/"];
const UNSAFE_FORMS: [&str; 4] = ["{", "fn", "impl", "extern"];

fn sources(files: &[TreeFile]) -> impl Iterator<Item = (&str, &str)> {
    let rust = files.iter().filter(|file| file.path.ends_with(".rs"));
    rust.filter_map(|file| Some((file.path.as_str(), file.text.as_deref()?)))
}

/// Modules without a `//!` before their first item.
fn undescribed(files: &[TreeFile]) -> Vec<String> {
    let hand_written =
        sources(files).filter(|(path, _)| !SILENT_FOLDERS.iter().any(|it| path.contains(it)));
    let silent = hand_written.filter(|(_, text)| {
        let mut lines = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with("#!"));
        !lines.next().is_some_and(|line| line.starts_with("//!"))
    });
    silent.map(|(path, _)| path.to_owned()).collect()
}

fn misplaced_unsafe(files: &[TreeFile]) -> Vec<String> {
    let foreign = sources(files)
        .filter(|(path, _)| !UNSAFE_FOLDERS.iter().any(|folder| path.starts_with(folder)));
    foreign
        .filter(|(_, text)| {
            let code = text
                .lines()
                .map(|line| line.split("//").next().unwrap_or_default());
            code.flat_map(|code| code.split("unsafe ").skip(1))
                .any(|rest| UNSAFE_FORMS.iter().any(|form| rest.starts_with(form)))
        })
        .map(|(path, _)| path.to_owned())
        .collect()
}

#[test]
fn every_module_opens_with_its_duty() {
    assert_none("modules without `//!`", &undescribed(&files()));
}

#[test]
fn unsafe_stays_in_runtime_and_in_buffers() {
    assert_none("unsafe code elsewhere", &misplaced_unsafe(&files()));
}

/// Places of the real broker that decide about deliberate defects.
fn real_defects(files: &[TreeFile]) -> Vec<String> {
    let real = sources(files)
        .filter(|(path, _)| path.starts_with("bins/") || path.starts_with("crates/runtime/"));
    let deciding = real.filter(|(_, text)| text.contains("has_defect"));
    deciding.map(|(path, _)| path.to_owned()).collect()
}

#[test]
fn the_real_broker_has_no_deliberate_defects() {
    assert_none("deliberate defects in the broker", &real_defects(&files()));
}

#[test]
fn a_deliberate_defect_of_the_real_broker_is_found() {
    let text = "//! A seam.\nfn has_defect(_: Defect) -> bool {\n    true\n}\n";
    let files = [
        file("crates/runtime/src/a.rs", text),
        file("crates/sim/src/b.rs", text),
    ];
    assert_eq!(real_defects(&files), ["crates/runtime/src/a.rs"]);
}

fn file(path: &str, text: &str) -> TreeFile {
    TreeFile {
        path: path.to_owned(),
        text: Some(text.to_owned()),
    }
}

#[test]
fn a_module_without_a_description_is_found() {
    let files = [
        file("a.rs", "#![no_main]\n\n//! Fuzzes.\nfn main() {}\n"),
        file("b.rs", "// A comment.\nfn main() {}\n"),
    ];
    assert_eq!(undescribed(&files), ["b.rs"]);
}

#[test]
fn unsafe_code_elsewhere_is_found() {
    let block = concat!("let x = unsafe", " { y };\n");
    let files = [
        file("crates/broker/src/a.rs", block),
        file("crates/runtime/src/a.rs", block),
        file(
            "crates/broker/src/b.rs",
            concat!("// never unsafe", " { }\n"),
        ),
    ];
    assert_eq!(misplaced_unsafe(&files), ["crates/broker/src/a.rs"]);
}
