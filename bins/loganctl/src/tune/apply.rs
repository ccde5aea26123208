//! Makes the changes, one after the other, and says what has become of each.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use command_line::{Failure, Output};

use super::finding::{Change, Finding};
use super::script::line;

/// A ballast must leave at least this many times its size.
const ROOM_FACTOR: u64 = 4;

/// Says at once who may do this, before anything is looked at.
///
/// # Errors
/// When this machine is meant, and the user is not root.
pub(super) fn expect_right_to(root: &Path, is_dry: bool) -> Result<(), Failure> {
    let is_this_machine = root == Path::new("/");
    if is_dry || !is_this_machine || rustix::process::geteuid().is_root() {
        return Ok(());
    }
    Err(Failure::refused(
        "only root may change the settings of a machine",
        "sudo loganctl tune apply; or let `loganctl tune script` write the changes down",
    ))
}

/// Makes all changes, also when one fails.
///
/// # Errors
/// When one has failed.
pub(super) fn apply(
    findings: &[Finding],
    root: &Path,
    is_dry: bool,
    output: &Output,
) -> Result<(), Failure> {
    let changes: Vec<&Change> = findings.iter().flat_map(|it| &it.changes).collect();
    if changes.is_empty() {
        return output.write("nothing has to be changed\n");
    }
    output.for_each(&changes, |change| {
        let line = line(change, root);
        if is_dry {
            return output.write(&format!("would do: {line}\n"));
        }
        make(change, root).map_err(|error| {
            Failure::refused(
                format!("{line}: {error}"),
                "the kernel or the file system refuses it; `loganctl tune check` explains what it is for",
            )
        })?;
        output.write(&format!("done: {line}\n"))
    })
}

fn make(change: &Change, root: &Path) -> io::Result<()> {
    match change {
        Change::Write { path, text } => {
            let path = root.join(path);
            // A setting that is gone must not become an ordinary file.
            if !path.is_file() {
                return Err(io::ErrorKind::NotFound.into());
            }
            fs::write(path, text)
        }
        Change::Reserve { path, bytes } => reserve(&root.join(path), *bytes),
    }
}

fn reserve(path: &Path, bytes: u64) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    let room = rustix::fs::statvfs(folder)?;
    let free = room.f_bavail.saturating_mul(room.f_frsize);
    if free / ROOM_FACTOR < bytes {
        return Err(io::Error::other("too little room is left for it now"));
    }
    let file = File::create_new(path)?;
    let made = rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, bytes);
    if made.is_err() {
        // Half a ballast is none, and would be taken for one.
        fs::remove_file(path)?;
    }
    made?;
    file.sync_all()
}
