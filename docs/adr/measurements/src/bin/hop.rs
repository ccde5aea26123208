//! ADR 0001: a message to another pinned thread of the same runtime and back, through bounded flume channels.
//!
//! Depth is how many tasks on the first thread each wait for an answer at a time; the second thread drains its channel
//! in batches, as a shard does with its inbox.
//!
//! `cargo run --release --bin hop`

use std::cell::Cell;
use std::rc::Rc;
use std::thread;
use std::time::Instant;

use measurements::runtimes::Runtime;
use measurements::{Samples, cpu_seconds, print_load, print_machine};

const TURNS: usize = 9;
/// Depth, and hops of one task in one turn.
const SHAPES: [(usize, usize); 3] = [(1, 20_000), (16, 4_000), (128, 1_000)];
const CAPACITY: usize = 1024;

type Message = (usize, flume::Sender<usize>);

fn main() {
    print_machine();
    println!("depth runtime      hops/s  cpu_us/hop  ratio_cpu  hop_p50_us  hop_p99_us");
    for (depth, hops) in SHAPES {
        let mut rates: [Samples; 3] = Default::default();
        let mut cpus: [Samples; 3] = Default::default();
        let mut latencies: [Samples; 3] = Default::default();
        for _ in 0..TURNS {
            for (index, runtime) in Runtime::ALL.into_iter().enumerate() {
                let cpu = cpu_seconds();
                let (seconds, latency) = turn(runtime, depth, hops);
                let total = (depth * hops) as f64;
                cpus[index].push((cpu_seconds() - cpu) * 1e6 / total);
                rates[index].push(total / seconds);
                latencies[index].extend(&latency);
            }
        }
        for (index, runtime) in Runtime::ALL.iter().enumerate() {
            println!(
                "{depth:>5} {:<12} {:>6.0} {:>11.2} {:>10.2} {:>11.1} {:>11.1}",
                runtime.name(),
                rates[index].median(),
                cpus[index].median(),
                cpus[index].median() / cpus[0].median(),
                latencies[index].percentile(0.5),
                latencies[index].percentile(0.99),
            );
        }
    }
    print_load();
}

fn turn(runtime: Runtime, depth: usize, hops: usize) -> (f64, Samples) {
    let (inbox, messages) = flume::bounded::<Message>(CAPACITY);
    let answering = thread::spawn(move || {
        runtime.run(1, || async move {
            while let Ok((number, reply)) = messages.recv_async().await {
                reply.try_send(number).expect("a reply has room");
                for (number, reply) in messages.try_iter() {
                    reply.try_send(number).expect("a reply has room");
                }
            }
        });
    });
    let asking = thread::spawn(move || {
        runtime.run(0, || async move { ask(runtime, inbox, depth, hops).await })
    });
    let result = asking.join().expect("the asking thread ran");
    answering.join().expect("the answering thread ran");
    result
}

async fn ask(
    runtime: Runtime,
    inbox: flume::Sender<Message>,
    depth: usize,
    hops: usize,
) -> (f64, Samples) {
    let latencies = Rc::new(Cell::new(Some(Samples::default())));
    let (done, all_done) = flume::bounded::<()>(0);
    let started = Instant::now();
    for _ in 0..depth {
        let (inbox, done, latencies) = (inbox.clone(), done.clone(), Rc::clone(&latencies));
        runtime.spawn(async move {
            let (reply, answers) = flume::bounded(1);
            let mut own = Samples::default();
            for number in 0..hops {
                let hop = Instant::now();
                inbox
                    .send_async((number, reply.clone()))
                    .await
                    .expect("the other thread lives");
                assert_eq!(answers.recv_async().await, Ok(number));
                own.push_us(hop);
            }
            let mut all = latencies.take().expect("no task holds it across a wait");
            all.extend(&own);
            latencies.set(Some(all));
            drop(done);
        });
    }
    drop((done, inbox));
    assert!(all_done.recv_async().await.is_err());
    (
        started.elapsed().as_secs_f64(),
        latencies.take().expect("all tasks have ended"),
    )
}
