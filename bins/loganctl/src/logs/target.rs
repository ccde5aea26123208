//! What a path on the command line means: a data directory, the directory of a partition, or one segment.
//!
//! Kafka's layout: a data directory holds `<topic>-<partition>/<base offset>.log` and the checkpoints of all partitions.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use command_line::Failure;
use storage::checkpoint::{
    CLEAN_SHUTDOWN_FILE, CLEANER_OFFSET_FILE, HIGH_WATERMARK_FILE, LOG_START_OFFSET_FILE,
    META_PROPERTIES_FILE, PartitionOffset, RECOVERY_POINT_FILE, decode_offsets, encode_offsets,
};
use types::{Offset, PartitionIndex};

/// A running broker holds the lock of this file in each of its data directories.
const LOCK_FILE: &str = ".lock";

/// A partition's directory and what is to be looked at in it.
#[derive(Clone, Debug)]
pub(super) struct PartitionDir {
    pub(super) path: PathBuf,
    /// In the order of their base offsets.
    pub(super) segments: Vec<SegmentPath>,
    /// Everything below had been durable when the broker last said so.
    pub(super) recovery_point: Offset,
    /// Whether the broker says that it closed all logs of the data directory.
    pub(super) is_clean: bool,
}

/// The log file of a segment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SegmentPath {
    pub(super) base_offset: Offset,
    pub(super) path: PathBuf,
    /// Whether no later segment follows in the directory.
    pub(super) is_newest: bool,
}

/// Data directories that no broker can open as long as this lives.
#[derive(Debug)]
pub(super) struct Locked {
    _files: Vec<File>,
}

impl PartitionDir {
    /// The directory's name: topic and partition.
    pub(super) fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str());
        name.to_string_lossy().into_owned()
    }
}

/// The partitions that a path stands for.
///
/// # Errors
/// A path that is none of the three, or that cannot be read.
pub(super) fn find(path: &Path) -> Result<Vec<PartitionDir>, Failure> {
    // Without it, the directory above a relative path could not be named.
    let path = &fs::canonicalize(path).map_err(Failure::file("open", path))?;
    if path.is_file() {
        return one_segment(path).map(|partition| vec![partition]);
    }
    let segments = segments_in(path)?;
    if !segments.is_empty() || partition_of(path).is_some() {
        return Ok(vec![partition(path, segments)]);
    }
    let mut partitions = Vec::new();
    for child in children(path)? {
        if child.is_dir() && partition_of(&child).is_some() {
            let segments = segments_in(&child)?;
            partitions.push(partition(&child, segments));
        }
    }
    if partitions.is_empty() && !path.join(META_PROPERTIES_FILE).exists() {
        return Err(Failure::NotFound {
            problem: format!("{} holds no log", path.display()),
            advice:
                "name one of the broker's log.dirs, the directory of a partition, or a .log file"
                    .to_owned(),
        });
    }
    Ok(partitions)
}

/// Takes the locks of the data directories that the paths lie in, so that no broker starts meanwhile.
///
/// # Errors
/// A broker that is running on one of them.
pub(super) fn lock(paths: &[PathBuf]) -> Result<Locked, Failure> {
    let mut directories = BTreeSet::new();
    for path in paths {
        let path = fs::canonicalize(path).map_err(Failure::file("open", path))?;
        directories.extend(data_directory(&path));
    }
    let locked = directories.iter().map(|directory| lock_one(directory));
    Ok(Locked {
        _files: locked.collect::<Result<_, _>>()?,
    })
}

fn lock_one(data: &Path) -> Result<File, Failure> {
    let lock = data.join(LOCK_FILE);
    let opened = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&lock);
    let file = opened.map_err(Failure::file("open", &lock))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Failure::Refused {
            problem: format!("a broker is running on {}", data.display()),
            advice:
                "stop it first; `loganctl logs verify --sealed-only` looks at what it has closed"
                    .to_owned(),
        }),
        Err(TryLockError::Error(error)) => Err(Failure::file("lock", &lock)(error)),
    }
}

/// Takes back the mark of a clean stop, so that the broker looks at every file when it starts.
///
/// # Errors
/// The operating system's.
pub(super) fn distrust(partition: &PartitionDir) -> Result<(), Failure> {
    let Some(data) = data_directory(&partition.path) else {
        return Ok(());
    };
    let mark = data.join(CLEAN_SHUTDOWN_FILE);
    match fs::remove_file(&mark) {
        Ok(()) => sync_directory(&data),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Failure::file("remove", &mark)(error)),
    }
}

