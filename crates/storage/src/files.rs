//! The open files of one shard: the recently used ones are kept, and only so many are in use at once.
//!
//! Both numbers bound the descriptors of a shard, however many logs it has. Whoever uses a file waits for nothing but the
//! end of that use: nobody waits for a second file while holding one, so users cannot wait for each other in a circle.

use std::cell::RefCell;
use std::future::Future;
use std::io::Result;
use std::ops::Deref;
use std::rc::Rc;

use io::sync::{Permit, Semaphore};
use types::Offset;

use crate::lru::Lru;

/// Files of a shard that are in use at once; more users wait.
const IN_USE_MAX: usize = 128;

/// A log of the shard and the base offset of one of its segments.
pub(crate) type SegmentKey = (u64, Offset);

/// An open file while somebody uses it.
pub(crate) struct FileUse<F> {
    file: Rc<F>,
    _permit: Permit,
}

impl<F> Deref for FileUse<F> {
    type Target = F;

    fn deref(&self) -> &F {
        &self.file
    }
}

/// The open files of a shard.
pub(crate) struct OpenFiles<F> {
    kept: RefCell<Lru<SegmentKey, Rc<F>>>,
    users: Semaphore,
}

impl<F> OpenFiles<F> {
    /// Makes a table that keeps at most `kept_max` files open that nobody uses.
    pub(crate) fn new(kept_max: usize) -> Self {
        Self {
            kept: RefCell::new(Lru::new(kept_max)),
            users: Semaphore::new(IN_USE_MAX),
        }
    }

    /// The file of a segment, opened by `open` unless it is kept.
    pub(crate) async fn get<O: Future<Output = Result<F>>>(
        &self,
        key: SegmentKey,
        open: impl FnOnce() -> O,
    ) -> Result<FileUse<F>> {
        let permit = self.users.acquire(1).await;
        let kept = self.kept.borrow_mut().get(&key).map(|file| Rc::clone(file));
        let file = match kept {
            Some(file) => file,
            None => {
                let file = Rc::new(open().await?);
                let mut kept = self.kept.borrow_mut();
                kept.insert(key, Rc::clone(&file), 1, |_| ());
                file
            }
        };
        Ok(FileUse {
            file,
            _permit: permit,
        })
    }

    /// Closes everything that nobody uses.
    pub(crate) fn shed(&self) {
        self.kept.borrow_mut().clear();
    }

    /// Closes the file of a segment once nobody uses it.
    pub(crate) fn forget(&self, key: SegmentKey) {
        self.kept.borrow_mut().remove(&key);
    }
}
