//! Where is measured: a log directory that is there, on a disk, writable and with room, and a directory of our own in it.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use command_line::Failure;
use topology::{DataDirectory, Root};

/// The directory below the log directory that has all that is written. No partition is called so.
const SCRATCH: &str = ".logan-tune";

/// Held in there as long as somebody measures.
const LOCK: &str = "lock";

/// The file in a log directory whose lock a running broker holds.
const BROKER_LOCK: &str = ".lock";

/// What must be free: twice what is written at most.
const ROOM_BYTES: u64 = 1 << 30;

/// File systems that have no disk below them. Source: the kernel's `linux/magic.h`.
const IN_MEMORY: [(i64, &str); 2] = [(0x0102_1994, "tmpfs"), (0x8584_58f6, "ramfs")];

/// A log directory that is being measured. What was written goes when this does.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    scratch: PathBuf,
    file_system: String,
    size_bytes: u64,
    notes: Vec<String>,
    _lock: File,
}

impl Place {
    /// Looks at a directory, and makes the one of our own in it.
    ///
    /// # Errors
    /// A directory that is not there, in memory, not writable, too full, or measured by somebody else.
    pub(super) fn take(path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => {}
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(Failure::file("look at", path)(error));
            }
            _ => {
                return Err(Failure::NotFound {
                    problem: format!("there is no directory {shown}"),
                    advice: "name a broker's log directory, or its file with --config".to_owned(),
                });
            }
        }
        expect_disk(path)?;
        let room = rustix::fs::statvfs(path).map_err(io::Error::from);
        let room = room.map_err(Failure::file("look at", path))?;
        let free = room.f_bavail.saturating_mul(room.f_frsize);
        if free < ROOM_BYTES {
            return Err(Failure::refused(
                format!(
                    "only {} MiB are free in {shown}, and measuring needs {} MiB for a while",
                    free >> 20,
                    ROOM_BYTES >> 20
                ),
                "nothing was written; make room first",
            ));
        }
        let (scratch, lock) = claim(path)?;
        let found = DataDirectory::find(&Root::system(), path);
        let file_system = match found.disks.as_slice() {
            [] => or_unknown(found.file_system),
            disks => format!("{} on {}", or_unknown(found.file_system), disks.join(", ")),
        };
        Ok(Self {
            path: path.to_path_buf(),
            scratch,
            file_system,
            size_bytes: room.f_blocks.saturating_mul(room.f_frsize),
            notes: broker_note(path).into_iter().collect(),
            _lock: lock,
        })
    }

    /// The log directory.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The directory of our own.
    pub(super) fn scratch(&self) -> &Path {
        &self.scratch
    }

    /// Its type, and the disks below it.
    pub(super) fn file_system(&self) -> &str {
        &self.file_system
    }

    /// The size of the file system.
    pub(super) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// What should be known about the figures.
    pub(super) fn notes(&self) -> &[String] {
        &self.notes
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What cannot be removed is removed by the next measurement; there is nobody to tell.
        drop(fs::remove_dir_all(&self.scratch));
    }
}

fn or_unknown(file_system: Option<String>) -> String {
    file_system.unwrap_or_else(|| "a file system".to_owned())
}

fn expect_disk(path: &Path) -> Result<(), Failure> {
    let found = rustix::fs::statfs(path).map_err(io::Error::from);
    let found = found.map_err(Failure::file("look at", path))?;
    match IN_MEMORY.iter().find(|(magic, _)| *magic == found.f_type) {
        None => Ok(()),
        Some((_, name)) => Err(Failure::refused(
            format!(
                "{} lies in memory ({name}): there is no disk to measure, and what is written there does not survive a power cut",
                path.display()
            ),
            "name a directory on a disk",
        )),
    }
}

/// Makes the directory of our own, without what a killed measurement left in it.
fn claim(path: &Path) -> Result<(PathBuf, File), Failure> {
    let scratch = path.join(SCRATCH);
    let made = fs::create_dir_all(&scratch);
    let lock = made.and_then(|()| File::create(scratch.join(LOCK)));
    let lock = lock.map_err(|error| match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Failure::refused(
            format!("cannot write to {}: {error}", path.display()),
            "measure as the user of the broker, or as root",
        ),
        _ => Failure::file("write to", path)(error),
    })?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(Failure::refused(
                format!("{} is being measured already", path.display()),
                "wait for it to end",
            ));
        }
        Err(TryLockError::Error(error)) => return Err(Failure::file("lock", &scratch)(error)),
    }
    for entry in fs::read_dir(&scratch).into_iter().flatten().flatten() {
        if entry.file_name() != LOCK {
            let path = entry.path();
            let removed = match path.is_dir() {
                true => fs::remove_dir_all(&path),
                false => fs::remove_file(&path),
            };
            removed.map_err(Failure::file("remove", &path))?;
        }
    }
    Ok((scratch, lock))
}

/// Whether a broker is at work here.
fn broker_note(path: &Path) -> Option<String> {
    let lock = File::open(path.join(BROKER_LOCK)).ok()?;
    matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)).then(|| {
        "a broker runs in this directory: what it does meanwhile is in these figures, and it is slower while they are made"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::path::Path;

    use super::*;

    /// A directory on a disk: the one for temporary files may lie in memory.
    fn on_disk() -> tempfile::TempDir {
        let own = std::env::current_exe().expect("a test knows its binary");
        let beside = own.parent().expect("it lies somewhere");
        tempfile::TempDir::new_in(beside).expect("it is writable")
    }

    fn refused(path: &Path) -> String {
        Place::take(path).expect_err("it is refused").to_string()
    }

    #[test]
    fn what_was_written_goes_with_the_place_and_leftovers_with_the_next() {
        let directory = on_disk();
        let left = directory.path().join(SCRATCH).join("log");
        fs::create_dir_all(&left).expect("it is writable");
        let place = Place::take(directory.path()).expect("it can be measured");
        assert!(!left.exists());
        assert!(place.scratch().exists());
        assert!(place.size_bytes() > 0);
        assert_eq!(place.notes(), &[] as &[String]);
        let twice = refused(directory.path());
        assert!(twice.ends_with("is being measured already"), "{twice}");
        drop(place);
        let entries = fs::read_dir(directory.path()).expect("it is there");
        assert_eq!(entries.count(), 0);
    }

    #[test]
    fn a_directory_that_is_none_is_refused() {
        let directory = on_disk();
        let missing = directory.path().join("missing");
        assert_eq!(
            refused(&missing),
            format!("there is no directory {}", missing.display())
        );
        let file = directory.path().join("file");
        File::create(&file).expect("it is writable");
        assert!(refused(&file).starts_with("there is no directory "));
    }

    #[test]
    fn memory_is_no_disk() {
        // Linux has it on every machine; a container may have taken it away.
        let memory = Path::new("/dev/shm");
        if memory.is_dir() {
            assert!(refused(memory).contains("lies in memory (tmpfs)"));
        }
    }

    #[test]
    fn a_running_broker_is_noted() {
        let directory = on_disk();
        let lock = File::create(directory.path().join(BROKER_LOCK)).expect("it is writable");
        assert_eq!(broker_note(directory.path()), None);
        lock.lock().expect("nobody holds it");
        assert!(broker_note(directory.path()).is_some());
    }
}
