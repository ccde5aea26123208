//! A disk with a volatile write cache, whose power can be cut.
//!
//! It is one file of a FUSE file system that this process serves; a loop device makes a disk of it, and ext4 lives on
//! that. So every write and every flush that reaches the disk passes through here, in order. What a flush has covered
//! is safe. A cut takes an image of the disk in which each sector of each later write is there or not, by chance: what
//! a cache may do that writes back as it likes. The image is taken at one instant, which copying a file would not do.
//!
//! Served by a thread of its own; the memory is twice the size of the disk. It needs root, FUSE and a loop device.
//!
//! Source: `include/uapi/linux/fuse.h` of Linux, protocol version 7.31.

use std::fs::File;
use std::io::{Error, ErrorKind, Read as _, Result, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// What a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;

/// The most that one request writes, and what a request adds to that at most.
const WRITE_MAX_BYTES: u32 = 128 << 10;
const REQUEST_MAX_BYTES: usize = (128 << 10) + 8192;

/// The name of the file.
const NAME: &str = "disk";

/// Node ids: FUSE's own for the root, and ours for the file.
const ROOT: u64 = 1;
const DISK: u64 = 2;

/// Lengths of headers and of the fixed parts of requests.
const IN_HEADER_BYTES: usize = 40;
const WRITE_IN_BYTES: usize = 40;

/// Operations that are served.
mod operation {
    pub(super) const LOOKUP: u32 = 1;
    pub(super) const FORGET: u32 = 2;
    pub(super) const GETATTR: u32 = 3;
    pub(super) const SETATTR: u32 = 4;
    pub(super) const OPEN: u32 = 14;
    pub(super) const READ: u32 = 15;
    pub(super) const WRITE: u32 = 16;
    pub(super) const STATFS: u32 = 17;
    pub(super) const RELEASE: u32 = 18;
    pub(super) const FSYNC: u32 = 20;
    pub(super) const FLUSH: u32 = 25;
    pub(super) const INIT: u32 = 26;
    pub(super) const ACCESS: u32 = 34;
    pub(super) const INTERRUPT: u32 = 36;
    pub(super) const BATCH_FORGET: u32 = 42;
}

/// Error numbers of Linux.
const ENOENT: i32 = 2;
const EIO: i32 = 5;
const ENOSYS: i32 = 38;

/// A disk that is attached until this is dropped.
#[derive(Debug)]
pub struct VolatileDisk {
    contents: Arc<Mutex<Contents>>,
    point: PathBuf,
}

#[derive(Debug)]
struct Contents {
    /// What the machine sees.
    current: Vec<u8>,
    /// What is there after a cut, whatever happens.
    safe: Vec<u8>,
    /// Written since the last flush, in order.
    cached: Vec<(usize, Vec<u8>)>,
    flushes: u64,
    /// Every read, write and flush fails.
    is_broken: bool,
}

impl VolatileDisk {
    /// A disk with the content of `image`; it appears as a file in the directory `point`.
    ///
    /// # Errors
    /// What the system says, above all that mounting is not permitted.
    pub fn attach(image: &Path, point: &Path) -> Result<Self> {
        let current = std::fs::read(image)?;
        std::fs::create_dir_all(point)?;
        let fuse = File::options().read(true).write(true).open("/dev/fuse")?;
        let mounted = Command::new("mount")
            .args([
                "-i",
                "-t",
                "fuse",
                "-o",
                "fd=0,rootmode=40000,user_id=0,group_id=0",
            ])
            .arg("volatile-disk")
            .arg(point)
            .stdin(Stdio::from(fuse.try_clone()?))
            .output()?;
        if !mounted.status.success() {
            return Err(Error::other(
                String::from_utf8_lossy(&mounted.stderr).trim().to_owned(),
            ));
        }
        let contents = Contents {
            safe: current.clone(),
            current,
            cached: Vec::new(),
            flushes: 0,
            is_broken: false,
        };
        let contents = Arc::new(Mutex::new(contents));
        let served = Arc::clone(&contents);
        thread::spawn(move || serve(fuse, &served));
        Ok(Self {
            contents,
            point: point.to_path_buf(),
        })
    }

    /// The file that is the disk.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.point.join(NAME)
    }

    /// How often it was flushed.
    #[must_use]
    pub fn flushes(&self) -> u64 {
        lock(&self.contents).flushes
    }

    /// Breaks the disk: from now on it answers everything with an error of the device.
    pub fn break_down(&self) {
        lock(&self.contents).is_broken = true;
    }

    /// What the disk holds when its power is cut now. `chance` decides over what was not flushed.
    #[must_use]
    pub fn cut(&self, mut chance: impl FnMut() -> bool) -> Vec<u8> {
        let contents = lock(&self.contents);
        let mut image = contents.safe.clone();
        for (offset, data) in &contents.cached {
            for (sector, from) in data
                .chunks(SECTOR_BYTES)
                .zip((*offset..).step_by(SECTOR_BYTES))
            {
                if chance() {
                    image[from..from + sector.len()].copy_from_slice(sector);
                }
            }
        }
        image
    }
}

