//! Bytes of closed files that change: what they hit may be refused, and nothing may come out different.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::stage::Actor;
use crate::client::{FETCH_VERSION, TOPIC, fetch_from, fetched};
use crate::machine::Machine;
use crate::oracle::{RecordName, Verdict, decode};

const DAMAGES_MAX: u64 = 4;
const ATTEMPTS_MAX: u32 = 4_000;

/// Offsets of a partition that may be refused: those of its damaged segments.
type Damaged = BTreeMap<i32, Vec<(i64, i64)>>;

/// Changes bytes of segments that are closed. Returns whose.
pub(crate) fn strike(actor: &Actor, machine: &Machine) -> Damaged {
    let mut damaged = Damaged::new();
    let mut segments: BTreeMap<PathBuf, Vec<(i64, PathBuf, u64)>> = BTreeMap::new();
    for (path, len_bytes) in machine.disk().files() {
        if let Some((directory, base)) = segment(&path) {
            let logs = segments.entry(directory.to_path_buf()).or_default();
            logs.push((base, path, len_bytes));
        }
    }
    for (directory, logs) in &segments {
        let Some(partition) = partition(directory) else {
            continue;
        };
        for pair in logs.windows(2) {
            let (base, path, len_bytes) = &pair[0];
            if *len_bytes == 0 || actor.rng.chance(1, 2) {
                continue;
            }
            for _ in 0..actor.rng.between(1, DAMAGES_MAX) {
                let position = actor.rng.below(*len_bytes);
                if machine.disk().corrupt(path, position).is_ok() {
                    actor.stage.story.fault("bit rot");
                    actor.tell(|| format!("byte {position} of {} changes", path.display()));
                }
            }
            damaged
                .entry(partition)
                .or_default()
                .push((*base, pair[1].0));
        }
    }
    damaged
}

/// A segment's directory and base offset.
fn segment(path: &Path) -> Option<(&Path, i64)> {
    if path.extension()? != "log" {
        return None;
    }
    let base = path.file_stem()?.to_str()?.parse().ok()?;
    Some((path.parent()?, base))
}

fn partition(directory: &Path) -> Option<i32> {
    let name = directory.file_name()?.to_str()?;
    name.strip_prefix(TOPIC)?.strip_prefix('-')?.parse().ok()
}

/// Reads everything: what is not in a damaged segment is as it was, and what is in one is as it was or refused.
pub(crate) async fn check(
    actor: &Actor,
    found: &BTreeMap<i32, BTreeMap<i64, RecordName>>,
    damaged: &Damaged,
) -> Verdict {
    for (partition, records) in found {
        let none = Vec::new();
        let ranges = damaged.get(partition).unwrap_or(&none);
        check_partition(actor, *partition, records, ranges).await?;
    }
    Ok(())
}

fn is_within(damaged: &[(i64, i64)], offset: i64) -> bool {
    damaged
        .iter()
        .any(|(from, to)| (*from..*to).contains(&offset))
}

/// Whether a record of a damaged segment is intact and stands at another offset of it. A batch's checksum does not cover its
/// base offset (Kafka's format), so that nobody who reads the batch alone can tell.
fn is_misplaced(
    records: &BTreeMap<i64, RecordName>,
    damaged: &[(i64, i64)],
    at: i64,
    name: RecordName,
) -> bool {
    let ranges = damaged
        .iter()
        .filter(|(from, to)| (*from..*to).contains(&at));
    let mut originals = ranges.flat_map(|(from, to)| records.range(*from..*to));
    originals.any(|(_, original)| *original == name)
}

async fn check_partition(
    actor: &Actor,
    partition: i32,
    records: &BTreeMap<i64, RecordName>,
    damaged: &[(i64, i64)],
) -> Verdict {
    let mut client = actor.connect().await;
    let end = records.last_key_value().map_or(0, |(last, _)| last + 1);
    let mut offset = 0;
    for _ in 0..ATTEMPTS_MAX {
        if offset >= end {
            return Ok(());
        }
        let request = fetch_from(TOPIC, partition, offset, 0, 1 << 20);
        let response = client.call(FETCH_VERSION, &request).await;
        let response = response.map_err(|error| format!("read of rot: {error}"))?;
        actor.stage.story.operation("fetch");
        let is_excused = is_within(damaged, offset);
        let data = match fetched(response) {
            Ok(data) => data.records.unwrap_or_default().into_bytes(),
            Err(code) if is_excused => {
                actor.tell(|| format!("{offset} of {partition} is refused: error {code}"));
                offset += 1;
                continue;
            }
            Err(code) => {
                return Err(format!("{offset} of {partition} is intact: error {code}"));
            }
        };
        let before = offset;
        for (at, name) in decode(&data)? {
            if at < before {
                continue;
            }
            if records.get(&at) != Some(&name) && !is_misplaced(records, damaged, at, name) {
                let was = records.get(&at);
                return Err(format!("{partition}: {at} is {name:?} and was {was:?}"));
            }
            if at > offset && !is_within(damaged, offset) {
                return Err(format!("{partition}: {at} follows {offset}"));
            }
            offset = offset.max(at + 1);
        }
        if offset == before {
            if !is_excused {
                return Err(format!("{offset} of {partition} is intact and not read"));
            }
            offset += 1;
        }
    }
    Err(format!("{partition} does not end at {offset}"))
}
