//! Notices that the configuration file changes, whoever changes it and however.
//!
//! Editors rename a new file into place, Kubernetes swaps a link above it and a deployment the whole directory, so directories
//! are watched, not the file: each one that a name on the way to the file stands in, through all links. What happens to one of
//! those names, or to anything beside the file, nudges the main thread, which looks whether the file says something else, and
//! follows the way anew. A directory that was replaced has the same path and another inode.
//!
//! A file that is written in place is not finished before its writer closes it: until then [`Watch::unfinished`] says so, and
//! only when nothing has been written for [`REST`] it is believed to be finished all the same, since nobody may ever have told.
//!
//! The events arrive on a thread of `notify`'s own. Deliberately absent: polling; where the system cannot watch a file
//! (network file systems), SIGHUP does it.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use runtime::Nudge;

/// A file that somebody has begun to write and not closed is taken for finished after this time without a change.
pub(crate) const REST: Duration = Duration::from_secs(10);

/// Watches until it is dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    directories: Vec<(PathBuf, Inode)>,
    watched: Arc<Mutex<Watched>>,
    watcher: RecommendedWatcher,
}

/// Which directory it is, whatever it is called: its device and its number there.
type Inode = (u64, u64);

/// Links that are followed on the way to a file, as in the kernel.
const LINKS_MAX: usize = 40;

/// What the thread of the events and the main thread share.
#[derive(Debug, Default)]
struct Watched {
    /// The file, under the names by which events tell of it.
    names: Vec<PathBuf>,
    /// Every name on the way to it.
    way: Vec<PathBuf>,
    /// The directories in which everything is of interest.
    beside: Vec<PathBuf>,
    /// When it was last written to, if its writer has not closed it since.
    written_at: Option<Instant>,
}

/// What an event says of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    /// Nothing.
    Nothing,
    /// Its writer is at work.
    Begun,
    /// Nobody writes it any more.
    Finished,
    /// Something that it may depend on has changed.
    Beside,
    /// Nobody knows: events were lost.
    Unknown,
}

impl Watch {
    /// Begins to watch a file.
    ///
    /// # Errors
    /// When the system cannot do it.
    pub(crate) fn begin(file: &Path, nudge: Nudge) -> notify::Result<Self> {
        let watched = Arc::new(Mutex::new(Watched::default()));
        let shared = Arc::clone(&watched);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if lock(&shared).hear(event.as_ref().ok()) {
                nudge.send();
            }
        })?;
        let mut watch = Self {
            directories: Vec::new(),
            watched,
            watcher,
        };
        watch.follow(file)?;
        // Somebody may be writing it now, without an event any more but the last one.
        let modified = file.metadata().and_then(|it| it.modified()).ok();
        let age = modified.and_then(|it| it.elapsed().ok());
        let age = age.filter(|age| *age < REST);
        lock(&watch.watched).written_at = age.and_then(|age| Instant::now().checked_sub(age));
        Ok(watch)
    }

    /// Watches where the file is now: a link may lead elsewhere than before.
    ///
    /// # Errors
    /// When the system cannot do it.
    pub(crate) fn follow(&mut self, file: &Path) -> notify::Result<()> {
        // A directory that appears while the way is followed may have been passed already.
        for _ in 0..LINKS_MAX {
            if !self.follow_once(file)? {
                break;
            }
        }
        Ok(())
    }

    /// Returns whether anything was different from what is watched.
    fn follow_once(&mut self, file: &Path) -> notify::Result<bool> {
        let way = way_to(file);
        let mut directories: Vec<(PathBuf, Inode)> = Vec::new();
        for directory in way.iter().filter_map(|name| name.parent()) {
            // One that is not there is noticed where its own name stands.
            if let Some(inode) = inode(directory)
                && directories.iter().all(|(known, _)| known != directory)
            {
                directories.push((directory.to_path_buf(), inode));
            }
        }
        {
            let mut watched = lock(&self.watched);
            watched.names = names_of(file);
            watched.beside = directories_of(file);
            watched.way = way;
        }
        if directories == self.directories {
            return Ok(false);
        }
        let (kept, gone): (Vec<_>, Vec<_>) = std::mem::take(&mut self.directories)
            .into_iter()
            .partition(|known| directories.contains(known));
        for (directory, _) in gone {
            // A directory that was removed is not watched any more anyway.
            drop(self.watcher.unwatch(&directory));
        }
        for directory in &directories {
            if kept.contains(directory) {
                continue;
            }
            let path = &directory.0;
            let begun = self.watcher.watch(path, RecursiveMode::NonRecursive);
            // A directory further up may be closed to the broker, which passes through it all the same.
            if begun.is_err() && lock(&self.watched).beside.contains(path) {
                return begun.map(|()| true);
            }
        }
        self.directories = directories;
        Ok(true)
    }

    /// How long to wait, unless something happens, before the file may be read, since its writer has not finished; `None` when
    /// it may be read now.
    pub(crate) fn unfinished(&self) -> Option<Duration> {
        let written_at = lock(&self.watched).written_at?;
        let left = REST.saturating_sub(written_at.elapsed());
        (!left.is_zero()).then_some(left)
    }
}

