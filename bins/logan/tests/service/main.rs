//! The broker as a service manager sees it: a socket that is told what becomes of it.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Nothing here takes so long, on any machine.
const SOON: Duration = Duration::from_secs(120);

/// A broker under a manager that gives it up after two seconds of silence.
struct Managed {
    broker: Child,
    socket: UnixDatagram,
    config: PathBuf,
    _directory: TempDir,
}

impl Managed {
    fn start() -> Self {
        let directory = TempDir::new().expect("a directory");
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket.set_read_timeout(Some(SOON)).expect("a time");
        let data = directory.path().join("data");
        let config = directory.path().join("server.properties");
        fs::write(&config, "num.partitions=1\n").expect("a file");
        let broker = Command::new(env!("CARGO_BIN_EXE_logan"))
            .arg("--config")
            .arg(&config)
            .args(["--override", "listeners=PLAINTEXT://127.0.0.1:0"])
            .args(["--override", &format!("log.dirs={}", data.display())])
            .args(["--override", "shard.cores=1"])
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", "2000000")
            .env_remove("WATCHDOG_PID")
            .stdout(Stdio::null())
            .spawn()
            .expect("it was built");
        Self {
            broker,
            socket,
            config,
            _directory: directory,
        }
    }

    /// The next message.
    fn message(&self) -> io::Result<String> {
        let mut buffer = [0; 4096];
        let length = self.socket.recv(&mut buffer)?;
        Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
    }

    /// Messages up to the first one that has this line.
    fn messages_until(&self, line: &str) -> Vec<String> {
        let until = Instant::now() + SOON;
        let mut messages = Vec::new();
        while Instant::now() < until {
            let message = self.message().expect("the broker says something");
            let is_last = message.lines().any(|it| it == line);
            messages.push(message);
            if is_last {
                return messages;
            }
        }
        unreachable!("{line} does not come: {messages:?}")
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.broker.id().to_string()])
            .status();
        assert!(sent.expect("there is kill").success());
    }
}

impl Drop for Managed {
    fn drop(&mut self) {
        // It has ended where a test came to its end.
        drop(self.broker.kill());
        drop(self.broker.wait());
    }
}

#[test]
fn the_manager_hears_of_readiness_life_and_the_end() {
    let mut managed = Managed::start();
    let ready = managed.messages_until("READY=1");
    let status = ready.last().expect("the last one");
    assert!(
        status.contains("STATUS=logan is ready on 127.0.0.1:"),
        "{status}"
    );
    for _ in 0..3 {
        managed.messages_until("WATCHDOG=1");
    }
    managed.signal("TERM");
    let stopping = managed.messages_until("STOPPING=1");
    assert!(
        stopping.iter().all(|it| !it.contains("READY=1")),
        "{stopping:?}"
    );
    assert!(managed.broker.wait().expect("it ends").success());
}

#[test]
fn the_manager_hears_of_a_configuration_that_is_refused() {
    let mut managed = Managed::start();
    managed.messages_until("READY=1");
    fs::write(&managed.config, "num.partitions=none\n").expect("a file");
    managed.signal("HUP");
    let begun = managed.messages_until("RELOADING=1");
    let begun = begun.last().expect("the last one");
    assert!(begun.contains("\nMONOTONIC_USEC="), "{begun}");
    let ended = managed.messages_until("READY=1");
    let ended = ended.last().expect("the last one");
    assert!(
        ended.contains("STATUS=the changed configuration is refused, the old values stay: ")
            && ended.contains("num.partitions"),
        "{ended}"
    );
    fs::write(&managed.config, "num.partitions=2\n").expect("a file");
    // The change that was refused may be heard of twice: by the signal, and by the file.
    let until = Instant::now() + SOON;
    let mut status = String::new();
    while !status.contains("STATUS=logan is ready on") && Instant::now() < until {
        let ready = managed.messages_until("READY=1");
        status.clone_from(ready.last().expect("the last one"));
    }
    assert!(status.contains("STATUS=logan is ready on"), "{status}");
    managed.signal("TERM");
    assert!(managed.broker.wait().expect("it ends").success());
}

#[test]
fn a_stop_before_it_is_ready_is_no_failure() {
    let mut managed = Managed::start();
    managed.messages_until("STATUS=recovering logs");
    managed.signal("TERM");
    assert!(managed.broker.wait().expect("it ends").success());
}

#[test]
fn a_file_is_read_when_its_writer_has_finished() {
    let mut managed = Managed::start();
    managed.messages_until("READY=1");
    let mut file = File::create(&managed.config).expect("a file");
    file.write_all(b"num.partitions=3\n").expect("a text");
    // Signs of life come meanwhile, and nothing else.
    for _ in 0..3 {
        let alive = managed.messages_until("WATCHDOG=1");
        assert!(
            alive.iter().all(|it| !it.contains("RELOADING=1")),
            "{alive:?}"
        );
    }
    file.write_all(b"log.retention.ms=-1\n").expect("a text");
    drop(file);
    managed.messages_until("RELOADING=1");
    managed.messages_until("READY=1");
    managed.signal("TERM");
    assert!(managed.broker.wait().expect("it ends").success());
}
