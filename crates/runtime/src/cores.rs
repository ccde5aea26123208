//! Where threads run: what a plan says, and the calls that make it so.
//!
//! What is a good plan for a machine is decided elsewhere; here it is carried out.

#![expect(unsafe_code, reason = "the affinity and memory policy of threads")]

use std::io::{Error, Result};

/// Bits of one word of a mask of CPUs or nodes.
const WORD_BITS: usize = u64::BITS as usize;
/// The kernel's `MPOL_PREFERRED`: memory of this node first, of others when it has none left.
const PREFERRED: libc::c_int = 1;

/// Where a shard runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seat {
    /// The CPU that it is pinned to; `None` for a shard that is not pinned.
    pub cpu: Option<usize>,
    /// The NUMA node whose memory it takes first; `None` where it does not matter.
    pub memory_node: Option<usize>,
}

/// Where shards and the threads beside them run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CorePlan {
    /// The shards, by their index.
    pub shards: Vec<Seat>,
    /// The CPUs of the other threads; none if they may run anywhere.
    pub beside: Vec<usize>,
}

impl CorePlan {
    /// So many shards on the first CPUs that the process may use, or pinned nowhere if there are more of them than CPUs. For
    /// tests and measurements; a broker looks at the machine first.
    #[must_use]
    pub fn first_cpus(count: usize) -> Self {
        let cpus = core_affinity::get_core_ids().unwrap_or_default();
        let mut cpus = cpus.into_iter().map(|core| core.id);
        let is_pinned = cpus.len() >= count;
        let seat = || Seat {
            cpu: cpus.next().filter(|_| is_pinned),
            memory_node: None,
        };
        Self {
            shards: std::iter::repeat_with(seat).take(count).collect(),
            beside: Vec::new(),
        }
    }
}

/// Lets the calling thread, and all that it starts from now on, run on these CPUs only.
///
/// # Errors
/// When the process may use none of them, or the system does not allow it.
pub fn stay_on(cpus: &[usize]) -> Result<()> {
    let mask = mask(cpus);
    // SAFETY: the kernel reads as many bytes as the mask has.
    let outcome =
        unsafe { libc::sched_setaffinity(0, size_of_val(mask.as_slice()), mask.as_ptr().cast()) };
    succeeded(outcome.into())
}

/// Lets the calling thread take memory of this NUMA node first. It is a preference: a full node is no reason to die while
/// others have room.
///
/// # Errors
/// When there is no such node, or the system does not allow it (Docker's default profile does not).
pub(crate) fn prefer_memory_of(node: usize) -> Result<()> {
    let mask = mask(&[node]);
    // The kernel takes the count for one more than there are.
    let bits = mask.len() * WORD_BITS + 1;
    // SAFETY: the kernel reads as many bits of the mask as it is told, less one.
    let outcome = unsafe { libc::syscall(libc::SYS_set_mempolicy, PREFERRED, mask.as_ptr(), bits) };
    succeeded(outcome)
}

/// A bit for each number.
fn mask(numbers: &[usize]) -> Vec<u64> {
    let highest = numbers.iter().max().copied().unwrap_or(0);
    let mut mask = vec![0; highest / WORD_BITS + 1];
    for number in numbers {
        mask[number / WORD_BITS] |= 1 << (number % WORD_BITS);
    }
    mask
}

fn succeeded(outcome: libc::c_long) -> Result<()> {
    match outcome {
        0 => Ok(()),
        _ => Err(Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn allowed() -> Vec<usize> {
        let cpus = core_affinity::get_core_ids().expect("Linux has them");
        cpus.into_iter().map(|core| core.id).collect()
    }

    #[test]
    fn a_thread_and_its_children_stay_where_they_are_told() {
        let last = *allowed().last().expect("there is one");
        let (here, child) = thread::spawn(move || {
            stay_on(&[last]).expect("it is allowed");
            (allowed(), thread::spawn(allowed).join().expect("no panic"))
        })
        .join()
        .expect("no panic");
        assert_eq!((here, child), (vec![last], vec![last]));
    }

    #[test]
    fn cpus_that_do_not_exist_are_refused() {
        let refused = thread::spawn(|| stay_on(&[60_000]).is_err());
        assert!(refused.join().expect("no panic"));
        assert!(
            thread::spawn(|| stay_on(&[]).is_err())
                .join()
                .expect("no panic")
        );
    }

    #[test]
    fn memory_is_preferred_from_a_node_that_exists() {
        let (known, unknown) = thread::spawn(|| {
            (
                prefer_memory_of(0).map(|()| policy()),
                prefer_memory_of(900),
            )
        })
        .join()
        .expect("no panic");
        match known {
            Ok(policy) => assert_eq!(policy, (PREFERRED, 1)),
            // A container may not be allowed to.
            Err(error) => assert_eq!(error.raw_os_error(), Some(libc::EPERM)),
        }
        assert!(unknown.is_err());
    }

    /// The policy of the calling thread, and the first word of its nodes.
    fn policy() -> (libc::c_int, u64) {
        let mut mode: libc::c_int = -1;
        let mut mask = [0_u64; 16];
        // SAFETY: the kernel writes one number, and as many bits of the mask as it is told.
        let outcome = unsafe {
            libc::syscall(
                libc::SYS_get_mempolicy,
                &raw mut mode,
                mask.as_mut_ptr(),
                mask.len() * WORD_BITS,
                0,
                0,
            )
        };
        succeeded(outcome).expect("it is told");
        (mode, mask[0])
    }

    #[test]
    fn shards_are_pinned_as_long_as_there_are_cpus() {
        let count = allowed().len();
        let plan = CorePlan::first_cpus(count);
        assert!(plan.shards.iter().all(|seat| seat.cpu.is_some()));
        let plan = CorePlan::first_cpus(count + 1);
        assert_eq!(plan.shards, vec![Seat::default(); count + 1]);
    }
}
