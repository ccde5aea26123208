//! Disks of the tests' own. They need root and loop devices; a test that cannot have them says so and is content.

use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Something that was mounted, until this is dropped.
#[derive(Debug)]
pub struct Mount {
    point: PathBuf,
}

impl Mount {
    /// An empty ext4 disk of `len_bytes`, mounted at `point`; its image lies in `directory`.
    ///
    /// # Errors
    /// What the tools say, above all that mounting is not permitted.
    pub fn new_disk(directory: &Path, point: &Path, len_bytes: u64) -> Result<Self> {
        let image = directory.join("image");
        std::fs::File::create(&image)?.set_len(len_bytes)?;
        run(Command::new("mkfs.ext4")
            .args(["-q", "-F", "-m", "0"])
            .arg(&image))?;
        Self::image(&image, point)
    }

    /// The disk that `image` holds, mounted at `point`.
    ///
    /// # Errors
    /// As [`Mount::new_disk`].
    pub fn image(image: &Path, point: &Path) -> Result<Self> {
        std::fs::create_dir_all(point)?;
        run(Command::new("mount")
            .args(["-o", "loop"])
            .arg(image)
            .arg(point))?;
        Ok(Self {
            point: point.to_path_buf(),
        })
    }

    /// `directory` itself, read-only.
    ///
    /// # Errors
    /// As [`Mount::new_disk`].
    pub fn read_only(directory: &Path) -> Result<Self> {
        run(Command::new("mount")
            .arg("--bind")
            .arg(directory)
            .arg(directory))?;
        let mount = Self {
            point: directory.to_path_buf(),
        };
        run(Command::new("mount")
            .args(["-o", "remount,bind,ro"])
            .arg(directory))?;
        Ok(mount)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily, so that nothing that still looks at it keeps it.
        drop(run(Command::new("umount").arg("--lazy").arg(&self.point)));
    }
}

/// Says why a test has not tested anything here.
#[expect(
    clippy::print_stderr,
    reason = "whoever reads the tests' output should know what was not tested"
)]
pub fn skip(reason: &str) {
    eprintln!("skipped: {reason}");
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Error::other(said))
}