impl Watched {
    /// Takes an event in, or the loss of some. Returns whether the main thread is to look.
    fn hear(&mut self, event: Option<&Event>) -> bool {
        match event.map_or(News::Unknown, |event| self.news(event)) {
            News::Nothing => false,
            News::Beside => true,
            News::Finished => {
                self.written_at = None;
                true
            }
            // Once is enough: who looks waits for the end.
            News::Begun => self.written_at.replace(Instant::now()).is_none(),
            News::Unknown => {
                self.written_at = Some(Instant::now());
                true
            }
        }
    }

    fn news(&self, event: &Event) -> News {
        if event.need_rescan() {
            return News::Unknown;
        }
        let mut paths = event.paths.iter();
        let own = paths.find(|path| self.names.contains(path));
        let is_own = own.is_some();
        match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) if is_own => News::Finished,
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => News::Beside,
            // Reading the file is an event, too.
            EventKind::Access(_) => News::Nothing,
            EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Any) if is_own => News::Begun,
            EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Any) => News::Nothing,
            // Nobody writes a link: it is there at once.
            EventKind::Create(CreateKind::File) if own.is_some_and(|it| !it.is_symlink()) => {
                News::Begun
            }
            EventKind::Modify(ModifyKind::Name(_))
            | EventKind::Create(_)
            | EventKind::Remove(_)
                if is_own =>
            {
                News::Finished
            }
            _ if event.paths.iter().any(|it| self.concerns(it)) => News::Beside,
            _ => News::Nothing,
        }
    }

    /// Whether the way to the file may be another one, or something beside it has changed.
    fn concerns(&self, path: &Path) -> bool {
        let is_beside = path
            .parent()
            .is_some_and(|it| self.beside.iter().any(|known| known == it));
        is_beside || self.way.iter().any(|name| name == path)
    }
}

/// Every name that leads to the file, in the directory where it stands: of the directories, the links, and where those lead.
fn way_to(file: &Path) -> Vec<PathBuf> {
    let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_path_buf());
    let mut left: VecDeque<OsString> = names_in(&absolute).collect();
    let (mut at, mut way, mut links) = (PathBuf::from("/"), Vec::new(), 0);
    while let Some(name) = left.pop_front() {
        if name == ".." {
            at.pop();
            continue;
        }
        let place = at.join(&name);
        match place.read_link() {
            Ok(target) if links < LINKS_MAX => {
                links += 1;
                if target.is_absolute() {
                    at = PathBuf::from("/");
                }
                let targets: Vec<_> = names_in(&target).collect();
                targets.into_iter().rev().for_each(|it| left.push_front(it));
            }
            _ => at.clone_from(&place),
        }
        if !way.contains(&place) {
            way.push(place);
        }
    }
    way
}

