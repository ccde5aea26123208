//! Signals and panics, each in a process of its own.

#![expect(clippy::panic, reason = "panics are what is tested")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use io::Io as _;

use runtime::{
    CorePlan, EXIT_CODE_PANIC, Event, GlommioIo, Recorder, RecorderSettings, Seat, Shards,
    Supervisor,
};
use types::ShardId;

/// Names the part that a copy of this test plays.
const ROLE: &str = "LOGAN_TEST_ROLE";
const SOON: Duration = Duration::from_secs(20);

/// Runs `test` again in another process, where [`plays`] is true for `role`.
fn stage(test: &str, role: &str) -> Child {
    Command::new(std::env::current_exe().expect("a path"))
        .args(["--exact", test, "--nocapture"])
        .env(ROLE, role)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a process")
}

fn plays(role: &str) -> bool {
    std::env::var(ROLE).is_ok_and(|played| played == role)
}

fn say(line: &str) {
    writeln!(std::io::stdout(), "\n{line}").expect("the parent reads");
}

/// Reads what the child says until this line.
fn await_line(output: &mut impl std::io::BufRead, wanted: &str) {
    for line in output.by_ref().lines() {
        if line.expect("text") == wanted {
            return;
        }
    }
    panic!("the child ended before it said {wanted:?}");
}

fn send_signal(child: &Child, signal: &str) {
    let sent = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status()
        .expect("a shell command");
    assert!(sent.success());
}

fn one_shard<M, F>(supervisor: &Supervisor, recorder: &Recorder, main: M) -> Shards
where
    M: Fn(GlommioIo, ()) -> F + Clone + Send + 'static,
    F: Future<Output = ()> + 'static,
{
    let plan = CorePlan {
        shards: vec![Seat::default()],
        beside: vec![],
    };
    Shards::start(&plan, supervisor, recorder, vec![()], main).expect("a shard")
}

