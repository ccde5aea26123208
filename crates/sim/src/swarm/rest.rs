//! What a broker that nobody uses still holds: it has served, and all of that must have come back.
//!
//! It asks for what anybody can ask for: the tasks and open files that the simulator counts, and the numbers that the broker
//! itself gives to whoever scrapes it.
//!
//! # The rules
//! - It has no more tasks than one that has just been started on the same disk, and no more open files than there are.
//! - It serves no connection, nothing waits in its queues, and no memory is taken for requests, answers, records on their way
//!   and records that are not written yet.
//! - Caches stay within their limits; they are the only memory that may stay in use.

use std::collections::BTreeMap;
use std::time::Duration;

use ::io::Io as _;
use types::{Sample, Value};

use super::stage::Stage;
use crate::machine::Machine;
use crate::oracle::Verdict;

/// How long a broker without clients needs at most to come to rest.
const REST: Duration = Duration::from_secs(10);
/// Looks at the numbers, and the time between them: background work may be on its way at any one.
const LOOKS_MAX: u32 = 20;
const LOOK_INTERVAL: Duration = Duration::from_millis(37);

/// What has to come back to zero: metrics, with the label that tells their parts apart and the parts that matter.
const RETURNED: [(&str, &[&str]); 3] = [
    ("logan_connections", &[""]),
    (
        "logan_queue_depth",
        &["requests", "control", "replies", "arriving_partitions"],
    ),
    (
        "logan_memory_used_bytes",
        &[
            "requests",
            "forwarded",
            "decoded",
            "answers",
            "records",
            "staging",
        ],
    ),
];
/// What may stay in use up to a limit.
const CACHES: [&str; 2] = ["cache", "indexes"];

/// What is in use.
pub(crate) struct InUse {
    tasks: BTreeMap<String, usize>,
    open_files: u32,
    files: usize,
}

/// Waits until the broker has come to rest, and holds its numbers against the rules.
///
/// # Errors
/// What has not come back.
pub(crate) async fn rest(stage: &Stage, machine: &Machine) -> Result<InUse, String> {
    stage.io.sleep_until(stage.io.now() + REST).await;
    let mut verdict = Ok(());
    for _ in 0..LOOKS_MAX {
        verdict = look(stage).await;
        if verdict.is_ok() {
            break;
        }
        stage.io.sleep_until(stage.io.now() + LOOK_INTERVAL).await;
    }
    verdict?;
    Ok(InUse {
        tasks: machine.tasks(),
        open_files: machine.disk().open_files(),
        files: machine.disk().files().len(),
    })
}

/// Whether a broker that has `worked` holds no more than one that is `fresh`.
pub(crate) fn compare(worked: &InUse, fresh: &InUse) -> Verdict {
    for (place, count) in &worked.tasks {
        let before = fresh.tasks.get(place).copied().unwrap_or(0);
        if *count > before {
            return Err(format!(
                "{count} tasks of {place} are left, a new broker has {before}"
            ));
        }
    }
    // Files that were read stay open for a while: not more of them than there are.
    let files = u32::try_from(worked.files).unwrap_or(u32::MAX);
    let allowed = fresh.open_files.max(files);
    if worked.open_files > allowed {
        return Err(format!("{} files are open of {allowed}", worked.open_files));
    }
    Ok(())
}

async fn look(stage: &Stage) -> Verdict {
    let node = stage.node.borrow().clone();
    let node = node.ok_or_else(|| "no broker runs".to_owned())?;
    for shard in 0..node.shards() {
        let samples = node.scrape(shard).await?;
        for (metric, parts) in RETURNED {
            for part in parts {
                let count = value(&samples, metric, part)?;
                if count > 0 {
                    return Err(format!("{metric} {part} of shard {shard} is still {count}"));
                }
            }
        }
        for cache in CACHES {
            let used = value(&samples, "logan_memory_used_bytes", cache)?;
            let limit = value(&samples, "logan_memory_limit_bytes", cache)?;
            if used > limit {
                return Err(format!("{cache} of shard {shard}: {used} of {limit} bytes"));
            }
        }
    }
    Ok(())
}

/// The value of one part of a metric; of all of it where it has no parts.
///
/// # Errors
/// When the broker does not tell it.
fn value(samples: &[Sample], metric: &str, part: &str) -> Result<u64, String> {
    let of_metric = samples.iter().filter(|it| it.metric.name == metric);
    let mut of_part = of_metric.filter(|it| {
        let mut labels = it.labels.iter();
        part.is_empty() || labels.any(|(_, label)| label == part)
    });
    match of_part.next().map(|sample| &sample.value) {
        Some(Value::Count(count)) => Ok(*count),
        _ => Err(format!("{metric} {part} is not told")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_use(tasks: usize, open_files: u32) -> InUse {
        InUse {
            tasks: BTreeMap::from([("here".to_owned(), tasks)]),
            open_files,
            files: 5,
        }
    }

    #[test]
    fn what_is_left_is_found() {
        let fresh = in_use(2, 3);
        compare(&in_use(2, 5), &fresh).expect("files that are there");
        compare(&in_use(3, 3), &fresh).expect_err("a task more");
        compare(&in_use(2, 6), &fresh).expect_err("a file that is gone");
    }
}
