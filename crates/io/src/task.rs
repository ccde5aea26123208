//! Tasks of one shard.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};

use crate::Io;

/// Who a task works for. Foreground tasks get nearly all of a contended shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskClass {
    /// Connections, requests, appends and their syncs.
    Foreground,
    /// Work that nobody waits for: start-up scans, cleaning, deletion.
    Background,
    /// Control messages and the watchdog's probe, which run even when the foreground is overloaded.
    Control,
}

/// How much of its core a shard has used since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Time of its thread, as the operating system counts it.
    pub cpu: Duration,
    /// Time in which foreground tasks ran.
    pub foreground: Duration,
    /// Time in which background tasks ran.
    pub background: Duration,
    /// Time in which control tasks ran.
    pub control: Duration,
}

/// A handle of a spawned task. Dropping it cancels the task at its next wait.
pub trait Task: 'static {
    /// Lets the task run to its end on its own.
    fn detach(self);

    /// Waits until the task has ended. Cancellation of the wait cancels the task.
    fn join(self) -> impl Future<Output = ()>;
}

/// The error of [`timeout`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed;

/// Runs `work` for at most `span`; then drops it.
///
/// # Errors
/// [`Elapsed`] when the time was up first.
pub async fn timeout<I: Io, T>(
    io: &I,
    span: Duration,
    work: impl Future<Output = T>,
) -> Result<T, Elapsed> {
    let sleep = pin!(io.sleep_until(io.now() + span));
    match select(pin!(work), sleep).await {
        Either::Left((value, _)) => Ok(value),
        Either::Right(((), _)) => Err(Elapsed),
    }
}
