//! Bounds of memory, held against what an input has made the code allocate at the same time.
//!
//! The allocator counts for the whole process, so one input at a time is looked at. Memory of C libraries (Zstandard) is not
//! counted.

use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Runs `check`, which may take `bytes_max` of memory at the same time beyond what was there before.
pub(super) fn bounded<T>(bytes_max: usize, check: impl FnOnce() -> T) -> T {
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let outcome = check();
    let taken = ALLOCATOR.peak_usage().saturating_sub(before);
    assert!(taken <= bytes_max, "{taken} bytes, of {bytes_max}");
    outcome
}
