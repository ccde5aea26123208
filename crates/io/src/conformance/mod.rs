//! What every implementation of the seam has to do, as tests that run on any of them.
//!
//! An implementation's own tests make a [`Fixture`] and call [`run_all`] from within one of its shards. A case that
//! fails panics with a sentence; one that hangs is named after [`CASE_TIME_MAX`].
//!
//! Deliberately absent: what only one implementation can show, such as power cuts (`sim`) or kernel limits (`runtime`).

mod directories;
mod files;
mod mailboxes;
mod memory;
mod streams;
mod tasks;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::{File as _, Io, OpenMode, timeout};

/// How long one case may take by the implementation's clock before it counts as hung.
pub const CASE_TIME_MAX: Duration = Duration::from_secs(30);

/// What the suite needs besides an [`Io`].
pub trait Fixture<I: Io> {
    /// The shard that runs the suite.
    fn io(&self) -> &I;

    /// A directory for the suite's files. It exists and is empty.
    fn directory(&self) -> &Path;

    /// Both ends of a new connection, as the router would hand over the first. Each end buffers a bounded number of
    /// bytes, far fewer than 64 MiB.
    fn connect(&self) -> impl Future<Output = (I::Socket, I::Socket)>;
}

/// One run of the suite.
struct Suite<'a, I: Io, F: Fixture<I>> {
    fixture: &'a F,
    io: &'a I,
}

impl<I: Io, F: Fixture<I>> Suite<'_, I, F> {
    fn path(&self, name: &str) -> PathBuf {
        self.fixture.directory().join(name)
    }

    async fn case(&self, name: &str, case: impl Future<Output = ()>) {
        let outcome = timeout(self.io, CASE_TIME_MAX, case).await;
        assert!(outcome.is_ok(), "hangs: {name}");
    }

    /// A buffer of `len_bytes` bytes of `value`.
    fn filled(&self, len_bytes: usize, value: u8) -> I::Buffer {
        use crate::Buffer as _;
        let mut buffer = self.io.allocate(len_bytes);
        buffer.as_mut_slice().fill(value);
        buffer
    }

    /// A new file of one block for each of `blocks`, filled with that byte.
    async fn file_of(&self, name: &str, blocks: &[u8]) -> I::File {
        let file = self
            .io
            .open(&self.path(name), OpenMode::CreateNew)
            .await
            .expect("a new file");
        for (position, &value) in (0..).step_by(crate::ALIGNMENT).zip(blocks) {
            let written = file
                .write_at(position, self.filled(crate::ALIGNMENT, value))
                .await
                .expect("a write to an empty disk");
            assert_eq!(written, crate::ALIGNMENT, "short write");
        }
        file
    }
}

/// Runs every case, one after the other.
///
/// # Panics
/// When the implementation does not conform.
pub async fn run_all<I: Io>(fixture: &impl Fixture<I>) {
    let suite = Suite {
        fixture,
        io: fixture.io(),
    };
    suite.memory().await;
    suite.tasks().await;
    suite.mailboxes().await;
    suite.files().await;
    suite.directories().await;
    suite.streams().await;
}
