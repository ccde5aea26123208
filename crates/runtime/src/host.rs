//! What the machine must allow before shards start, and what to say when it does not.
//!
//! [`Facts::gather`] asks the kernel; [`Facts::judge`] decides, so that every refusal can be tested anywhere.

#![expect(unsafe_code, reason = "sets up a ring and reads limits through libc")]

use std::fs;
use std::io::{Error as IoError, ErrorKind, Result as IoResult};
use std::os::fd::{FromRawFd as _, OwnedFd};

use thiserror::Error;

/// glommio refuses to start below this limit of locked memory, whatever is locked.
pub(crate) const MEMLOCK_MIN_BYTES: u64 = 512 << 10;
/// Entries of the ring that is set up as a test.
const TEST_RING_ENTRIES: libc::c_uint = 8;
/// The size of the kernel's `struct io_uring_params` in bytes.
const RING_PARAMETERS_LEN_BYTES: usize = 120;
const SYSCTL: &str = "/proc/sys/kernel/io_uring_disabled";
/// Where glommio asks about disks; it knows what to do where there is no such directory, and panics where it is hidden.
const DEVICES: &str = "/sys/dev/block";

/// Why shards cannot run on this machine.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum HostError {
    /// The kernel does not know `io_uring`.
    #[error(
        "io_uring is missing: Linux {kernel} does not offer it, or a container's seccomp profile hides it. \
         Run on Linux 5.11 or newer, and in a container allow io_uring_setup, io_uring_enter and io_uring_register \
         (docker: --security-opt seccomp=<profile>)"
    )]
    Missing {
        /// The kernel's release.
        kernel: String,
    },
    /// A sysctl switches `io_uring` off.
    #[error(
        "io_uring is switched off for this process: kernel.io_uring_disabled is {value}. \
         Allow it with: sysctl -w kernel.io_uring_disabled=0"
    )]
    Disabled {
        /// The sysctl's value: 1 excludes processes outside `kernel.io_uring_group`, 2 all.
        value: u32,
    },
    /// A security policy refuses `io_uring`.
    #[error(
        "io_uring is refused by a security policy (seccomp or a Linux security module). \
         In a container allow io_uring_setup, io_uring_enter and io_uring_register \
         (docker: --security-opt seccomp=<profile>)"
    )]
    Refused,
    /// Too little memory may be locked.
    #[error(
        "too little memory may be locked for io_uring: the limit is {limit_bytes} bytes, {needed_bytes} are needed. \
         Raise it with: ulimit -l {needed_kib} (systemd: LimitMEMLOCK=8M; docker: --ulimit memlock=8388608)",
        needed_kib = needed_bytes.div_ceil(1024)
    )]
    MemoryLock {
        /// The soft limit of the process.
        limit_bytes: u64,
        /// What would do.
        needed_bytes: u64,
    },
    /// The file descriptors are used up.
    #[error(
        "no file descriptor is left for io_uring: the limit is {limit}. Raise it with: ulimit -n 4096 or more"
    )]
    Descriptors {
        /// The soft limit of the process.
        limit: u64,
    },
    /// What the kernel says about disks is hidden.
    #[error(
        "{DEVICES} cannot be read: {reason}. What it says about disks decides how files are opened. \
         Mount sysfs, read only, or leave it out altogether"
    )]
    Devices {
        /// Why not.
        reason: String,
    },
    /// Anything else.
    #[error("io_uring cannot be set up: {0}")]
    Other(String),
}

/// What the kernel answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The outcome of setting a small ring up: 0 or an error number.
    pub setup_errno: i32,
    /// `kernel.io_uring_disabled`, where it exists.
    pub disabled: Option<u32>,
    /// The soft limit of locked memory in bytes.
    pub memlock_bytes: u64,
    /// The soft limit of file descriptors.
    pub descriptors: u64,
    /// The kernel's release.
    pub kernel: String,
    /// Why the kernel's list of disks cannot be read, although it is there.
    pub hidden_devices: Option<String>,
}

impl Facts {
    /// Sets a small ring up and closes it again, and reads the limits.
    #[must_use]
    pub fn gather() -> Self {
        let read = |path| fs::read_to_string(path).ok();
        Self {
            setup_errno: set_up_ring(),
            disabled: read(SYSCTL).and_then(|value| value.trim().parse().ok()),
            memlock_bytes: soft_limit(libc::RLIMIT_MEMLOCK),
            descriptors: soft_limit(libc::RLIMIT_NOFILE),
            kernel: read("/proc/sys/kernel/osrelease").map_or_else(
                || "of unknown release".to_owned(),
                |release| release.trim().to_owned(),
            ),
            hidden_devices: match fs::read_dir(DEVICES) {
                Err(error) if error.kind() != ErrorKind::NotFound => Some(error.to_string()),
                _ => None,
            },
        }
    }

