//! What was measured of the disk below a log directory: a small file there, whose values count where nobody has written any.
//!
//! `loganctl tune disk` writes it. It has a few keys and no others, and it can never keep a broker from starting: a file that
//! is damaged, of another format, or of another file system is a warning, and the built-in values hold. All logs of a process
//! go by the same values: where several directories were measured, those of the first one in `log.dirs` that has any.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::broker_keys::BROKER_DEFINITIONS;
use crate::definition::Definition;
use crate::sources::{Origin, Setting, Sources};
use crate::value::Value;
use crate::{ConfigError, file, properties};

/// The file's name in a log directory.
pub const MEASURED_FILE: &str = "logan.disk.properties";

/// The keys of a broker that it may set.
pub const MEASURED_KEYS: [&str; 2] = ["logan.disk.write.bytes", "logan.disk.commit.window.us"];

/// The version of the file's format.
const FORMAT: &str = "1";
const FORMAT_KEY: &str = "format";
/// The size of the file system that was measured.
const SIZE_KEY: &str = "file.system.bytes";

/// What a file says.
#[derive(Debug)]
struct Measured {
    values: BTreeMap<&'static str, Setting>,
}

/// A file that counts for nothing, or for less than it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unmeasured {
    pub(crate) path: String,
    pub(crate) problem: String,
}

/// The text of a file for a file system of so many bytes; `values` belong to keys of [`MEASURED_KEYS`], and `comments` are for
/// people.
#[must_use]
pub fn measured_text(
    file_system_bytes: u64,
    values: &[(&str, String)],
    comments: &[String],
) -> String {
    let comments = comments.iter().map(|line| format!("# {line}\n"));
    let head = [
        (FORMAT_KEY, FORMAT.to_owned()),
        (SIZE_KEY, file_system_bytes.to_string()),
    ];
    let lines = head.iter().chain(values);
    let lines = lines.map(|(key, value)| format!("{key}={value}\n"));
    comments.chain(lines).collect()
}

impl Sources {
    /// Adds what was measured of the disks of the log directories, below everything that has been added. What is wrong with
    /// it becomes a warning. A directory or file that is not there says nothing.
    pub fn add_measured(&mut self) {
        let mut first: BTreeMap<&str, (String, Setting)> = BTreeMap::new();
        for directory in self.log_dirs() {
            let path = directory.join(MEASURED_FILE);
            let shown = path.display().to_string();
            let measured = match read(&path, &shown) {
                Ok(Some(measured)) => measured,
                Ok(None) => continue,
                Err(problem) => {
                    self.unmeasured.push(Unmeasured {
                        path: shown,
                        problem,
                    });
                    continue;
                }
            };
            for (key, setting) in measured.values {
                match first.get(key) {
                    None => {
                        first.insert(key, (shown.clone(), setting));
                    }
                    Some((counts, known)) if known.value != setting.value => {
                        let problem = format!(
                            "{key}={} does not count: all logs go by the value of {counts}, which is {}",
                            setting.value, known.value
                        );
                        self.unmeasured.push(Unmeasured {
                            path: shown.clone(),
                            problem,
                        });
                    }
                    Some(_) => {}
                }
            }
        }
        for (key, (_, setting)) in first {
            self.settings.entry(key.to_owned()).or_insert(setting);
        }
    }

    /// `log.dirs`, or `log.dir`, as far as it can be made out; what is wrong with it is said elsewhere.
    fn log_dirs(&self) -> Vec<PathBuf> {
        let list = |key: &str| {
            let setting = self.settings.get(key)?;
            match definition(key)?.parse(&setting.value) {
                Ok(Value::List(paths)) => Some(paths),
                _ => None,
            }
        };
        let default = || match definition("log.dir")?.default_value() {
            Value::List(paths) => Some(paths),
            _ => None,
        };
        let paths = list("log.dirs")
            .or_else(|| list("log.dir"))
            .or_else(default);
        let paths = paths.unwrap_or_default();
        paths.into_iter().map(PathBuf::from).collect()
    }
}

fn definition(key: &str) -> Option<&'static Definition> {
    let mut definitions = BROKER_DEFINITIONS.iter();
    definitions.find(|definition| definition.name == key)
}

/// Reads a file; `None` where there is none.
fn read(path: &Path, shown: &str) -> Result<Option<Measured>, String> {
    let text = match file::read_text(path) {
        Ok(text) => text,
        Err(ConfigError::Read { source, .. })
            if matches!(
                source.kind(),
                ErrorKind::NotFound | ErrorKind::NotADirectory
            ) =>
        {
            return Ok(None);
        }
        Err(ConfigError::Read { source, .. }) => return Err(source.to_string()),
        Err(ConfigError::NoConfiguration { problem, .. }) => return Err(problem),
        Err(other) => return Err(other.to_string()),
    };
    let size = rustix::fs::statvfs(path).map(|it| it.f_blocks.saturating_mul(it.f_frsize));
    let size = size.map_err(|error| std::io::Error::from(error).to_string())?;
    parse(&text, shown, size).map(Some)
}

