//! Reading a configuration file whole, or saying why it is none.
//!
//! A file is text of a bounded length that stands still while it is read. Whoever replaces it at the same time is
//! noticed by its metadata and read again, a few times; a pipe or another special file is read once. This module knows
//! nothing about keys.

use std::fs::{self, File, Metadata};
use std::io::{Error, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::ConfigError;
use crate::properties;

/// The length of the largest file that is read. Kafka's own samples have 7 KiB.
pub const FILE_LEN_MAX_BYTES: u64 = 1 << 20;

/// A file that has changed this often while it was read is given up.
const READS_MAX: usize = 8;

/// What tells one version of a file from another: device, inode, length, and when data and inode changed last.
type Version = (u64, u64, u64, (i64, i64), (i64, i64));

/// What one attempt found: the version before it, the bytes, and the version behind it.
type Attempt = (Option<Version>, Vec<u8>, Option<Version>);

/// The text of a configuration file: UTF-8, or else ISO 8859-1, with at least one line that is no comment.
///
/// # Errors
///
/// [`ConfigError::Read`] with what the system says, [`ConfigError::NoConfiguration`] with what is wrong with the file.
pub fn read_text(path: &Path) -> Result<String, ConfigError> {
    let unreadable = |source| ConfigError::Read {
        path: path.display().to_string(),
        source,
    };
    let unusable = |problem| ConfigError::NoConfiguration {
        path: path.display().to_string(),
        problem,
    };
    let bytes = read_at_rest(|| attempt(path))
        .map_err(unreadable)?
        .ok_or_else(|| {
            unusable("it changes while it is read; write a file beside it and rename that".into())
        })?;
    check(&bytes).map_err(unusable)?;
    Ok(properties::decode(bytes))
}

fn attempt(path: &Path) -> Result<Attempt, Error> {
    let mut file = File::open(path)?;
    let before = version(&file.metadata()?);
    let mut bytes = Vec::new();
    file.by_ref()
        .take(FILE_LEN_MAX_BYTES + 1)
        .read_to_end(&mut bytes)?;
    // By its name: a file that was replaced is another one. One that is gone has been read whole.
    let after = match before {
        Some(_) => fs::metadata(path)
            .ok()
            .and_then(|metadata| version(&metadata)),
        None => None,
    };
    Ok((before, bytes, after.or(before)))
}

/// Reads until the file is the same before and behind it; `None` if it never is.
fn read_at_rest(
    mut attempt: impl FnMut() -> Result<Attempt, Error>,
) -> Result<Option<Vec<u8>>, Error> {
    for _ in 0..READS_MAX {
        let (before, bytes, after) = attempt()?;
        let is_whole = before.is_none_or(|(.., len, _, _)| {
            u64::try_from(bytes.len()).is_ok_and(|read| read == len || read > FILE_LEN_MAX_BYTES)
        });
        // Some regular files, as those of /proc, say that they have no length.
        let says_nothing = before.is_some_and(|(.., len, _, _)| len == 0);
        if before == after && (is_whole || says_nothing) {
            return Ok(Some(bytes));
        }
    }
    Ok(None)
}

/// `None` for what is no regular file: a pipe has no versions.
fn version(metadata: &Metadata) -> Option<Version> {
    metadata.is_file().then(|| {
        (
            metadata.dev(),
            metadata.ino(),
            metadata.len(),
            (metadata.mtime(), metadata.mtime_nsec()),
            (metadata.ctime(), metadata.ctime_nsec()),
        )
    })
}

/// Says what is wrong with bytes that are no text of a bearable length.
fn check(bytes: &[u8]) -> Result<(), String> {
    if u64::try_from(bytes.len()).is_ok_and(|len| len > FILE_LEN_MAX_BYTES) {
        return Err(format!(
            "it is larger than {FILE_LEN_MAX_BYTES} bytes; a server.properties has a few thousand"
        ));
    }
    let is_control = |byte: &u8| byte.is_ascii_control() && !matches!(byte, b'\t'..=b'\r' | 0x1a);
    if let Some(at) = bytes.iter().position(is_control) {
        let line = 1 + bytes[..at].iter().filter(|byte| **byte == b'\n').count();
        return Err(format!(
            "line {line} has the byte 0x{:02x}: it is no text; name a server.properties",
            bytes[at]
        ));
    }
    let mut lines = bytes.split(|byte| matches!(byte, b'\n' | b'\r'));
    let sets_nothing = lines.all(|line| {
        let mut line = line.trim_ascii_start().iter();
        matches!(line.next(), None | Some(b'#' | b'!'))
    });
    if sets_nothing {
        return Err(
            "it is empty, or has comments only; set at least log.dirs, or leave --config away for the built-in configuration"
                .to_owned(),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{Attempt, FILE_LEN_MAX_BYTES, READS_MAX, check, read_at_rest, read_text};

    const AT_REST: super::Version = (1, 2, 3, (4, 5), (6, 7));
    const CHANGED: super::Version = (1, 2, 3, (4, 6), (6, 8));

    #[test]
    fn a_file_that_changes_while_it_is_read_is_read_again() {
        let mut attempts: Vec<Attempt> = vec![
            (Some(CHANGED), b"k=2".to_vec(), Some(CHANGED)),
            // It has grown since its length was asked for, ...
            (Some(AT_REST), b"k=10".to_vec(), Some(AT_REST)),
            // ... and it has changed behind the reader.
            (Some(AT_REST), b"k=1".to_vec(), Some(CHANGED)),
        ];
        let read = read_at_rest(|| Ok(attempts.pop().expect("at most three")));
        assert_eq!(read.expect("it is readable"), Some(b"k=2".to_vec()));
        assert!(attempts.is_empty());
    }

    #[test]
    fn a_file_that_never_rests_is_given_up() {
        let mut count = 0;
        let read = read_at_rest(|| {
            count += 1;
            Ok((Some(AT_REST), b"k=1".to_vec(), Some(CHANGED)))
        });
        assert_eq!(read.expect("it is readable"), None);
        assert_eq!(count, READS_MAX);
    }

    #[test]
    fn what_is_no_text_of_a_bearable_length_is_refused_with_the_remedy() {
        let large = vec![b'#'; usize::try_from(FILE_LEN_MAX_BYTES).expect("a MiB") + 1];
        let refused: [(&[u8], &str); 7] = [
            (b"", "it is empty"),
            (b"\n  \r\n\t", "it is empty"),
            (b"# a\n ! b", "comments only"),
            (b"a=1\nb=\0", "line 2 has the byte 0x00"),
            (b"\x7fELF", "line 1 has the byte 0x7f"),
            (b"a=\x1b[0m", "the byte 0x1b"),
            (&large, "larger than 1048576 bytes"),
        ];
        for (bytes, part) in refused {
            let problem = check(bytes).expect_err(part);
            assert!(problem.contains(part), "{problem}");
        }
        for text in [&b"a=1"[..], b"\r\ra", b"# c\n\xe9=\xfc\t\x0c", b"a=\\u0000"] {
            assert_eq!(check(text), Ok(()), "{text:?}");
        }
    }

    #[test]
    fn special_files_are_read_once_and_bounded() {
        let problem = read_text(Path::new("/dev/zero")).expect_err("it has no end");
        assert!(problem.to_string().contains("larger than"), "{problem}");
        let problem = read_text(Path::new("/dev/null")).expect_err("it is empty");
        assert!(problem.to_string().contains("it is empty"), "{problem}");
        let problem = read_text(Path::new("/")).expect_err("a directory");
        assert!(problem.to_string().contains("directory"), "{problem}");
        let proc = read_text(Path::new("/proc/self/limits"));
        assert!(proc.is_ok_and(|text| text.contains("Max open files")));
    }

    #[test]
    fn a_link_leads_to_its_file() {
        let directory = std::env::temp_dir().join(format!("logan-config-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("a directory");
        let (file, link) = (directory.join("file"), directory.join("link"));
        fs::write(&file, "k=1").expect("a file");
        drop(fs::remove_file(&link));
        std::os::unix::fs::symlink(&file, &link).expect("a link");
        assert_eq!(read_text(&link).expect("a text"), "k=1");
        fs::remove_dir_all(&directory).expect("it is ours");
    }
}
