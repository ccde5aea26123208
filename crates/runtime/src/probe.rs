//! Keeps glommio from spinning on disk operations.
//!
//! The first `DmaFile` that a thread opens on a device decides whether completions on that device are polled for
//! (IOPOLL): glommio reads its first block through the polled ring and looks for `ENOTSUP`. An empty file has no
//! block, the read succeeds, and the shard then spins during every disk operation of its life. So each shard opens a
//! file with content first, in each data directory, before it opens anything else there. On a full disk, where it cannot
//! write one, it opens one that is there.

use std::fs;
use std::io::{Error, ErrorKind, Result, Write as _};
use std::path::{Path, PathBuf};

use io::{ALIGNMENT, File as _, OpenMode};
use types::ShardId;

use crate::file::File;
use crate::helper::Helper;

/// Probes the device of `directory` for the calling shard.
///
/// # Errors
/// `Unsupported` when the file system refuses direct I/O; else the operating system's. That a disk is full is none.
pub(crate) async fn probe(helper: &Helper, shard: ShardId, directory: &Path) -> Result<()> {
    let path = directory.join(format!(".direct-io-probe-{shard}"));
    let written = path.clone();
    let made = helper
        .run(move || {
            let mut file = fs::File::create(&written)?;
            file.write_all(&[1; ALIGNMENT])?;
            file.sync_all()
        })
        .await;
    let is_full = made.as_ref().is_err_and(lacks_room);
    let probed = if is_full {
        let directory = directory.to_path_buf();
        helper.run(move || any_content(&directory)).await?
    } else {
        made?;
        Some(path.clone())
    };
    let opened = match &probed {
        Some(probed) => File::open(helper, probed, OpenMode::ReadOnly).await,
        None => {
            tracing::warn!(directory = %directory.display(), "a full disk without a file: its device is not probed");
            return Ok(());
        }
    };
    let removed = helper.run(move || fs::remove_file(path)).await;
    if !is_full {
        removed?;
    }
    let file = opened.map_err(|error| explain(directory, error))?;
    if file.is_polled() {
        tracing::warn!(
            directory = %directory.display(),
            "disk completions of this device are polled for: shards spin while they wait for the disk"
        );
    }
    file.close().await
}

fn lacks_room(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded
    )
}

/// A file of `directory` that is not empty.
fn any_content(directory: &Path) -> Result<Option<PathBuf>> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if metadata.is_file() && metadata.len() > 0 {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}

fn explain(directory: &Path, error: Error) -> Error {
    if error.kind() != ErrorKind::InvalidInput {
        return error;
    }
    Error::new(
        ErrorKind::Unsupported,
        format!(
            "the file system of {} refuses direct I/O (O_DIRECT); use ext4, XFS or another one that supports it",
            directory.display()
        ),
    )
}
