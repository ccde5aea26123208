//! What was durable and is missing or damaged at the start: the log is not opened, and its files are left as they are.

use std::path::Path;
use std::time::Duration;

use io::{Buffer as _, File as _, Io as _, OpenMode};
use sim::{Machine, SimIo};
use storage::{Durability, LastKnown, Log, LogConfig, OpenError};
use types::Offset;

use crate::common::{
    Batch, append, assert_dense, batch, commit, create, log_dir, reopen, segment_path, simulate,
    sleep, small_segments,
};

const BATCHES: i64 = 20;

/// A log of [`BATCHES`] acknowledged records, closed or killed, and what is known of it then.
async fn leave(machine: &Machine, config: LogConfig, is_clean: bool) -> LastKnown {
    let durability = config.durability;
    let log = create(machine, config).await;
    for _ in 0..BATCHES {
        commit(&log, &sent()).await;
    }
    sleep(&machine.shard(0), Duration::from_secs(1)).await;
    let recovery_point = log.recovery_point();
    let is_synced = durability == Durability::Sync;
    assert_eq!(recovery_point == Offset(BATCHES), is_synced);
    if is_clean {
        log.close().await.expect("a clean close");
    } else {
        machine.kill();
    }
    LastKnown {
        is_clean,
        recovery_point,
        ..LastKnown::NOTHING
    }
}

fn sent() -> Batch {
    batch(1, 1000, 1)
}

/// The names and the contents of all that lies in the directory.
async fn contents(machine: &Machine) -> Vec<(String, Vec<u8>)> {
    let io = machine.shard(0);
    let mut found = Vec::new();
    for entry in io.list_dir(&log_dir()).await.expect("a directory") {
        let content = io.read_file(&log_dir().join(&entry.name), 1 << 30).await;
        found.push((entry.name, content.expect("a file")));
    }
    found.sort();
    found
}

async fn expect_refusal(machine: &Machine, config: LogConfig, last: LastKnown, context: &str) {
    let before = contents(machine).await;
    let error = refusal(reopen(machine, config, last).await, context);
    let OpenError::Corrupt { detail, .. } = &error else {
        unreachable!("{context}: {error}");
    };
    assert!(!detail.is_empty());
    let told = error.to_string();
    for part in ["durable", "recovery-point-offset-checkpoint"] {
        assert!(told.contains(part), "{context}: {told}");
    }
    assert!(
        contents(machine).await == before,
        "{context}: nothing was changed"
    );
}

fn refusal(opened: Result<Log<SimIo>, OpenError>, context: &str) -> OpenError {
    match opened {
        Ok(log) => unreachable!("{context}: opened, it ends at {}", log.log_end_offset()),
        Err(error) => error,
    }
}

async fn resize(machine: &Machine, path: &Path, len_bytes: u64) {
    let file = machine.shard(0).open(path, OpenMode::Existing).await;
    let file = file.expect("it is there");
    file.set_len(len_bytes).await.expect("a length");
}

async fn zero_from(machine: &Machine, path: &Path, from: u64) {
    let io = machine.shard(0);
    let len_bytes = io.read_file(path, 1 << 30).await.expect("a file").len();
    resize(machine, path, from).await;
    resize(machine, path, len_bytes as u64).await;
}

#[test]
fn a_log_that_ends_before_its_recovery_point_is_not_opened() {
    for is_clean in [true, false] {
        for damage in ["emptied", "deleted", "cut in half", "half zeroed"] {
            simulate(1, async move |machine, _| {
                let config = LogConfig::default();
                let last = leave(&machine, config.clone(), is_clean).await;
                let path = segment_path(0, "log");
                let half = 10 * sent().bytes.len() as u64;
                match damage {
                    "emptied" => resize(&machine, &path, 0).await,
                    "deleted" => {
                        let removed = machine.shard(0).remove_file(&path).await;
                        removed.expect("a removal");
                    }
                    "cut in half" => resize(&machine, &path, half).await,
                    _ => zero_from(&machine, &path, half).await,
                }
                let context = format!("{damage}, closed: {is_clean}");
                expect_refusal(&machine, config, last, &context).await;
            });
        }
    }
}

#[test]
fn a_log_that_lacks_a_segment_is_not_opened() {
    for is_clean in [true, false] {
        for (missing, context) in [(3, "one between others"), (18, "the last one")] {
            simulate(2, async move |machine, _| {
                let config = small_segments(3 * 1100);
                let last = leave(&machine, config.clone(), is_clean).await;
                let io = machine.shard(0);
                let removed = io.remove_file(&segment_path(missing, "log")).await;
                removed.expect("a removal");
                let context = format!("{context}, closed: {is_clean}");
                expect_refusal(&machine, config, last, &context).await;
            });
        }
    }
}

