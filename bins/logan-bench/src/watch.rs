//! What a process uses, as the kernel tells in /proc: processor time, memory, disk, switches, faults.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use command_line::Failure;
use serde::Serialize;

/// The kernel's unit of processor time in /proc, on every platform that Linux supports here.
const TICKS_PER_SECOND: f64 = 100.0;

/// A process that is watched.
#[derive(Debug)]
pub(crate) struct Watched {
    pid: u32,
    /// When the process was started, so that another one with its id is not taken for it.
    started: u64,
    begin: Option<Counters>,
    end: Option<Counters>,
    memory: Vec<u64>,
    counter: Option<Counter>,
    instructions: Option<u64>,
}

/// The counters at one time.
#[derive(Clone, Copy, Debug, Default)]
struct Counters {
    cpu_ticks: u64,
    switches_voluntary: u64,
    switches_involuntary: u64,
    faults_minor: u64,
    faults_major: u64,
    read_bytes: u64,
    written_bytes: u64,
}

/// What a process used between the beginning and the end of the window.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Used {
    pub(crate) pid: u32,
    pub(crate) cpu_seconds: f64,
    /// For each 10^9 bytes of record batches that were produced and consumed.
    pub(crate) cpu_seconds_per_gb: Option<f64>,
    /// For each request that was answered with or about records.
    pub(crate) cpu_us_per_request: Option<f64>,
    /// Of its own code, without the kernel's; where the machine has counters.
    pub(crate) instructions: Option<u64>,
    pub(crate) instructions_per_kb: Option<f64>,
    pub(crate) rss_peak_bytes: u64,
    pub(crate) rss_mean_bytes: u64,
    pub(crate) context_switches_voluntary: u64,
    pub(crate) context_switches_involuntary: u64,
    pub(crate) page_faults_minor: u64,
    pub(crate) page_faults_major: u64,
    pub(crate) disk_read_bytes: u64,
    pub(crate) disk_written_bytes: u64,
}

impl Watched {
    /// Looks for the process.
    pub(crate) fn new(pid: u32) -> Result<Self, Failure> {
        let started = stat(pid).map_err(|error| {
            let advice = "give the process id of a broker on this machine, or leave out --pid";
            Failure::usage(
                format!("there is no process {pid} to be measured: {error}"),
                advice,
            )
        })?;
        let watched = Self {
            pid,
            started: started.started,
            begin: None,
            end: None,
            memory: Vec::new(),
            counter: None,
            instructions: None,
        };
        // Another user's process shows no I/O: better said now than behind the run.
        watched.counters().map_err(|error| {
            let advice = "run as the broker's user or as root, or leave out --pid";
            Failure::usage(format!("process {pid} cannot be measured: {error}"), advice)
        })?;
        Ok(watched)
    }

    /// Takes the counters at the beginning of the window.
    pub(crate) fn begin(&mut self) {
        self.counter = Counter::start(self.pid);
        self.begin = self.counters().ok();
        self.memory.clear();
        self.sample();
    }

    /// Notes how much memory there is now.
    pub(crate) fn sample(&mut self) {
        if let Some(rss) = status_field(self.pid, "VmRSS:") {
            self.memory.push(rss * 1024);
        }
    }

    /// Takes the counters at the end of the window.
    pub(crate) fn end(&mut self) {
        self.sample();
        self.end = self.counters().ok();
        self.instructions = self.counter.take().and_then(Counter::stop);
    }

    /// By how much its memory has grown in between.
    pub(crate) fn growth(&self) -> Option<u64> {
        let (first, last) = (self.memory.first()?, self.memory.last()?);
        Some(last.saturating_sub(*first))
    }

    /// What was used in between; nothing when the process is gone.
    pub(crate) fn used(&self, bytes: u64, requests: u64) -> Option<Used> {
        let (begin, end) = (self.begin?, self.end?);
        let cpu_seconds = end.cpu_ticks.saturating_sub(begin.cpu_ticks) as f64 / TICKS_PER_SECOND;
        let samples = u64::try_from(self.memory.len()).unwrap_or(u64::MAX).max(1);
        let difference = |of: fn(&Counters) -> u64| of(&end).saturating_sub(of(&begin));
        Some(Used {
            pid: self.pid,
            cpu_seconds,
            cpu_seconds_per_gb: per_gb(cpu_seconds, bytes),
            cpu_us_per_request: (requests > 0).then(|| cpu_seconds * 1e6 / requests as f64),
            instructions: self.instructions,
            instructions_per_kb: self
                .instructions
                .filter(|_| bytes > 0)
                .map(|instructions| instructions as f64 * 1e3 / bytes as f64),
            rss_peak_bytes: self.memory.iter().copied().max().unwrap_or(0),
            rss_mean_bytes: self.memory.iter().sum::<u64>() / samples,
            context_switches_voluntary: difference(|at| at.switches_voluntary),
            context_switches_involuntary: difference(|at| at.switches_involuntary),
            page_faults_minor: difference(|at| at.faults_minor),
            page_faults_major: difference(|at| at.faults_major),
            disk_read_bytes: difference(|at| at.read_bytes),
            disk_written_bytes: difference(|at| at.written_bytes),
        })
    }

