//! Open files of a simulated shard.

use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use io::{ALIGNMENT, Buffer as _, HeapBuffer, OpenMode};

use crate::disk::Disk;
use crate::disk::image::{Change, Write};
use crate::disk::names::Inode;
use crate::fault::Operation;
use crate::fault_points::Hit;
use crate::world::Life;

/// An open file.
#[derive(Debug)]
pub struct File {
    handle: Rc<Handle>,
    life: Life,
    writable: bool,
}

/// Keeps the file's content while it is open, or while an operation on it is under way.
#[derive(Debug)]
struct Handle {
    disk: Disk,
    inode: Inode,
    path: PathBuf,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.disk.closed(self.inode);
    }
}

impl File {
    pub(crate) async fn open(disk: &Disk, life: Life, path: &Path, mode: OpenMode) -> Result<Self> {
        disk.world().must_be_alive(life)?;
        let path = path.to_path_buf();
        let handle = disk
            .after(Operation::Open, &path.clone(), move |disk| {
                disk.count(|counts| counts.opens += 1);
                disk.check(Operation::Open, &path)?;
                let inode = find_or_create(disk, &path, mode)?;
                disk.opened(inode);
                Ok(Rc::new(Handle {
                    disk: disk.clone(),
                    inode,
                    path,
                }))
            })
            .await?;
        Ok(Self {
            handle,
            life,
            writable: mode != OpenMode::ReadOnly,
        })
    }

    fn must_be_usable(&self) -> Result<()> {
        self.handle.disk.world().must_be_alive(self.life)
    }

    fn must_be_writable(&self) -> Result<()> {
        self.must_be_usable()?;
        if self.writable {
            Ok(())
        } else {
            Err(Error::new(ErrorKind::PermissionDenied, "opened read-only"))
        }
    }

    /// Writes bytes of any length, as a buffered writer does. The rest of the last block becomes zero.
    pub(crate) async fn write_padded(&self, bytes: &[u8]) -> Result<()> {
        self.must_be_writable()?;
        let number = self.handle.submit(Write::new(0, bytes));
        let handle = Rc::clone(&self.handle);
        let written = self
            .handle
            .disk
            .after(Operation::Write, &self.handle.path, move |_| {
                handle.finish_write(number).map(drop)
            });
        written.await
    }
}

fn find_or_create(disk: &Disk, path: &Path, mode: OpenMode) -> Result<Inode> {
    let mut state = disk.state_mut();
    let place = state.names.place(path)?;
    if let Some(inode) = state.names.at(&place) {
        return match mode {
            OpenMode::CreateNew => Err(ErrorKind::AlreadyExists.into()),
            _ if state.names.is_directory(inode) => Err(ErrorKind::IsADirectory.into()),
            OpenMode::CreateOrOpen | OpenMode::Existing | OpenMode::ReadOnly => Ok(inode),
        };
    }
    match mode {
        OpenMode::Existing | OpenMode::ReadOnly => Err(ErrorKind::NotFound.into()),
        OpenMode::CreateNew | OpenMode::CreateOrOpen => {
            disk.count(|counts| counts.name_changes += 1);
            let inode = state.names.create(place);
            state.files.entry(inode).or_default();
            drop(state);
            disk.modified(inode);
            Ok(inode)
        }
    }
}

fn assert_aligned(position: u64, len_bytes: usize) {
    assert!(
        io::align_down(position) == position && len_bytes.is_multiple_of(ALIGNMENT),
        "direct I/O is aligned"
    );
}

impl Handle {
    fn submit(&self, write: Write) -> u64 {
        let mut state = self.disk.state_mut();
        let content = state.files.entry(self.inode).or_default();
        if content.collides(&write) {
            let what = format!("overlapping writes to {}", self.path.display());
            self.disk.world().violation(what);
        }
        content.submit(write)
    }

    /// Lets a write take effect: whole, in part on a full disk, torn where a fault strikes.
    fn finish_write(&self, number: u64) -> Result<usize> {
        let fault = self.disk.check(Operation::Write, &self.path);
        let mut state = self.disk.state_mut();
        let content = state.content(self.inode)?;
        let mut write = content.take_submitted(number);
        let blocks_now = io::align_up(content.current().len_bytes()) / ALIGNMENT as u64;
        drop(state);
        let wanted = write.past_the_end().saturating_sub(blocks_now);
        let room = blocks_now + self.disk.free_blocks(wanted);
        let mut state = self.disk.state_mut();
        let content = state.content(self.inode)?;
        let bytes = write.blocks() * ALIGNMENT;
        self.disk.count(|counts| {
            counts.writes += 1;
            counts.written_bytes += u64::try_from(bytes).expect("lengths fit 64 bits");
        });
        if let Err(error) = fault {
            content.complete_torn(write, self.disk.rng());
            return Err(error);
        }
        let excess = write.past_the_end().saturating_sub(room);
        let excess = usize::try_from(excess).unwrap_or(usize::MAX);
        let blocks = write.blocks().saturating_sub(excess);
        if excess > 0 {
            self.disk.hit(Hit::Full, Operation::Write, &self.path);
        }
        if blocks == 0 && excess > 0 {
            return Err(ErrorKind::StorageFull.into());
        }
        let done = self.disk.draw_blocks(blocks);
        if done < blocks {
            self.disk.hit(Hit::Short, Operation::Write, &self.path);
        }
        let blocks = done;
        write.cut(blocks);
        content.complete(Change::Write(write));
        drop(state);
        self.disk.modified(self.inode);
        Ok(blocks * ALIGNMENT)
    }