#[test]
fn the_first_signal_drains_and_the_second_ends_the_process() {
    const THIS: &str = "the_first_signal_drains_and_the_second_ends_the_process";
    for (role, first) in [("sigterm", "-TERM"), ("sigint", "-INT")] {
        if plays(role) {
            let supervisor = Supervisor::new().expect("signals");
            say("ready");
            assert_eq!(supervisor.wait(), Event::Terminate);
            say("draining");
            // A drain that never ends; the parent's second signal ends it.
            assert_eq!(supervisor.wait_for(SOON), None);
            return;
        }
        if std::env::var_os(ROLE).is_some() {
            continue;
        }
        let mut child = stage(THIS, role);
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        await_line(&mut output, "ready");
        send_signal(&child, first);
        await_line(&mut output, "draining");
        // One that follows at once is taken for the same request.
        let status = loop {
            send_signal(&child, "-TERM");
            if let Some(status) = child.try_wait().expect("a child") {
                break status;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        assert_eq!(status.code(), Some(143), "{first}");
    }
}

#[test]
fn a_hang_up_is_told_and_ends_nothing() {
    const THIS: &str = "a_hang_up_is_told_and_ends_nothing";
    if plays("sighup") {
        let supervisor = Supervisor::new().expect("signals");
        say("ready");
        while supervisor.wait() == Event::HangUp {
            say("told");
        }
        say("draining");
        return;
    }
    let mut child = stage(THIS, "sighup");
    let mut output = BufReader::new(child.stdout.take().expect("piped"));
    await_line(&mut output, "ready");
    for _ in 0..3 {
        send_signal(&child, "-HUP");
        await_line(&mut output, "told");
    }
    send_signal(&child, "-TERM");
    await_line(&mut output, "draining");
    assert_eq!(child.wait().expect("an exit").code(), Some(0));
}

#[test]
fn nudges_become_one_until_it_is_heard() {
    let supervisor = Supervisor::without_signals();
    let nudge = supervisor.nudge();
    for _ in 0..100_000 {
        nudge.clone().send();
    }
    assert_eq!(supervisor.wait(), Event::Nudged);
    assert_eq!(supervisor.wait_for(Duration::ZERO), None);
    nudge.send();
    assert_eq!(supervisor.wait(), Event::Nudged);
}

/// A recorder that dumps into `directory`, where [`DIRECTORY`] says so for the child.
fn recorder(directory: &Path, stall_min: Duration) -> Recorder {
    let settings = RecorderSettings {
        events: 8,
        directory: directory.to_path_buf(),
        dumps_max: 4,
        stall_min,
        version: "1.2.3",
        api_name: |_| None,
    };
    Recorder::new(settings, 1)
}

/// Names the directory of dumps to a child.
const DIRECTORY: &str = "LOGAN_TEST_DIRECTORY";

/// The lines of the only dump in a directory, when it is there and whole.
fn only_dump(directory: &Path) -> Option<Vec<String>> {
    let entries = fs::read_dir(directory).expect("a directory");
    let paths: Vec<_> = entries.map(|it| it.expect("an entry").path()).collect();
    let [path] = paths.as_slice() else {
        return None;
    };
    let text = fs::read_to_string(path).expect("text");
    text.ends_with('\n')
        .then(|| text.lines().map(str::to_owned).collect())
}

#[test]
fn a_panic_on_a_shard_dumps_what_the_shard_did_before() {
    const THIS: &str = "a_panic_on_a_shard_dumps_what_the_shard_did_before";
    if plays("panic-dump") {
        let directory = std::env::var(DIRECTORY).expect("the parent says where");
        let supervisor = Supervisor::without_signals();
        let recorder = recorder(Path::new(&directory), Duration::MAX);
        let _shards = one_shard(&supervisor, &recorder, |io, ()| async move {
            for index in 0..9 {
                io.record(io.now(), types::Event::DirectoryFailed { index });
            }
            panic!("torn \"state\"");
        });
        assert_eq!(
            supervisor.wait_for(SOON),
            None,
            "the process should be gone"
        );
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let output = Command::new(std::env::current_exe().expect("a path"))
        .args(["--exact", THIS, "--nocapture"])
        .env(ROLE, "panic-dump")
        .env(DIRECTORY, directory.path())
        .output()
        .expect("a process");
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(EXIT_CODE_PANIC), "{message}");
    assert!(message.contains("is written down in"), "{message}");
    let lines = only_dump(directory.path()).expect("one dump");
    assert!(lines[0].contains("\"reason\":\"panic\""), "{lines:?}");
    assert!(lines[0].contains("torn \\\"state\\\""), "{lines:?}");
    let events = lines[1..]
        .iter()
        .filter(|it| it.contains("directory-failed"));
    let events: Vec<_> = events.collect();
    assert_eq!(events.len(), 8, "{lines:?}");
    assert!(events[7].contains("\"directory\":8"), "{lines:?}");
}

#[test]
fn a_stall_is_dumped_while_it_lasts_with_the_name_of_its_task() {
    async fn stalls(directory: std::path::PathBuf) {
        let deadline = Instant::now() + SOON;
        // Blocks its thread, which nothing on a shard may do, until the dump is there.
        while only_dump(&directory).is_none() {
            assert!(Instant::now() < deadline, "no dump");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    let directory = tempfile::tempdir().expect("a directory");
    let supervisor = Supervisor::without_signals();
    let recorder = recorder(directory.path(), Duration::from_millis(200));
    let path = directory.path().to_path_buf();
    let shards = one_shard(&supervisor, &recorder, move |io: GlommioIo, ()| {
        let path = path.clone();
        async move {
            // Until the watchdog knows the shard nobody sees it stall.
            io.sleep_until(io.now() + Duration::from_millis(100)).await;
            io.record(io.now(), types::Event::Draining);
            let task = io.spawn(io::TaskClass::Foreground, stalls(path));
            io::Task::join(task).await;
            io.sleep_until(io.now() + Duration::from_millis(100)).await;
        }
    });
    let ended = supervisor.wait_for(SOON);
    assert_eq!(ended, Some(Event::ShardEnded(ShardId(0))));
    assert_eq!(shards.join(SOON), Ok(()));
    let lines = only_dump(directory.path()).expect("one dump");
    assert!(lines[0].contains("\"reason\":\"stall\""), "{lines:?}");
    assert!(lines[0].contains("::stalls"), "{lines:?}");
    assert!(lines[1].contains("\"event\":\"draining\""), "{lines:?}");
    // The shard itself tells how long it was, when it is over.
    let is_stall = |it: &runtime::Recorded| matches!(it.event, types::Event::Stalled { .. });
    assert!(recorder.read(None, 8).iter().any(is_stall));
}

#[test]
fn a_panic_on_a_shard_ends_the_process_with_a_message() {
    const THIS: &str = "a_panic_on_a_shard_ends_the_process_with_a_message";
    if plays("panic") {
        let supervisor = Supervisor::without_signals();
        let _shards = one_shard(&supervisor, &Recorder::off(), |_io, ()| async {
            panic!("torn state")
        });
        assert_eq!(
            supervisor.wait_for(SOON),
            None,
            "the process should be gone"
        );
        return;
    }
    let mut child = stage(THIS, "panic");
    let mut message = String::new();
    let mut errors = child.stderr.take().expect("piped");
    errors.read_to_string(&mut message).expect("text");
    let status = child.wait().expect("an exit");
    assert_eq!(status.code(), Some(EXIT_CODE_PANIC), "{message}");
    let expected = "fatal: a shard panicked at crates/runtime/tests/process.rs";
    assert!(message.contains(expected), "{message}");
    assert!(message.contains("torn state"), "{message}");
}

#[test]
fn a_contained_panic_leaves_the_shard_alone() {
    let supervisor = Supervisor::without_signals();
    let shards = one_shard(&supervisor, &Recorder::off(), async |_io, ()| {
        let caught = io::contain::contain_future(async { panic!("bad frame") }).await;
        let caught: Result<(), _> = caught;
        assert_eq!(caught.expect_err("it panicked").message, "bad frame");
    });
    assert_eq!(
        supervisor.wait_for(SOON),
        Some(Event::ShardEnded(ShardId(0)))
    );
    assert_eq!(shards.join(SOON), Ok(()));
}