impl Drop for VolatileDisk {
    fn drop(&mut self) {
        drop(
            Command::new("umount")
                .arg("--lazy")
                .arg(&self.point)
                .output(),
        );
    }
}

fn lock(contents: &Mutex<Contents>) -> MutexGuard<'_, Contents> {
    contents.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Answers requests until the file system is unmounted.
fn serve(mut fuse: File, contents: &Mutex<Contents>) {
    let mut buffer = vec![0; REQUEST_MAX_BYTES];
    loop {
        let length = match fuse.read(&mut buffer) {
            Ok(length) => length,
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::NotFound) => {
                continue;
            }
            Err(_unmounted) => return,
        };
        let request = Incoming(&buffer[..length]);
        let Some(answer) = answer(&request, contents) else {
            continue;
        };
        let (error, body) = match answer {
            Ok(body) => (0, body),
            Err(number) => (-number, Vec::new()),
        };
        let length = u32::try_from(16 + body.len()).expect("answers are short");
        let mut reply = Vec::with_capacity(16 + body.len());
        reply.extend(length.to_ne_bytes());
        reply.extend(error.to_ne_bytes());
        reply.extend(request.u64_at(8).to_ne_bytes());
        reply.extend(body);
        // A request that was given up meanwhile wants no answer.
        drop(fuse.write(&reply));
    }
}

/// A request's header and body.
struct Incoming<'a>(&'a [u8]);

impl Incoming<'_> {
    fn u32_at(&self, at: usize) -> u32 {
        let bytes = self.0[at..]
            .first_chunk()
            .expect("the kernel's requests are whole");
        u32::from_ne_bytes(*bytes)
    }

    fn u64_at(&self, at: usize) -> u64 {
        let bytes = self.0[at..]
            .first_chunk()
            .expect("the kernel's requests are whole");
        u64::from_ne_bytes(*bytes)
    }

    fn node(&self) -> u64 {
        self.u64_at(16)
    }

    fn body(&self) -> &[u8] {
        &self.0[IN_HEADER_BYTES..]
    }

    /// The range of the disk that a read or write is about, cut where the disk ends.
    fn range(&self, len: usize) -> Range<usize> {
        let offset = usize::try_from(self.u64_at(IN_HEADER_BYTES + 8))
            .unwrap_or(len)
            .min(len);
        let size = usize::try_from(self.u32_at(IN_HEADER_BYTES + 16)).unwrap_or(0);
        offset..len.min(offset + size)
    }
}

