//! Directory operations and small whole files, as blocking calls for the helper threads.

#![expect(unsafe_code, reason = "calls statvfs")]

use std::ffi::{CString, OsString};
use std::fs::{self, File};
use std::io::{Error, ErrorKind, Read as _, Result, Write as _};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use io::DirEntry;
use types::TimestampMs;

/// What a replacement is written to before it takes the file's name.
const REPLACEMENT_SUFFIX: &str = ".tmp";

pub(crate) fn list(path: &Path) -> Result<Vec<DirEntry>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        match fs::metadata(entry.path()) {
            Ok(metadata) => entries.push(DirEntry {
                name,
                is_dir: metadata.is_dir(),
                len_bytes: if metadata.is_dir() { 0 } else { metadata.len() },
                modified: modified(&metadata),
            }),
            // Removed since the directory was read, or a link to nothing.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    entries.sort_unstable_by(|left, right| left.name.cmp(&right.name));
    Ok(entries)
}

fn modified(metadata: &fs::Metadata) -> TimestampMs {
    let modified = metadata.modified().ok();
    let since = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let millis = since.and_then(|since| i64::try_from(since.as_millis()).ok());
    millis.map_or(TimestampMs::NONE, TimestampMs)
}

pub(crate) fn sync(path: &Path) -> Result<()> {
    File::open(path)?.sync_all()
}

pub(crate) fn read_file(path: &Path, len_max_bytes: usize) -> Result<Vec<u8>> {
    let limit = u64::try_from(len_max_bytes).unwrap_or(u64::MAX);
    let mut content = Vec::new();
    File::open(path)?
        .take(limit.saturating_add(1))
        .read_to_end(&mut content)?;
    if content.len() > len_max_bytes {
        return Err(Error::new(
            ErrorKind::InvalidData,
            format!("{} is longer than {len_max_bytes} bytes", path.display()),
        ));
    }
    Ok(content)
}

/// A directory with the content of the files that `pick` chooses.
pub(crate) fn read(
    path: &Path,
    pick: fn(&[DirEntry]) -> Vec<usize>,
    len_max_bytes: usize,
) -> Result<Vec<(DirEntry, Option<Vec<u8>>)>> {
    let entries = list(path)?;
    let picked = pick(&entries);
    let mut found: Vec<_> = entries.into_iter().map(|entry| (entry, None)).collect();
    for index in picked {
        let path = path.join(&found[index].0.name);
        found[index].1 = read_file(&path, len_max_bytes).ok();
    }
    Ok(found)
}

pub(crate) fn replace_file(path: &Path, content: &[u8]) -> Result<()> {
    let replacement = write_replacement(path, content)?;
    fs::rename(&replacement, path)?;
    sync(parent(path))
}

pub(crate) fn replace_files(directory: &Path, files: &[(String, Vec<u8>)]) -> Result<()> {
    for (name, content) in files {
        write_replacement(&directory.join(name), content)?;
    }
    for (name, _) in files {
        let path = directory.join(name);
        fs::rename(replacement_path(&path), path)?;
    }
    sync(directory)
}

fn write_replacement(path: &Path, content: &[u8]) -> Result<PathBuf> {
    let replacement = replacement_path(path);
    let mut file = File::create(&replacement)?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    if let Err(error) = written {
        // On a full disk it would keep the room that others wait for.
        drop(fs::remove_file(&replacement));
        return Err(error);
    }
    Ok(replacement)
}

/// Bytes that an unprivileged process may still allocate.
pub(crate) fn free_space_bytes(path: &Path) -> Result<u64> {
    let space = file_system(path)?;
    Ok(space.f_bavail.saturating_mul(space.f_frsize))
}

/// Bytes of the whole file system.
pub(crate) fn total_space_bytes(path: &Path) -> Result<u64> {
    let space = file_system(path)?;
    Ok(space.f_blocks.saturating_mul(space.f_frsize))
}

fn file_system(path: &Path) -> Result<libc::statvfs> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut space = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: `path` is a NUL-terminated string and `space` is memory for one `statvfs`.
    if unsafe { libc::statvfs(path.as_ptr(), space.as_mut_ptr()) } != 0 {
        return Err(Error::last_os_error());
    }
    // SAFETY: the call succeeded, so it filled the structure.
    Ok(unsafe { space.assume_init() })
}

fn replacement_path(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(REPLACEMENT_SUFFIX);
    PathBuf::from(name)
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
