//! What is known of a move while it is under way, and why it may end.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use io::Io;
use io::sync::{Notified, Notify};
use storage::{CopyError, Log, OpenError};
use types::Offset;

use crate::message::PartitionKey;
use crate::partition::Partition;

/// A partition on the move.
pub(crate) struct DirectoryMove<I: Io> {
    pub(in crate::shard) key: PartitionKey,
    /// The index of the directory that it goes to.
    pub(in crate::shard) target: usize,
    /// The partition with the log that is copied.
    pub(super) source: Rc<Partition<I>>,
    /// Where its future log is.
    pub(super) path: PathBuf,
    /// Its future log, once it is open.
    pub(super) future: RefCell<Option<Log<I>>>,
    /// Up to where it was known to be durable when it was closed the last time.
    pub(super) recovery_point: Cell<Offset>,
    /// The copy was begun by this shard, which has kept the cleaner away from the log since.
    pub(super) is_begun_here: bool,
    /// It was said that the copy waits for space, ...
    pub(super) has_waited: Cell<bool>,
    /// ... or for what is in its way.
    pub(super) is_blocked: Cell<bool>,
    /// Its copy has taken the log's place, and the log keeps its name.
    pub(super) is_source_left: Cell<bool>,
    pub(super) is_cancelled: Cell<bool>,
    pub(super) cancelled: Notify,
    /// Nothing of it is left to do.
    pub(super) ended: Notify,
}

/// Why a move does not go on.
pub(super) enum Halt {
    /// The wish is gone, and the copy with it: the partition was deleted, or is to go elsewhere.
    Cancelled,
    /// The shard ends. The next start goes on.
    Draining,
    /// The metadata log has failed: nobody knows before the next start which of both is the partition's log.
    Undecided,
    /// The partition has gone to another shard, perhaps and back. Who has it now goes on.
    Elsewhere,
    /// The disk is full.
    NoRoom,
    /// Something is broken.
    Failed(String),
}

impl From<OpenError> for Halt {
    fn from(error: OpenError) -> Self {
        if error.lacks_room() {
            return Self::NoRoom;
        }
        Self::Failed(error.to_string())
    }
}

impl From<CopyError> for Halt {
    fn from(error: CopyError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl<I: Io> DirectoryMove<I> {
    /// The future log, if it is open.
    pub(in crate::shard) fn future(&self) -> Option<Log<I>> {
        self.future.borrow().clone()
    }

    /// How far the log was cleaned that is copied, if the same holds for the copy.
    pub(in crate::shard) fn cleaner_offset(&self, source: &Log<I>) -> Option<Offset> {
        source.cleaner_offset().filter(|_| self.is_begun_here)
    }

    /// Lets go of the future log, which is closed; the next turn opens it again.
    pub(super) fn forget_future(&self) {
        if let Some(future) = self.future.take() {
            self.recovery_point.set(future.recovery_point());
        }
    }

    /// Says once that the copy waits for space.
    pub(super) fn say_waiting(&self) {
        if !self.has_waited.replace(true) {
            tracing::warn!(dir = %self.path.display(), "the disk is full: a log is moved when space returns");
        }
    }

    /// Ends the move, unless it is complete but for its record.
    pub(super) fn cancel(&self) {
        self.is_cancelled.set(true);
        self.cancelled.notify_all();
    }

    /// Whether the wish is gone.
    pub(in crate::shard) fn is_cancelled(&self) -> bool {
        self.is_cancelled.get()
    }

    /// Completes when the wish is gone.
    pub(in crate::shard) fn cancellation(&self) -> Notified {
        self.cancelled.notified()
    }

    /// Takes note that the log is still there whose place the copy has taken.
    pub(in crate::shard) fn leave_source(&self) {
        self.is_source_left.set(true);
    }

    /// The log that is still there, if so.
    pub(in crate::shard) fn left_source(&self) -> Option<&Log<I>> {
        self.is_source_left.get().then_some(&self.source.log)
    }

    /// Takes note that it has gone.
    pub(in crate::shard) fn source_is_gone(&self) {
        self.is_source_left.set(false);
    }

    /// Where the future log is.
    pub(in crate::shard) fn path(&self) -> &Path {
        &self.path
    }
}