#[test]
fn a_log_that_ends_before_its_start_is_not_opened() {
    for is_clean in [true, false] {
        simulate(3, async move |machine, _| {
            let config = LogConfig::default();
            let last = LastKnown {
                log_start_offset: Offset(BATCHES + 5),
                ..leave(&machine, config.clone(), is_clean).await
            };
            expect_refusal(&machine, config, last, "it starts behind its end").await;
        });
    }
}

#[test]
fn a_log_that_was_not_synced_begins_anew_at_its_start() {
    simulate(4, async |machine, _| {
        let config = LogConfig {
            durability: Durability::Written,
            ..small_segments(3 * 1100)
        };
        let start = Offset(BATCHES + 5);
        leave(&machine, config.clone(), false).await;
        let last = LastKnown {
            log_start_offset: start,
            ..LastKnown::NOTHING
        };
        let log = reopen(&machine, config.clone(), last).await;
        let log = log.expect("what it lost had been deleted");
        assert_eq!(
            (log.log_start_offset(), log.log_end_offset()),
            (start, start)
        );
        assert_eq!(commit(&log, &sent()).await.base_offset, start);
        machine.kill();
        let log = reopen(&machine, config, last).await.expect("it opens");
        assert_eq!(log.log_end_offset().0, start.0 + 1);
        assert_dense(&log).await;
    });
}

#[test]
fn a_last_batch_that_was_written_whole_is_not_cut() {
    simulate(5, async |machine, _| {
        let config = LogConfig::default();
        leave(&machine, config.clone(), false).await;
        let len = sent().bytes.len() as u64;
        let disk = machine.disk();
        disk.corrupt(&segment_path(0, "log"), 19 * len + 500)
            .expect("a byte");
        // Even above the recovery point.
        expect_refusal(&machine, config, LastKnown::NOTHING, "a flipped bit").await;
    });
}

#[test]
fn a_last_batch_that_lacks_a_sector_is_cut() {
    simulate(6, async |machine, _| {
        let config = LogConfig::default();
        leave(&machine, config.clone(), false).await;
        let (path, len) = (segment_path(0, "log"), sent().bytes.len() as u64);
        let sector = (19 * len).next_multiple_of(512);
        assert!(sector + 512 < 20 * len, "it lies within the last batch");
        lose(&machine, &path, sector).await;
        let log = reopen(&machine, config, LastKnown::NOTHING).await;
        let log = log.expect("nobody was told of the last batch");
        assert_eq!(log.log_end_offset(), Offset(BATCHES - 1));
        let names = contents(&machine).await;
        let is_kept = names.iter().any(|(name, _)| name.ends_with(".cut"));
        assert!(!is_kept, "it is known what happened");
        append(&log, &sent()).await.expect("it goes on");
    });
}

#[test]
fn what_is_cut_without_an_explanation_is_kept() {
    simulate(7, async |machine, _| {
        let config = LogConfig::default();
        leave(&machine, config.clone(), false).await;
        let (path, len) = (segment_path(0, "log"), sent().bytes.len() as u64);
        // The magic of the last batch.
        machine
            .disk()
            .corrupt(&path, 19 * len + 16)
            .expect("a byte");
        let log = reopen(&machine, config, LastKnown::NOTHING).await;
        assert_eq!(
            log.expect("it recovers").log_end_offset(),
            Offset(BATCHES - 1)
        );
        let cut = format!("{}.{}.cut", path.display(), 19 * len);
        let kept = machine.shard(0).read_file(cut.as_ref(), 1 << 30).await;
        let kept = kept.expect("a copy of what is cut");
        let begin = usize::try_from(19 * len).expect("small") % io::ALIGNMENT;
        assert_eq!(kept[begin + 61..][..900], sent().bytes[61..][..900]);
    });
}

/// Leaves a sector as if its write had not happened.
async fn lose(machine: &Machine, path: &Path, at: u64) {
    let io = machine.shard(0);
    let file = io
        .open(path, OpenMode::Existing)
        .await
        .expect("it is there");
    let begin = io::align_down(at);
    let content = file.read_at(begin, io::ALIGNMENT).await.expect("a block");
    let mut block = io.allocate(io::ALIGNMENT);
    let bytes = block.as_mut_slice();
    bytes.fill(0);
    bytes[..content.len()].copy_from_slice(content.as_slice());
    let within = usize::try_from(at - begin).expect("within a block");
    bytes[within..within + 512].fill(0);
    file.write_at(begin, block).await.expect("room");
}
