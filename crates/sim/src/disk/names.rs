//! The simulated directory tree: the names that everybody sees, and those that survive a power cut.
//!
//! # Invariants
//! - A change of names becomes durable with a sync of a directory that it touches, together with every earlier change
//!   that it builds on; a file's own sync does nothing for its name.
//! - A power cut keeps a prefix of the unsynced changes of each directory. A rename between two directories happens in
//!   both or in neither.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Error, ErrorKind, Result};
use std::path::{Component, Path};

use crate::rng::Rng;

/// A file or directory, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Inode(pub(crate) u64);

pub(crate) const ROOT: Inode = Inode(0);

#[derive(Debug, Default)]
struct Directory {
    current: BTreeMap<String, Inode>,
    durable: BTreeMap<String, Inode>,
}

/// What one operation does to a name.
#[derive(Debug)]
struct Edit {
    directory: Inode,
    name: String,
    now: Option<Inode>,
}

#[derive(Debug)]
struct Change {
    number: u64,
    edits: Vec<Edit>,
}

/// All directories of a disk.
#[derive(Debug)]
pub(crate) struct Names {
    directories: BTreeMap<Inode, Directory>,
    unsynced: Vec<Change>,
    changes: u64,
    inodes: u64,
}

/// A name in a directory that exists.
#[derive(Debug)]
pub(crate) struct Place {
    directory: Inode,
    name: String,
}

impl Names {
    pub(crate) fn new() -> Self {
        Self {
            directories: BTreeMap::from([(ROOT, Directory::default())]),
            unsynced: Vec::new(),
            changes: 0,
            inodes: ROOT.0,
        }
    }

    pub(crate) fn is_directory(&self, inode: Inode) -> bool {
        self.directories.contains_key(&inode)
    }

    /// Finds the directory that `path` lies in.
    pub(crate) fn place(&self, path: &Path) -> Result<Place> {
        let mut names = components(path)?;
        let name = names
            .pop()
            .ok_or_else(|| Error::from(ErrorKind::InvalidInput))?;
        Ok(Place {
            directory: self.walk(&names)?,
            name,
        })
    }

    pub(crate) fn find(&self, path: &Path) -> Result<Inode> {
        let names = components(path)?;
        let mut inode = ROOT;
        for name in &names {
            inode = self.child(inode, name)?.ok_or(ErrorKind::NotFound)?;
        }
        Ok(inode)
    }

    pub(crate) fn directory(&self, path: &Path) -> Result<Inode> {
        self.walk(&components(path)?)
    }

    pub(crate) fn at(&self, place: &Place) -> Option<Inode> {
        let directory = self.directories.get(&place.directory)?;
        directory.current.get(&place.name).copied()
    }

    pub(crate) fn list(&self, directory: Inode) -> impl Iterator<Item = (&String, Inode)> {
        let entries = &self.directories[&directory].current;
        entries.iter().map(|(name, &inode)| (name, inode))
    }

    /// Gives a new file its name.
    pub(crate) fn create(&mut self, place: Place) -> Inode {
        self.inodes += 1;
        let inode = Inode(self.inodes);
        self.change(vec![(place, Some(inode))]);
        inode
    }

    pub(crate) fn create_directories(&mut self, path: &Path) -> Result<()> {
        let mut directory = ROOT;
        for name in components(path)? {
            let found = self.child(directory, &name)?;
            directory = found.unwrap_or_else(|| {
                let inode = self.create(Place { directory, name });
                self.directories.insert(inode, Directory::default());
                inode
            });
        }
        if self.is_directory(directory) {
            Ok(())
        } else {
            Err(ErrorKind::AlreadyExists.into())
        }
    }

    pub(crate) fn rename(&mut self, from: &Path, to: &Path) -> Result<()> {
        let (from, to) = (self.place(from)?, self.place(to)?);
        let inode = self.at(&from).ok_or(ErrorKind::NotFound)?;
        if let Some(replaced) = self.at(&to) {
            if replaced == inode {
                return Ok(());
            }
            match (self.is_directory(inode), self.is_directory(replaced)) {
                (false, false) => {}
                (true, true) => self.must_be_empty(replaced)?,
                (true, false) => return Err(ErrorKind::NotADirectory.into()),
                (false, true) => return Err(ErrorKind::IsADirectory.into()),
            }
        }
        self.change(vec![(from, None), (to, Some(inode))]);
        Ok(())
    }

    pub(crate) fn remove_file(&mut self, path: &Path) -> Result<()> {
        let place = self.place(path)?;
        let inode = self.at(&place).ok_or(ErrorKind::NotFound)?;
        if self.is_directory(inode) {
            return Err(ErrorKind::IsADirectory.into());
        }
        self.change(vec![(place, None)]);
        Ok(())
    }

    pub(crate) fn remove_directory(&mut self, path: &Path) -> Result<()> {
        let place = self.place(path)?;
        let inode = self.at(&place).ok_or(ErrorKind::NotFound)?;
        if !self.is_directory(inode) {
            return Err(ErrorKind::NotADirectory.into());
        }
        self.must_be_empty(inode)?;
        self.change(vec![(place, None)]);
        Ok(())
    }

