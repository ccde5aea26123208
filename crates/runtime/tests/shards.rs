//! Pinned shards together: migrating connections, the watchdog, and the load that parks a badly set up glommio.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use io::{
    Buffer as _, File as _, Io, OpenMode, ReadHalf as _, Receiver as _, Sender as _, Stream as _,
    Task as _, TaskClass,
};
use runtime::{
    Accepted, CorePlan, GlommioIo, ListenAddress, Listeners, Receiver, Recorder, Router,
    RouterCounters, RouterSettings, Sender, Shards, Socket, Supervisor,
};

const SOON: Duration = Duration::from_secs(60);
const MAILBOX_LEN: usize = 256;

fn start<S, M, F>(seeds: Vec<S>, main: M) -> Shards
where
    S: Send + 'static,
    M: Fn(GlommioIo, S) -> F + Clone + Send + 'static,
    F: Future<Output = ()> + 'static,
{
    let plan = CorePlan::first_cpus(seeds.len());
    Shards::start(
        &plan,
        &Supervisor::without_signals(),
        &Recorder::off(),
        seeds,
        main,
    )
    .expect("shards")
}

fn listen() -> (Listeners, SocketAddr) {
    let anywhere = ListenAddress {
        address: "127.0.0.1:0".parse().expect("an address"),
        shard: None,
    };
    let listeners = Listeners::bind(&[anywhere], 1024).expect("a free port");
    let address = listeners.addresses()[0];
    (listeners, address)
}

/// What reaches a shard of these tests.
enum Message {
    Accepted(Socket),
    Migrated(Socket),
    Stop,
}

/// A router over `senders`, one for each shard.
fn route(listeners: Listeners, senders: Vec<Sender<Message>>) -> Router {
    let settings = RouterSettings::default();
    let count = senders.len();
    Router::start(listeners, settings, count, move |shard, accepted| {
        let Accepted { socket, .. } = accepted;
        let sender = &senders[usize::from(shard.0)];
        assert!(
            sender.try_send(Message::Accepted(socket)).is_ok(),
            "the tests open few connections"
        );
        Ok(())
    })
    .expect("a router")
}

/// Reads one byte on the shard that accepted, then moves to the other one, which echoes until the client has closed
/// its side, says goodbye and closes.
async fn serve_migrating(io: GlommioIo, (inbox, other): (Receiver<Message>, Sender<Message>)) {
    while let Some(message) = inbox.recv().await {
        match message {
            Message::Accepted(socket) => {
                let stream = io.adopt(socket).expect("adopted");
                let other = other.clone();
                io.spawn(TaskClass::Foreground, async move {
                    let (mut input, output) = stream.split();
                    let mut byte = [0; 1];
                    assert_eq!(input.read(&mut byte).await.expect("open"), 1);
                    assert_eq!(&byte, b"?");
                    let socket = runtime::Stream::detach(input, output).expect("detached");
                    assert!(other.try_send(Message::Migrated(socket)).is_ok());
                })
                .detach();
            }
            Message::Migrated(socket) => {
                let stream = io.adopt(socket).expect("adopted");
                io.spawn(TaskClass::Foreground, echo(stream)).detach();
            }
            Message::Stop => return,
        }
    }
}

async fn echo(stream: runtime::Stream) {
    let (mut input, mut output) = stream.split();
    let mut buffer = [0; 64];
    loop {
        let count = input.read(&mut buffer).await.expect("open");
        if count == 0 {
            break;
        }
        let chunk = Bytes::copy_from_slice(&buffer[..count]);
        let sent = io::write_all(&mut output, vec![chunk], |_| ()).await;
        sent.expect("the client reads");
    }
    let goodbye = vec![Bytes::from_static(b"goodbye")];
    let sent = io::write_all(&mut output, goodbye, |_| ()).await;
    sent.expect("the client still reads");
}

fn talk(address: SocketAddr, rounds: u8) {
    let mut client = TcpStream::connect(address).expect("a router");
    client.set_read_timeout(Some(SOON)).expect("a timeout");
    // The request and the bytes behind it arrive together: the latter are unread when the connection migrates.
    client.write_all(b"?ahead").expect("sent");
    let mut ahead = [0; 5];
    client.read_exact(&mut ahead).expect("echoed");
    assert_eq!(&ahead, b"ahead");
    for round in 0..rounds {
        client.write_all(&[round; 8]).expect("sent");
        let mut echoed = [0; 8];
        client.read_exact(&mut echoed).expect("echoed");
        assert_eq!(echoed, [round; 8]);
    }
    client.shutdown(Shutdown::Write).expect("half closed");
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).expect("an orderly end");
    assert_eq!(rest, b"goodbye");
}

fn open_sockets() -> usize {
    let links = fs::read_dir("/proc/self/fd").expect("procfs");
    links
        .filter_map(|link| fs::read_link(link.ok()?.path()).ok())
        .filter(|target| target.to_string_lossy().starts_with("socket:"))
        .count()
}

#[test]
fn connections_migrate_between_shards_and_leave_nothing_behind() {
    let (listeners, address) = listen();
    let (senders, receivers): (Vec<_>, Vec<_>) =
        (0..2).map(|_| GlommioIo::mailbox(MAILBOX_LEN)).unzip();
    let seeds = receivers
        .into_iter()
        .zip(senders.iter().rev().cloned())
        .collect();
    let shards = start(seeds, serve_migrating);
    let router = route(listeners, senders.clone());
    talk(address, 1);
    let before = open_sockets();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..25 {
                    talk(address, 3);
                }
            });
        }
    });
    let counters = router.counters();
    let deadline = Instant::now() + SOON;
    while counters.open() > 0 || open_sockets() > before {
        assert!(Instant::now() < deadline, "connections are left behind");
        thread::yield_now();
    }
    assert_eq!(RouterCounters::accepted(&counters), 101);
    drop(router);
    for sender in senders {
        assert!(sender.try_send(Message::Stop).is_ok());
    }
    assert_eq!(shards.join(SOON), Ok(()));
}

