//! What the checks look at: the files of the work tree, and the workspace as Cargo knows it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

/// A workspace of its own, whose dependencies and programs do not belong to the broker.
pub(crate) const MEASUREMENTS: &str = "docs/adr/measurements/";

/// The top of the work tree.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors()
        .nth(2)
        .expect("xtask lies two levels below the top")
        .to_path_buf()
}

/// A file of the work tree.
pub(crate) struct TreeFile {
    /// Relative to the top, with slashes.
    pub(crate) path: String,
    /// `None` for a file that is not UTF-8.
    pub(crate) text: Option<String>,
}

/// Every file that is committed, or that would be by `git add --all`.
pub(crate) fn files() -> Vec<TreeFile> {
    let root = root();
    let names = output(Command::new("git").current_dir(&root).args([
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
    ]));
    let files: Vec<TreeFile> = names
        .lines()
        // A file that is deleted but not yet committed is still listed.
        .filter(|name| root.join(name).is_file())
        .map(|name| TreeFile {
            path: name.to_owned(),
            text: std::fs::read(root.join(name))
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok()),
        })
        .collect();
    assert!(files.len() > 100, "git lists the files of the work tree");
    files
}

/// A package of the workspace.
#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) dependencies: Vec<Dependency>,
}

/// What a package depends on.
#[derive(Deserialize)]
pub(crate) struct Dependency {
    /// The package's own name, even when the dependency is renamed.
    pub(crate) name: String,
    /// `None` for normal dependencies, else "dev" or "build".
    pub(crate) kind: Option<String>,
    /// Where it lies, for packages that come from no registry.
    pub(crate) path: Option<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

/// The packages of the workspace, without those they get from elsewhere.
pub(crate) fn packages() -> Vec<Package> {
    let arguments = [
        "metadata",
        "--format-version",
        "1",
        "--no-deps",
        "--offline",
    ];
    let json = output(
        Command::new(env!("CARGO"))
            .current_dir(root())
            .args(arguments),
    );
    let metadata: Metadata =
        serde_json::from_str(&json).expect("cargo prints the metadata as JSON");
    metadata.packages
}

fn output(command: &mut Command) -> String {
    let output = command.output().expect("git and cargo are installed");
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("names in the tree are UTF-8")
}
