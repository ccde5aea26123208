//! What the measurements share. Not part of the broker.
//!
//! Errors end a program: a measurement that went wrong has no result. Every program prints the machine, its load and
//! its own table; variants take turns, so that a disturbance hits all of them.

pub mod files;
pub mod runtimes;

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

/// The directory named by the first argument (or `target/data`), emptied and created.
pub fn data_directory() -> PathBuf {
    let path = PathBuf::from(
        std::env::args()
            .nth(1)
            .unwrap_or_else(|| "target/data".into()),
    )
    .join("measure");
    drop(fs::remove_dir_all(&path));
    fs::create_dir_all(&path).expect("create the data directory");
    path
}

/// Says what the numbers below were measured on.
pub fn print_machine() {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let models: Vec<&str> = cpuinfo
        .lines()
        .filter(|line| line.starts_with("model name"))
        .collect();
    let model = models
        .first()
        .and_then(|line| line.split(": ").nth(1))
        .unwrap_or("unknown");
    let release = read("/proc/sys/kernel/osrelease");
    let kernel = release.trim().split('-').next().unwrap_or_default();
    println!("# {} x {model}, Linux {kernel}", models.len());
    print_load();
}

/// Says how busy the machine is with other work: printed before and after.
pub fn print_load() {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!(
        "# load average {}",
        load.split(' ').take(3).collect::<Vec<_>>().join(" ")
    );
}

/// User and system CPU seconds of this process so far, its io_uring worker threads included.
pub fn cpu_seconds() -> f64 {
    // SAFETY: `rusage` is plain data, and the call writes only to it.
    let usage = unsafe {
        let mut usage = std::mem::zeroed::<libc::rusage>();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    let seconds = |t: libc::timeval| t.tv_sec as f64 + t.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

/// CPU seconds of the calling thread alone.
pub fn thread_cpu_seconds() -> f64 {
    let mut t = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the call writes only to `t`.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut t) };
    t.tv_sec as f64 + t.tv_nsec as f64 / 1e9
}

/// Pins the calling thread to one core.
pub fn pin(core: usize) {
    // SAFETY: `set` is plain data that the first calls fill and the last one reads.
    let result = unsafe {
        let mut set = std::mem::zeroed::<libc::cpu_set_t>();
        libc::CPU_SET(core, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set)
    };
    assert_eq!(result, 0, "pin the thread to core {core}");
}

/// Samples of one variant, collected over its turns.
#[derive(Default, Clone)]
pub struct Samples(Vec<f64>);

impl Samples {
    pub fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    pub fn push_us(&mut self, since: Instant) {
        self.push(since.elapsed().as_secs_f64() * 1e6);
    }

    pub fn extend(&mut self, other: &Samples) {
        self.0.extend_from_slice(&other.0);
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value that the fraction `p` of the samples does not exceed; 0 without samples.
    pub fn percentile(&self, p: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().saturating_sub(1);
        sorted
            .get((last as f64 * p).round() as usize)
            .copied()
            .unwrap_or(0.0)
    }

    pub fn median(&self) -> f64 {
        self.percentile(0.5)
    }

    pub fn sum(&self) -> f64 {
        self.0.iter().sum()
    }
}