/// The names in a path, `..` among them.
fn names_in(path: &Path) -> impl Iterator<Item = OsString> {
    path.components().filter_map(|part| match part {
        Component::Normal(_) | Component::ParentDir => Some(part.as_os_str().to_owned()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}

fn inode(directory: &Path) -> Option<Inode> {
    let metadata = directory.metadata().ok().filter(fs::Metadata::is_dir)?;
    Some((metadata.dev(), metadata.ino()))
}

/// What is shared is whole at any time.
fn lock(watched: &Mutex<Watched>) -> MutexGuard<'_, Watched> {
    watched.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The file, by the path that names it and by the one where it is.
fn names_of(file: &Path) -> Vec<PathBuf> {
    let named = directories_of(file)
        .into_iter()
        .next()
        .zip(file.file_name());
    let mut names: Vec<_> = named.map(|(it, name)| it.join(name)).into_iter().collect();
    names.extend(file.canonicalize());
    names.dedup();
    names
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
    use std::fs::{self, File};
    use std::io::Write as _;
    use std::os::unix::fs::symlink;
    use std::path::Path;
    use std::time::{Duration, Instant};

    use runtime::{Event, Supervisor};

    use super::{REST, Watch, Watched, directories_of, lock, way_to};

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
        assert_eq!(watch.unfinished(), None, "whole ones only");
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
    fn a_directory_on_the_way_may_be_replaced() {
        let root = tempfile::tempdir().expect("a directory");
        let at = |path: &str| root.path().join(path);
        let make = |directory: &str| {
            fs::create_dir(at(directory)).expect("a directory");
            fs::write(at(directory).join("file"), directory).expect("a file");
        };
        make("one");
        make("two");
        symlink("one", at("current")).expect("a link");
        let file = at("current/file");
        let supervisor = Supervisor::without_signals();
        let mut watch = Watch::begin(&file, supervisor.nudge()).expect("inotify");
        let mut notices = |what: &str| {
            assert!(is_nudged(&supervisor), "{what}");
            watch.follow(&file).expect("inotify");
        };
        symlink("two", at("next")).expect("a link");
        fs::rename(at("next"), at("current")).expect("a link");
        notices("a link to its directory is swapped");
        fs::write(at("two/file"), "k=1").expect("a file");
        notices("written where the link leads now");
        fs::rename(at("two"), at("old")).expect("a directory");
        notices("its directory is renamed");
        make("two");
        notices("and made anew");
        fs::write(at("two/file"), "k=2").expect("a file");
        notices("written in the new directory");
        fs::remove_dir_all(at("two")).expect("a directory");
        notices("its directory is removed");
        make("two");
        notices("and made anew");
        fs::write(at("two/file"), "k=3").expect("a file");
        notices("written in the new one");
    }

    #[test]
    fn the_way_to_a_file_has_every_name_through_all_links() {
        let root = tempfile::tempdir().expect("a directory");
        let root = root.path().canonicalize().expect("a directory");
        let at = |path: &str| root.join(path);
        fs::create_dir_all(at("a/b")).expect("a directory");
        fs::write(at("a/b/file"), "").expect("a file");
        symlink("../a/b", at("a/link")).expect("a link");
        symlink(at("a/link/file"), at("file")).expect("a link");
        symlink("loop", at("loop")).expect("a link");
        let way = |path: &str| -> Vec<_> {
            let way = way_to(&at(path)).into_iter();
            way.filter_map(|it| Some(it.strip_prefix(&root).ok()?.to_path_buf()))
                .filter(|it| !it.as_os_str().is_empty())
                .collect()
        };
        let names = ["file", "a", "a/link", "a/b", "a/b/file"];
        assert_eq!(way("file"), names.map(Path::new));
        assert_eq!(way("none/file"), ["none", "none/file"].map(Path::new));
        assert_eq!(way("loop"), [Path::new("loop")]);
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
    fn a_file_is_finished_when_its_writer_closes_it() {
        let root = tempfile::tempdir().expect("a directory");
        let path = root.path().join("file");
        let supervisor = Supervisor::without_signals();
        let watch = Watch::begin(&path, supervisor.nudge()).expect("inotify");
        assert_eq!(watch.unfinished(), None);
        for what in ["a new file", "the same again"] {
            let mut file = File::create(&path).expect("a file");
            file.write_all(b"k=1").expect("a text");
            assert!(is_nudged(&supervisor), "{what}");
            assert!(watch.unfinished().is_some_and(|it| it <= REST), "{what}");
            // Others come and go.
            fs::write(root.path().join("other"), "k=3").expect("a file");
            assert!(is_nudged(&supervisor), "{what}");
            assert!(watch.unfinished().is_some(), "{what}");
            file.write_all(b"0").expect("a text");
            drop(file);
            assert!(is_nudged(&supervisor), "{what}");
            assert_eq!(watch.unfinished(), None, "{what}");
        }
        let file = File::create(&path).expect("a file");
        assert!(is_nudged(&supervisor));
        fs::rename(root.path().join("other"), &path).expect("a file");
        assert!(is_nudged(&supervisor));
        assert_eq!(
            watch.unfinished(),
            None,
            "replaced, whatever its writer does"
        );
        drop(file);
    }

    #[test]
    fn a_file_that_nobody_closes_is_believed_after_a_rest() {
        let long_ago = Instant::now()
            .checked_sub(2 * REST)
            .expect("it runs longer");
        let written_at = [None, Some(long_ago), Some(Instant::now())];
        let unfinished = written_at.map(|written_at| {
            let supervisor = Supervisor::without_signals();
            let root = tempfile::tempdir().expect("a directory");
            let watch = Watch::begin(&root.path().join("file"), supervisor.nudge());
            let watch = watch.expect("inotify");
            lock(&watch.watched).written_at = written_at;
            watch.unfinished().is_some()
        });
        assert_eq!(unfinished, [false, false, true]);
    }

    #[test]
    fn events_that_are_lost_leave_a_file_unfinished() {
        let mut watched = Watched::default();
        assert!(watched.hear(None));
        assert!(watched.written_at.is_some());
    }

    #[test]
    fn a_plain_file_has_one_directory() {
        let here = Path::new(".").canonicalize().expect("a directory");
        assert_eq!(directories_of(Path::new("Cargo.toml")), [here]);
    }
}
