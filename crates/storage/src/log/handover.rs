//! Handing a log over: one shard lets go of the files, another one opens them. No byte moves.
//!
//! The old owner ends the log as a clean stop does, and says what the next owner has to know. That is plain data and
//! may cross threads; everything else (producers, leader epochs, indexes) is in the files that closing writes.

use io::Io;

use super::{LastKnown, Log};
use crate::error::Fenced;

impl<I: Io> Log<I> {
    /// Ends the log so that another shard can open it with what this returns: no more appends, everything on disk, and
    /// nothing of this shard touches the files any more but reads that are under way. A log that was closed without an
    /// error is opened without a scan. When the disk is full, what nobody was told of is given up, and the next owner
    /// scans from the recovery point. Cancellation leaves a log that takes no appends and needs recovery.
    ///
    /// # Errors
    /// [`Fenced`] when the log had failed before or fails now: then nobody may open it before the next start.
    pub async fn hand_over(&self) -> Result<LastKnown, Fenced> {
        self.check_running()?;
        let inner = &self.inner;
        let closed = self.close().await;
        if let Err(fenced) = &closed {
            if inner.state.borrow().is_halted() {
                return Err(fenced.clone());
            }
            // A write that waits for space would go on beside the next owner's.
            inner.fence("its disk was full when it was handed over".to_owned());
            inner.wait_for_tasks().await;
        }
        inner.forget();
        Ok(LastKnown {
            is_clean: closed.is_ok(),
            recovery_point: self.recovery_point(),
            log_start_offset: self.log_start_offset(),
        })
    }
}