/// Tells the broker that a log ends at `end_offset`: it opens none that is shorter than its checkpoints say, and what is
/// written anew above the end is not clean.
///
/// # Errors
/// The operating system's. A checkpoint that cannot be read is left to the broker.
pub(super) fn lower_checkpoints(
    partition: &PartitionDir,
    end_offset: Offset,
) -> Result<(), Failure> {
    let named = partition_of(&partition.path);
    let (Some(data), Some((topic, index))) = (data_directory(&partition.path), named) else {
        return Ok(());
    };
    for name in [
        RECOVERY_POINT_FILE,
        HIGH_WATERMARK_FILE,
        LOG_START_OFFSET_FILE,
        CLEANER_OFFSET_FILE,
    ] {
        let path = data.join(name);
        let Ok(content) = fs::read(&path) else {
            continue;
        };
        let Ok(mut lines) = decode_offsets(&content) else {
            continue;
        };
        let ours = |line: &&mut PartitionOffset| line.topic == topic && line.partition == index;
        let line = lines.iter_mut().find(ours);
        let Some(line) = line.filter(|line| line.offset > end_offset) else {
            continue;
        };
        line.offset = end_offset;
        replace(&path, &encode_offsets(&lines))?;
    }
    sync_directory(&data)
}

/// Writes a file anew; whoever reads it finds the old content or the new one.
pub(super) fn replace(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".tmp");
    let written = File::create(&aside).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&aside, path)
    });
    written.map_err(Failure::file("write", path))
}

/// Makes new, renamed and removed names durable.
pub(super) fn sync_directory(path: &Path) -> Result<(), Failure> {
    let synced = File::open(path).and_then(|directory| directory.sync_all());
    synced.map_err(Failure::file("sync", path))
}

/// The data directory that a path is or lies in, if it is known to be one.
fn data_directory(path: &Path) -> Option<PathBuf> {
    let is_data =
        |path: &&Path| path.join(META_PROPERTIES_FILE).exists() || path.join(LOCK_FILE).exists();
    path.ancestors().take(3).find(is_data).map(Path::to_owned)
}

fn one_segment(path: &Path) -> Result<PartitionDir, Failure> {
    let Some((base_offset, "log")) = parse_name(path) else {
        return Err(Failure::usage(
            format!("{} is no segment", path.display()),
            "segments are named after their first offset, such as 00000000000000000000.log",
        ));
    };
    let directory = path.parent().unwrap_or(path);
    let mut partition = partition(directory, segments_in(directory)?);
    partition
        .segments
        .retain(|segment| segment.base_offset == base_offset);
    Ok(partition)
}

fn partition(path: &Path, segments: Vec<SegmentPath>) -> PartitionDir {
    let data = path.parent().unwrap_or(path);
    PartitionDir {
        path: path.to_owned(),
        segments,
        recovery_point: recovery_point(data, path).unwrap_or(Offset(0)),
        is_clean: data.join(CLEAN_SHUTDOWN_FILE).exists(),
    }
}

/// A checkpoint that is missing or unreadable says nothing, which makes no log bad.
fn recovery_point(data: &Path, partition: &Path) -> Option<Offset> {
    let (topic, index) = partition_of(partition)?;
    let content = fs::read(data.join(RECOVERY_POINT_FILE)).ok()?;
    let lines = decode_offsets(&content).ok()?;
    let line = lines
        .iter()
        .find(|line| line.topic == topic && line.partition == index)?;
    Some(line.offset)
}

/// Topic and partition, if that is what the directory is called after.
fn partition_of(path: &Path) -> Option<(&str, PartitionIndex)> {
    let (topic, index) = path.file_name()?.to_str()?.rsplit_once('-')?;
    let index = index.parse().ok().filter(|index| *index >= 0)?;
    (!topic.is_empty()).then_some((topic, PartitionIndex(index)))
}

fn segments_in(directory: &Path) -> Result<Vec<SegmentPath>, Failure> {
    let mut segments: Vec<_> = children(directory)?
        .into_iter()
        .filter_map(|path| match parse_name(&path) {
            Some((base_offset, "log")) => Some(SegmentPath {
                base_offset,
                path,
                is_newest: false,
            }),
            _ => None,
        })
        .collect();
    segments.sort_unstable();
    if let Some(newest) = segments.last_mut() {
        newest.is_newest = true;
    }
    Ok(segments)
}

/// Offset and extension in a name like `00000000000000000017.log`.
pub(super) fn parse_name(path: &Path) -> Option<(Offset, &str)> {
    let (digits, extension) = path.file_name()?.to_str()?.split_once('.')?;
    let is_offset = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let offset = digits.parse().ok().filter(|_| is_offset)?;
    Some((Offset(offset), extension))
}

/// What a directory holds, in the order of the names.
fn children(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = fs::read_dir(directory).map_err(Failure::file("read", directory))?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = paths
        .collect::<io::Result<Vec<_>>>()
        .map_err(Failure::file("read", directory))?;
    paths.sort_unstable();
    Ok(paths)
}
