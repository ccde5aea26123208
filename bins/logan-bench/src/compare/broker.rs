//! A broker that was started for a round, and is killed behind it.

use std::fs::File;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use client::{ClientConfig, Connection};
use command_line::Failure;
use tempfile::TempDir;

use super::manifest::BrokerEntry;

/// How long a broker may take to answer.
const START_MAX: Duration = Duration::from_secs(60);

const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A broker's process with an empty directory; both go when this is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    address: String,
    started: Duration,
    _directory: TempDir,
}

impl Running {
    /// Starts one and waits for its first answer. Its directory lies in the current one, on the disk that is meant.
    pub(crate) fn start(broker: &BrokerEntry, interrupted: &AtomicBool) -> Result<Self, Failure> {
        let failed = Failure::local("make a directory for a broker");
        let directory = tempfile::Builder::new()
            .prefix("compare-")
            .tempdir_in(".")
            .map_err(&failed)?;
        let log = directory.path().join("broker.log");
        let port = free_port().map_err(Failure::local("find a free port"))?;
        let data = directory.path().join("data").display().to_string();
        let fill = |word: &String| {
            let word = word.replace("{port}", &port.to_string());
            word.replace("{directory}", &data)
        };
        let words: Vec<String> = broker.command.iter().map(fill).collect();
        let written = File::create(&log).and_then(|file| Ok((file.try_clone()?, file)));
        let (out, err) = written.map_err(&failed)?;
        let began = Instant::now();
        let child = Command::new(&words[0])
            .args(&words[1..])
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .map_err(|error| {
                let problem = format!("{} cannot be started: {error}", broker.name);
                Failure::usage(problem, format!("the manifest says {}", words.join(" ")))
            })?;
        let mut running = Self {
            child,
            address: format!("127.0.0.1:{port}"),
            started: Duration::ZERO,
            _directory: directory,
        };
        running.await_answer(began, interrupted).map_err(|why| {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            let last = said.lines().next_back().unwrap_or("nothing").to_owned();
            let problem = format!("{} {why}", broker.name);
            Failure::refused(problem, format!("the last that it said: {last}"))
        })?;
        running.started = began.elapsed();
        Ok(running)
    }

    fn await_answer(&mut self, began: Instant, interrupted: &AtomicBool) -> Result<(), String> {
        let config = ClientConfig::of_server(self.address.clone());
        while Connection::open(&self.address, &config).is_err() {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("ended before it answered, with {status}"));
            }
            if interrupted.load(Ordering::Relaxed) {
                return Err("was interrupted".to_owned());
            }
            if began.elapsed() > START_MAX {
                return Err(format!("did not answer within {} s", START_MAX.as_secs()));
            }
            thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn seconds_to_first_answer(&self) -> f64 {
        self.started.as_secs_f64()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A port that is free now.
fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
