//! Files that are either whole or not there.

use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use command_line::Failure;

/// Writes `text` beside `path`, syncs it, and gives it its name. What failed leaves nothing, and an older file as it was.
pub(crate) fn write_whole(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = Failure::file("write", path);
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut file = tempfile::Builder::new()
        // As any file that is created; temporary ones are nobody else's.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(parent)
        .map_err(&failed)?;
    file.write_all(text.as_bytes()).map_err(&failed)?;
    file.as_file().sync_all().map_err(&failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_written_leaves_nothing() {
        let directory = tempfile::tempdir().expect("a directory");
        let missing = directory.path().join("no/such/report.json");
        assert_eq!(
            write_whole(&missing, "x").expect_err("no directory").code(),
            3
        );
        let path = directory.path().join("report.json");
        write_whole(&path, "one").expect("room");
        write_whole(&path, "two").expect("room");
        assert_eq!(std::fs::read_to_string(&path).expect("it is there"), "two");
        let entries = std::fs::read_dir(directory.path()).expect("a directory");
        assert_eq!(entries.count(), 1);
        let plain = directory.path().join("plain");
        std::fs::write(&plain, "x").expect("room");
        let mode = |path: &Path| path.metadata().expect("it is there").permissions().mode();
        assert_eq!(mode(&path), mode(&plain), "others may read it, too");
    }
}
