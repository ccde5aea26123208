//! The real broker as a process of its own, on a free port of the loopback interface.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use client::{Client, ClientConfig, RetryPolicy};

use crate::{Wire, binary, eventually, within};

/// How long a start, or an end, may take on a machine that has much else to do.
const TIME_MAX: Duration = Duration::from_secs(60);

/// What a broker is started with. The built-in configuration holds for all that is not said.
#[derive(Clone, Debug)]
pub struct Launch {
    file: Option<PathBuf>,
    directories: String,
    overrides: Vec<(String, String)>,
    environment: Vec<(OsString, OsString)>,
}

/// A running broker. It is killed when this is dropped.
#[derive(Debug)]
pub struct Broker {
    child: Child,
    address: String,
    ready_line: String,
    log: Arc<Mutex<String>>,
}

/// A broker that has ended.
#[derive(Debug)]
pub struct Ended {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to standard error.
    pub log: String,
}

/// What a process is told from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ends it at once.
    Kill,
    /// Asks it to end.
    Terminate,
    /// Asks it to end, as the keyboard does.
    Interrupt,
    /// Stops it for a while.
    Stop,
    /// Lets it go on.
    Continue,
    /// Has it read its configuration file again.
    HangUp,
}

impl Launch {
    /// A broker with its data in `directory`.
    #[must_use]
    pub fn in_directory(directory: &Path) -> Self {
        Self {
            file: None,
            directories: directory.display().to_string(),
            // Two shards on any machine, so that requests cross from one to the other.
            overrides: vec![("shard.cores".to_owned(), "2".to_owned())],
            environment: Vec::new(),
        }
    }

    /// A broker with its data in several directories.
    #[must_use]
    pub fn in_directories(directories: &[&Path]) -> Self {
        let named: Vec<_> = directories
            .iter()
            .map(|directory| directory.display().to_string())
            .collect();
        Self {
            directories: named.join(","),
            ..Self::in_directory(Path::new(""))
        }
    }

    /// A broker that is told nothing but this configuration file, which has to name a free port and the directories.
    #[must_use]
    pub fn of_file(file: &Path) -> Self {
        Self {
            file: Some(file.to_path_buf()),
            ..Self::in_directory(Path::new(""))
        }
    }

    /// Sets a configuration key.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.overrides.push((key.to_owned(), value.into()));
        self
    }

    /// Sets an environment variable of the broker.
    #[must_use]
    pub fn with_environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Starts the broker and waits until it is ready.
    ///
    /// # Panics
    /// When it ends instead, with what it wrote.
    #[must_use]
    pub fn start(&self) -> Broker {
        let mut child = self.spawn();
        let log = collect(child.stderr.take().expect("it is piped"));
        let mut ready_line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        stdout.read_line(&mut ready_line).expect("a pipe");
        let address = ready_line
            .strip_prefix("logan is ready on ")
            .and_then(|rest| rest.split([',', ' ']).next());
        let Some(address) = address else {
            let ended = Broker {
                child,
                address: String::new(),
                ready_line,
                log,
            }
            .wait();
            unreachable!("the broker did not start: {ended:?}");
        };
        let address = address.to_owned();
        Broker {
            child,
            address,
            ready_line,
            log,
        }
    }

    /// Starts a broker that is expected to refuse, and waits for its end.
    ///
    /// # Panics
    /// When it is ready instead.
    #[must_use]
    pub fn fail(&self) -> Ended {
        let mut child = self.spawn();
        let log = collect(child.stderr.take().expect("it is piped"));
        let mut said = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut said).expect("a pipe");
        let broker = Broker {
            child,
            address: String::new(),
            ready_line: said,
            log,
        };
        assert_eq!(broker.ready_line, "", "the broker started");
        broker.wait()
    }

    fn spawn(&self) -> Child {
        let mut command = Command::new(binary::logan());
        let standing = [
            ("listeners", "PLAINTEXT://127.0.0.1:0"),
            ("log.dirs", &*self.directories),
        ];
        let standing = match &self.file {
            Some(file) => {
                command.arg("--config").arg(file);
                &[][..]
            }
            None => &standing[..],
        };
        let own = self
            .overrides
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()));
        for (key, value) in standing.iter().copied().chain(own) {
            command.arg("--override").arg(format!("{key}={value}"));
        }
        command
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary was built")
    }
}

impl Broker {
    /// `host:port` of its first listener.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What it printed when it was ready.
    #[must_use]
    pub fn ready_line(&self) -> &str {
        self.ready_line.trim_end()
    }

