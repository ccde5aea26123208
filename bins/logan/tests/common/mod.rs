//! What the tests of `logan`'s commands share: running one as one types it.

use std::process::Command;

/// What a run has left.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `logan` with these arguments, and with no variables of its own but `environment`.
pub(crate) fn logan(arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_logan"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LOGAN_") {
            command.env_remove(name);
        }
    }
    let command = command.args(arguments).envs(environment.iter().copied());
    let output = command.output().expect("it was built");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ended {
        code: output.status.code().expect("it ends by itself"),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    }
}
