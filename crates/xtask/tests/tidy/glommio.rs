//! Only `runtime` names glommio: nothing else may know which executor it runs on.

use crate::assert_none;
use crate::tree::{MEASUREMENTS, Package, TreeFile, files, packages};

const OWNER: &str = "runtime";
const OWNER_FOLDER: &str = "crates/runtime/";

fn dependants(packages: &[Package]) -> Vec<String> {
    let foreign = packages.iter().filter(|package| package.name != OWNER);
    foreign
        .filter(|package| {
            package
                .dependencies
                .iter()
                .any(|it| it.name.starts_with("glommio"))
        })
        .map(|package| format!("the manifest of {}", package.name))
        .collect()
}

/// Lines of Rust that use it; prose may speak of it.
fn uses(files: &[TreeFile]) -> Vec<String> {
    let mut violations = Vec::new();
    let foreign = files.iter().filter(|file| {
        let exempt = file.path.starts_with(OWNER_FOLDER) || file.path.starts_with(MEASUREMENTS);
        file.path.ends_with(".rs") && !exempt
    });
    for file in foreign {
        for (index, line) in file.text.iter().flat_map(|text| text.lines()).enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            // A path segment; the pieces keep this file from finding itself.
            if code.contains(concat!("glommio", "::")) || code.contains(concat!("use ", "glommio"))
            {
                violations.push(format!("{}:{}: {}", file.path, index + 1, line.trim()));
            }
        }
    }
    violations
}

#[test]
fn only_runtime_names_glommio() {
    assert_none("glommio is named", &dependants(&packages()));
    assert_none("glommio is named", &uses(&files()));
}

#[test]
fn a_use_outside_runtime_is_found() {
    let text = concat!(
        "// glommio",
        "::free in prose\nlet task = glommio",
        "::spawn_local(work);\n"
    );
    let file = |path: &str| TreeFile {
        path: path.to_owned(),
        text: Some(text.to_owned()),
    };
    let violations = uses(&[
        file("crates/runtime/src/task.rs"),
        file("crates/broker/src/lib.rs"),
    ]);
    assert_eq!(violations.len(), 1);
    assert!(
        violations[0].starts_with("crates/broker/src/lib.rs:2: "),
        "{violations:?}"
    );
}

#[test]
fn a_dependency_outside_runtime_is_found() {
    let json = r#"[{"name": "runtime", "dependencies": [{"name": "glommio"}]},
        {"name": "storage", "dependencies": [{"name": "glommio", "kind": "dev"}]}]"#;
    let packages: Vec<Package> = serde_json::from_str(json).expect("the sample is JSON");
    assert_eq!(dependants(&packages), ["the manifest of storage"]);
}
