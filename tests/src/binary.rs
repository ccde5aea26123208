//! The broker's binary: built by cargo beside the tests that run it.
//!
//! Cargo tells a test where a binary is only within one package, so the tests ask it for an up-to-date one, once in
//! each process. `LOGAN_BINARY` names another one to be tested instead, for instance one built for release.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The environment variable that names the binary to test.
const OVERRIDE: &str = "LOGAN_BINARY";

/// The broker to run.
///
/// # Panics
/// When it does not compile.
#[must_use]
pub fn logan() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| std::env::var_os(OVERRIDE).map_or_else(build, PathBuf::from))
}

/// `target`, as seen from this process's own binary in `target/<profile>/deps`.
pub(crate) fn target_directory() -> PathBuf {
    let directory = profile_directory();
    let parent = directory.parent();
    parent
        .expect("a profile's directory lies in the target directory")
        .to_path_buf()
}

fn profile_directory() -> PathBuf {
    let own = std::env::current_exe().expect("a test knows its binary");
    let directory = own
        .ancestors()
        .find(|directory| directory.ends_with("deps"));
    directory
        .and_then(Path::parent)
        .expect("cargo puts the binaries of tests into deps")
        .to_path_buf()
}

fn build() -> PathBuf {
    let directory = profile_directory();
    let name = directory.file_name().and_then(|name| name.to_str());
    let profile = match name.expect("a profile's directory has its name") {
        "debug" => "dev",
        name => name,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--bin", "logan"])
        .args(["--profile", profile])
        .arg("--target-dir")
        .arg(target_directory())
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .status()
        .expect("cargo runs the tests, so it can be run");
    assert!(built.success(), "the broker does not compile");
    directory.join("logan")
}