    /// What it has written to standard error until now.
    #[must_use]
    pub fn log(&self) -> String {
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Waits until it has logged `text`.
    ///
    /// # Panics
    /// When it does not.
    pub fn expect_log(&self, text: &str) {
        let is_there = within(TIME_MAX, || self.log().contains(text));
        assert!(is_there, "{text:?} is not in the log:\n{}", self.log());
    }

    /// A client that tries again for as long as a restart may take.
    ///
    /// # Panics
    /// When the broker does not answer.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::connect(ClientConfig::of_server(&self.address)).expect("the broker answers")
    }

    /// A client that reports every failure, even one that may pass.
    ///
    /// # Panics
    /// When the broker does not answer.
    #[must_use]
    pub fn impatient_client(&self) -> Client {
        let config = ClientConfig {
            retry: RetryPolicy {
                total_max: Duration::ZERO,
                ..RetryPolicy::default()
            },
            ..ClientConfig::of_server(&self.address)
        };
        Client::connect(config).expect("the broker answers")
    }

    /// A connection without any manners.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn wire(&self) -> Wire {
        Wire::connect(&self.address)
    }

    /// The process's id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The most memory that it has ever had, in bytes.
    ///
    /// # Panics
    /// When it has ended.
    #[must_use]
    pub fn memory_peak_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()));
        let status = status.expect("it runs");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = peak.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kib.expect("Linux tells it in kB") * 1024
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// When it has ended and was waited for.
    pub fn signal(&self, signal: Signal) {
        let name = match signal {
            Signal::Kill => "KILL",
            Signal::Terminate => "TERM",
            Signal::Interrupt => "INT",
            Signal::Stop => "STOP",
            Signal::Continue => "CONT",
            Signal::HangUp => "HUP",
        };
        let sent = Command::new("sh")
            .args(["-c", &format!("kill -{name} {}", self.pid())])
            .status()
            .expect("a shell");
        assert!(sent.success(), "the broker has ended: {}", self.log());
    }

    /// Kills it and waits until it is gone.
    ///
    /// # Panics
    /// When it had ended before by itself.
    #[must_use]
    pub fn kill(mut self) -> Ended {
        let ended = self.child.try_wait().expect("it is a child");
        assert_eq!(ended, None, "the broker ended by itself: {}", self.log());
        self.child.kill().expect("it is a child");
        self.wait()
    }

    /// Asks it to end and waits until it has.
    #[must_use]
    pub fn stop(self) -> Ended {
        self.signal(Signal::Terminate);
        self.wait()
    }

    /// Sends a signal again and again until it has ended: one that follows another at once counts as the same.
    ///
    /// # Panics
    /// When it does not end.
    #[must_use]
    pub fn insist(mut self, signal: Signal) -> Ended {
        within(TIME_MAX, || {
            self.signal(signal);
            self.child.try_wait().expect("it is a child").is_some()
        });
        self.wait()
    }

    /// Waits until it has ended.
    ///
    /// # Panics
    /// When it does not.
    #[must_use]
    pub fn wait(mut self) -> Ended {
        let status = eventually(TIME_MAX, || self.child.try_wait().expect("it is a child"));
        let status = status.expect("the broker ends");
        // The thread that collects the log has the other handle until the pipe ends.
        within(TIME_MAX, || Arc::strong_count(&self.log) == 1);
        Ended {
            status,
            log: self.log(),
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

impl Ended {
    /// The exit code; 128 and the signal's number where a signal has ended it, as shells say it.
    #[must_use]
    pub fn code(&self) -> i32 {
        let signal = self.status.signal().map(|signal| 128 + signal);
        self.status.code().or(signal).unwrap_or(-1)
    }

    /// Its last line.
    #[must_use]
    pub fn last_words(&self) -> &str {
        self.log.trim_end().lines().next_back().unwrap_or_default()
    }
}

/// Reads `source` to its end on a thread of its own, so that the broker never waits for a full pipe.
fn collect(source: impl Read + Send + 'static) -> Arc<Mutex<String>> {
    let log = Arc::new(Mutex::new(String::new()));
    let collected = Arc::clone(&log);
    thread::spawn(move || {
        for line in BufReader::new(source).lines().map_while(Result::ok) {
            let mut log = collected.lock().unwrap_or_else(PoisonError::into_inner);
            log.push_str(&line);
            log.push('\n');
        }
    });
    log
}
