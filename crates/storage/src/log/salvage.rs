//! What recovery does with bytes that it has to cut although intact batches are among them.
//!
//! A batch that is not whole ends the log. Behind it there may be intact ones: after a power cut, writes of one group
//! that were never acknowledged; after rot, records that were. Nothing tells the two apart, so what is cut is kept in a
//! file of its own beside the segment, for a person to look at.

use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};

use io::{ALIGNMENT, Buffer as _, File as _, Io, OpenMode, align_down};

/// Bytes copied at once.
const STEP_BYTES: usize = 1 << 20;

/// Copies what `file` holds from the block of `position` on to `<segment>.<position>.cut`, durably, and returns its path.
/// One of an earlier attempt is left as it is.
///
/// # Errors
/// The operating system's.
pub(super) async fn keep_aside<I: Io>(
    io: &I,
    file: &I::File,
    segment: &Path,
    (position, len_bytes): (u64, u64),
) -> Result<PathBuf> {
    let mut name = segment.as_os_str().to_owned();
    name.push(format!(".{position}.cut"));
    let path = PathBuf::from(name);
    let copy = match io.open(&path, OpenMode::CreateNew).await {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(path),
        opened => opened?,
    };
    let begin = align_down(position);
    let mut at = begin;
    while at < len_bytes {
        let found = file.read_at(at, STEP_BYTES).await?;
        if found.is_empty() {
            break;
        }
        let mut block = io.allocate(found.len().next_multiple_of(ALIGNMENT));
        let room = block.as_mut_slice();
        room[..found.len()].copy_from_slice(found.as_slice());
        room[found.len()..].fill(0);
        let wanted = room.len();
        if copy.write_at(at - begin, block).await? < wanted {
            return Err(Error::from(ErrorKind::StorageFull));
        }
        at += found.len() as u64;
    }
    copy.set_len(len_bytes - begin).await?;
    copy.sync_data().await?;
    copy.close().await?;
    if let Some(parent) = segment.parent() {
        io.sync_dir(parent).await?;
    }
    Ok(path)
}
