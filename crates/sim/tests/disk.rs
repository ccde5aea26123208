//! What the simulated disk keeps, loses, refuses and reports.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use ::io::{ALIGNMENT, Buffer as _, File as _, HeapBuffer, Io as _, OpenMode, timeout};
use sim::{Fault, File, Machine, Operation, SimIo, Simulation, Syncs, for_each_seed};

const BLOCK: u64 = ALIGNMENT as u64;
const SECTOR: usize = 512;

fn block(value: u8) -> HeapBuffer {
    let mut buffer = HeapBuffer::new(ALIGNMENT);
    buffer.as_mut_slice().fill(value);
    buffer
}

/// A synced file of one block in a synced directory.
async fn synced_file(io: &SimIo, value: u8) -> File {
    let directory = Path::new("/data");
    io.create_dir_all(directory).await.expect("made");
    io.sync_dir(Path::new("/")).await.expect("synced");
    let path = directory.join("file");
    let file = io.open(&path, OpenMode::CreateNew).await.expect("created");
    file.write_at(0, block(value)).await.expect("written");
    file.sync_data().await.expect("synced");
    io.sync_dir(directory).await.expect("synced");
    file
}

fn content(machine: &Machine) -> Vec<u8> {
    let content = machine.disk().peek(Path::new("/data/file"));
    content.expect("a synced file is there")
}

/// Runs `act` on a machine with a synced file of ones, cuts the power, and returns what is left of the file.
fn after_a_cut(seed: u64, act: impl AsyncFnOnce(&Machine, &SimIo, &File)) -> Vec<u8> {
    let simulation = Simulation::new(seed);
    let machine = simulation.machine();
    let io = machine.shard(0);
    let outcome = simulation.run(async {
        let file = synced_file(&io, 1).await;
        act(&machine, &io, &file).await;
        machine.cut_power();
        content(&machine)
    });
    outcome.expect("it ends")
}

#[test]
fn what_was_synced_survives_every_cut() {
    for_each_seed(0..50, |seed| {
        let left = after_a_cut(seed, async |_, _, file| {
            file.write_at(0, block(2)).await.expect("written");
            file.write_at(BLOCK, block(3)).await.expect("written");
            file.sync_data().await.expect("synced");
        });
        assert_eq!(left[..ALIGNMENT], [2; ALIGNMENT]);
        assert_eq!(left[ALIGNMENT..], [3; ALIGNMENT]);
    });
}

#[test]
fn unsynced_sectors_survive_vanish_and_tear() {
    let mut outcomes = BTreeSet::new();
    for seed in 0..50 {
        let left = after_a_cut(seed, async |_, _, file| {
            file.write_at(0, block(2)).await.expect("written");
        });
        for sector in left.chunks(SECTOR) {
            assert!(
                sector.iter().all(|&byte| byte == sector[0]),
                "sectors are whole"
            );
        }
        let new = left.iter().filter(|&&byte| byte == 2).count();
        outcomes.insert(match new {
            0 => "vanished",
            ALIGNMENT => "survived",
            _ => "torn",
        });
    }
    assert_eq!(outcomes, BTreeSet::from(["survived", "torn", "vanished"]));
}

#[test]
fn a_sync_covers_nothing_that_completes_after_it_was_submitted() {
    let lost = (0..50).any(|seed| {
        let left = after_a_cut(seed, async |_, _, file| {
            let (write, sync) = futures_util::join!(file.write_at(0, block(2)), file.sync_data());
            write.expect("written");
            sync.expect("synced");
        });
        left.contains(&1)
    });
    assert!(lost, "a write that races with a sync may be lost");
}

#[test]
fn syncs_that_lie_lose_data() {
    let lost = (0..50).any(|seed| {
        let left = after_a_cut(seed, async |machine, _, file| {
            machine.disk().set_syncs(Syncs::Lies);
            file.write_at(0, block(2)).await.expect("written");
            file.sync_data().await.expect("a lie");
        });
        left.contains(&1)
    });
    assert!(lost);
}

#[test]
fn no_later_sync_makes_up_for_a_failed_one() {
    let lost = (0..50).any(|seed| {
        let left = after_a_cut(seed, async |machine, _, file| {
            file.write_at(0, block(2)).await.expect("written");
            machine.disk().inject(Fault::new(Operation::Sync).times(1));
            assert!(file.sync_data().await.is_err());
            file.sync_data().await.expect("the fault is over");
        });
        left.contains(&1)
    });
    assert!(lost);
}

#[test]
fn an_unsynced_cut_of_a_file_may_be_undone_and_never_mixes() {
    let mut lengths = BTreeSet::new();
    for seed in 0..50 {
        let left = after_a_cut(seed, async |_, _, file| {
            file.set_len(100).await.expect("cut");
            file.set_len(BLOCK).await.expect("extended");
        });
        let ones = left.iter().filter(|&&byte| byte == 1).count();
        assert!(
            ones == 100 || ones == ALIGNMENT,
            "old bytes come back whole"
        );
        lengths.insert((left.len(), ones));
    }
    let expected = [(100, 100), (ALIGNMENT, 100), (ALIGNMENT, ALIGNMENT)];
    assert_eq!(lengths, BTreeSet::from(expected));
}

