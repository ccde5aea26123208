//! Data directories and ports that cannot be used, and disks that are full: one clear sentence at the start, a clear
//! error to clients later, and nothing lost.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use client::{Acks, Client, ClientError, NewTopic};
use records::Compression;
use tests::{
    Broker, Launch, Mount, Neighbour, batch_of, create_topic, read_values, skip,
    temporary_directory, within,
};
use types::{ErrorCode, PartitionIndex};

const TOPIC: &str = "kept";

fn produce(client: &mut Client, value: &[u8]) -> Result<(), ClientError> {
    let batch = batch_of(Compression::None, &[value]);
    client
        .produce(TOPIC, PartitionIndex(0), &batch, Acks::All)
        .map(drop)
}

fn values(broker: &Broker) -> Vec<Vec<u8>> {
    read_values(&mut broker.client(), TOPIC, PartitionIndex(0))
}

/// A directory in which a broker has stored one record, and stopped.
fn stored(directory: &Path) {
    let broker = Launch::in_directory(directory).start();
    create_topic(&broker, TOPIC, 1, &[]);
    produce(&mut broker.client(), b"stored").expect("there is room");
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn a_directory_in_use_is_refused_and_its_broker_goes_on() {
    let directory = temporary_directory();
    let launch = Launch::in_directory(directory.path());
    let broker = launch.start();
    let neighbour = Neighbour::beside(&broker);
    let ended = launch.fail();
    assert_eq!(ended.code(), 1);
    let said = ended.last_words();
    assert!(
        said.contains("is in use by another running broker"),
        "{said}"
    );
    assert!(
        said.contains(&directory.path().display().to_string()),
        "{said}"
    );
    neighbour.expect_unharmed(&broker);
    // The lock ends with its process, however that ends.
    drop(broker.kill());
    assert_eq!(launch.start().stop().code(), 0);
}

#[test]
fn log_dirs_that_do_not_begin_with_the_metadata_log_are_refused_and_nothing_is_lost() {
    let root = temporary_directory();
    let [old, second, new] = ["old", "second", "new"].map(|name| root.path().join(name));
    let launch = Launch::in_directories(&[&old, &second]);
    let broker = launch.start();
    create_topic(&broker, TOPIC, 4, &[]);
    produce(&mut broker.client(), b"stored").expect("there is room");
    // However the last run ended.
    drop(broker.kill());
    for wrong in [&[&new, &old, &second][..], &[&second, &old], &[&second]] {
        let directories: Vec<&Path> = wrong.iter().map(|path| path.as_path()).collect();
        let ended = Launch::in_directories(&directories).fail();
        assert_eq!(ended.code(), 1, "{wrong:?}");
        let said = ended.last_words();
        let right = if directories.contains(&old.as_path()) {
            format!("name {} first", old.display())
        } else {
            format!("no metadata log, or an empty one, in {}", second.display())
        };
        assert!(said.contains(&right), "{wrong:?}: {said}");
    }
    let broker = Launch::in_directories(&[&old, &second, &new]).start();
    assert_eq!(values(&broker), [b"stored"]);
}

#[test]
fn a_port_in_use_is_named() {
    let directory = temporary_directory();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("it is bound").to_string();
    let ended = Launch::in_directory(directory.path())
        .with("listeners", format!("PLAINTEXT://{address}"))
        .fail();
    assert_eq!(ended.code(), 1);
    let said = ended.last_words();
    assert!(said.contains(&address), "{said}");
    assert!(said.contains("in use"), "{said}");
}

#[test]
fn a_file_in_place_of_the_directory_is_named() {
    let directory = temporary_directory();
    let file = directory.path().join("data");
    fs::write(&file, "not a directory").expect("a file");
    let ended = Launch::in_directory(&file).fail();
    assert_eq!(ended.code(), 1);
    assert!(
        ended.last_words().contains(&file.display().to_string()),
        "{}",
        ended.log
    );
}

#[test]
fn a_directory_without_permission_is_named() {
    let directory = temporary_directory();
    let data = directory.path().join("data");
    fs::create_dir(&data).expect("a directory");
    fs::set_permissions(&data, fs::Permissions::from_mode(0o555)).expect("it is ours");
    if fs::write(data.join("probe"), "").is_ok() {
        return skip(
            "permissions do not hold this user back; read-only mounts are tested beside this",
        );
    }
    let ended = Launch::in_directory(&data).fail();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).expect("it is ours");
    expect_unwritable(&ended, &data);
}

#[test]
fn a_read_only_directory_is_named_and_left_as_it_is() {
    let directory = temporary_directory();
    let data = directory.path().join("data");
    stored(&data);
    let Ok(mount) = Mount::read_only(&data) else {
        return skip("mounting is not permitted here; permissions are tested beside this");
    };
    let ended = Launch::in_directory(&data).fail();
    expect_unwritable(&ended, &data);
    drop(mount);
    let broker = Launch::in_directory(&data).start();
    assert_eq!(values(&broker), [b"stored"]);
}

fn expect_unwritable(ended: &tests::Ended, data: &Path) {
    assert_eq!(ended.code(), 1, "{}", ended.log);
    let said = ended.last_words();
    assert!(said.contains("cannot be written"), "{said}");
    assert!(said.contains(&data.display().to_string()), "{said}");
    assert!(said.contains("log.dirs"), "{said}");
}

