//! Files on glommio's `DmaFile`: direct I/O through the shard's main ring.
//!
//! # Invariants
//! - Whatever changes a file runs in a task of its own, so that a dropped future neither cancels it half-way nor
//!   releases the buffer or the descriptor before the kernel is done.
//! - A file is opened in two steps. glommio's `DmaFile` looks the path up again after opening it, and panics when it
//!   is gone by then; a descriptor's own path under `/proc/self/fd` cannot be renamed away.
//!
//! No file is ever polled for completion (IOPOLL); see the module `probe`.

#![expect(unsafe_code, reason = "borrows the descriptor that glommio owns")]

use std::fs;
use std::io::{Error, Result};
use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::OnceLock;

use glommio::io::{DmaFile, OpenOptions};
use io::sync::Notify;
use io::{ALIGNMENT, OpenMode};

use crate::buffer::Buffer;
use crate::helper::Helper;

/// An open file of a shard.
#[derive(Debug)]
pub struct File {
    open: Rc<DmaFile>,
    /// Notified when an operation has let go of `open`.
    released: Notify,
    helper: Helper,
}

/// Whether syncs are left out, so that the test of power cuts can be seen to fail. A build for release has no such switch.
fn leaves_out_sync() -> bool {
    static IS_SET: OnceLock<bool> = OnceLock::new();
    let is_set = || std::env::var_os("LOGAN_TEST_LEAVE_OUT_SYNC").is_some();
    cfg!(debug_assertions) && *IS_SET.get_or_init(is_set)
}

impl File {
    pub(crate) async fn open(helper: &Helper, path: &Path, mode: OpenMode) -> Result<Self> {
        let path = std::path::absolute(path)?;
        let by_name = options(mode).buffered_open(&path).await?;
        let by_descriptor = PathBuf::from(format!("/proc/self/fd/{}", by_name.as_raw_fd()));
        let reopen_mode = match mode {
            OpenMode::ReadOnly => OpenMode::ReadOnly,
            OpenMode::Existing | OpenMode::CreateNew | OpenMode::CreateOrOpen => OpenMode::Existing,
        };
        let opened = options(reopen_mode).dma_open(&by_descriptor).await;
        by_name.close().await?;
        Ok(Self {
            open: Rc::new(opened?),
            released: Notify::new(),
            helper: helper.clone(),
        })
    }

    /// Runs `operation` to its end, even when the returned future is dropped.
    async fn complete<T: 'static, F>(
        &self,
        operation: impl FnOnce(Rc<DmaFile>) -> F + 'static,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>> + 'static,
    {
        let open = Rc::clone(&self.open);
        let released = self.released.clone();
        let task = glommio::spawn_local(async move {
            let result = operation(open).await;
            released.notify_all();
            result
        });
        task.detach()
            .await
            .ok_or_else(|| Error::other("the shard is shutting down"))?
    }

    /// A descriptor of its own, for calls that glommio does not offer.
    fn duplicate(&self) -> Result<fs::File> {
        // SAFETY: `self.open` keeps the descriptor open while it is borrowed here.
        let descriptor = unsafe { BorrowedFd::borrow_raw(self.open.as_raw_fd()) };
        Ok(fs::File::from(descriptor.try_clone_to_owned()?))
    }

    /// Whether glommio would spin on this file's completions.
    pub(crate) fn is_polled(&self) -> bool {
        // glommio shows the decision nowhere else.
        !format!("{:?}", self.open).contains("pollable: NonPollable")
    }
}

fn options(mode: OpenMode) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true);
    match mode {
        OpenMode::ReadOnly => {}
        OpenMode::Existing => {
            options.write(true);
        }
        OpenMode::CreateNew => {
            options.write(true).create_new(true);
        }
        OpenMode::CreateOrOpen => {
            options.write(true).create(true);
        }
    }
    options
}

fn assert_aligned(position: u64, len_bytes: usize) {
    assert!(
        io::align_down(position) == position && len_bytes.is_multiple_of(ALIGNMENT),
        "direct I/O is aligned"
    );
}

impl io::File for File {
    type Buffer = Buffer;

    async fn write_at(&self, position: u64, buffer: Buffer) -> Result<usize> {
        assert_aligned(position, io::Buffer::len(&buffer));
        self.complete(move |open| async move {
            Ok(open.write_rc_at(buffer.into_writable(), position).await?)
        })
        .await
    }

    async fn read_at(&self, position: u64, len_bytes: usize) -> Result<Buffer> {
        assert_aligned(position, len_bytes);
        let result = self.open.read_at_aligned(position, len_bytes).await?;
        Ok(Buffer::from_read(result))
    }

    async fn sync_data(&self) -> Result<()> {
        if leaves_out_sync() {
            return Ok(());
        }
        self.complete(|open| async move { Ok(open.fdatasync().await?) })
            .await
    }

    async fn allocate(&self, position: u64, len_bytes: u64) -> Result<()> {
        // glommio reserves from the start of the file; what is already there is left as it is.
        let end = position.saturating_add(len_bytes);
        self.complete(move |open| async move { Ok(open.pre_allocate(end, false).await?) })
            .await
    }

    async fn set_len(&self, len_bytes: u64) -> Result<()> {
        let duplicate = self.duplicate()?;
        self.helper.run(move || duplicate.set_len(len_bytes)).await
    }

    async fn len_bytes(&self) -> Result<u64> {
        // The inode of an open file is in memory: this does not block.
        Ok(self.duplicate()?.metadata()?.len())
    }

    async fn close(self) -> Result<()> {
        let Self { open, released, .. } = self;
        let mut open = open;
        loop {
            let another_released = released.notified();
            match Rc::try_unwrap(open) {
                Ok(file) => return Ok(file.close().await?),
                Err(shared) => open = shared,
            }
            another_released.await;
        }
    }
}