#[test]
fn unsynced_names_may_be_lost() {
    let mut outcomes = BTreeSet::new();
    for seed in 0..50 {
        let simulation = Simulation::new(seed);
        let machine = simulation.machine();
        let io = machine.shard(0);
        let names = simulation.run(async {
            let file = synced_file(&io, 1).await;
            file.close().await.expect("closed");
            let directory = Path::new("/data");
            io.rename(&directory.join("file"), &directory.join("renamed"))
                .await
                .expect("renamed");
            let added = io.open(&directory.join("added"), OpenMode::CreateNew).await;
            added.expect("created").sync_data().await.expect("synced");
            machine.cut_power();
            let io = machine.shard(0);
            let entries = io.list_dir(directory).await.expect("a synced directory");
            let names = entries.into_iter().map(|entry| entry.name);
            names.collect::<Vec<_>>().join(" ")
        });
        outcomes.insert(names.expect("it ends"));
    }
    let expected = ["added renamed", "file", "renamed"].map(str::to_owned);
    assert_eq!(outcomes, BTreeSet::from(expected), "in order or not at all");
}

#[test]
fn a_replaced_file_is_old_or_new() {
    for_each_seed(0..100, |seed| {
        let simulation = Simulation::new(seed);
        let machine = simulation.machine();
        let io = machine.shard(0);
        let path = Path::new("/checkpoint");
        let outcome = simulation.run(async {
            io.replace_file(path, b"old".to_vec())
                .await
                .expect("written");
            let span = Duration::from_micros(simulation.rng(1).below(8000));
            let replacing = io.replace_file(path, vec![b'n'; 5000]);
            let acknowledged = timeout(&io, span, replacing).await.is_ok();
            machine.cut_power();
            let left = machine.disk().peek(path).expect("one of the two is there");
            assert!(left == b"old" || left == [b'n'; 5000], "nothing in between");
            assert!(
                !acknowledged || left != b"old",
                "what was acknowledged stays"
            );
        });
        outcome.expect("it ends");
    });
}

#[test]
fn a_full_disk_takes_what_fits_and_says_so() {
    let simulation = Simulation::new(1);
    let machine = simulation.machine();
    let io = machine.shard(0);
    let outcome = simulation.run(async {
        let file = synced_file(&io, 1).await;
        machine.disk().set_capacity_bytes(3 * BLOCK);
        let four = HeapBuffer::new(4 * ALIGNMENT);
        let taken = file.write_at(BLOCK, four).await.expect("part of it fits");
        assert_eq!(taken, 2 * ALIGNMENT);
        let full = file.write_at(3 * BLOCK, block(1)).await;
        assert_eq!(
            full.err().map(|error| error.kind()),
            Some(ErrorKind::StorageFull)
        );
        let full = file.allocate(0, 5 * BLOCK).await;
        assert_eq!(
            full.err().map(|error| error.kind()),
            Some(ErrorKind::StorageFull)
        );
        assert_eq!(
            io.free_space_bytes(Path::new("/data"))
                .await
                .expect("known"),
            0
        );
        file.write_at(0, block(5))
            .await
            .expect("a rewrite needs no room");
        io.remove_file(Path::new("/data/file"))
            .await
            .expect("removed");
        assert_eq!(
            machine.disk().used_bytes(),
            3 * BLOCK,
            "an open file takes room"
        );
        file.close().await.expect("closed");
        assert_eq!(machine.disk().used_bytes(), 0);
    });
    outcome.expect("it ends");
}

#[test]
fn faults_strike_where_and_when_they_should() {
    let simulation = Simulation::new(1);
    let machine = simulation.machine();
    let io = machine.shard(0);
    let outcome = simulation.run(async {
        let file = synced_file(&io, 1).await;
        let fault = Fault::new(Operation::Write).on("other");
        machine.disk().inject(fault);
        let fault = Fault::new(Operation::Write).on("file").after(1).times(1);
        machine.disk().inject(fault.error(ErrorKind::TimedOut));
        let before = machine.disk().counts();
        file.write_at(0, block(2)).await.expect("spared");
        let struck = file.write_at(0, block(3)).await;
        assert_eq!(
            struck.err().map(|error| error.kind()),
            Some(ErrorKind::TimedOut)
        );
        file.write_at(0, block(4)).await.expect("the fault is over");
        assert_eq!(machine.disk().counts().writes, before.writes + 3);
        machine
            .disk()
            .corrupt(Path::new("/data/file"), 7)
            .expect("there");
        assert_ne!(content(&machine)[7], 4);
    });
    outcome.expect("it ends");
}

#[test]
fn a_killed_process_loses_nothing_it_has_written() {
    for_each_seed(0..20, |seed| {
        let simulation = Simulation::new(seed);
        let machine = simulation.machine();
        let io = machine.shard(0);
        let outcome = simulation.run(async {
            let file = synced_file(&io, 1).await;
            file.write_at(0, block(2)).await.expect("written");
            machine.kill();
            assert!(file.write_at(0, block(3)).await.is_err(), "it is gone");
            assert_eq!(content(&machine), [2; ALIGNMENT]);
        });
        outcome.expect("it ends");
    });
}

#[test]
fn overlapping_writes_are_a_violation() {
    let simulation = Simulation::new(1);
    let machine = simulation.machine();
    let io = machine.shard(0);
    assert_eq!(simulation.take_violations(), [""; 0]);
    let outcome = simulation.run(async {
        let file = synced_file(&io, 1).await;
        let (first, second) =
            futures_util::join!(file.write_at(0, block(2)), file.write_at(0, block(3)));
        first.expect("written");
        second.expect("written");
    });
    outcome.expect("it ends");
    assert_eq!(
        simulation.take_violations(),
        ["overlapping writes to /data/file"]
    );
}
