//! Copies of a log that grow in another directory, while records of the log are deleted.

use std::path::{Path, PathBuf};

use futures_util::future::join;
use io::Io as _;
use sim::{Machine, SimIo};
use storage::{LastKnown, Log, LogConfig, future_name};
use types::{Offset, PartitionIndex};

use crate::common::{
    CLEAN, assert_dense, batch, commit, create, identity, read_all, reopen, simulate,
    small_segments, storage,
};

const OTHER_DIR: &str = "/other";

/// Less than a batch, so that each step copies one.
const STEP_BYTES: usize = 1;

fn config() -> LogConfig {
    small_segments(3000)
}

fn copy_path() -> PathBuf {
    let name = future_name("topic", PartitionIndex(0), [1, 2]);
    Path::new(OTHER_DIR).join(name)
}

async fn create_copy(machine: &Machine) -> Log<SimIo> {
    let shard = storage(machine);
    let made = shard.io().create_dir_all(Path::new(OTHER_DIR)).await;
    made.expect("a data directory");
    let synced = shard.io().sync_dir(Path::new("/")).await;
    synced.expect("a durable data directory");
    let copy = Log::create(&shard, &copy_path(), identity(), config()).await;
    copy.expect("a new log")
}

/// A log with ten batches of two records.
async fn ten_batches(machine: &Machine) -> Log<SimIo> {
    let log = create(machine, config()).await;
    for timestamp in 0..10 {
        commit(&log, &batch(2, 1000, timestamp)).await;
    }
    log
}

async fn copy_steps(copy: &Log<SimIo>, source: &Log<SimIo>, steps: usize) {
    for _ in 0..steps {
        let copied = copy.copy_from(source, STEP_BYTES).await;
        assert!(copied.expect("the disk is well") > 0);
    }
}

async fn copy_rest(copy: &Log<SimIo>, source: &Log<SimIo>) {
    while copy.copy_from(source, STEP_BYTES).await.expect("a copy") > 0 {}
    assert_eq!(copy.log_end_offset(), source.log_end_offset());
}

/// What a move does with a copy that is complete.
async fn put_in_place(copy: &Log<SimIo>, source: &Log<SimIo>) -> Log<SimIo> {
    copy.adopt(source);
    copy.close().await.expect("the disk is well");
    let place = Path::new(OTHER_DIR).join("topic-0");
    let promoted = copy.shard().promote(&copy_path(), &place).await;
    promoted.expect("the disk is well");
    let last = LastKnown {
        recovery_point: source.log_end_offset(),
        log_start_offset: source.log_start_offset(),
        ..CLEAN
    };
    let opened = Log::open(copy.shard(), &place, identity(), config(), last).await;
    opened.expect("a log that was closed")
}

#[test]
fn a_copy_reaches_the_end_of_a_log_whose_records_were_all_deleted() {
    for steps in [0, 1, 4] {
        simulate(1, async move |machine, _| {
            let source = ten_batches(&machine).await;
            let copy = create_copy(&machine).await;
            copy_steps(&copy, &source, steps).await;
            source.delete_records(Offset(-1)).expect("nothing is open");
            copy_rest(&copy, &source).await;
            assert_eq!(copy.size_bytes(), 0, "nothing is kept that was deleted");
            let log = put_in_place(&copy, &source).await;
            assert_eq!(log.log_start_offset(), Offset(20));
            let next = commit(&log, &batch(1, 10, 99)).await;
            assert_eq!(next.base_offset, Offset(20));
            assert_dense(&log).await;
        });
    }
}

#[test]
fn a_copy_that_began_anew_goes_on_with_what_comes() {
    simulate(2, async |machine, _| {
        let source = ten_batches(&machine).await;
        let copy = create_copy(&machine).await;
        copy_steps(&copy, &source, 3).await;
        source.delete_records(Offset(-1)).expect("nothing is open");
        copy_rest(&copy, &source).await;
        for timestamp in 10..15 {
            commit(&source, &batch(2, 1000, timestamp)).await;
        }
        copy_rest(&copy, &source).await;
        let expected = read_all(&source, Offset(20), 1 << 20).await;
        let log = put_in_place(&copy, &source).await;
        assert_eq!(log.log_start_offset(), Offset(20));
        assert_eq!(read_all(&log, Offset(20), 1 << 20).await, expected);
    });
}

#[test]
fn a_copy_that_began_anew_survives_a_power_cut() {
    simulate(3, async |machine, _| {
        let source = ten_batches(&machine).await;
        let copy = create_copy(&machine).await;
        copy_steps(&copy, &source, 3).await;
        source.delete_records(Offset(-1)).expect("nothing is open");
        copy_rest(&copy, &source).await;
        source.close().await.expect("the disk is well");
        machine.cut_power();
        let start = Offset(20);
        let last = LastKnown {
            recovery_point: start,
            log_start_offset: start,
            ..CLEAN
        };
        let source = reopen(&machine, config(), last).await.expect("a log");
        let last = LastKnown {
            log_start_offset: source.copy_base().await.expect("it can be read"),
            ..LastKnown::NOTHING
        };
        let opened = Log::open(&storage(&machine), &copy_path(), identity(), config(), last).await;
        let copy = opened.expect("what a crash leaves of a copy");
        commit(&source, &batch(2, 1000, 99)).await;
        copy_rest(&copy, &source).await;
        let log = put_in_place(&copy, &source).await;
        assert_eq!(read_all(&log, start, 1 << 20).await.len(), 1);
    });
}

/// The log of [`ten_batches`], whose batches have to be read from disk.
async fn ten_cold_batches(machine: &Machine) -> Log<SimIo> {
    let log = ten_batches(machine).await;
    log.close().await.expect("the disk is well");
    reopen(machine, config(), CLEAN).await.expect("a log")
}

#[test]
fn a_copy_goes_on_when_what_it_reads_is_deleted_meanwhile() {
    simulate(4, async |machine, _| {
        let source = ten_cold_batches(&machine).await;
        let copy = create_copy(&machine).await;
        let deleting = async {
            let deleted = source.delete_records(Offset(13));
            deleted.expect("it is below the high watermark");
        };
        // The deletion comes while the disk is asked for the first batch.
        let (copied, ()) = join(copy.copy_from(&source, STEP_BYTES), deleting).await;
        assert!(copied.expect("the deletion is no failure") > 0);
        copy_rest(&copy, &source).await;
        copy.flush().await.expect("the disk is well");
        assert_eq!(read_all(&copy, Offset(12), 1 << 20).await.len(), 4);
    });
}

#[test]
fn where_a_copy_begins_is_found_when_records_are_deleted_meanwhile() {
    simulate(5, async |machine, _| {
        let source = ten_cold_batches(&machine).await;
        let deleting = async {
            let deleted = source.delete_records(Offset(13));
            deleted.expect("it is below the high watermark");
        };
        let (base, ()) = join(source.copy_base(), deleting).await;
        assert_eq!(base.expect("the deletion is no failure"), Offset(12));
    });
}