    /// How many changes have been made: what a sync that is submitted now covers.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// Makes the first `changes` changes of `directory` durable, and what they build on.
    pub(crate) fn sync(&mut self, directory: Inode, changes: u64) {
        for change in self.take_unsynced(directory, changes) {
            self.make_durable(change);
        }
    }

    /// A failed sync: the fate of what it covered is drawn now, and no later sync will change it.
    pub(crate) fn fail_sync(&mut self, directory: Inode, changes: u64, rng: &Rng) {
        let covered = self.take_unsynced(directory, changes);
        self.settle(covered, rng);
    }

    /// A power cut. What no name leads to afterwards is gone.
    pub(crate) fn lose_power(&mut self, rng: &Rng) {
        let unsynced = std::mem::take(&mut self.unsynced);
        self.settle(unsynced, rng);
        for directory in self.directories.values_mut() {
            directory.current.clone_from(&directory.durable);
        }
        let reachable = self.reachable();
        self.directories
            .retain(|inode, _| reachable.contains(inode));
    }

    /// Every inode that a name leads to.
    pub(crate) fn reachable(&self) -> BTreeSet<Inode> {
        let mut found = BTreeSet::from([ROOT]);
        let mut unvisited = vec![ROOT];
        while let Some(inode) = unvisited.pop() {
            for &child in self
                .directories
                .get(&inode)
                .iter()
                .flat_map(|directory| directory.current.values())
            {
                if found.insert(child) {
                    unvisited.push(child);
                }
            }
        }
        found
    }

    /// Every inode that a name leads to now or may lead to after a power cut.
    pub(crate) fn referenced(&self) -> BTreeSet<Inode> {
        let entries = self.directories.values().flat_map(|directory| {
            let durable = directory.durable.values();
            directory.current.values().chain(durable).copied()
        });
        let edits = self.unsynced.iter().flat_map(|change| &change.edits);
        entries.chain(edits.filter_map(|edit| edit.now)).collect()
    }

    fn walk(&self, names: &[String]) -> Result<Inode> {
        let mut directory = ROOT;
        for name in names {
            directory = self.child(directory, name)?.ok_or(ErrorKind::NotFound)?;
        }
        if self.is_directory(directory) {
            Ok(directory)
        } else {
            Err(ErrorKind::NotADirectory.into())
        }
    }

    fn child(&self, directory: Inode, name: &str) -> Result<Option<Inode>> {
        let directory = self.directories.get(&directory);
        let directory = directory.ok_or(ErrorKind::NotADirectory)?;
        Ok(directory.current.get(name).copied())
    }

    fn must_be_empty(&self, directory: Inode) -> Result<()> {
        if self.directories[&directory].current.is_empty() {
            Ok(())
        } else {
            Err(ErrorKind::DirectoryNotEmpty.into())
        }
    }

    fn change(&mut self, edits: Vec<(Place, Option<Inode>)>) {
        let edits: Vec<Edit> = edits
            .into_iter()
            .map(|(Place { directory, name }, now)| Edit {
                directory,
                name,
                now,
            })
            .collect();
        for edit in &edits {
            let directory = self.directories.get_mut(&edit.directory);
            let directory = directory.expect("a place lies in a directory");
            edit.apply(&mut directory.current);
        }
        let number = self.changes;
        self.changes += 1;
        self.unsynced.push(Change { number, edits });
    }

    fn take_unsynced(&mut self, directory: Inode, changes: u64) -> Vec<Change> {
        let mut touched = BTreeSet::from([directory]);
        let (mut taken, mut left) = (Vec::new(), Vec::new());
        for change in std::mem::take(&mut self.unsynced).into_iter().rev() {
            if change.number < changes && change.touches(&touched) {
                touched.extend(change.edits.iter().map(|edit| edit.directory));
                taken.push(change);
            } else {
                left.push(change);
            }
        }
        left.reverse();
        taken.reverse();
        self.unsynced = left;
        taken
    }

    fn settle(&mut self, changes: Vec<Change>, rng: &Rng) {
        // Out of four. Now and then all or nothing survives.
        let odds = rng.below(5);
        let mut stopped = BTreeSet::new();
        for change in changes {
            if !change.touches(&stopped) && rng.chance(odds, 4) {
                self.make_durable(change);
            } else {
                stopped.extend(change.edits.iter().map(|edit| edit.directory));
            }
        }
    }

    fn make_durable(&mut self, change: Change) {
        for edit in change.edits {
            if let Some(directory) = self.directories.get_mut(&edit.directory) {
                edit.apply(&mut directory.durable);
            }
        }
    }
}

impl Change {
    fn touches(&self, directories: &BTreeSet<Inode>) -> bool {
        self.edits
            .iter()
            .any(|edit| directories.contains(&edit.directory))
    }
}

impl Edit {
    fn apply(&self, entries: &mut BTreeMap<String, Inode>) {
        match self.now {
            Some(inode) => entries.insert(self.name.clone(), inode),
            None => entries.remove(&self.name),
        };
    }
}

fn components(path: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::RootDir | Component::CurDir => {}
            Component::Normal(name) => {
                let name = name.to_str().ok_or(ErrorKind::InvalidInput)?;
                names.push(name.to_owned());
            }
            Component::ParentDir | Component::Prefix(_) => {
                return Err(ErrorKind::InvalidInput.into());
            }
        }
    }
    Ok(names)
}
