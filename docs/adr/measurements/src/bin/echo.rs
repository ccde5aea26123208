//! ADR 0001: a request and its answer over loopback TCP, on one pinned thread of each runtime.
//!
//! The server has core 0 for itself, a blocking client core 1. The client sends one request on every connection, then
//! collects the answers. Server CPU is that of the process without the client's thread.
//!
//! `cargo run --release --bin echo`

use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Instant;

use measurements::runtimes::{Runtime, round_trips};
use measurements::{Samples, cpu_seconds, pin, print_load, print_machine, thread_cpu_seconds};

const TURNS: usize = 9;
/// Connections, request size in bytes, rounds of one turn.
const SHAPES: [(usize, usize, usize); 5] = [
    (1, 64, 20_000),
    (64, 64, 1_000),
    (64, 1 << 10, 1_000),
    (8, 64 << 10, 1_000),
    (4, 1 << 20, 100),
];

#[derive(Default)]
struct Result {
    requests_per_second: Samples,
    server_cpu_us: Samples,
    round_us: Samples,
}

fn main() {
    print_machine();
    println!(
        "connections    bytes runtime      requests/s  server_cpu_us/request  ratio_cpu  round_p50_us  round_p99_us"
    );
    for (connections, bytes, rounds) in SHAPES {
        let mut results: [Result; 3] = Default::default();
        for _ in 0..TURNS {
            for (runtime, result) in Runtime::ALL.into_iter().zip(&mut results) {
                turn(runtime, connections, bytes, rounds, result);
            }
        }
        let reference = results[0].server_cpu_us.median();
        for (runtime, result) in Runtime::ALL.iter().zip(&results) {
            let cpu = result.server_cpu_us.median();
            println!(
                "{connections:>11} {bytes:>8} {:<12} {:>10.0} {cpu:>22.2} {:>10.2} {:>13.1} {:>13.1}",
                runtime.name(),
                result.requests_per_second.median(),
                cpu / reference,
                result.round_us.percentile(0.5),
                result.round_us.percentile(0.99),
            );
        }
    }
    print_load();
}

fn turn(runtime: Runtime, connections: usize, bytes: usize, rounds: usize, result: &mut Result) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind a free port");
    let address = listener.local_addr().expect("know the port");
    let mut clients: Vec<TcpStream> = Vec::new();
    let mut servers: Vec<TcpStream> = Vec::new();
    for _ in 0..connections {
        let client = TcpStream::connect(address).expect("connect");
        let (server, _) = listener.accept().expect("accept");
        for stream in [&client, &server] {
            stream.set_nodelay(true).expect("set TCP_NODELAY");
        }
        clients.push(client);
        servers.push(server);
    }
    let server = thread::spawn(move || {
        runtime.run(0, || async move {
            let (done, all_done) = flume::bounded::<()>(0);
            for stream in servers {
                let done = done.clone();
                runtime.spawn(async move {
                    runtime.echo(stream, bytes).await;
                    drop(done);
                });
            }
            drop(done);
            // Ends when the last task has dropped its sender.
            assert!(all_done.recv_async().await.is_err());
        });
    });
    let client = thread::spawn(move || {
        pin(1);
        let (request, mut answer) = (vec![7_u8; bytes], vec![0_u8; bytes]);
        for _ in 0..rounds / 10 {
            round_trips(&mut clients, &request, &mut answer);
        }
        let mut round_us = Samples::default();
        let (cpu, own_cpu, started) = (cpu_seconds(), thread_cpu_seconds(), Instant::now());
        for _ in 0..rounds {
            let round = Instant::now();
            round_trips(&mut clients, &request, &mut answer);
            round_us.push_us(round);
        }
        let seconds = started.elapsed().as_secs_f64();
        let server_cpu = (cpu_seconds() - cpu) - (thread_cpu_seconds() - own_cpu);
        (seconds, server_cpu, round_us)
    });
    let (seconds, server_cpu, round_us) = client.join().expect("the client ran");
    server.join().expect("the server ran");
    let requests = (connections * rounds) as f64;
    result.requests_per_second.push(requests / seconds);
    result.server_cpu_us.push(server_cpu * 1e6 / requests);
    result.round_us.extend(&round_us);
}