#[test]
fn the_watchdog_sees_a_stalled_shard() {
    const STALL: Duration = Duration::from_millis(150);
    let (done, stalled) = flume::bounded(1);
    let (stop, stopped) = GlommioIo::mailbox::<()>(1);
    let shards = start(
        vec![(done, stopped)],
        async |io, (done, stopped): (flume::Sender<()>, Receiver<()>)| {
            // The first ping proves that the watchdog is there; the stall covers the next one.
            io.sleep_until(io.now() + Duration::from_millis(50)).await;
            thread::sleep(STALL);
            done.send(()).expect("the test waits");
            stopped.recv().await;
        },
    );
    stalled.recv_timeout(SOON).expect("the shard goes on");
    let deadline = Instant::now() + SOON;
    loop {
        let delays = shards.delays().read()[0];
        if delays.stalls > 0 {
            assert!(delays.max >= Duration::from_millis(100), "{delays:?}");
            assert!(delays.p50 < Duration::from_millis(100), "{delays:?}");
            break;
        }
        assert!(Instant::now() < deadline, "not seen: {delays:?}");
        thread::yield_now();
    }
    drop(stop);
    assert_eq!(shards.join(SOON), Ok(()));
}

/// The load of [`no_load_parks_a_shard`]: computing tasks that exhaust the preempt timer's period, timers, disk
/// operations and messages from outside, so that the executor decides about going to sleep at every possible moment.
async fn mixed_load(
    io: GlommioIo,
    (directory, inbox, outbox): (PathBuf, Receiver<u32>, Sender<u32>),
) {
    const COMPUTING_TASKS: usize = 8;
    const TURNS: usize = 200;
    io.prepare_data_directory(&directory).await.expect("a disk");
    let mut tasks: Vec<_> = (0..COMPUTING_TASKS)
        .map(|index| {
            let handle = io.clone();
            let class = [
                TaskClass::Foreground,
                TaskClass::Background,
                TaskClass::Control,
            ][index % 3];
            io.spawn(class, async move {
                for _ in 0..TURNS {
                    let start = Instant::now();
                    while start.elapsed() < Duration::from_micros(300) {
                        std::hint::spin_loop();
                    }
                    handle.reschedule().await;
                }
            })
        })
        .collect();
    let handle = io.clone();
    tasks.push(io.spawn(TaskClass::Foreground, async move {
        let path = directory.join("load");
        let file = handle
            .open(&path, OpenMode::CreateNew)
            .await
            .expect("a file");
        for position in 0..50 {
            let mut buffer = handle.allocate(io::ALIGNMENT);
            buffer.as_mut_slice().fill(1);
            let position = position * io::ALIGNMENT as u64;
            file.write_at(position, buffer).await.expect("a write");
            file.sync_data().await.expect("a sync");
        }
        file.close().await.expect("a close");
    }));
    while let Some(message) = inbox.recv().await {
        assert!(outbox.try_send(message).is_ok(), "one is under way");
    }
    for task in tasks {
        task.join().await;
    }
}

/// glommio 0.9 parks an executor that has runnable tasks when the preempt timer fires between two looks at the ring
/// (glommio/glommio#53). With a preempt timer of 1 ms this load hung for good; with this crate's settings it may not.
#[test]
fn no_load_parks_a_shard() {
    const ROUND_TRIPS: u32 = 2000;
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let (question, inbox) = GlommioIo::mailbox(1);
    let (outbox, answer) = GlommioIo::mailbox(1);
    let shards = start(
        vec![(directory.path().to_path_buf(), inbox, outbox)],
        mixed_load,
    );
    let deadline = Instant::now() + SOON;
    for message in 0..ROUND_TRIPS {
        assert!(question.try_send(message).is_ok(), "it was answered");
        while answer.try_recv() != Some(message) {
            assert!(Instant::now() < deadline, "parked at message {message}");
            thread::yield_now();
        }
    }
    drop(question);
    assert_eq!(shards.join(SOON), Ok(()));
}

#[test]
fn a_shard_that_hangs_is_silent_until_it_goes_on() {
    type Seed = (std::sync::mpsc::Receiver<()>, Receiver<()>);
    let (release, released) = std::sync::mpsc::channel();
    let (stop, stopped) = GlommioIo::mailbox(1);
    let seed: Seed = (released, stopped);
    let shards = start(vec![seed], |_io, (released, stopped): Seed| async move {
        // What no shard may do: its thread waits.
        released.recv().expect("the test goes on");
        stopped.recv().await.expect("the test goes on");
    });
    let delays = shards.delays();
    let until = Instant::now() + SOON;
    while delays.silence() < Duration::from_millis(100) {
        assert!(Instant::now() < until, "its silence is noticed");
        thread::yield_now();
    }
    release.send(()).expect("the shard waits for it");
    while delays.silence() > Duration::ZERO {
        assert!(Instant::now() < until, "its answer is noticed");
        thread::yield_now();
    }
    assert!(stop.try_send(()).is_ok());
    assert_eq!(shards.join(SOON), Ok(()));
}
