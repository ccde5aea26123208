//! Directories that claim to be the log of the same partition, and which of them is.
//!
//! A log that has moved keeps its name where the file system refuses to rename it, and may be met again when the partition
//! moves back. ADR 0010 has every state that a crash or such a refusal can leave. What can be proven decides: the metadata
//! names the directory, and within it the log that goes furthest has everything that was acknowledged, if it goes as far as
//! the checkpoints say. What loses is set aside, and deleted only where another log is known to have all of it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use io::Io;
use protocol::Str;
use storage::{Log, OpenError};
use types::Offset;

use super::Shard;
use super::strays::{futures_of, topic_id_of};
use super::takeover::log_path;

/// The directories in which a partition's log may be, within the log directory that the metadata names.
#[derive(Debug)]
pub(super) struct Claims {
    /// The index of the log directory.
    pub(super) directory: usize,
    pub(super) topic: Str,
    pub(super) partition: i32,
    /// Whether there is one that has the partition's name.
    pub(super) has_home: bool,
    /// Those that have the name of a copy.
    pub(super) copies: Vec<PathBuf>,
}

/// Gives the partition's name to the directory that is its log, and sets the others aside. Nothing is changed where that
/// is not known. `known` is what the checkpoints say of the log: its recovery point and its start.
///
/// # Errors
/// What the file system refuses, and why it cannot be known. Some directories may have other names then.
pub(super) async fn settle<I: Io>(
    shard: &Shard<I>,
    claims: &Claims,
    known: (Offset, Offset),
) -> Result<(), OpenError> {
    let directory = &shard.setup.directories[claims.directory];
    let home = log_path(directory, &claims.topic, claims.partition);
    let (recovery_point, log_start_offset) = known;
    let own = claims.has_home.then_some(&home);
    let mut winner: Option<(Offset, &PathBuf)> = None;
    let mut losers = Vec::new();
    for dir in own.into_iter().chain(&claims.copies) {
        // A log without a segment begins, and ends, where the checkpoint says.
        let end = shard.storage.end_offset_of(dir).await?;
        let end = end.unwrap_or(log_start_offset);
        match winner.replace((end, dir)) {
            // Where they go equally far both have everything.
            Some(before) if before.0 >= end => {
                winner = Some(before);
                losers.push(dir);
            }
            Some((_, loser)) => losers.push(loser),
            None => {}
        }
    }
    let Some((end, winner)) = winner else {
        return Ok(());
    };
    if !losers.is_empty() && end < recovery_point {
        return Err(OpenError::Unsupported {
            path: home,
            detail: format!(
                "none of the directories that may be this log goes as far as it was durable: {recovery_point}, not {end}"
            ),
        });
    }
    for loser in losers {
        match set_aside(shard, loser, "another directory has all of this log").await {
            // It is in nobody's way.
            Err(error) if *winner == home => {
                tracing::error!(path = %loser.display(), %error, "cannot set a copy aside");
            }
            done => done?,
        }
    }
    if *winner != home {
        shard.storage.promote(winner, &home).await?;
        tracing::info!(dir = %home.display(), "completed the move of a log");
    }
    Ok(())
}

/// Whether the log in `home` goes at least as far as the one in `other`, which its partition has left.
pub(super) async fn goes_as_far<I: Io>(
    shard: &Shard<I>,
    (home, home_start): (&Path, Offset),
    other: &Path,
) -> bool {
    let home = shard.storage.end_offset_of(home).await;
    let other = shard.storage.end_offset_of(other).await;
    let (Ok(home), Ok(other)) = (home, other) else {
        return false;
    };
    home.unwrap_or(home_start) >= other.unwrap_or(Offset(0))
}

/// Makes sure that nothing is in the way where the copy of `log` is to get the partition's name: neither a directory of that
/// name nor another copy than `kept`. What `log` is known to have is deleted, anything else is set aside.
///
/// # Errors
/// What the file system refuses: the copy must not take the log's place then.
pub(super) async fn clear_place<I: Io>(
    shard: &Shard<I>,
    target: usize,
    log: &Log<I>,
    kept: Option<&Path>,
) -> Result<(), OpenError> {
    let identity = log.identity();
    for stale in futures_of(shard, target, identity).await? {
        if Some(stale.as_path()) != kept {
            shard
                .storage
                .delete_directory(&stale, Duration::ZERO)
                .await?;
        }
    }
    let directory = &shard.setup.directories[target];
    let place = log_path(directory, &identity.topic, identity.partition.0);
    if is_free(shard, &place).await {
        return Ok(());
    }
    let is_own = topic_id_of(shard, &place).await == Some(identity.topic_id);
    let end = shard.storage.end_offset_of(&place).await;
    let is_outdated =
        is_own && end.is_ok_and(|end| end.unwrap_or(Offset(0)) <= log.log_end_offset());
    if !is_outdated {
        return set_aside(shard, &place, "it is where a log is to be moved to").await;
    }
    tracing::info!(path = %place.display(), "removed: it was left behind when its log moved");
    shard.storage.delete_directory(&place, Duration::ZERO).await
}

/// Whether there is nothing at `path`.
pub(super) async fn is_free<I: Io>(shard: &Shard<I>, path: &Path) -> bool {
    let listed = shard.io.list_dir(path).await;
    listed.is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

/// Gives a directory a name that no partition has.
///
/// # Errors
/// As [`storage::ShardStorage::set_aside`].
pub(super) async fn set_aside<I: Io>(
    shard: &Shard<I>,
    path: &Path,
    reason: &str,
) -> Result<(), OpenError> {
    let aside = shard.storage.set_aside(path).await?;
    tracing::warn!(from = %path.display(), to = %aside.display(), "set aside: {reason}");
    Ok(())
}
