//! The seam's conformance suite on the simulator, from many seeds.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ::io::Io as _;
use ::io::conformance::{Fixture, run_all};
use sim::{SimIo, Simulation, Socket, for_each_seed};

struct Simulated {
    io: SimIo,
    directory: PathBuf,
}

impl Fixture<SimIo> for Simulated {
    fn io(&self) -> &SimIo {
        &self.io
    }

    fn directory(&self) -> &Path {
        &self.directory
    }

    async fn connect(&self) -> (Socket, Socket) {
        let wire = sim::connect(
            SocketAddr::from(([10, 0, 0, 1], 9092)),
            SocketAddr::from(([10, 0, 0, 2], 50_000)),
        );
        (wire.server, wire.client)
    }
}

fn conform(seed: u64) -> u64 {
    let simulation = Simulation::new(seed);
    let machine = simulation.machine();
    let fixture = Simulated {
        io: machine.shard(0),
        directory: PathBuf::from("/data"),
    };
    let outcome = simulation.run(async {
        let made = fixture.io.create_dir_all(&fixture.directory).await;
        made.expect("a directory");
        run_all(&fixture).await;
    });
    outcome.expect("the suite ends");
    simulation.trace_hash()
}

#[test]
fn the_simulator_conforms_to_the_seam() {
    for_each_seed(0..20, |seed| {
        conform(seed);
    });
}

#[test]
fn a_seed_replays_exactly() {
    assert_eq!(conform(7), conform(7));
    assert_ne!(conform(7), conform(8));
}
