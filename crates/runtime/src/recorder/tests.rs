//! What is recorded is read, dumped, and kept within bounds.

use std::fs;

use types::{CloseReason, RequestName};

use super::*;

fn settings(directory: &Path) -> RecorderSettings {
    RecorderSettings {
        events: 4,
        directory: directory.to_path_buf(),
        dumps_max: 2,
        stall_min: Duration::from_secs(1),
        version: "1.2.3",
        api_name: |key| (key == 1).then_some("Fetch"),
    }
}

fn ended(correlation_id: i32) -> Event {
    Event::RequestEnded {
        request: RequestName {
            api: 1,
            version: 17,
            correlation_id,
            peer: "127.0.0.1:4000".parse().expect("an address"),
        },
        took: Duration::from_nanos(1_500),
    }
}

#[test]
fn the_last_events_of_all_shards_are_read_in_the_order_of_time() {
    let directory = tempfile::tempdir().expect("a directory");
    let recorder = Recorder::new(settings(directory.path()), 2);
    let tapes = [0, 1].map(|shard| recorder.tape(ShardId(shard)));
    for at in 0..10_u64 {
        let number = i32::try_from(at).expect("small");
        tapes[usize::from(at % 2 == 1)].record(Instant(at), &ended(number));
    }
    let read = |shard, max| -> Vec<u64> {
        let events = recorder.read(shard, max);
        events.iter().map(|it| it.at.0).collect()
    };
    assert_eq!(read(None, 100), [2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(read(None, 3), [7, 8, 9]);
    assert_eq!(read(Some(ShardId(1)), 2), [7, 9]);
    assert_eq!(read(Some(ShardId(2)), 2), [0_u64; 0]);
    let newest = recorder.read(None, 1)[0];
    assert_eq!((newest.shard, newest.number), (ShardId(1), 5));
    assert_eq!(newest.event, ended(9));
}

#[test]
fn a_recorder_that_is_off_keeps_and_dumps_nothing() {
    let recorder = Recorder::off();
    recorder.tape(ShardId(0)).record(Instant(1), &ended(1));
    assert!(!recorder.is_on());
    assert_eq!(recorder.read(None, 10), []);
    assert_eq!(dump_at_the_end(&recorder, "panicked".to_owned()), None);
}

#[test]
fn a_dump_says_why_and_tells_the_events() {
    let directory = tempfile::tempdir().expect("a directory");
    let recorder = Recorder::new(settings(directory.path()), 1);
    let tape = recorder.tape(ShardId(0));
    tape.record(clock::now(), &ended(7));
    let closed = Event::ConnectionClosed {
        peer: "[::1]:5".parse().expect("an address"),
        reason: CloseReason::Swept,
    };
    tape.record(clock::now(), &closed);
    let reason = DumpReason::Stall {
        shard: ShardId(0),
        delay: Duration::from_millis(1500),
        task: "broker::connection::serve".to_owned(),
    };
    let path = recorder.dump(&reason).expect("a dump");
    let text = fs::read_to_string(path).expect("a file");
    let lines = text.lines().map(serde_json::from_str);
    let lines: Vec<serde_json::Value> = lines.collect::<Result<_, _>>().expect("JSON");
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0]["reason"], "stall");
    let detail = "shard 0 has not answered for 1.5s; it runs broker::connection::serve";
    assert_eq!(lines[0]["detail"], detail);
    assert_eq!(lines[0]["logan"], "1.2.3");
    assert_eq!(lines[1]["event"], "request-ended");
    assert_eq!(lines[1]["api"], "Fetch");
    assert_eq!(lines[1]["correlationId"], 7);
    assert_eq!(lines[1]["tookMicros"], 1.5);
    assert_eq!(lines[2]["reason"], "swept");
    assert_eq!(lines[2]["client"], "[::1]:5");
}

#[test]
fn old_dumps_make_room_for_new_ones_and_other_files_stay() {
    let directory = tempfile::tempdir().expect("a directory");
    let recorder = Recorder::new(settings(&directory.path().join("dumps")), 1);
    fs::create_dir(recorder.directory()).expect("a directory");
    fs::write(recorder.directory().join("logan-recorder-notes.txt"), "x").expect("a file");
    let paths: Vec<_> = (0..3)
        .map(|_| recorder.dump(&DumpReason::Asked).expect("a dump"))
        .collect();
    let exist: Vec<bool> = paths.iter().map(|it| it.exists()).collect();
    assert_eq!(exist, [false, true, true]);
    let files = fs::read_dir(recorder.directory()).expect("a directory");
    assert_eq!(files.count(), 3);
    assert_eq!(recorder.dumps(), (3, 0));
}

#[test]
fn a_dump_that_cannot_be_written_is_an_error() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let recorder = Recorder::new(settings(file.path()), 1);
    assert!(recorder.dump(&DumpReason::Asked).is_err());
    assert_eq!(recorder.dumps(), (0, 1));
}
