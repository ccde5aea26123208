//! A real `logan` on a free port, and `loganctl` to talk to it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

/// A broker with a data directory of its own; both go when it is dropped.
pub(crate) struct Broker {
    process: Child,
    /// Kept open, so that the broker can write to it.
    _stdout: BufReader<ChildStdout>,
    directory: TempDir,
    address: String,
}

impl Broker {
    /// Starts one with these settings and returns when it is ready.
    pub(crate) fn start(settings: &[&str]) -> Self {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
        let (process, stdout, address) = launch(directory.path(), "127.0.0.1:0", settings);
        Self {
            process,
            _stdout: stdout,
            directory,
            address,
        }
    }

    /// Kills it without a warning and starts it again on what it left behind.
    pub(crate) fn crash_and_restart(&mut self, settings: &[&str]) {
        self.stop();
        let restarted = launch(self.directory.path(), &self.address, settings);
        (self.process, self._stdout, self.address) = restarted;
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Runs `loganctl` with these words, separated by blanks, and `input` on its standard input.
    pub(crate) fn run(&self, words: &str, input: &[u8]) -> Ended {
        run(&self.address, words, input)
    }

    /// The same for a command that must succeed; what it wrote.
    pub(crate) fn succeed(&self, words: &str, input: &[u8]) -> String {
        let ended = self.run(words, input);
        assert_eq!(ended.code, 0, "{words}: {}", ended.stderr);
        ended.stdout
    }

    fn stop(&mut self) {
        // It may have ended by itself; waiting tells in either case.
        drop(self.process.kill());
        self.process.wait().expect("it was started here");
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What a command left.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `loganctl` against any address.
pub(crate) fn run(address: &str, words: &str, input: &[u8]) -> Ended {
    let mut process = loganctl(address)
        .args(words.split_whitespace())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("cargo has built it");
    let mut stdin = process.stdin.take().expect("it is piped");
    // A command that fails early reads nothing.
    drop(stdin.write_all(input));
    drop(stdin);
    let Output {
        status,
        stdout,
        stderr,
    } = process.wait_with_output().expect("it ends");
    Ended {
        code: status.code().expect("no signal ends it"),
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
    }
}

pub(crate) fn loganctl(address: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loganctl"));
    command.args(["--timeout", "20s", "--bootstrap-server", address]);
    command
}

fn launch(
    directory: &Path,
    listen: &str,
    settings: &[&str],
) -> (Child, BufReader<ChildStdout>, String) {
    let log = std::fs::File::options()
        .create(true)
        .append(true)
        .open(directory.join("logan.log"))
        .expect("the directory is ours");
    let mut command = Command::new(logan());
    command
        .arg("--override")
        .arg(format!("listeners=PLAINTEXT://{listen}"))
        .arg("--override")
        .arg(format!("log.dirs={}", directory.join("data").display()));
    for setting in settings {
        command.args(["--override", setting]);
    }
    let mut process = command
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .expect("it was built");
    let mut stdout = BufReader::new(process.stdout.take().expect("it is piped"));
    let mut ready = String::new();
    stdout.read_line(&mut ready).expect("text");
    // "logan is ready on 127.0.0.1:9092 with ..."; nothing at all when it has ended instead.
    let address = ready.split_whitespace().nth(4).map(str::to_owned);
    let address = address.unwrap_or_else(|| {
        let log = std::fs::read_to_string(directory.join("logan.log"));
        unreachable!("the broker did not start: {ready:?} {log:?}")
    });
    (process, stdout, address)
}

/// The broker's binary beside this package's own. Cargo builds those of other packages for tests only when it is told,
/// so this tells it once; there is nothing to do when it is up to date.
fn logan() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let profile = Path::new(env!("CARGO_BIN_EXE_loganctl"))
            .parent()
            .expect("it lies in the profile's directory");
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .args(["build", "--quiet", "--locked", "--workspace", "--bins"])
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        if profile.ends_with("release") {
            cargo.arg("--release");
        }
        let status = cargo.status().expect("cargo runs this test");
        assert!(status.success(), "the broker does not build");
        profile.join("logan")
    })
}
