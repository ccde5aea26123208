//! `docs/security.md` names limits that exist, and metrics that somebody counts.

use std::collections::BTreeSet;

use crate::assert_none;
use crate::tree::{TreeFile, files};

const DOCUMENT: &str = "docs/security.md";

/// What stands between backticks in the rows of the table of limits, without the labels of metrics.
fn named(document: &str) -> impl Iterator<Item = &str> {
    let (_, limits) = document.split_once("## Limits").unwrap_or_default();
    let rows = limits.lines().filter(|line| line.starts_with("| "));
    let quoted = rows.flat_map(|row| row.split('`').skip(1).step_by(2));
    quoted.map(|name| name.split('{').next().unwrap_or(name))
}

fn unknown(document: &str, keys: &BTreeSet<&str>, sources: &[&str]) -> Vec<String> {
    let is_known = |name: &str| match name.strip_prefix("logan_") {
        Some(_) => {
            let literal = format!("\"{name}\"");
            sources.iter().any(|source| source.contains(&literal))
        }
        // What is no key has a capital letter, such as RLIMIT_NOFILE.
        None => keys.contains(name) || name.contains(char::is_uppercase),
    };
    let unknown = named(document).filter(|name| !is_known(name));
    unknown.map(str::to_owned).collect()
}

fn keys() -> BTreeSet<&'static str> {
    let broker = config::BROKER_DEFINITIONS.iter().map(|key| key.name);
    let topic = config::TOPIC_DEFINITIONS.iter().map(|key| key.name);
    broker.chain(topic).collect()
}

fn text<'a>(files: &'a [TreeFile], path: &str) -> &'a str {
    let file = files.iter().find(|file| file.path == path);
    file.and_then(|file| file.text.as_deref())
        .expect("it is there")
}

#[test]
fn limits_and_metrics_of_docs_security_md_exist() {
    let files = files();
    let sources = files
        .iter()
        .filter(|file| file.path.ends_with(".rs") && file.path.contains("/src/"));
    let sources: Vec<&str> = sources.filter_map(|file| file.text.as_deref()).collect();
    let document = text(&files, DOCUMENT);
    assert!(named(document).count() > 20);
    assert_none(
        "limits that do not exist",
        &unknown(document, &keys(), &sources),
    );
}

#[test]
fn a_limit_that_does_not_exist_is_found() {
    let document =
        "## Limits\n| broker | `max.connectoins` | `logan_ready` | `logan_raedy{a=\"b\"}` |\n";
    let found = unknown(document, &keys(), &["x(\"logan_ready\")"]);
    assert_eq!(found, ["max.connectoins", "logan_raedy"]);
}
