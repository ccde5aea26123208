//! The seam's conformance suite on real executors, files and sockets.

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ::io::conformance::{Fixture, run_all};
use runtime::{CorePlan, GlommioIo, Recorder, Shards, Socket, Supervisor};

struct Machine {
    io: GlommioIo,
    directory: PathBuf,
    listener: TcpListener,
}

impl Fixture<GlommioIo> for Machine {
    fn io(&self) -> &GlommioIo {
        &self.io
    }

    fn directory(&self) -> &Path {
        &self.directory
    }

    async fn connect(&self) -> (Socket, Socket) {
        connect(&self.listener).expect("a connection over loopback")
    }
}

fn connect(listener: &TcpListener) -> io::Result<(Socket, Socket)> {
    let outgoing = TcpStream::connect(listener.local_addr()?)?;
    let (accepted, _) = listener.accept()?;
    Ok((Socket::new(accepted)?, Socket::new(outgoing)?))
}

#[test]
fn glommio_conforms_to_the_seam() {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let plan = CorePlan::first_cpus(1);
    let supervisor = Supervisor::without_signals();
    let (passed, verdict) = flume::bounded(1);
    let seeds = vec![(directory.path().to_path_buf(), passed)];
    let shards = Shards::start(
        &plan,
        &supervisor,
        &Recorder::off(),
        seeds,
        async |io, (directory, passed)| {
            io.prepare_data_directory(&directory)
                .await
                .expect("direct I/O");
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
            let machine = Machine {
                io,
                directory,
                listener,
            };
            run_all(&machine).await;
            passed.send(()).expect("the test waits");
        },
    )
    .expect("a shard");
    verdict
        .recv_timeout(Duration::from_secs(300))
        .expect("the suite passes");
    assert_eq!(shards.join(Duration::from_secs(10)), Ok(()));
}
