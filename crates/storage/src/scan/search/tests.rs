//! The search for intact batches, held against forged heads by the work that it does.

use std::path::Path;
use std::rc::Rc;

use io::{ALIGNMENT, Buffer as _, File as _, Io as _, OpenMode};
use records::{BATCH_HEADER_BYTES, BatchBuilder, Compression, NewRecord, set_offset_and_epoch};
use sim::{Machine, Simulation, for_each_seed};
use types::{LeaderEpoch, Offset, TimestampMs};

use super::{Behind, HASHED_PER_SEARCHED, SearchBudget};
use crate::scan::Scanner;

const NEXT: Offset = Offset(100);

fn batch(base_offset: i64, value: &[u8]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Compression::None);
    builder.push(&NewRecord {
        timestamp: TimestampMs(1),
        key: None,
        value: Some(value),
        headers: &[],
    });
    let mut bytes = builder.build().expect("a batch");
    set_offset_and_epoch(&mut bytes, Offset(base_offset), LeaderEpoch(1));
    bytes
}

/// The head of a batch of `size_bytes` in which nothing is wrong but the checksum.
fn forged(size_bytes: usize) -> Vec<u8> {
    let mut head = batch(NEXT.0, b"");
    head.truncate(BATCH_HEADER_BYTES);
    let length = i32::try_from(size_bytes - 12).expect("small");
    head[8..12].copy_from_slice(&length.to_be_bytes());
    head
}

struct Found {
    behind: Behind,
    hashed_bytes: u64,
    read_bytes: u64,
}

/// Searches a file of `content` from its begin on.
fn search(content: Vec<u8>, check: impl FnOnce(Found) + 'static) {
    let simulation = Rc::new(Simulation::new(1));
    let machine = Rc::new(simulation.machine());
    let root = async move {
        let found = search_on(&machine, &content).await;
        check(found);
    };
    simulation.run(root).expect("the test ends");
}

async fn search_on(machine: &Machine, content: &[u8]) -> Found {
    let io = machine.shard(0);
    let file = io.open(Path::new("/file"), OpenMode::CreateNew).await;
    let file = file.expect("a file");
    let mut block = io.allocate(content.len().next_multiple_of(ALIGNMENT));
    block.as_mut_slice().fill(0);
    block.as_mut_slice()[..content.len()].copy_from_slice(content);
    file.write_at(0, block).await.expect("room");
    let len_bytes = content.len() as u64;
    let before = machine.disk().counts().read_bytes;
    let mut scanner = Scanner::new(&file, len_bytes);
    let mut budget = SearchBudget::for_range(len_bytes);
    let behind = scanner.intact_behind(NEXT, len_bytes, &mut budget).await;
    assert_eq!(scanner.position(), 0, "the position stays");
    Found {
        behind: behind.expect("a readable file"),
        hashed_bytes: scanner.hashed_bytes,
        read_bytes: machine.disk().counts().read_bytes - before,
    }
}

#[test]
fn forged_heads_cost_a_bounded_multiple_of_what_is_searched() {
    const LEN: usize = 2 << 20;
    // Heads that lie closely and claim much, and short ones that claim many windows' ends.
    for claim in [61, 5_000, 270_000, 1 << 20, LEN / 2] {
        let head = forged(claim);
        let mut content = vec![0xff];
        while content.len() < LEN {
            content.extend_from_slice(&head);
        }
        search(content, move |found| {
            let is_checked = claim == BATCH_HEADER_BYTES;
            assert_eq!(found.behind == Behind::Nothing, is_checked, "{claim}");
            let searched = LEN as u64 + 61;
            assert!(
                found.hashed_bytes <= HASHED_PER_SEARCHED * searched,
                "{claim}: {} bytes hashed",
                found.hashed_bytes
            );
            assert!(
                found.read_bytes <= 8 * searched,
                "{claim}: {} bytes read",
                found.read_bytes
            );
        });
    }
}

#[test]
fn what_no_broker_can_have_written_there_costs_nothing() {
    // As in an attack: an offset, a length and the magic, and whatever comes by chance for the rest.
    let mut head = (1_i64 << 40).to_be_bytes().to_vec();
    head.extend_from_slice(&(16_i32 << 20).to_be_bytes());
    head.extend_from_slice(&[0, 0, 0, 0, 2]);
    let mut content = vec![0xff];
    while content.len() < 1_000_000 {
        content.extend_from_slice(&head);
    }
    search(content, |found| {
        assert_eq!(found.behind, Behind::Nothing);
        assert_eq!(found.hashed_bytes, 0);
    });
}

#[test]
fn a_batch_behind_damage_is_found_wherever_it_begins() {
    for_each_seed(0..30, |seed| {
        let rng = Simulation::new(seed).rng(1);
        let damage = usize::try_from(1 + rng.below(700_000)).expect("small");
        let mut content: Vec<u8> = (0..damage)
            .map(|_| u8::try_from(rng.below(256)).expect("a byte"))
            .collect();
        content.extend_from_slice(&batch(NEXT.0 + 7, b"still there"));
        search(content, move |found| {
            assert_eq!(found.behind, Behind::Intact(damage as u64));
        });
    });
}

#[test]
fn the_batch_behind_a_whole_frame_is_found_in_spite_of_what_is_in_the_frame() {
    let decoys = forged(600_000).repeat(10_000);
    let mut content = batch(NEXT.0, &decoys);
    *content.last_mut().expect("not empty") ^= 1;
    let behind = content.len() as u64;
    content.extend_from_slice(&batch(NEXT.0 + 1, b"acknowledged"));
    search(content, move |found| {
        assert_eq!(found.behind, Behind::Intact(behind));
    });
}

#[test]
fn an_earlier_offset_is_no_successor() {
    let mut content = vec![1; 1000];
    content.extend_from_slice(&batch(NEXT.0 - 1, b"older"));
    search(content, |found| assert_eq!(found.behind, Behind::Nothing));
}
