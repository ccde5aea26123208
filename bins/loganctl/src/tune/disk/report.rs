//! What was found, and what Logan makes of it: for people, for programs, and for the broker.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use command_line::{Failure, Section};
use config::{MEASURED_FILE, measured_text};
use serde::Serialize;

use super::choose::{self, Choice, median};
use super::measure::Measured;
use super::place::Place;

/// The broker's user reads it, whoever has measured.
const MODE: u32 = 0o644;

/// One directory.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    directory: PathBuf,
    file_system: String,
    notes: Vec<String>,
    measured: Measured,
    chosen: Vec<Choice>,
}

impl Report {
    /// What is to be said of a saved one.
    pub(super) const TAKES_EFFECT: &'static str = "read at the next start, or with SIGHUP (systemctl reload); what the configuration says counts for more";

    /// Makes something of the figures.
    pub(super) fn new(place: &Place, measured: Measured) -> Self {
        Self {
            directory: place.path().to_path_buf(),
            file_system: place.file_system().to_owned(),
            notes: place.notes().to_vec(),
            chosen: vec![
                choose::write_bytes(&measured.commits),
                choose::window(&measured.loads),
            ],
            measured,
        }
    }

    /// The file that the broker reads.
    pub(super) fn file(&self) -> PathBuf {
        self.directory.join(MEASURED_FILE)
    }

    /// For people.
    pub(super) fn sections(&self) -> Vec<Section> {
        let title = format!("{} ({})", self.directory.display(), self.file_system);
        let mut measured = Section::new(title);
        for note in &self.notes {
            measured.row("note", note);
        }
        for size in &self.measured.commits {
            let name = format!("commits of 1 MiB, writes of {} KiB", size.write_bytes >> 10);
            measured.row(&name, format!("{:.0} MB/s", median(&size.mb_per_second)));
        }
        for one in &self.measured.operations {
            let name = format!(
                "{} of 4 KiB, {} in flight",
                one.direction.plural(),
                one.depth
            );
            measured.row(&name, format!("{:.0} a second", one.per_second));
        }
        for one in &self.measured.syncs {
            let name = format!("a block and a sync, {} at a time", files(one.files));
            let value = format!("p50 {:.3}  p99 {:.3} ms", one.p50_ms, one.p99_ms);
            measured.row(&name, value);
        }
        let rate = self.measured.load_mb_per_second;
        for window in &self.measured.loads {
            let name = format!("two logs, window {} µs", window.window_us);
            let value = format!(
                "at {rate:.0} MB/s p50 {:.2}  p99 {:.2} ms; at most {:.0} MB/s",
                median(&window.p50_ms),
                median(&window.p99_ms),
                median(&window.mb_per_second)
            );
            measured.row(&name, value);
        }
        let mut chosen = Section::new("What Logan makes of it");
        for choice in &self.chosen {
            let built_in = match choice.value == choice.built_in {
                true => "as built in".to_owned(),
                false => format!("built in: {}", choice.built_in),
            };
            let value = format!("{} ({built_in}; {})", choice.value, choice.reason);
            chosen.row(choice.key, value);
        }
        vec![measured, chosen]
    }

    /// Leaves it where the broker looks.
    ///
    /// # Errors
    /// When the file cannot be written; an older one is as it was then.
    pub(super) fn save(&self, place: &Place) -> Result<(), Failure> {
        let values: Vec<_> = self
            .chosen
            .iter()
            .map(|choice| (choice.key, choice.value.to_string()))
            .collect();
        let comments = [
            format!(
                "Measured by loganctl {} at {} on {}. Measure again after a change of disk or file system.",
                env!("CARGO_PKG_VERSION"),
                humantime::format_rfc3339_seconds(SystemTime::now()),
                self.file_system
            ),
            "A broker reads it at its start; server.properties counts for more. Without this file the built-in values hold."
                .to_owned(),
        ];
        let text = measured_text(place.size_bytes(), &values, &comments);
        let path = self.file();
        replace(place, &path, &text).map_err(Failure::file("write", &path))
    }
}

fn files(count: usize) -> String {
    match count {
        1 => "1 file".to_owned(),
        _ => format!("{count} files"),
    }
}

fn replace(place: &Place, path: &Path, text: &str) -> io::Result<()> {
    let temporary = place.scratch().join(MEASURED_FILE);
    let mut file = File::create(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.set_permissions(fs::Permissions::from_mode(MODE))?;
    let owner = fs::metadata(place.path())?;
    // Only root can, and it can be read all the same.
    drop(std::os::unix::fs::chown(
        &temporary,
        Some(owner.uid()),
        Some(owner.gid()),
    ));
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    File::open(place.path())?.sync_all()
}
