//! A directory that holds `sys` and `proc`: the machine's own, or a tree that describes another machine.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// No file that is read here is longer on any machine; of a longer one the beginning counts.
const TEXT_MAX_BYTES: u64 = 4 << 20;

/// Where `sys` and `proc` lie. Paths are relative to it, such as `sys/block`.
#[derive(Clone, Debug)]
pub struct Root {
    path: PathBuf,
}

impl Root {
    /// The running machine.
    #[must_use]
    pub fn system() -> Self {
        Self::at("/")
    }

    /// Another directory.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Whether this is the running machine.
    #[must_use]
    pub fn is_system(&self) -> bool {
        self.path == Path::new("/")
    }

    /// Where `path` really is.
    #[must_use]
    pub fn locate(&self, path: &str) -> PathBuf {
        self.path.join(path)
    }

    /// The text of a file without blanks around it; `None` if there is none, or no text.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<String> {
        let mut text = String::new();
        let file = File::open(self.locate(path)).ok()?;
        file.take(TEXT_MAX_BYTES).read_to_string(&mut text).ok()?;
        Some(text.trim().to_owned())
    }

    /// The number that a file holds.
    #[must_use]
    pub fn number<T: FromStr>(&self, path: &str) -> Option<T> {
        self.text(path)?.parse().ok()
    }

    /// The names in a directory, sorted, numbers by their value; none if it is not there.
    #[must_use]
    pub fn names(&self, directory: &str) -> Vec<String> {
        let entries = fs::read_dir(self.locate(directory)).into_iter().flatten();
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> = names.collect();
        names.sort_by_cached_key(|name| natural(name));
        names
    }

    /// The numbers behind `prefix` of those names that have nothing else: `cpu0`, `cpu1`.
    #[must_use]
    pub fn numbered(&self, directory: &str, prefix: &str) -> Vec<usize> {
        let names = self.names(directory);
        let numbers = names
            .iter()
            .filter_map(|name| name.strip_prefix(prefix)?.parse().ok());
        let mut numbers: Vec<usize> = numbers.collect();
        numbers.sort_unstable();
        numbers
    }

    /// Where links lead to, relative to the root; `None` if nothing is there, or it lies outside.
    #[must_use]
    pub fn resolve(&self, path: &str) -> Option<String> {
        let real = fs::canonicalize(self.locate(path)).ok()?;
        let root = fs::canonicalize(&self.path).ok()?;
        let inside = real.strip_prefix(root).ok()?;
        Some(inside.to_str()?.to_owned())
    }

    /// Whether there is such a file or directory.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        self.locate(path).exists()
    }
}

/// Text and numbers in turn, so that `nvme10n1` follows `nvme9n1`.
fn natural(name: &str) -> Vec<(String, u64)> {
    let mut parts = vec![(String::new(), 0_u64)];
    let mut is_number = false;
    for letter in name.chars() {
        let (text, number) = parts.last_mut().expect("there is one from the start");
        match letter.to_digit(10) {
            Some(digit) => {
                *number = number.saturating_mul(10).saturating_add(u64::from(digit));
                is_number = true;
            }
            None if is_number => {
                parts.push((letter.to_string(), 0));
                is_number = false;
            }
            None => text.push(letter),
        }
    }
    parts
}

/// The directories from `path` up to the root, the deepest first: `a/b`, `a`.
pub(crate) fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    let start = Some(path).filter(|path| !path.is_empty());
    std::iter::successors(start, |path| {
        path.rsplit_once('/').map(|(parent, _)| parent)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_by_their_numbers() {
        let root = tempfile::tempdir().expect("a directory");
        for name in ["nvme10n1", "nvme9n1", "nvme9n2", "sda"] {
            fs::write(root.path().join(name), " 7\n").expect("a file");
        }
        let root = Root::at(root.path());
        assert_eq!(root.names(""), ["nvme9n1", "nvme9n2", "nvme10n1", "sda"]);
        assert_eq!(root.number("sda"), Some(7));
        assert_eq!(root.number::<u32>("sdb"), None);
        assert_eq!(root.names("none"), [""; 0]);
    }

    #[test]
    fn links_out_of_the_root_lead_nowhere() {
        let root = tempfile::tempdir().expect("a directory");
        fs::create_dir(root.path().join("a")).expect("a directory");
        std::os::unix::fs::symlink("a", root.path().join("in")).expect("a link");
        std::os::unix::fs::symlink("/proc", root.path().join("out")).expect("a link");
        let root = Root::at(root.path());
        assert_eq!(root.resolve("in").as_deref(), Some("a"));
        assert_eq!(root.resolve("out"), None);
    }

    #[test]
    fn ancestors_end_below_the_root() {
        assert_eq!(Vec::from_iter(ancestors("a/b/c")), ["a/b/c", "a/b", "a"]);
        assert_eq!(ancestors("").count(), 0);
    }
}