/// The answer's body or error; `None` where none is expected.
fn answer(
    request: &Incoming<'_>,
    contents: &Mutex<Contents>,
) -> Option<std::result::Result<Vec<u8>, i32>> {
    let mut contents = lock(contents);
    let len = contents.current.len();
    Some(match request.u32_at(4) {
        operation::INIT => Ok(init(request)),
        operation::LOOKUP if request.body().starts_with(NAME.as_bytes()) => Ok(entry(len)),
        operation::LOOKUP => Err(ENOENT),
        operation::GETATTR | operation::SETATTR => Ok(attributes(request.node(), len)),
        // Neither cached nor read ahead: what the machine writes comes here at once.
        operation::OPEN => Ok([&[0; 8][..], &1_u32.to_ne_bytes(), &[0; 4]].concat()),
        operation::READ | operation::WRITE | operation::FSYNC if contents.is_broken => Err(EIO),
        operation::READ => Ok(contents.current[request.range(len)].to_vec()),
        operation::WRITE => write(request, &mut contents),
        operation::FSYNC => {
            contents.flush();
            Ok(Vec::new())
        }
        operation::STATFS => Ok(vec![0; 80]),
        operation::RELEASE | operation::FLUSH | operation::ACCESS => Ok(Vec::new()),
        operation::FORGET | operation::BATCH_FORGET | operation::INTERRUPT => return None,
        _ => Err(ENOSYS),
    })
}

impl Contents {
    fn flush(&mut self) {
        for (offset, data) in self.cached.drain(..) {
            self.safe[offset..offset + data.len()].copy_from_slice(&data);
        }
        self.flushes += 1;
    }
}

fn write(request: &Incoming<'_>, contents: &mut Contents) -> std::result::Result<Vec<u8>, i32> {
    let range = request.range(contents.current.len());
    let data = &request.body()[WRITE_IN_BYTES..];
    if data.len() != range.len() {
        return Err(EIO);
    }
    contents.current[range.clone()].copy_from_slice(data);
    contents.cached.push((range.start, data.to_vec()));
    let written = u32::try_from(data.len()).expect("a request is short");
    Ok([written.to_ne_bytes(), [0; 4]].concat())
}

fn init(request: &Incoming<'_>) -> Vec<u8> {
    const BIG_WRITES: u32 = 1 << 5;
    let readahead = request.u32_at(IN_HEADER_BYTES + 8);
    let mut body = Vec::with_capacity(64);
    for number in [7, 31, readahead, BIG_WRITES] {
        body.extend(u32::to_ne_bytes(number));
    }
    // Requests under way, and when the kernel calls that many.
    body.extend(16_u16.to_ne_bytes());
    body.extend(12_u16.to_ne_bytes());
    body.extend(WRITE_MAX_BYTES.to_ne_bytes());
    // Timestamps are of one nanosecond.
    body.extend(1_u32.to_ne_bytes());
    body.resize(64, 0);
    body
}

/// The file's entry: it stays as it is for as long as the kernel likes.
fn entry(len: usize) -> Vec<u8> {
    let mut body = Vec::with_capacity(128);
    for number in [DISK, 0, 1_000, 1_000] {
        body.extend(u64::to_ne_bytes(number));
    }
    body.extend([0; 8]);
    body.extend(attribute(DISK, len));
    body
}

fn attributes(node: u64, len: usize) -> Vec<u8> {
    let mut body = 1_000_u64.to_ne_bytes().to_vec();
    body.extend([0; 8]);
    body.extend(attribute(node, len));
    body
}

fn attribute(node: u64, len: usize) -> Vec<u8> {
    let (mode, size): (u32, u64) = if node == ROOT {
        (0o040_700, 0)
    } else {
        (0o100_600, len.try_into().expect("64 bits"))
    };
    let mut body = Vec::with_capacity(88);
    for number in [node, size, size.div_ceil(512), 0, 0, 0] {
        body.extend(number.to_ne_bytes());
    }
    for number in [0, 0, 0, mode, 1, 0, 0, 0, 4096, 0] {
        body.extend(u32::to_ne_bytes(number));
    }
    body
}
