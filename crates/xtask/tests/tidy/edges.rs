//! The crates of the workspace and their dependencies are those of the table in ARCHITECTURE.md.

use std::collections::{BTreeMap, BTreeSet};

use crate::assert_none;
use crate::tree::{Dependency, Package, packages, root};

const HEADING: &str = "| crate | duty | may depend on | tests also |";

/// What one crate may use.
#[derive(Default)]
struct Row {
    normal: BTreeSet<String>,
    tests: BTreeSet<String>,
}

/// The table, by crate.
fn table(text: &str) -> BTreeMap<String, Row> {
    let lines = text.lines().skip_while(|line| *line != HEADING).skip(2);
    lines
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [name, _, normal, tests] = cells[..] else {
                unreachable!("a row of the table has four cells: {line}")
            };
            (
                name.trim_matches('`').to_owned(),
                Row {
                    normal: list(normal),
                    tests: list(tests),
                },
            )
        })
        .collect()
}

fn list(cell: &str) -> BTreeSet<String> {
    cell.split(',')
        .map(str::trim)
        .filter(|name| *name != "-")
        .map(str::to_owned)
        .collect()
}

fn unlisted_edges(table: &BTreeMap<String, Row>, packages: &[Package]) -> Vec<String> {
    let mut violations = Vec::new();
    for package in packages {
        let Some(row) = table.get(&package.name) else {
            continue;
        };
        for dependency in package
            .dependencies
            .iter()
            .filter(|dependency| dependency.path.is_some())
        {
            let of_tests = dependency.kind.as_deref() == Some("dev");
            let itself = of_tests && dependency.name == package.name;
            let listed = row.normal.contains(&dependency.name)
                || (of_tests && row.tests.contains(&dependency.name));
            if !listed && !itself {
                let kind = dependency.kind.as_deref().unwrap_or("normal");
                violations.push(format!("{} -> {} ({kind})", package.name, dependency.name));
            }
        }
    }
    violations
}

/// Crates without a row, rows without a crate, and rows that name no crate.
fn strangers(table: &BTreeMap<String, Row>, packages: &[Package]) -> Vec<String> {
    let crates: BTreeSet<&str> = packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    let rows: BTreeSet<&str> = table.keys().map(String::as_str).collect();
    let named: BTreeSet<&str> = table
        .values()
        .flat_map(|row| row.normal.iter().chain(&row.tests))
        .map(String::as_str)
        .collect();
    let missing = crates
        .difference(&rows)
        .map(|name| format!("`{name}` has no row"));
    let gone = rows.union(&named).filter(|name| !crates.contains(*name));
    missing
        .chain(gone.map(|name| format!("`{name}` is no crate")))
        .collect()
}

fn architecture() -> BTreeMap<String, Row> {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("it is committed");
    let table = table(&text);
    assert!(
        table.len() > 10,
        "ARCHITECTURE.md has the table `{HEADING}`"
    );
    table
}

#[test]
fn crates_depend_on_each_other_only_as_the_architecture_allows() {
    let violations = unlisted_edges(&architecture(), &packages());
    assert_none(
        "edges that the table in ARCHITECTURE.md does not allow",
        &violations,
    );
}

#[test]
fn every_crate_stands_in_the_architecture() {
    assert_none(
        "the table in ARCHITECTURE.md",
        &strangers(&architecture(), &packages()),
    );
}

const SAMPLE: &str = "\
text | before
| crate | duty | may depend on | tests also |
|---|---|---|---|
| `types` | values | - | - |
| `io` | the seam | types | sim |

| another | table |
";

fn package(name: &str, dependencies: &[(&str, Option<&str>)]) -> Package {
    let dependencies = dependencies.iter().map(|(name, kind)| Dependency {
        name: (*name).to_owned(),
        kind: kind.map(str::to_owned),
        path: Some("somewhere".to_owned()),
    });
    Package {
        name: name.to_owned(),
        dependencies: dependencies.collect(),
    }
}

#[test]
fn an_unlisted_edge_is_found() {
    let edges = [
        ("types", None),
        ("sim", Some("dev")),
        ("sim", None),
        ("types", Some("build")),
    ];
    let packages = [
        package("types", &[("io", Some("dev"))]),
        package("io", &edges),
    ];
    let violations = unlisted_edges(&table(SAMPLE), &packages);
    assert_eq!(violations, ["types -> io (dev)", "io -> sim (normal)"]);
}

#[test]
fn a_crate_without_a_row_and_a_row_without_a_crate_are_found() {
    let packages = [package("types", &[]), package("new", &[])];
    let violations = strangers(&table(SAMPLE), &packages);
    assert_eq!(
        violations,
        ["`new` has no row", "`io` is no crate", "`sim` is no crate"]
    );
}
