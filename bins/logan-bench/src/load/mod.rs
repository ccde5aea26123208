//! What is sent, and when: sizes, keys, payloads, ready-made batches and schedules.
//!
//! Values only. Everything random comes from a seed, so that two runs of a scenario send the same bytes.

mod chance;
mod keys;
mod pool;
mod schedule;
mod sizes;

pub(crate) use chance::Chance;
pub(crate) use keys::Keys;
pub(crate) use pool::{Pool, PoolOptions, STAMP_BYTES, Stamp, Use, stamp_of};
pub(crate) use schedule::{Plan, Rate};
pub(crate) use sizes::Sizes;

/// Nanoseconds since the beginning of a run.
pub(crate) type Nanos = u64;

/// A finite, non-negative number without its fraction; others become 0 or the greatest number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "conversions from floating point saturate, which is what is wanted"
)]
pub(crate) fn whole(number: f64) -> u64 {
    number as u64
}
