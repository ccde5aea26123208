//! What a measurement of a disk leaves.

use std::fs;

use tests::temporary_directory;

use crate::common::run;
use crate::json;

/// No broker is asked.
const NOBODY: &str = "127.0.0.1:1";

#[test]
fn a_measured_disk_has_a_file_with_what_a_broker_should_make_of_it_and_nothing_else() {
    let directory = temporary_directory();
    let path = directory.path();
    let measure = format!("tune disk {} --seconds 1 -o json", path.display());
    let dry = run(NOBODY, &format!("{measure} --dry-run"), b"");
    assert_eq!(dry.code, 0, "{}", dry.stderr);
    let found = |what: &str| {
        let entries = fs::read_dir(path).expect("a directory");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let names: Vec<_> = names.collect();
        assert!(names.iter().all(|name| name == what), "{names:?}");
        names.len()
    };
    assert_eq!(found(""), 0);

    let measured = run(NOBODY, &measure, b"");
    assert_eq!(measured.code, 0, "{}", measured.stderr);
    let report = &json(&measured.stdout)[0];
    let chosen = report["chosen"].as_array().expect("choices");
    let text = fs::read_to_string(path.join("logan.disk.properties")).expect("it is left");
    assert!(text.contains("\nformat=1\n"), "{text}");
    for choice in chosen {
        let (key, value) = (&choice["key"], &choice["value"]);
        let line = format!("\n{}={value}\n", key.as_str().expect("a name"));
        assert!(text.contains(&line), "{line} in {text}");
    }
    assert_eq!(chosen.len(), 2);
    assert_eq!(found("logan.disk.properties"), 1);
}

#[test]
fn a_disk_that_is_not_there_is_not_measured() {
    let missing = run(NOBODY, "tune disk /nowhere/at/all", b"");
    assert_eq!(missing.code, 3, "{}", missing.stderr);
    assert!(
        missing
            .stderr
            .starts_with("error: there is no directory /nowhere/at/all")
    );
}
