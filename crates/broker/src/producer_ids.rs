//! Producer ids for clients of this shard, from blocks that the controller gives out.

use std::cell::Cell;

use io::Io;
use io::sync::Semaphore;
use types::{ErrorCode, ProducerId};

use crate::controller::{Command, CommandResult};
use crate::shard::Shard;

/// The rest of the shard's block.
#[derive(Debug)]
pub(crate) struct ProducerIds {
    next: Cell<i64>,
    remaining: Cell<i64>,
    /// One task at a time asks for a block.
    asking: Semaphore,
}

impl ProducerIds {
    /// None yet; the first client's request fetches a block.
    pub(crate) fn new() -> Self {
        Self {
            next: Cell::new(0),
            remaining: Cell::new(0),
            asking: Semaphore::new(1),
        }
    }

    fn take(&self) -> Option<ProducerId> {
        if self.remaining.get() == 0 {
            return None;
        }
        self.remaining.set(self.remaining.get() - 1);
        Some(ProducerId(self.next.replace(self.next.get() + 1)))
    }

    /// An id that no producer of the cluster ever had.
    ///
    /// # Errors
    /// The code of the controller's refusal.
    pub(crate) async fn allocate<I: Io>(&self, shard: &Shard<I>) -> Result<ProducerId, ErrorCode> {
        if let Some(id) = self.take() {
            return Ok(id);
        }
        let _turn = self.asking.acquire(1).await;
        // Whoever asked before may have brought a block.
        if let Some(id) = self.take() {
            return Ok(id);
        }
        match shard.decide(Command::AllocateProducerIds).await {
            CommandResult::ProducerIds(block) => {
                self.next.set(block.first.0);
                self.remaining.set(block.len);
            }
            CommandResult::Refused(refusal) => return Err(refusal.code),
            _ => return Err(ErrorCode::UnknownServerError),
        }
        self.take().ok_or(ErrorCode::UnknownServerError)
    }
}
