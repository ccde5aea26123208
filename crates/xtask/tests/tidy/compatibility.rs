//! The tables in docs/compatibility.md, and docs/configuration.md, say what the code says.

use std::collections::{BTreeMap, BTreeSet};

use config::{BROKER_DEFINITIONS, Definition, Effect, TOPIC_DEFINITIONS};
use protocol::{ApiKey, versions};

use crate::assert_none;
use crate::tree::root;

/// Too long to repeat in a table.
const DEFAULT_IN_WORDS: [(&str, &str); 1] = [(
    "listener.security.protocol.map",
    "each protocol under its own name",
)];

fn document() -> String {
    std::fs::read_to_string(root().join("docs/compatibility.md")).expect("it is committed")
}

/// The cells of the table's rows in the section `heading`, without the table's head.
fn rows<'a>(text: &'a str, heading: &str) -> Vec<Vec<&'a str>> {
    let section = text.lines().skip_while(|line| *line != heading).skip(1);
    let section = section.take_while(|line| !line.starts_with("## "));
    let cells = section
        .filter(|line| line.starts_with('|'))
        .skip(2)
        .map(|line| {
            let inner = line
                .strip_prefix('|')
                .and_then(|line| line.strip_suffix('|'));
            inner.unwrap_or(line).split('|').map(str::trim).collect()
        });
    cells.collect()
}

fn expected_row(definition: &Definition) -> String {
    let words = DEFAULT_IN_WORDS
        .iter()
        .find(|(name, _)| *name == definition.name);
    let default = match (words, definition.default) {
        (Some((_, words)), _) => (*words).to_owned(),
        (None, None) => "-".to_owned(),
        (None, Some("")) => "empty".to_owned(),
        (None, Some(text)) => format!("`{text}`"),
    };
    let acted_on = match definition.effect {
        Effect::Honoured => "yes",
        Effect::Stored => "not yet",
        Effect::Refused => "refused",
    };
    format!("`{}` {default} {acted_on}", definition.name)
}

fn differences(text: &str, heading: &str, definitions: &[Definition]) -> Vec<String> {
    let written: BTreeSet<String> = rows(text, heading)
        .iter()
        // Behind them a topic's key names its test.
        .map(|row| row[..row.len().min(3)].join(" "))
        .collect();
    let expected: BTreeSet<String> = definitions.iter().map(expected_row).collect();
    let missing = expected
        .difference(&written)
        .map(|row| format!("missing: {row}"));
    let wrong = written
        .difference(&expected)
        .map(|row| format!("wrong: {row}"));
    missing.chain(wrong).collect()
}

#[test]
fn the_reference_of_configuration_keys_is_current() {
    let committed = std::fs::read_to_string(root().join("docs/configuration.md"));
    assert!(
        committed.expect("it is committed") == config::reference(),
        "docs/configuration.md is stale: cargo run --bin logan -- config docs > docs/configuration.md"
    );
}

#[test]
fn every_configuration_key_is_documented() {
    let text = document();
    let broker = differences(&text, "## Configuration: broker", BROKER_DEFINITIONS);
    assert_none("keys of the broker in docs/compatibility.md", &broker);
    let topics = differences(&text, "## Configuration: topics", TOPIC_DEFINITIONS);
    assert_none("keys of topics in docs/compatibility.md", &topics);
}

/// What is wrong with the test that a row names: keys that nothing acts on need none.
fn fault_of_test(row: &[&str]) -> Option<String> {
    let [key, _, acted_on, test] = row else {
        return Some(format!("{} has no cell for its test", row.join(" ")));
    };
    if *acted_on == "not yet" {
        return None;
    }
    let Some((file, name)) = test.split_once(", ") else {
        return Some(format!("{key} names no test"));
    };
    let source = std::fs::read_to_string(root().join(file.trim_matches('`')));
    let test = format!("fn {}()", name.trim_matches('`'));
    let is_there = source.is_ok_and(|source| source.contains(&test));
    (!is_there).then(|| format!("{key}: there is no {name} in {file}"))
}