#[test]
fn a_full_disk_refuses_writes_and_serves_reads() {
    let directory = temporary_directory();
    stored(directory.path());
    // More than any disk has: every append would cut into the reserve.
    let broker = Launch::in_directory(directory.path())
        .with("logan.disk.reserve.bytes", i64::MAX.to_string())
        .start();
    let mut client = broker.impatient_client();
    for _ in 0..3 {
        let refused = produce(&mut client, b"refused").expect_err("the disk is full");
        assert_eq!(
            refused.code(),
            Some(ErrorCode::KafkaStorageError),
            "{refused}"
        );
    }
    assert_eq!(values(&broker), [b"stored"]);
    // Metadata and deletions live on the reserve.
    create_topic(&broker, "another", 1, &[]);
    broker
        .client()
        .delete_topic("another")
        .expect("deletions still work");
    assert_eq!(broker.stop().code(), 0);
    let broker = Launch::in_directory(directory.path()).start();
    assert_eq!(values(&broker), [b"stored"]);
    produce(&mut broker.client(), b"taken").expect("there is room again");
    assert_eq!(values(&broker), [&b"stored"[..], b"taken"]);
}

#[test]
fn a_disk_that_fills_up_recovers_when_space_returns() {
    let directory = temporary_directory();
    let data = directory.path().join("data");
    let Ok(mount) = Mount::new_disk(directory.path(), &data, 96 << 20) else {
        return skip("no loop device can be mounted here; the reserve is tested beside this");
    };
    let broker = Launch::in_directory(&data)
        .with("logan.disk.reserve.bytes", (16 << 20).to_string())
        .start();
    create_topic(&broker, TOPIC, 1, &[]);
    let mut client = broker.impatient_client();
    let mut stored = Vec::new();
    let refused = loop {
        let value = vec![u8::try_from(stored.len() % 251).expect("a byte"); 500_000];
        match produce(&mut client, &value) {
            Ok(()) => stored.push(value),
            Err(error) => break error,
        }
        assert!(stored.len() < 1_000, "the disk never fills up");
    };
    assert_eq!(
        refused.code(),
        Some(ErrorCode::KafkaStorageError),
        "{refused}"
    );
    assert!(stored.len() > 50, "{} fitted", stored.len());
    assert!(
        values(&broker) == stored,
        "what was acknowledged can be read"
    );
    create_topic(&broker, "another", 1, &[]);
    broker
        .client()
        .delete_topic("another")
        .expect("deletions still work");
    // A neighbour of the disk takes even the reserve, and goes away again.
    let other = data.join("not-logans");
    fill(&other);
    let starved = NewTopic {
        name: "starved".to_owned(),
        ..NewTopic::default()
    };
    // With nothing left it may be refused; it must not end the broker.
    drop(broker.impatient_client().create_topic(&starved, false));
    assert!(values(&broker) == stored, "and still can");
    fs::remove_file(&other).expect("it was made");
    drop(broker.kill());
    let broker = Launch::in_directory(&data)
        .with("logan.disk.reserve.bytes", "0")
        .start();
    assert!(
        values(&broker) == stored,
        "and after a kill on the full disk"
    );
    let mut client = broker.impatient_client();
    let more = vec![b'x'; 100_000];
    let has_room = within(Duration::from_secs(30), || {
        produce(&mut client, &more).is_ok()
    });
    assert!(has_room, "{}", broker.log());
    assert_eq!(broker.stop().code(), 0);
    drop(mount);
}

#[test]
fn writes_work_again_when_space_returns_to_a_running_broker() {
    let directory = temporary_directory();
    let data = directory.path().join("data");
    let Ok(mount) = Mount::new_disk(directory.path(), &data, 96 << 20) else {
        return skip("no loop device can be mounted here");
    };
    let broker = Launch::in_directory(&data)
        .with("logan.disk.reserve.bytes", (16 << 20).to_string())
        .start();
    create_topic(&broker, TOPIC, 1, &[]);
    let mut client = broker.impatient_client();
    produce(&mut client, b"before").expect("there is room");
    let other = data.join("not-logans");
    fill(&other);
    let value = vec![b'x'; 500_000];
    let is_refused = within(Duration::from_secs(30), || {
        let refused = produce(&mut client, &value);
        refused.is_err_and(|error| error.code() == Some(ErrorCode::KafkaStorageError))
    });
    assert!(is_refused, "the disk is full: {}", broker.log());
    fs::remove_file(&other).expect("it was made");
    let has_room = within(Duration::from_secs(30), || {
        produce(&mut client, b"after").is_ok()
    });
    assert!(has_room, "{}", broker.log());
    let found = values(&broker);
    assert_eq!(found.first().map(Vec::as_slice), Some(&b"before"[..]));
    assert_eq!(found.last().map(Vec::as_slice), Some(&b"after"[..]));
    assert_eq!(broker.stop().code(), 0);
    drop(mount);
}

/// Writes a file until the disk has no block left.
fn fill(path: &Path) {
    let filled = Command::new("dd")
        .args(["if=/dev/zero", "bs=64k", "status=none"])
        .arg(format!("of={}", path.display()))
        .output()
        .expect("dd");
    assert!(!filled.status.success(), "the disk is full in the end");
}
