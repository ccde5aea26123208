//! Signals and panics, each in a process of its own.

#![expect(clippy::panic, reason = "panics are what is tested")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use runtime::{CorePlan, EXIT_CODE_PANIC, Event, GlommioIo, Seat, Shards, Supervisor};
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

fn one_shard<M, F>(supervisor: &Supervisor, main: M) -> Shards
where
    M: Fn(GlommioIo, ()) -> F + Clone + Send + 'static,
    F: Future<Output = ()> + 'static,
{
    let plan = CorePlan {
        shards: vec![Seat::default()],
        beside: vec![],
    };
    Shards::start(&plan, supervisor, vec![()], main).expect("a shard")
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

#[test]
fn a_panic_on_a_shard_ends_the_process_with_a_message() {
    const THIS: &str = "a_panic_on_a_shard_ends_the_process_with_a_message";
    if plays("panic") {
        let supervisor = Supervisor::without_signals();
        let _shards = one_shard(&supervisor, |_io, ()| async { panic!("torn state") });
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
    let shards = one_shard(&supervisor, async |_io, ()| {
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
