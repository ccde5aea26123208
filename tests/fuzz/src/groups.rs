//! The records of `__consumer_offsets`, applied to a coordinator, which then goes on with what they say.

use std::time::Duration;

use bytes::Bytes;
use groups::{Context, GroupConfig, GroupCoordinator, GroupRecord, Instant, Topic, Topics};
use types::{TimestampMs, Uuid};

use super::input::Input;
use super::memory::bounded;

/// What the state of groups may take: a multiple of their records, and little beside.
const MEMORY_MAX_BYTES: usize = 4 << 20;
const MEMORY_PER_BYTE: usize = 1024;

/// Rounds of deadlines, of which each may set others.
const DEADLINES_MAX: usize = 50;

/// Two topics.
struct World;

const NAMES: [&str; 2] = ["t", "u"];

fn topic(index: usize) -> Topic {
    Topic {
        id: Uuid([u8::try_from(index).expect("two") + 1; 16]),
        partitions: 3,
    }
}

impl Topics for World {
    fn by_name(&self, name: &str) -> Option<Topic> {
        NAMES.iter().position(|it| *it == name).map(topic)
    }

    fn by_id(&self, id: Uuid) -> Option<(&str, Topic)> {
        let index = (0..NAMES.len()).find(|index| topic(*index).id == id)?;
        Some((NAMES[index], topic(index)))
    }

    fn names(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        Box::new(NAMES.into_iter())
    }

    fn version(&self) -> u64 {
        1
    }
}

fn context(now: Instant) -> Context<'static> {
    Context {
        now,
        wall_clock: TimestampMs(1_767_225_600_000),
        random: Uuid([9; 16]),
        topics: &World,
        memory_elsewhere_bytes: 0,
    }
}

/// Keys and values, each behind its length; a value of length 0 is none.
pub fn groups(input: &[u8]) {
    bounded(MEMORY_MAX_BYTES + input.len() * MEMORY_PER_BYTE, || {
        check(input);
    });
}

fn check(input: &[u8]) {
    let mut input = Input::new(input);
    let mut records = Vec::new();
    while !input.is_empty() {
        let key = Bytes::copy_from_slice(input.text());
        let value = Bytes::copy_from_slice(input.text());
        let value = (!value.is_empty()).then_some(value);
        if let Ok(record) = GroupRecord::decode(&key, value.as_ref()) {
            let (key, value) = record.encode();
            let again = GroupRecord::decode(&key, value.as_ref());
            assert_eq!(again.expect("what was written is read"), record);
            records.push(record);
        }
    }
    let mut coordinator = GroupCoordinator::new(GroupConfig::default());
    coordinator.apply_all(&records);
    restore(&coordinator);
    let mut now = Instant::default();
    for record in coordinator.loaded(&context(now)).records {
        coordinator.apply(&record);
    }
    for _ in 0..DEADLINES_MAX {
        let Some(deadline) = coordinator.next_deadline() else {
            break;
        };
        now = now.max(deadline).after(Duration::from_millis(1));
        for record in coordinator.on_deadline(&context(now)).records {
            coordinator.apply(&record);
        }
    }
    restore(&coordinator);
}

/// What a snapshot rebuilds is what it was taken of.
fn restore(coordinator: &GroupCoordinator) {
    let mut restored = GroupCoordinator::new(GroupConfig::default());
    for id in coordinator.group_ids() {
        restored.apply_all(&coordinator.snapshot_of(id));
    }
    for id in coordinator.group_ids() {
        assert_eq!(restored.snapshot_of(id), coordinator.snapshot_of(id));
    }
}
