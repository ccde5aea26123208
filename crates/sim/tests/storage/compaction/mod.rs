//! The cleaner on the simulated disk, beside writers, a consumer and crashes. Whatever happens: a consumer ends up with the
//! last value of every key, no record has another offset than the one it was appended at, no record that was superseded
//! by a tombstone comes back, tombstones stay as long as they must, and producers go on with their sequence numbers.

mod ledger;
mod life;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use ::io::{Io as _, Task as _, TaskClass};
use sim::{Machine, SimIo, Simulation, for_each_seed};
use storage::{Cleaner, CleanerConfig, Log, LogConfig};

use self::life::{Life, Outcome, read_everything};

const SEEDS: u64 = 45;

/// Disk operations of a cleaning after which the process is ended, in the test that goes through them.
const OPERATIONS_MAX: u64 = 400;

fn run(seed: u64, life: impl FnOnce(&mut Life<'_>)) -> Outcome {
    let simulation = Simulation::new(seed);
    simulation.set_time_max(Duration::from_secs(600));
    let machine = simulation.machine();
    let mut scenario = Life::new(&simulation, &machine);
    life(&mut scenario);
    let outcome = simulation.run(scenario.run());
    outcome
        .expect("a scenario ends")
        .expect("the log keeps its promises")
}

#[test]
fn a_consumer_gets_the_last_value_of_each_key_whatever_happens() {
    for_each_seed(0..SEEDS, |seed| {
        run(seed, |_| ());
    });
}

#[test]
fn a_small_map_takes_several_passes_and_loses_nothing() {
    for_each_seed(0..SEEDS / 3, |seed| {
        run(seed, |life| life.cleaner.dedupe_buffer_bytes = 12 * 24);
    });
}

#[test]
fn batches_too_large_to_be_read_bring_nothing_back() {
    for_each_seed(0..SEEDS / 3, |seed| {
        run(seed, |life| life.cleaner.batch_records_bytes_max = 100);
    });
}

#[test]
fn full_disks_put_cleaning_off_and_no_more() {
    for_each_seed(0..SEEDS / 3, |seed| {
        run(seed, |life| life.fills_disk = true);
    });
}

#[test]
fn the_scenarios_reach_what_they_are_about() {
    let mut seen = Outcome::default();
    for seed in 0..20 {
        let outcome = run(seed, |life| life.fills_disk = seed % 4 == 0);
        seen.passes += outcome.passes;
        seen.removed += outcome.removed;
        seen.tombstones_gone += outcome.tombstones_gone;
        seen.duplicates += outcome.duplicates;
        seen.crashes_while_cleaning += outcome.crashes_while_cleaning;
        seen.scans += outcome.scans;
    }
    assert!(seen.passes > 50, "{seen:?}");
    assert!(seen.removed > 500, "{seen:?}");
    assert!(seen.tombstones_gone > 0, "{seen:?}");
    assert!(seen.duplicates > 0, "batches were sent again: {seen:?}");
    assert!(seen.crashes_while_cleaning > 5, "{seen:?}");
    assert!(seen.scans > 50, "{seen:?}");
}

/// Ends the process after each disk operation of a cleaning in turn; with `power_too` the machine.
fn end_after_each_operation(power_too: bool) {
    let mut has_ended_inside = 0;
    for operations in 0..OPERATIONS_MAX {
        let simulation = Simulation::new(7);
        let machine = simulation.machine();
        let ended_inside = simulation.run(end_after(&simulation, &machine, operations, power_too));
        match ended_inside.expect("it ends").expect("nothing is lost") {
            true => has_ended_inside += 1,
            false => break,
        }
    }
    assert!(
        (40..OPERATIONS_MAX).contains(&has_ended_inside),
        "cleaning took {has_ended_inside} operations"
    );
}

#[test]
fn a_kill_after_any_operation_of_a_cleaning_is_survived() {
    end_after_each_operation(false);
}

#[test]
fn a_power_cut_after_any_operation_of_a_cleaning_is_survived() {
    end_after_each_operation(true);
}

/// Returns whether the end came before the cleaning was over.
async fn end_after(
    simulation: &Simulation,
    machine: &Machine,
    operations: u64,
    power_too: bool,
) -> Result<bool, String> {
    let mut life = Life::new(simulation, machine);
    life.config = LogConfig {
        segment_bytes: 4 << 10,
        min_cleanable_dirty_ratio: 0.0,
        compacts: true,
        ..LogConfig::default()
    };
    let log = life.open().await?;
    life.write_some(&log, 60).await;
    life.remember(&log);
    let done = Rc::new(Cell::new(false));
    let before = count(machine);
    clean_until_clean(&machine.shard(0), &log, &done);
    let step = Duration::from_micros(5);
    let io = machine.shard(9);
    while !done.get() && count(machine) < before + operations {
        io.sleep_until(io.now() + step).await;
    }
    let ended_inside = !done.get();
    drop(log);
    if power_too {
        machine.cut_power();
    } else {
        machine.kill();
    }
    let log = life.open().await?;
    life.check(&log).await?;
    // What was interrupted is done now, and comes to the same.
    let done = Rc::new(Cell::new(false));
    clean_until_clean(&machine.shard(0), &log, &done);
    let io = machine.shard(9);
    while !done.get() {
        io.sleep_until(io.now() + step).await;
    }
    life.check(&log).await?;
    let left = read_everything(&log).await?;
    if left.len() > 60 {
        return Err(format!("{} records are left", left.len()));
    }
    for entry in io.list_dir(log.dir()).await.expect("a directory") {
        if entry.name.ends_with("cleaned") || entry.name.ends_with("swap") {
            return Err(format!("{} is left", entry.name));
        }
    }
    Ok(ended_inside)
}

fn count(machine: &Machine) -> u64 {
    let counts = machine.disk().counts();
    counts.opens
        + counts.writes
        + counts.reads
        + counts.syncs
        + counts.directory_syncs
        + counts.resizes
        + counts.name_changes
}

fn clean_until_clean(io: &SimIo, log: &Log<SimIo>, done: &Rc<Cell<bool>>) {
    let config = CleanerConfig {
        io_buffer_bytes: 8 << 10,
        ..CleanerConfig::default()
    };
    let cleaner = Cleaner::new(log.shard(), config);
    let (log, done) = (log.clone(), Rc::clone(done));
    let cleaning = async move {
        while cleaner
            .clean_filthiest(std::slice::from_ref(&log))
            .await
            .is_some()
        {}
        done.set(true);
    };
    io.spawn(TaskClass::Background, cleaning).detach();
}
