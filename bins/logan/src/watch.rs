//! Notices that the configuration file changes, whoever changes it and however.
//!
//! Editors rename a new file into place and Kubernetes swaps a link above it, so directories are watched, not the file:
//! the one that the path names, and the one that the file itself lies in. What happens there nudges the main thread, which
//! looks whether the file says something else.
//!
//! The events arrive on a thread of `notify`'s own. Deliberately absent: polling; where the system cannot watch a file
//! (network file systems), SIGHUP does it.

use std::path::{Path, PathBuf};

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use runtime::Nudge;

/// Watches until it is dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    directories: Vec<PathBuf>,
    watcher: RecommendedWatcher,
}

impl Watch {
    /// Begins to watch a file.
    ///
    /// # Errors
    /// When the system cannot do it.
    pub(crate) fn begin(file: &Path, nudge: Nudge) -> notify::Result<Self> {
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Reading the file is an event, too. An error says that events were lost: better to look.
            if !event.is_ok_and(|event| event.kind.is_access()) {
                nudge.send();
            }
        })?;
        let mut watch = Self {
            directories: Vec::new(),
            watcher,
        };
        watch.follow(file)?;
        Ok(watch)
    }

    /// Watches where the file is now: a link may lead elsewhere than before.
    ///
    /// # Errors
    /// When the system cannot do it.
    pub(crate) fn follow(&mut self, file: &Path) -> notify::Result<()> {
        let directories = directories_of(file);
        let (gone, kept): (Vec<_>, Vec<_>) = self
            .directories
            .drain(..)
            .partition(|known| !directories.contains(known));
        self.directories = kept;
        for directory in gone {
            // A directory that was removed is not watched any more anyway.
            drop(self.watcher.unwatch(&directory));
        }
        for directory in directories {
            if !self.directories.contains(&directory) {
                self.watcher
                    .watch(&directory, RecursiveMode::NonRecursive)?;
                self.directories.push(directory);
            }
        }
        Ok(())
    }
}

/// The directory that a path names its file in, and the one that the file lies in.
fn directories_of(file: &Path) -> Vec<PathBuf> {
    let parent = |path: &Path| match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    };
    let mut directories = vec![parent(file)];
    if let Ok(real) = file.canonicalize() {
        directories.push(parent(&real));
    }
    directories = directories
        .into_iter()
        .map(|directory| directory.canonicalize().unwrap_or(directory))
        .collect();
    directories.dedup();
    directories
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;
    use std::time::Duration;

    use runtime::{Event, Supervisor};

    use super::{Watch, directories_of};

    const TIME_MAX: Duration = Duration::from_secs(60);

    /// Waits for a nudge, and then until no more come.
    fn is_nudged(supervisor: &Supervisor) -> bool {
        let first = supervisor.wait_for(TIME_MAX);
        while supervisor.wait_for(Duration::from_millis(200)).is_some() {}
        first == Some(Event::Nudged)
    }

    #[test]
    fn every_way_to_change_a_file_is_noticed() {
        let root = tempfile::tempdir().expect("a directory");
        let (old, new) = (root.path().join("old"), root.path().join("new"));
        let named = root.path().join("named");
        for directory in [&old, &new, &named] {
            fs::create_dir(directory).expect("a directory");
            fs::write(directory.join("file"), "k=1").expect("a file");
        }
        let link = named.join("link");
        symlink(old.join("file"), &link).expect("a link");
        let supervisor = Supervisor::without_signals();
        let mut watch = Watch::begin(&link, supervisor.nudge()).expect("inotify");
        let swap = |target: &Path| {
            let beside = named.join("beside");
            symlink(target, &beside).expect("a link");
            fs::rename(&beside, &link).expect("a link");
        };
        fs::write(old.join("file"), "k=2").expect("a file");
        assert!(is_nudged(&supervisor), "written in place");
        fs::write(old.join("beside"), "k=3").expect("a file");
        assert!(is_nudged(&supervisor), "a file beside it");
        fs::rename(old.join("beside"), old.join("file")).expect("a file");
        assert!(is_nudged(&supervisor), "replaced");
        swap(&new.join("file"));
        assert!(is_nudged(&supervisor), "the link leads elsewhere");
        watch.follow(&link).expect("inotify");
        fs::write(new.join("file"), "k=4").expect("a file");
        assert!(
            is_nudged(&supervisor),
            "written in place, where the link leads now"
        );
        fs::remove_file(new.join("file")).expect("a file");
        assert!(is_nudged(&supervisor), "removed");
    }

    #[test]
    fn reading_the_file_is_no_news() {
        let root = tempfile::tempdir().expect("a directory");
        let file = root.path().join("file");
        fs::write(&file, "k=1").expect("a file");
        let supervisor = Supervisor::without_signals();
        let _watch = Watch::begin(&file, supervisor.nudge()).expect("inotify");
        for _ in 0..10 {
            fs::read(&file).expect("a file");
        }
        assert_eq!(supervisor.wait_for(Duration::from_millis(300)), None);
        fs::write(&file, "k=2").expect("a file");
        assert!(is_nudged(&supervisor));
    }

    #[test]
    fn a_plain_file_has_one_directory() {
        let here = Path::new(".").canonicalize().expect("a directory");
        assert_eq!(directories_of(Path::new("Cargo.toml")), [here]);
    }
}