    fn counters(&self) -> io::Result<Counters> {
        let stat = stat(self.pid)?;
        if stat.started != self.started {
            return Err(io::Error::other("the process has been replaced"));
        }
        let (mut voluntary, mut involuntary) = (0, 0);
        for thread in fs::read_dir(format!("/proc/{}/task", self.pid))? {
            // A thread may end while they are listed.
            let Ok(status) =
                thread.and_then(|thread| fs::read_to_string(thread.path().join("status")))
            else {
                continue;
            };
            voluntary += field(&status, "voluntary_ctxt_switches:").unwrap_or(0);
            involuntary += field(&status, "nonvoluntary_ctxt_switches:").unwrap_or(0);
        }
        let io = fs::read_to_string(format!("/proc/{}/io", self.pid))?;
        Ok(Counters {
            cpu_ticks: stat.cpu_ticks,
            switches_voluntary: voluntary,
            switches_involuntary: involuntary,
            faults_minor: stat.faults_minor,
            faults_major: stat.faults_major,
            read_bytes: field(&io, "read_bytes:").unwrap_or(0),
            written_bytes: field(&io, "write_bytes:").unwrap_or(0),
        })
    }
}

/// `perf stat` on a process, between the beginning and the end of the window.
#[derive(Debug)]
struct Counter {
    perf: Child,
}

impl Counter {
    /// `None` where nothing can be counted.
    fn start(pid: u32) -> Option<Self> {
        if counters_unavailable().is_some() {
            return None;
        }
        let perf = Command::new("perf")
            .args([
                "stat",
                "-x",
                ",",
                "-e",
                INSTRUCTIONS,
                "-p",
                &pid.to_string(),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        perf.ok().map(|perf| Self { perf })
    }

    /// The count; `perf` writes it when it is interrupted.
    fn stop(self) -> Option<u64> {
        let id = rustix::process::Pid::from_child(&self.perf);
        rustix::process::kill_process(id, rustix::process::Signal::INT).ok()?;
        let ended = self.perf.wait_with_output().ok()?;
        parse_count(&String::from_utf8_lossy(&ended.stderr))
    }
}

/// What is counted: instructions outside of the kernel.
const INSTRUCTIONS: &str = "instructions:u";

/// Why this machine counts no instructions, if it does not.
pub(crate) fn counters_unavailable() -> Option<String> {
    static FOUND: OnceLock<Option<String>> = OnceLock::new();
    FOUND
        .get_or_init(|| {
            let perf = Command::new("perf")
                .args(["stat", "-x", ",", "-e", INSTRUCTIONS, "true"])
                .stdin(Stdio::null())
                .output();
            let said = match perf {
                Err(error) => return Some(format!("perf cannot be started: {error}")),
                Ok(ended) => String::from_utf8_lossy(&ended.stderr).into_owned(),
            };
            if parse_count(&said).is_some() {
                return None;
            }
            let line = said.lines().find(|line| !line.trim().is_empty());
            Some(format!(
                "perf counts none on this machine: {}",
                line.unwrap_or("it says nothing").trim()
            ))
        })
        .clone()
}

/// The count in a line of `perf stat -x ,`. Source: perf-stat(1), "CSV FORMAT".
fn parse_count(said: &str) -> Option<u64> {
    let line = said.lines().find(|line| line.contains(INSTRUCTIONS))?;
    line.split(',').next()?.parse().ok()
}

/// Seconds for each 10^9 bytes, if there were any bytes.
pub(crate) fn per_gb(seconds: f64, bytes: u64) -> Option<f64> {
    (bytes > 0).then(|| seconds / (bytes as f64 / 1e9))
}

/// Fields of /proc/PID/stat. Source: proc_pid_stat(5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    faults_minor: u64,
    faults_major: u64,
    cpu_ticks: u64,
    started: u64,
}

fn stat(pid: u32) -> io::Result<Stat> {
    let text = fs::read_to_string(PathBuf::from(format!("/proc/{pid}/stat")))?;
    parse_stat(&text).ok_or_else(|| io::Error::other("/proc/PID/stat has an unknown form"))
}

fn parse_stat(text: &str) -> Option<Stat> {
    // The name stands in parentheses and may hold anything, parentheses included.
    let (_, rest) = text.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    // The first of them is field 3.
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some(Stat {
        faults_minor: number(10)?,
        faults_major: number(12)?,
        cpu_ticks: number(14)? + number(15)?,
        started: number(22)?,
    })
}

fn status_field(pid: u32, name: &str) -> Option<u64> {
    field(
        &fs::read_to_string(format!("/proc/{pid}/status")).ok()?,
        name,
    )
}

fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let text = "7 (a) b) (c) S 1 2 3 4 5 6 100 0 20 0 30 40 0 0 20 0 1 0 555 1 2";
        let stat = parse_stat(text).expect("it is well-formed");
        assert_eq!((stat.faults_minor, stat.faults_major), (100, 20));
        assert_eq!((stat.cpu_ticks, stat.started), (70, 555));
    }

    #[test]
    fn this_process_can_be_watched() {
        let mut own = Watched::new(std::process::id()).expect("it is there");
        own.begin();
        own.end();
        let used = own.used(1_000_000_000, 1000).expect("it is still there");
        assert!(used.rss_peak_bytes > 0);
        assert_eq!(used.cpu_seconds_per_gb, Some(used.cpu_seconds));
        assert_eq!(used.cpu_us_per_request, Some(used.cpu_seconds * 1000.0));
        let has_counters = counters_unavailable().is_none();
        assert_eq!(used.instructions.is_some(), has_counters);
    }

    #[test]
    fn a_count_is_read_where_there_is_one() {
        let counted = "8123456,,instructions:u,1234567,100.00,,\n";
        assert_eq!(parse_count(counted), Some(8_123_456));
        assert_eq!(
            parse_count("<not supported>,,instructions:u,0,100.00,,"),
            None
        );
        assert_eq!(parse_count(""), None);
    }

    #[test]
    fn a_process_that_is_not_there_is_refused() {
        assert_eq!(
            Watched::new(u32::MAX).expect_err("no such process").code(),
            2
        );
    }
}
