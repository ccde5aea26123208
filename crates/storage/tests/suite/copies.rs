//! Copies of a log that grow in another directory, while records of the log are deleted.

use std::path::{Path, PathBuf};

use futures_util::future::join;
use io::Io as _;
use sim::{Machine, SimIo};
use storage::{Log, LogConfig, future_name};
use types::{Offset, PartitionIndex};

use crate::common::{
    CLEAN, batch, commit, create, identity, read_all, reopen, simulate, small_segments, storage,
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

async fn copy_rest(copy: &Log<SimIo>, source: &Log<SimIo>) {
    while copy.copy_from(source, STEP_BYTES).await.expect("a copy") > 0 {}
    assert_eq!(copy.log_end_offset(), source.log_end_offset());
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
