//! Files with direct I/O, on glommio and without.

use std::fs;
use std::io::Write as _;
use std::os::fd::{AsRawFd as _, RawFd};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::rc::Rc;

use glommio::io::{DmaBuffer, DmaFile, OpenOptions};
use glommio::{LocalExecutorBuilder, Placement};

/// The alignment of every direct I/O here, in bytes.
pub const BLOCK: usize = 4096;
const ZEROES_BYTES: usize = 1 << 20;

/// What a file's blocks are before the measured writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extents {
    /// Nothing is allocated: every write allocates and extends.
    None,
    /// `fallocate`: allocated, and marked unwritten until the first write converts them in the journal.
    Unwritten,
    /// Written and synced once.
    Written,
}

/// Runs `body` on an executor pinned to core 0, whose device is known not to be polled.
pub fn on_glommio<T, F>(directory: &Path, body: impl FnOnce() -> F) -> T
where
    F: Future<Output = T>,
{
    LocalExecutorBuilder::new(Placement::Fixed(0))
        .make()
        .expect("start the executor")
        .run(async {
            probe(directory).await;
            body().await
        })
}

/// Opens a file with content before any other: on an empty one glommio would decide to poll the device.
pub async fn probe(directory: &Path) {
    let path = directory.join("probe");
    let mut file = fs::File::create(&path).expect("create the probe");
    file.write_all(&[1; BLOCK]).expect("write the probe");
    file.sync_all().expect("sync the probe");
    let file = DmaFile::open(&path).await.expect("open the probe");
    assert!(
        format!("{file:?}").contains("pollable: NonPollable"),
        "the device would be polled"
    );
    file.close().await.expect("close the probe");
}

/// Opens an existing file for direct reads and writes, with `flags` besides.
pub async fn open(path: &Path, flags: i32) -> Rc<DmaFile> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(flags)
        .dma_open(path)
        .await;
    Rc::new(file.expect("open a file for direct I/O"))
}

/// Closes a file that no task uses any more.
pub async fn close(file: Rc<DmaFile>) {
    Rc::into_inner(file)
        .expect("no task is left")
        .close()
        .await
        .expect("close the file");
}

/// An aligned buffer of `size` bytes, touched.
pub fn dma_buffer(file: &DmaFile, size: usize) -> Rc<DmaBuffer> {
    let mut buffer = file.alloc_dma_buffer(size);
    buffer.as_bytes_mut().fill(0x5a);
    Rc::new(buffer)
}

/// Makes a file of `bytes` bytes whose blocks are as `extents` says; the caller syncs.
pub fn prepare_file(path: &Path, bytes: u64, extents: Extents) {
    let file = fs::OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .expect("create");
    if extents != Extents::None {
        allocate(file.as_raw_fd(), bytes);
    }
    if extents == Extents::Written {
        let zeroes = vec![0_u8; ZEROES_BYTES];
        for offset in (0..bytes).step_by(ZEROES_BYTES) {
            let count = ZEROES_BYTES.min((bytes - offset) as usize);
            file.write_all_at(&zeroes[..count], offset)
                .expect("write zeroes");
        }
    }
}

/// Allocates the first `bytes` bytes of a file as unwritten extents.
pub fn allocate(fd: RawFd, bytes: u64) {
    // SAFETY: the descriptor is open.
    assert_eq!(
        unsafe { libc::fallocate(fd, 0, 0, bytes as i64) },
        0,
        "fallocate"
    );
}

/// Makes the first `bytes` bytes unwritten extents again.
pub fn unwrite(fd: RawFd, bytes: u64) {
    // SAFETY: the descriptor is open.
    let done = unsafe { libc::fallocate(fd, libc::FALLOC_FL_ZERO_RANGE, 0, bytes as i64) };
    assert_eq!(done, 0, "zero the range");
}

/// Syncs everything of the file system that the descriptor belongs to.
pub fn sync_file_system(fd: RawFd) {
    // SAFETY: the descriptor is open.
    assert_eq!(unsafe { libc::syncfs(fd) }, 0, "syncfs");
}

/// Syncs all file systems.
pub fn sync_everything() {
    // SAFETY: takes nothing.
    unsafe { libc::sync() };
}

/// Drops a file's pages from the page cache, so that the next read is cold.
pub fn forget_pages(fd: RawFd) {
    // SAFETY: the descriptor is open.
    assert_eq!(
        unsafe { libc::posix_fadvise(fd, 0, 0, libc::POSIX_FADV_DONTNEED) },
        0,
        "forget the pages"
    );
}
