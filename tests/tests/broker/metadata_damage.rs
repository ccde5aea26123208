//! Damage to what says which topics there are: nothing is guessed, and nothing is touched.

use std::fs;
use std::path::{Path, PathBuf};

use records::BatchIter;
use tests::{Launch, create_topic, temporary_directory};

use crate::damage::{End, batch_position, change, end_of_batches, expect_everything, prepare};

/// The metadata log of a data directory.
fn metadata_log(directory: &Path) -> PathBuf {
    directory
        .join("__cluster_metadata-0")
        .join("00000000000000000000.log")
}

#[test]
fn a_torn_decision_is_cut() {
    for tail in [&[0; 5_000][..], &[0x5e; 100], &[1]] {
        let directory = temporary_directory();
        prepare(directory.path(), End::Killed);
        change(&metadata_log(directory.path()), |content| {
            content.truncate(end_of_batches(content));
            content.extend_from_slice(tail);
        });
        let broker = Launch::in_directory(directory.path()).start();
        expect_everything(&broker, "a torn decision");
        create_topic(&broker, "another", 1, &[]);
        drop(broker.kill());
        let broker = Launch::in_directory(directory.path()).start();
        let mut client = broker.client();
        client
            .describe_topic("another")
            .expect("it was acknowledged");
    }
}

#[test]
fn rotten_metadata_refuses_the_start_and_touches_nothing() {
    let directory = temporary_directory();
    prepare(directory.path(), End::Stopped);
    let broker = Launch::in_directory(directory.path()).start();
    create_topic(&broker, "another", 1, &[]);
    assert_eq!(broker.stop().code(), 0);
    let log = metadata_log(directory.path());
    let whole = fs::read(&log).expect("the metadata log");
    let batches = BatchIter::new(&whole).map_while(Result::ok).count();
    assert!(batches >= 2, "{batches} decisions");
    for number in 0..batches {
        change(&log, |content| {
            content.clone_from(&whole);
            let at = batch_position(content, number) + 70;
            content[at] ^= 1;
        });
        let ended = Launch::in_directory(directory.path()).fail();
        assert_eq!(ended.code(), 1, "{}", ended.log);
        let said = ended.last_words();
        assert!(said.contains("metadata"), "{said}");
    }
    let cut = &whole[..whole.len() - 1];
    for (content, why) in [
        (cut, ".kafka_cleanshutdown"),
        (&[], "there is no metadata log, or an empty one"),
    ] {
        fs::write(&log, content).expect("a file");
        let ended = Launch::in_directory(directory.path()).fail();
        assert_eq!(ended.code(), 1, "{}", ended.log);
        let said = ended.last_words();
        assert!(said.contains(why), "{said}");
        assert!(
            fs::read(&log).expect("a file") == content,
            "nothing was cut"
        );
    }
    fs::write(&log, whole).expect("a file");
    let broker = Launch::in_directory(directory.path()).start();
    expect_everything(&broker, "the metadata is as it was");
}

#[test]
fn a_damaged_meta_properties_refuses_the_start() {
    let directory = temporary_directory();
    prepare(directory.path(), End::Stopped);
    let path = directory.path().join("meta.properties");
    let whole = fs::read(&path).expect("the file");
    for content in [
        "",
        "version=1\n",
        "version=7\nnode.id=0\n",
        "\u{1}\u{2}",
        "node.id=zero\n",
    ] {
        fs::write(&path, content).expect("a file");
        let ended = Launch::in_directory(directory.path()).fail();
        assert_eq!(ended.code(), 1, "{content:?}: {}", ended.log);
        assert!(
            ended.last_words().contains("meta.properties"),
            "{content:?}: {}",
            ended.log
        );
    }
    fs::write(&path, whole).expect("a file");
    let other = Launch::in_directory(directory.path())
        .with("node.id", "7")
        .fail();
    assert_eq!(other.code(), 1);
    assert!(other.last_words().contains("node.id"), "{}", other.log);
    let broker = Launch::in_directory(directory.path()).start();
    expect_everything(&broker, "the file is as it was");
}