#[test]
fn every_topic_key_names_a_test_that_exists() {
    let text = document();
    let rows = rows(&text, "## Configuration: topics");
    assert!(
        !rows.is_empty(),
        "docs/compatibility.md has a table of topic keys"
    );
    let faults: Vec<String> = rows.iter().filter_map(|row| fault_of_test(row)).collect();
    assert_none("tests of topic keys in docs/compatibility.md", &faults);
}

#[test]
fn a_test_that_does_not_exist_is_found() {
    let file = "`crates/xtask/tests/tidy/compatibility.rs`";
    let here = format!("{file}, `a_test_that_does_not_exist_is_found`");
    let gone = format!("{file}, `a_test_that_was_renamed`");
    assert_eq!(fault_of_test(&["`k`", "`0`", "yes", &here]), None);
    assert_eq!(fault_of_test(&["`k`", "`0`", "not yet", "-"]), None);
    for test in ["-", gone.as_str()] {
        assert!(
            fault_of_test(&["`k`", "`0`", "yes", test]).is_some(),
            "{test}"
        );
    }
}

/// The APIs of the table: key, name and version range.
fn documented_apis(text: &str) -> BTreeMap<String, String> {
    let rows = rows(text, "## APIs");
    rows.iter()
        .map(|row| (row[1].to_owned(), format!("{} {}", row[0], row[2])))
        .collect()
}

#[test]
fn documented_versions_are_those_that_are_advertised() {
    let apis = documented_apis(&document());
    assert!(
        !apis.is_empty(),
        "docs/compatibility.md has a table of APIs"
    );
    for (name, written) in apis {
        let key = (0..i16::MAX).find_map(|key| {
            ApiKey::from_code(key)
                .filter(|api_key| api_key.name() == name)
                .map(|it| (key, it))
        });
        let (number, api_key) = key.expect("every documented API exists");
        let (first, last) = versions::advertised(api_key);
        let range = if first == last {
            format!("{first}")
        } else {
            format!("{first}-{last}")
        };
        assert_eq!(written, format!("{number} {range}"), "{name}");
    }
}

/// The names in the broker's table of handlers, from which ApiVersions is answered.
fn implemented_apis(source: &str) -> BTreeSet<String> {
    let rows = source.lines().skip_while(|line| *line != "apis! {").skip(1);
    let rows = rows.take_while(|line| *line != "}");
    rows.filter_map(|row| row.split_once(" => "))
        .map(|(name, _)| name.trim().to_owned())
        .collect()
}

#[test]
fn documented_apis_are_those_that_have_a_handler() {
    let source = std::fs::read_to_string(root().join("crates/broker/src/api/mod.rs"));
    let implemented = implemented_apis(&source.expect("it is committed"));
    let documented: BTreeSet<String> = documented_apis(&document()).into_keys().collect();
    assert_eq!(documented, implemented);
}

#[test]
fn the_table_of_handlers_is_read() {
    let source = "macro\napis! {\n    Produce => produce(ProduceRequest),\n}\n    Fetch => fetch(FetchRequest),\n";
    assert_eq!(
        implemented_apis(source),
        BTreeSet::from(["Produce".to_owned()])
    );
}

#[test]
fn a_wrong_default_is_found() {
    let text = "## Keys\n\n| key | default | acted on |\n|---|---|---|\n| `preallocate` | `true` | not yet |\n";
    let only: Vec<&Definition> = TOPIC_DEFINITIONS
        .iter()
        .filter(|definition| definition.name == "preallocate")
        .collect();
    let written = rows(text, "## Keys");
    assert_ne!(written[0].join(" "), expected_row(only[0]));
    let found = differences(text, "## Keys", &[]);
    assert_eq!(found, ["wrong: `preallocate` `true` not yet"]);
}