    fn resize(&self, change: Change) -> Result<()> {
        self.disk.count(|counts| counts.resizes += 1);
        self.disk.check(Operation::Resize, &self.path)?;
        let mut state = self.disk.state_mut();
        let now = state.content(self.inode)?.current().len_bytes();
        drop(state);
        let growth = change.end(now).saturating_sub(io::align_up(now));
        let wanted = growth.div_ceil(ALIGNMENT as u64);
        let free = self.disk.free_blocks(wanted);
        let mut state = self.disk.state_mut();
        let content = state.content(self.inode)?;
        if wanted > free {
            self.disk.hit(Hit::Full, Operation::Resize, &self.path);
            return Err(ErrorKind::StorageFull.into());
        }
        content.complete(change);
        drop(state);
        self.disk.modified(self.inode);
        Ok(())
    }
}

impl io::File for File {
    type Buffer = HeapBuffer;

    async fn write_at(&self, position: u64, buffer: HeapBuffer) -> Result<usize> {
        assert_aligned(position, buffer.len());
        self.must_be_writable()?;
        let submitted = Write::new(position, buffer.as_slice());
        let number = self.handle.submit(submitted.clone());
        let handle = Rc::clone(&self.handle);
        let written = self
            .handle
            .disk
            .after(Operation::Write, &self.handle.path, move |disk| {
                if !submitted.is_of(buffer.as_slice()) {
                    let what = format!(
                        "a buffer changed while {} was written",
                        handle.path.display()
                    );
                    disk.world().violation(what);
                }
                handle.finish_write(number)
            });
        written.await
    }

    async fn read_at(&self, position: u64, len_bytes: usize) -> Result<HeapBuffer> {
        assert_aligned(position, len_bytes);
        self.must_be_usable()?;
        let handle = Rc::clone(&self.handle);
        let read = self
            .handle
            .disk
            .after(Operation::Read, &self.handle.path, move |disk| {
                disk.count(|counts| counts.reads += 1);
                disk.check(Operation::Read, &handle.path)?;
                let mut state = disk.state_mut();
                let image = state.content(handle.inode)?.current();
                let available = image.len_bytes().saturating_sub(position);
                let count = usize::try_from(available)
                    .unwrap_or(usize::MAX)
                    .min(len_bytes);
                let mut buffer = HeapBuffer::new(count);
                image.read(position, buffer.as_mut_slice());
                disk.count(|counts| counts.read_bytes += count as u64);
                Ok(buffer)
            });
        read.await
    }

    async fn sync_data(&self) -> Result<()> {
        self.must_be_usable()?;
        let handle = Rc::clone(&self.handle);
        let completed = self
            .handle
            .disk
            .state_mut()
            .content(self.handle.inode)?
            .completed();
        let synced = self
            .handle
            .disk
            .after(Operation::Sync, &self.handle.path, move |disk| {
                disk.count(|counts| counts.syncs += 1);
                let fault = disk.check(Operation::Sync, &handle.path);
                let mut state = disk.state_mut();
                let content = state.content(handle.inode)?;
                if fault.is_err() {
                    content.fail_sync(completed, disk.rng());
                } else if !disk.lies() {
                    content.sync(completed);
                }
                fault
            });
        synced.await
    }

    async fn allocate(&self, position: u64, len_bytes: u64) -> Result<()> {
        self.must_be_writable()?;
        let handle = Rc::clone(&self.handle);
        let end = position.saturating_add(len_bytes);
        let allocated = self
            .handle
            .disk
            .after(Operation::Resize, &self.handle.path, move |_| {
                handle.resize(Change::Reserve(end))
            });
        allocated.await
    }

    async fn set_len(&self, len_bytes: u64) -> Result<()> {
        self.must_be_writable()?;
        let handle = Rc::clone(&self.handle);
        let changed = self
            .handle
            .disk
            .after(Operation::Resize, &self.handle.path, move |_| {
                handle.resize(Change::Resize(len_bytes))
            });
        changed.await
    }

    async fn len_bytes(&self) -> Result<u64> {
        self.must_be_usable()?;
        let mut state = self.handle.disk.state_mut();
        Ok(state.content(self.handle.inode)?.current().len_bytes())
    }

    async fn close(self) -> Result<()> {
        self.must_be_usable()?;
        self.handle
            .disk
            .after(Operation::Open, &self.handle.path, |_| Ok(()))
            .await
    }
}
