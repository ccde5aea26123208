//! Keeps glommio from spinning on disk operations.
//!
//! The first `DmaFile` that a thread opens on a device decides whether completions on that device are polled for
//! (IOPOLL): glommio reads its first block through the polled ring and looks for `ENOTSUP`. An empty file has no
//! block, the read succeeds, and the shard then spins during every disk operation of its life. So each shard opens a
//! file with content first, in each data directory, before it opens anything else there.

use std::fs;
use std::io::{Error, ErrorKind, Result, Write as _};
use std::path::Path;

use io::{ALIGNMENT, File as _, OpenMode};
use types::ShardId;

use crate::file::File;
use crate::helper::Helper;

/// Probes the device of `directory` for the calling shard.
///
/// # Errors
/// `Unsupported` when the file system refuses direct I/O; else the operating system's.
pub(crate) async fn probe(helper: &Helper, shard: ShardId, directory: &Path) -> Result<()> {
    let path = directory.join(format!(".direct-io-probe-{shard}"));
    let written = path.clone();
    helper
        .run(move || {
            let mut file = fs::File::create(&written)?;
            file.write_all(&[1; ALIGNMENT])?;
            file.sync_all()
        })
        .await?;
    let opened = File::open(helper, &path, OpenMode::ReadOnly).await;
    let removed = path.clone();
    helper.run(move || fs::remove_file(removed)).await?;
    let file = opened.map_err(|error| explain(directory, error))?;
    if file.is_polled() {
        tracing::warn!(
            directory = %directory.display(),
            "disk completions of this device are polled for: shards spin while they wait for the disk"
        );
    }
    file.close().await
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