    /// Decides whether shards can run.
    ///
    /// # Errors
    /// What is missing and how to allow it.
    pub fn judge(&self) -> Result<(), HostError> {
        let memory_lock = HostError::MemoryLock {
            limit_bytes: self.memlock_bytes,
            needed_bytes: MEMLOCK_MIN_BYTES,
        };
        match (self.setup_errno, self.disabled) {
            (0, _) if self.memlock_bytes < MEMLOCK_MIN_BYTES => Err(memory_lock),
            (0, _) => match self.hidden_devices.clone() {
                Some(reason) => Err(HostError::Devices { reason }),
                None => Ok(()),
            },
            (libc::ENOSYS, _) => Err(HostError::Missing {
                kernel: self.kernel.clone(),
            }),
            (libc::EPERM | libc::EACCES, Some(value @ 1..)) => Err(HostError::Disabled { value }),
            (libc::EPERM | libc::EACCES, _) => Err(HostError::Refused),
            (libc::ENOMEM, _) => Err(memory_lock),
            (libc::EMFILE | libc::ENFILE, _) => Err(HostError::Descriptors {
                limit: self.descriptors,
            }),
            (errno, _) => Err(HostError::Other(
                IoError::from_raw_os_error(errno).to_string(),
            )),
        }
    }
}

/// Raises the soft limit of file descriptors to the hard limit and returns it.
///
/// # Errors
/// The operating system's.
pub fn raise_descriptor_limit() -> IoResult<u64> {
    let mut limit = read_limit(libc::RLIMIT_NOFILE)?;
    if limit.rlim_cur < limit.rlim_max {
        limit.rlim_cur = limit.rlim_max;
        // SAFETY: `limit` is an initialised structure that the call only reads.
        if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } != 0 {
            return Err(IoError::last_os_error());
        }
    }
    Ok(limit.rlim_cur)
}

fn soft_limit(resource: libc::__rlimit_resource_t) -> u64 {
    read_limit(resource).map_or(u64::MAX, |limit| limit.rlim_cur)
}

fn read_limit(resource: libc::__rlimit_resource_t) -> IoResult<libc::rlimit> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is memory for one structure, which the call fills.
    if unsafe { libc::getrlimit(resource, &raw mut limit) } != 0 {
        return Err(IoError::last_os_error());
    }
    Ok(limit)
}

/// Returns 0 or the error number of `io_uring_setup`.
fn set_up_ring() -> i32 {
    let mut parameters = [0_u64; RING_PARAMETERS_LEN_BYTES / size_of::<u64>()];
    // SAFETY: the kernel reads and fills the parameter block, which has its size and alignment; zeroes ask for nothing
    // special.
    let descriptor = unsafe {
        libc::syscall(
            libc::SYS_io_uring_setup,
            TEST_RING_ENTRIES,
            parameters.as_mut_ptr(),
        )
    };
    match i32::try_from(descriptor) {
        Ok(descriptor @ 0..) => {
            // SAFETY: the call returned this new descriptor, which nobody else owns.
            drop(unsafe { OwnedFd::from_raw_fd(descriptor) });
            0
        }
        _ => IoError::last_os_error()
            .raw_os_error()
            .unwrap_or(libc::EINVAL),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(setup_errno: i32) -> Facts {
        Facts {
            setup_errno,
            disabled: Some(0),
            memlock_bytes: 8 << 20,
            descriptors: 1024,
            kernel: "5.4.0".to_owned(),
            hidden_devices: None,
        }
    }

    fn message(facts: &Facts) -> String {
        facts.judge().expect_err("a refusal").to_string()
    }

    #[test]
    fn default_limits_suffice() {
        assert_eq!(facts(0).judge(), Ok(()));
    }

    #[test]
    fn each_refusal_says_what_is_missing_and_how_to_allow_it() {
        let missing = message(&facts(libc::ENOSYS));
        assert!(
            missing.contains("5.4.0") && missing.contains("5.11"),
            "{missing}"
        );
        let refused = message(&facts(libc::EPERM));
        assert!(refused.contains("seccomp"), "{refused}");
        let disabled = message(&Facts {
            disabled: Some(2),
            ..facts(libc::EPERM)
        });
        assert!(
            disabled.contains("kernel.io_uring_disabled=0"),
            "{disabled}"
        );
        let descriptors = message(&facts(libc::EMFILE));
        assert!(descriptors.contains("1024"), "{descriptors}");
        let hidden = message(&Facts {
            hidden_devices: Some("Permission denied".to_owned()),
            ..facts(0)
        });
        assert!(
            hidden.contains("/sys/dev/block") && hidden.contains("Permission"),
            "{hidden}"
        );
    }

    #[test]
    fn too_little_locked_memory_is_told_apart_from_a_missing_ring() {
        for errno in [0, libc::ENOMEM] {
            let small = message(&Facts {
                memlock_bytes: 65_536,
                ..facts(errno)
            });
            assert!(
                small.contains("65536 bytes") && small.contains("ulimit -l 512"),
                "{small}"
            );
        }
    }

    #[test]
    fn this_machine_runs_shards() {
        assert_eq!(Facts::gather().judge(), Ok(()));
    }

    #[test]
    fn the_descriptor_limit_is_raised_to_the_hard_limit() {
        let raised = raise_descriptor_limit().expect("allowed");
        assert_eq!(raised, soft_limit(libc::RLIMIT_NOFILE));
    }
}
