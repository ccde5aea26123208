//! A real `logan` on a free port, and `loganctl` to talk to it.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;
use tests::{Broker, Launch, temporary_directory};

/// A broker with a data directory of its own; both go when it is dropped.
pub(crate) struct Server {
    broker: Broker,
    directory: TempDir,
}

impl Server {
    /// Starts one that advertises its shards in this way.
    pub(crate) fn start(advertise: &str) -> Self {
        let directory = temporary_directory();
        let broker = Launch::in_directory(directory.path())
            .with("shard.advertise", advertise)
            .start();
        Self { broker, directory }
    }

    /// Kills it without a warning and starts it again on what it left behind.
    pub(crate) fn crash_and_restart(self, advertise: &str) -> Self {
        let (_, directory) = self.crash();
        Self::start_in(directory, advertise)
    }

    /// Kills it without a warning; where it listened, and what it left behind.
    pub(crate) fn crash(self) -> (String, TempDir) {
        let address = self.address().to_owned();
        // Its end is what was asked for.
        drop(self.broker.kill());
        (address, self.directory)
    }

    /// Starts one where another has listened, on what it left behind.
    pub(crate) fn start_at(address: &str, directory: TempDir, advertise: &str) -> Self {
        let broker = Launch::in_directory(directory.path())
            .with("shard.advertise", advertise)
            .with("listeners", format!("PLAINTEXT://{address}"))
            .start();
        Self { broker, directory }
    }

    /// Stops it; what it leaves behind goes when the directory is dropped.
    pub(crate) fn stop(self) -> TempDir {
        let ended = self.broker.stop();
        assert!(ended.status.success(), "{}", ended.log);
        self.directory
    }

    /// Starts one on what another has left.
    pub(crate) fn start_in(directory: TempDir, advertise: &str) -> Self {
        let broker = Launch::in_directory(directory.path())
            .with("shard.advertise", advertise)
            .start();
        Self { broker, directory }
    }

    /// Its data directory.
    pub(crate) fn data(&self) -> &Path {
        self.directory.path()
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> &str {
        self.broker.address()
    }

    /// Runs `loganctl` with these words, separated by blanks, and `input` on its standard input.
    pub(crate) fn run(&self, words: &str, input: &[u8]) -> Ended {
        run(self.address(), words, input)
    }

    /// The same for a command that must succeed; what it wrote.
    pub(crate) fn succeed(&self, words: &str, input: &[u8]) -> String {
        let ended = self.run(words, input);
        assert_eq!(ended.code, 0, "{words}: {}", ended.stderr);
        ended.stdout
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
    command.args(["--timeout", "60s", "--bootstrap-server", address]);
    command
}