/// Takes a text of a file that lies on a file system of `size` bytes.
fn parse(text: &str, shown: &str, size: u64) -> Result<Measured, String> {
    let parsed = properties::parse(text).map_err(|error| format!("line {error}"))?;
    let found = |key: &str| parsed.iter().rev().find(|it| it.key == key);
    match found(FORMAT_KEY).map(|it| it.value.as_str()) {
        Some(FORMAT) => {}
        Some(other) => {
            return Err(format!(
                "it has format {other}, and this version of Logan reads format {FORMAT}"
            ));
        }
        None => return Err(format!("it does not say {FORMAT_KEY}={FORMAT}")),
    }
    let measured_size = found(SIZE_KEY).and_then(|it| it.value.parse::<u64>().ok());
    if measured_size != Some(size) {
        return Err(format!(
            "it was measured on another file system, or on this one before its size changed ({SIZE_KEY} should be {size})"
        ));
    }
    let mut values = BTreeMap::new();
    for property in &parsed {
        let key = property.key.as_str();
        if [FORMAT_KEY, SIZE_KEY].contains(&key) {
            continue;
        }
        let known = MEASURED_KEYS.iter().find(|known| **known == key);
        let Some((key, definition)) = known.and_then(|key| Some((*key, definition(key)?))) else {
            return Err(format!("line {}: {key} is no measured key", property.line));
        };
        definition
            .parse(&property.value)
            .map_err(|problem| format!("line {}: {problem}", property.line))?;
        let setting = Setting {
            value: property.value.clone(),
            origin: Origin::File(shown.into(), property.line),
        };
        values.insert(key, setting);
    }
    Ok(Measured { values })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use tempfile::TempDir;

    use super::{MEASURED_FILE, measured_text};
    use crate::{BrokerConfig, Origin, Sources};

    fn size_of(directory: &Path) -> u64 {
        let found = rustix::fs::statvfs(directory).expect("it is there");
        found.f_blocks * found.f_frsize
    }

    fn text(directory: &Path, window: &str) -> String {
        let values = [
            ("logan.disk.write.bytes", "65536".to_owned()),
            ("logan.disk.commit.window.us", window.to_owned()),
        ];
        measured_text(size_of(directory), &values, &["for people".to_owned()])
    }

    fn configure(directories: &[&TempDir], more: &str) -> BrokerConfig {
        let paths: Vec<String> = directories
            .iter()
            .map(|it| it.path().display().to_string())
            .collect();
        let file = format!("log.dirs={}\n{more}", paths.join(","));
        let mut sources = Sources::from_text("f", &file).expect("valid text");
        sources.add_measured();
        BrokerConfig::from_sources(&sources).expect("valid values")
    }

    fn told(config: &BrokerConfig) -> Vec<String> {
        config.warnings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_was_measured_counts_where_nothing_is_written() {
        let directory = TempDir::new().expect("a directory");
        let path = directory.path().join(MEASURED_FILE);
        fs::write(&path, text(directory.path(), "50")).expect("it fits");
        let config = configure(&[&directory], "logan.disk.write.bytes=1048576");
        assert_eq!(config.values.logan_disk_commit_window_us, 50);
        assert_eq!(config.values.logan_disk_write_bytes, 1_048_576);
        let origin = config.origin("logan.disk.commit.window.us");
        let shown = path.display().to_string();
        assert_eq!(origin, Origin::File(shown.as_str().into(), 5));
        assert_eq!(
            config.origin("logan.disk.write.bytes"),
            Origin::File("f".into(), 2)
        );
        assert_eq!(config.warnings, []);
    }

    #[test]
    fn a_file_that_cannot_be_meant_is_a_warning_and_the_built_in_values_hold() {
        let directory = TempDir::new().expect("a directory");
        let path = directory.path().join(MEASURED_FILE);
        let good = text(directory.path(), "50");
        let elsewhere = measured_text(7, &[("logan.disk.commit.window.us", "50".to_owned())], &[]);
        for (content, problem) in [
            (
                good.replace("format=1", "format=2"),
                "it has format 2, and this version of Logan reads format 1",
            ),
            (good.replace("format=1\n", ""), "it does not say format=1"),
            (elsewhere, "it was measured on another file system"),
            (
                good.replace("us=50", "us=-1"),
                "line 5: Invalid value -1 for configuration logan.disk.commit.window.us",
            ),
            (
                good.replace("65536", "5"),
                "Value must be 16384, 65536, 262144 or 1048576",
            ),
            (
                good.clone() + "node.id=7\n",
                "line 6: node.id is no measured key",
            ),
            ("\0\0".to_owned(), "line 1 has the byte 0x00"),
            (String::new(), "it"),
        ] {
            fs::write(&path, &content).expect("it fits");
            let config = configure(&[&directory], "");
            assert_eq!(config.values.logan_disk_commit_window_us, 500, "{content}");
            assert_eq!(config.values.logan_disk_write_bytes, 262_144);
            let told = told(&config);
            assert_eq!(told.len(), 1, "{told:?}");
            assert!(told[0].contains(problem), "{told:?}");
            assert!(told[0].contains(MEASURED_FILE), "{told:?}");
        }
        fs::remove_file(&path).expect("it is there");
        fs::create_dir(&path).expect("a directory in its place");
        assert_eq!(told(&configure(&[&directory], "")).len(), 1);
    }

    #[test]
    fn of_several_directories_the_first_that_was_measured_counts() {
        let (bare, first, second) = (TempDir::new(), TempDir::new(), TempDir::new());
        let [bare, first, second] = [bare, first, second].map(|it| it.expect("a directory"));
        for (directory, window) in [(&first, "50"), (&second, "60")] {
            let path = directory.path().join(MEASURED_FILE);
            fs::write(path, text(directory.path(), window)).expect("it fits");
        }
        let config = configure(&[&bare, &first, &second], "");
        assert_eq!(config.values.logan_disk_commit_window_us, 50);
        let told = told(&config);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].contains("logan.disk.commit.window.us=60 does not count"),
            "{told:?}"
        );
    }

    #[test]
    fn directories_that_are_not_there_say_nothing() {
        let mut sources = Sources::from_text("f", "log.dirs=/nowhere/at/all").expect("valid text");
        sources.add_measured();
        let config = BrokerConfig::from_sources(&sources).expect("valid values");
        assert_eq!(config.warnings, []);
    }
}
