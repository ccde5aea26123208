//! Which operations of a disk faults and crashes have hit, by the kind of file: what a run has put to the test.
//!
//! Deliberately absent: which lines of the code under test came to run; a coverage tool says that.

use std::collections::BTreeMap;
use std::path::Path;

use crate::fault::Operation;

/// What hits an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hit {
    /// It failed with an error of the device.
    Error,
    /// There was no room for it.
    Full,
    /// It was done in part.
    Short,
    /// The process died, or the power went, while it was under way.
    Crash,
}

/// How often each operation on each kind of file was hit.
#[derive(Clone, Debug, Default)]
pub struct FaultPoints {
    counts: BTreeMap<(Hit, Operation, String), u64>,
}

impl FaultPoints {
    pub(crate) fn count(&mut self, hit: Hit, operation: Operation, path: &Path) {
        let key = (hit, operation, kind_of(path));
        *self.counts.entry(key).or_default() += 1;
    }

    /// Adds what was hit elsewhere.
    pub fn merge(&mut self, other: &Self) {
        for (key, count) in &other.counts {
            *self.counts.entry(key.clone()).or_default() += count;
        }
    }

    /// Every point that was hit, with how often, in a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = (Hit, Operation, &str, u64)> {
        let entries = self.counts.iter();
        entries.map(|((hit, operation, kind), count)| (*hit, *operation, kind.as_str(), *count))
    }
}

/// Kafka's files are named by what they hold, or by an offset and what they hold.
fn kind_of(path: &Path) -> String {
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.unwrap_or("/");
    let begins_with_offset = name.starts_with(|first: char| first.is_ascii_digit());
    match name.split_once('.') {
        Some((_, rest)) if begins_with_offset => format!(".{rest}"),
        Some(_) if name.ends_with("-future") => "directory-future".to_owned(),
        Some(_) if name.ends_with("-delete") => "directory-delete".to_owned(),
        _ if name.contains('.') || name.contains("checkpoint") => name.to_owned(),
        _ => "directory".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_apart_by_what_they_hold() {
        let kinds = [
            ("/data/topic-0/00000000000000000017.log", ".log"),
            (
                "/data/topic-0/00000000000000000017.log.deleted",
                ".log.deleted",
            ),
            (
                "/data/topic-0/leader-epoch-checkpoint",
                "leader-epoch-checkpoint",
            ),
            ("/data/meta.properties", "meta.properties"),
            ("/data/topic-0", "directory"),
            ("/data/topic-0.0f7b29-future", "directory-future"),
            ("/data/a.topic-0.0f7b29-delete", "directory-delete"),
        ];
        for (path, kind) in kinds {
            assert_eq!(kind_of(Path::new(path)), kind);
        }
    }

    #[test]
    fn what_is_hit_is_counted() {
        let (mut points, mut more) = (FaultPoints::default(), FaultPoints::default());
        points.count(Hit::Error, Operation::Write, Path::new("/a/1.log"));
        more.count(Hit::Error, Operation::Write, Path::new("/b/2.log"));
        points.merge(&more);
        let found: Vec<_> = points.iter().collect();
        assert_eq!(found, [(Hit::Error, Operation::Write, ".log", 2)]);
    }
}
