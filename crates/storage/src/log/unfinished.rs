//! Finishing, or undoing, the replacement of segments that a crash has interrupted.
//!
//! `.cleaned` files are incomplete, so they go. `.swap` files are complete and durable: the segments that they replace go,
//! and they take their place; unless files of the same replacement are still called `.cleaned`, since then nothing was
//! taken away yet. It works on names alone, before anything else looks at the directory, and may itself be interrupted.
//!
//! Source: `LogLoader` of Kafka 4.3.1.

use std::path::Path;

use io::{Io, OpenMode};
use types::Offset;

use super::replace::{CLEANED_SUFFIX, SWAP_SUFFIX, suffixed};
use crate::error::OpenError;
use crate::scan::{Check, Scanner, Step};
use crate::segment::{SegmentFile, parse_file_name};
use crate::shard::ShardStorage;

/// A file of a replacement: the segment's base offset, the kind (such as `log`) and the suffix.
struct Unfinished {
    name: String,
    base_offset: Offset,
    kind: String,
    is_swap: bool,
}

/// Leaves `dir` without `.cleaned` and `.swap` files.
pub(crate) async fn finish_replacements<I: Io>(
    shard: &ShardStorage<I>,
    dir: &Path,
) -> Result<(), OpenError> {
    let io = shard.io();
    let listed = io.list_dir(dir).await;
    let entries = listed.map_err(OpenError::io("list directory", dir))?;
    let mut found: Vec<Unfinished> = entries
        .iter()
        .filter_map(|entry| unfinished(&entry.name))
        .collect();
    if found.is_empty() {
        return Ok(());
    }
    tracing::info!(dir = %dir.display(), "an interrupted compaction is finished or undone");
    let cleaned = found.iter().filter(|file| !file.is_swap);
    let undone_from = cleaned.map(|file| file.base_offset).min();
    let is_undone = |file: &Unfinished| {
        !file.is_swap || undone_from.is_some_and(|from| file.base_offset >= from)
    };
    for file in found.extract_if(.., |file| is_undone(file)) {
        remove(shard, &dir.join(&file.name)).await?;
    }
    let complete = found.iter().filter(|file| file.kind == "log");
    let complete: Vec<Offset> = complete.map(|file| file.base_offset).collect();
    for file in &found {
        if !complete.contains(&file.base_offset) {
            // The log has its name already. An index under either name may be the old one; it is made again.
            remove(shard, &dir.join(&file.name)).await?;
            remove(shard, &dir.join(file.name.trim_end_matches(".swap"))).await?;
        }
    }
    for base in complete {
        finish(shard, dir, base).await?;
    }
    sync(shard, dir).await
}

fn unfinished(name: &str) -> Option<Unfinished> {
    let (base_offset, extension) = parse_file_name(name)?;
    let (kind, suffix) = extension.rsplit_once('.')?;
    let is_swap = suffix == SWAP_SUFFIX;
    (is_swap || suffix == CLEANED_SUFFIX).then(|| Unfinished {
        name: name.to_owned(),
        base_offset,
        kind: kind.to_owned(),
        is_swap,
    })
}

/// Puts one complete segment in the place of those whose offsets it covers.
async fn finish<I: Io>(shard: &ShardStorage<I>, dir: &Path, base: Offset) -> Result<(), OpenError> {
    let io = shard.io();
    let end = end_of(shard, dir, base).await?;
    let listed = io.list_dir(dir).await;
    let entries = listed.map_err(OpenError::io("list directory", dir))?;
    for entry in &entries {
        let Some((offset, kind)) = parse_file_name(&entry.name) else {
            continue;
        };
        let is_old = match kind {
            "log" | "index" | "timeindex" | "txnindex" => base <= offset && offset < end,
            "snapshot" => base < offset && offset < end,
            _ => false,
        };
        if is_old {
            remove(shard, &dir.join(&entry.name)).await?;
        }
    }
    sync(shard, dir).await?;
    // The log comes last: until then the next attempt knows what to do.
    let kinds = ["index", "timeindex", "txnindex", "log"];
    for kind in kinds {
        let name = format!("{:020}.{kind}", base.0);
        let swap = format!("{name}.{SWAP_SUFFIX}");
        if entries.iter().any(|entry| entry.name == swap) {
            let renamed = io.rename(&dir.join(&swap), &dir.join(&name)).await;
            renamed.map_err(OpenError::io("rename", &dir.join(&swap)))?;
        }
    }
    sync(shard, dir).await
}

/// The offset behind a complete segment that has not got its name yet.
async fn end_of<I: Io>(
    shard: &ShardStorage<I>,
    dir: &Path,
    base: Offset,
) -> Result<Offset, OpenError> {
    let path = suffixed(dir, base, SegmentFile::Log, SWAP_SUFFIX);
    let opened = shard.io().open(&path, OpenMode::ReadOnly).await;
    let file = opened.map_err(OpenError::io("open", &path))?;
    let len = io::File::len_bytes(&file).await;
    let len = len.map_err(OpenError::io("measure", &path))?;
    let mut scanner = Scanner::new(&file, len);
    let mut end = base;
    loop {
        let step = scanner.next(Check::Header).await;
        match step.map_err(OpenError::io("scan", &path))? {
            Step::Batch(found) => end = Offset(found.header.last_offset().0 + 1),
            Step::End if scanner.position() == len => break,
            Step::End | Step::Invalid(_) => {
                return Err(OpenError::Corrupt {
                    position: scanner.position(),
                    path,
                    offset: end,
                    recovery_point: end,
                    detail: "a compacted segment that was complete is damaged".to_owned(),
                });
            }
        }
    }
    drop(scanner);
    let closed = io::File::close(file).await;
    closed.map_err(OpenError::io("close", &path))?;
    // One without batches still replaces the segment of its name.
    Ok(end.max(Offset(base.0 + 1)))
}

async fn remove<I: Io>(shard: &ShardStorage<I>, path: &Path) -> Result<(), OpenError> {
    match shard.io().remove_file(path).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(OpenError::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}

async fn sync<I: Io>(shard: &ShardStorage<I>, dir: &Path) -> Result<(), OpenError> {
    let synced = shard.io().sync_dir(dir).await;
    synced.map_err(OpenError::io("sync directory", dir))
}

#[cfg(test)]
mod tests {
    use types::Offset;

    use super::unfinished;

    #[test]
    fn files_of_a_replacement_are_known_by_their_names() {
        let found = unfinished("00000000000000000017.timeindex.swap").expect("one");
        assert_eq!(found.base_offset, Offset(17));
        assert_eq!(found.kind, "timeindex");
        assert!(found.is_swap);
        assert!(
            !unfinished("00000000000000000017.log.cleaned")
                .expect("one")
                .is_swap
        );
        assert!(unfinished("00000000000000000017.log").is_none());
        assert!(unfinished("00000000000000000017.log.deleted").is_none());
        assert!(unfinished("leader-epoch-checkpoint.swap").is_none());
    }
}
