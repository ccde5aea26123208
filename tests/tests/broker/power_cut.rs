//! Power cuts at random instants under load: what was acknowledged before is there on every disk that a cut leaves.
//!
//! The broker runs on ext4 on a disk with a volatile cache. Again and again the disk's power is cut, in an image: the
//! load goes on, and later a broker starts on each image. That the same test fails for a broker that leaves out its
//! syncs shows that it can fail. `LOGAN_POWER_CUT_ROUNDS` goes on for longer, each time with a new disk and a new broker,
//! and `LOGAN_POWER_CUT_SEED` repeats the chances of a run.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use client::{Acks, NewTopic, Producer, ProducerConfig};
use records::{Compression, NewRecord};
use tests::{
    Broker, Chance, Launch, Mount, VolatileDisk, batch_of, create_topic, number_from_environment,
    read_values, skip, temporary_directory,
};
use types::{PartitionIndex, TimestampMs};

const TOPIC: &str = "load";

/// Once idempotent, once with every acknowledgement awaited, once with acks=1.
const ONCE: i32 = 0;
const PLAIN: [(i32, Acks); 2] = [(1, Acks::All), (2, Acks::Leader)];

const DISK_BYTES: u64 = 128 << 20;

/// Records that each producer sends at most, of about 1,000 bytes: the disk has room for all of them and for their
/// segments, however fast it is.
const ONCE_MAX: u64 = 20_000;
const PLAIN_MAX: u64 = 8_000;

/// Cuts in a round: there is room for the images of as many.
const CUTS: usize = 6;

/// Between two cuts, in milliseconds.
const BETWEEN_MIN_MS: u64 = 100;
const BETWEEN_SPAN_MS: u64 = 600;

/// Tells the broker to leave out its syncs; a build for release does not know it.
const SWITCH: &str = "LOGAN_TEST_LEAVE_OUT_SYNC";

#[test]
fn nothing_acknowledged_is_lost_by_a_power_cut() {
    let (mut chance, seed) = chance();
    for round in 0..number_from_environment("LOGAN_POWER_CUT_ROUNDS").unwrap_or(1) {
        let Some(losses) = losses_by_cuts(&mut chance, |launch| launch) else {
            return;
        };
        assert!(losses.is_empty(), "seed {seed}, round {round}: {losses:#?}");
    }
}

#[test]
fn a_broker_that_leaves_out_its_syncs_is_found_out() {
    if !cfg!(debug_assertions) {
        return skip("a build for release cannot leave out its syncs");
    }
    let (mut chance, seed) = chance();
    let leave_out = |launch: Launch| launch.with_environment(SWITCH, "1");
    let Some(losses) = losses_by_cuts(&mut chance, leave_out) else {
        return;
    };
    assert!(
        !losses.is_empty(),
        "seed {seed}: nothing was lost without a single sync, so the test shows nothing"
    );
}

/// What was told to the producers, and grows while the load runs.
#[derive(Debug, Default)]
struct Acknowledged {
    once: AtomicU64,
    plain: [AtomicU64; 2],
    topics: Mutex<Vec<String>>,
}

/// The same at one instant, and the disk that a cut right after it has left.
struct Cut {
    once: u64,
    plain: [u64; 2],
    topics: Vec<String>,
    /// Below this directory.
    image: PathBuf,
}

/// Runs the load with cuts, and says what each of them has lost. `None` where there can be no such disk.
fn losses_by_cuts(chance: &mut Chance, prepare: impl Fn(Launch) -> Launch) -> Option<Vec<String>> {
    let directory = temporary_directory();
    let path = |name: &str| directory.path().join(name);
    let (disk, mount) = match disk(directory.path()) {
        Ok(disk) => disk,
        Err(error) => {
            skip(&format!(
                "a disk with a cache needs root, FUSE and a loop device: {error}"
            ));
            return None;
        }
    };
    let broker = prepare(Launch::in_directory(&path("data").join("logan"))).start();
    create_topic(&broker, TOPIC, 3, &[("segment.bytes", "1048576")]);
    let cuts = cut_under_load(&broker, &disk, directory.path(), chance);
    assert!(disk.flushes() > 0, "no flush ever reached the disk");
    drop(broker.kill());
    drop(mount);
    drop(disk);
    let losses = cuts.iter().flat_map(|cut| {
        let found = examine(cut);
        found
            .into_iter()
            .map(|loss| format!("{}: {loss}", cut.image.display()))
    });
    Some(losses.collect())
}

fn disk(directory: &Path) -> std::io::Result<(VolatileDisk, Mount)> {
    let image = directory.join("empty");
    fs::File::create(&image)?.set_len(DISK_BYTES)?;
    let made = Command::new("mkfs.ext4")
        .args(["-q", "-F", "-m", "0"])
        .arg(&image)
        .output()?;
    if !made.status.success() {
        return Err(std::io::Error::other("mkfs.ext4 has failed"));
    }
    let disk = VolatileDisk::attach(&image, &directory.join("disk"))?;
    let mount = Mount::image(&disk.file(), &directory.join("data"))?;
    Ok((disk, mount))
}

fn chance() -> (Chance, u64) {
    Chance::from_environment("LOGAN_POWER_CUT_SEED")
}

