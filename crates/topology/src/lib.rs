//! The machine as the kernel describes it, and where a broker's threads run on it.
//!
//! [`Machine::read`] looks at sysfs and procfs below any root directory, so that a recorded tree is as good as the machine
//! itself. [`Plan::new`] is a pure decision over what was read, with its reasons; nothing is pinned, changed or started here.
//!
//! # Invariants
//! - Reading never fails: what the kernel does not tell stays unknown, and a plan exists for a machine of which nothing is
//!   known (one shard, pinned nowhere).
//! - A plan names only CPUs that are online, and each for one shard at most.
//!
//! Deliberately absent: hwloc and any parsing of `/proc/cpuinfo` beyond the processor's name; the kernel's own lists of CPUs
//! say all that a plan needs.

pub mod cpu_list;

mod advice;
mod cgroup;
mod devices;
mod machine;
mod plan;
mod root;

pub use cgroup::Cgroup;
pub use devices::{DataDirectory, Disk, Interrupt, Network};
pub use machine::{Cpu, Machine, Node};
pub use plan::{Choice, Plan, PlanError, Seat};
pub use root::Root;
