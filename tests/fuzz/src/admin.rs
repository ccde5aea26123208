//! HTTP to the admin listener: the real control thread, over a real socket, with a token that inputs do not know.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use control::{Access, Answer, Control, Delay, Facts, Phase, Process, Setup, Source};
use types::{Sample, Series, Snapshot};

use super::memory::bounded;

/// How long an answer may take; a request without an end is not answered before the connection is closed.
const PATIENCE: Duration = Duration::from_secs(15);

/// What one connection may take.
const MEMORY_MAX_BYTES: usize = 4 << 20;

const TOKEN: &str = "a token that no input has";

struct Shard;

impl Source for Shard {
    fn shard(&self) -> u16 {
        0
    }

    fn ask(&self, _series: Series) -> Answer {
        Box::pin(async { Some(Snapshot::default()) })
    }
}

/// A process whose log levels nobody may change.
struct Around;

impl Process for Around {
    fn samples(&self) -> Vec<Sample> {
        Vec::new()
    }

    fn phase(&self) -> Phase {
        Phase::Ready
    }

    fn facts(&self) -> Facts {
        Facts {
            version: "0",
            node_id: 7,
            cluster_id: "c".to_owned(),
            uptime: Duration::from_secs(5),
        }
    }

    fn delays(&self) -> Vec<Delay> {
        vec![Delay::default()]
    }

    fn unanswered(&self) -> Vec<Duration> {
        vec![Duration::ZERO]
    }

    fn log_filter(&self) -> String {
        "info".to_owned()
    }

    fn set_log_filter(&self, _filter: &str) -> Result<(), String> {
        unreachable!("nobody knows the token")
    }
}

/// Where it listens, for as long as the process lives.
fn address() -> SocketAddr {
    static CONTROL: OnceLock<Mutex<Control>> = OnceLock::new();
    let control = CONTROL.get_or_init(|| {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let setup = Setup {
            sources: vec![Box::new(Shard)],
            process: Arc::new(Around),
            series: Series::ALL,
            metrics: None,
            admin: Some(listener.expect("a free port")),
            access: Access {
                hosts: vec!["h".to_owned()],
                token: Some(TOKEN.to_owned()),
            },
        };
        Mutex::new(Control::start(setup).expect("a thread"))
    });
    let control = control.lock().expect("nobody panics with it");
    control.admin_address().expect("it is served")
}

/// What a client sends before it ends its half of a connection.
pub fn admin(input: &[u8]) {
    let address = address();
    bounded(MEMORY_MAX_BYTES, || {
        let mut stream = TcpStream::connect(address).expect("it listens");
        let limited = stream.set_read_timeout(Some(PATIENCE));
        limited.expect("a time above zero");
        // It may have refused, and closed, before everything is written.
        stream.write_all(input).ok();
        stream.shutdown(Shutdown::Write).ok();
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
            Err(error) => unreachable!("the connection is neither answered nor closed: {error}"),
        }
    });
}