fn cut_under_load(
    broker: &Broker,
    disk: &VolatileDisk,
    directory: &Path,
    chance: &mut Chance,
) -> Vec<Cut> {
    let acknowledged = Arc::new(Acknowledged::default());
    let stop = Arc::new(AtomicBool::new(false));
    let load = start_load(broker, &acknowledged, &stop);
    let mut cuts = Vec::new();
    for number in 0..CUTS {
        let pause_ms = BETWEEN_MIN_MS + chance.below(BETWEEN_SPAN_MS);
        thread::sleep(Duration::from_millis(pause_ms));
        let count = |count: &AtomicU64| count.load(Ordering::Acquire);
        let topics = &acknowledged.topics;
        let cut = Cut {
            once: count(&acknowledged.once),
            plain: [count(&acknowledged.plain[0]), count(&acknowledged.plain[1])],
            topics: topics
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
            image: directory.join(format!("cut-{number}")),
        };
        // After all of these: whoever was told before the cut was told the truth.
        fs::write(&cut.image, disk.cut(|| chance.flip())).expect("room for an image");
        cuts.push(cut);
    }
    stop.store(true, Ordering::Relaxed);
    for thread in load {
        let ended = thread.join();
        assert!(ended.is_ok(), "the load ends early: {}", broker.log());
    }
    let last = cuts.last().expect("there are cuts");
    assert!(
        last.once > 0 && last.plain.iter().all(|count| *count > 0),
        "there was no load"
    );
    cuts
}

fn start_load(
    broker: &Broker,
    acknowledged: &Arc<Acknowledged>,
    stop: &Arc<AtomicBool>,
) -> Vec<thread::JoinHandle<()>> {
    let mut threads = Vec::new();
    for (at, (partition, acks)) in PLAIN.into_iter().enumerate() {
        let mut client = broker.client();
        let (acknowledged, stop) = (Arc::clone(acknowledged), Arc::clone(stop));
        threads.push(thread::spawn(move || {
            for number in 0..PLAIN_MAX {
                let batch = batch_of(Compression::None, &[&value_of(number)]);
                let partition = PartitionIndex(partition);
                let produced = client.produce(TOPIC, partition, &batch, acks);
                produced.expect("it is taken");
                acknowledged.plain[at].store(number + 1, Ordering::Release);
                if stop.load(Ordering::Relaxed) {
                    return;
                }
            }
        }));
    }
    let client = broker.client();
    let told = Arc::clone(acknowledged);
    let stopped = Arc::clone(stop);
    threads.push(thread::spawn(move || produce_once(client, &told, &stopped)));
    let mut client = broker.client();
    let (told, stopped) = (Arc::clone(acknowledged), Arc::clone(stop));
    threads.push(thread::spawn(move || {
        for number in 0..20 {
            let topic = NewTopic {
                name: format!("made-{number}"),
                ..NewTopic::default()
            };
            client.create_topic(&topic, false).expect("it is new");
            told.topics
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(topic.name);
            if stopped.load(Ordering::Relaxed) {
                return;
            }
        }
    }));
    threads
}

fn produce_once(client: client::Client, told: &Acknowledged, stop: &AtomicBool) {
    let config = ProducerConfig {
        batch_max_bytes: 4_000,
        ..ProducerConfig::default()
    };
    let mut producer = Producer::new(client, config).expect("a configuration");
    let mut next = 0;
    while !stop.load(Ordering::Relaxed) && next < ONCE_MAX {
        for _ in 0..30 {
            let value = value_of(next);
            let record = NewRecord {
                timestamp: TimestampMs(1_700_000_000_000),
                key: None,
                value: Some(&value),
                headers: &[],
            };
            producer
                .send(TOPIC, Some(PartitionIndex(ONCE)), &record)
                .expect("it is taken");
            next += 1;
        }
        producer.flush().expect("all are acknowledged");
        told.once.store(next, Ordering::Release);
    }
}

/// About 1,000 bytes, and different for each number.
fn value_of(number: u64) -> Vec<u8> {
    format!("{number:0>1000}").into_bytes()
}

/// Starts a broker on what a cut has left, and says what is missing.
fn examine(cut: &Cut) -> Vec<String> {
    let point = cut.image.with_extension("data");
    let mount = match Mount::image(&cut.image, &point) {
        Ok(mount) => mount,
        Err(error) => return vec![format!("the file system cannot be mounted: {error}")],
    };
    let broker = Launch::in_directory(&point.join("logan")).start();
    let losses = missing(&broker, cut);
    drop(broker.kill());
    drop(mount);
    drop(fs::remove_file(&cut.image));
    losses
}

fn missing(broker: &Broker, cut: &Cut) -> Vec<String> {
    let mut client = broker.client();
    let known = client.list_topics().expect("metadata is served");
    let known: BTreeSet<_> = known.into_iter().map(|topic| topic.name).collect();
    let topics = cut.topics.iter().map(String::as_str).chain([TOPIC]);
    let mut losses: Vec<_> = topics
        .filter(|topic| !known.contains(*topic))
        .map(|topic| format!("topic {topic} is gone"))
        .collect();
    if !known.contains(TOPIC) {
        return losses;
    }
    let expected = [
        (ONCE, cut.once),
        (PLAIN[0].0, cut.plain[0]),
        (PLAIN[1].0, cut.plain[1]),
    ];
    for (partition, count) in expected {
        let found = read_values(&mut client, TOPIC, PartitionIndex(partition));
        // No producer lost its connection, so all are there once and in order, and perhaps some more.
        let intact = (0..)
            .zip(&found)
            .take_while(|(number, value)| **value == value_of(*number));
        let intact = intact.count();
        let count = usize::try_from(count).expect("few");
        if intact < count || intact < found.len() {
            let all = found.len();
            losses.push(format!(
                "partition {partition}: {count} acknowledged, {intact} of {all} intact"
            ));
        }
    }
    losses
}
