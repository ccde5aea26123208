//! The scheduler: hangs are reported, time is bounded, crashes end processes, connections behave.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::future::pending;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use ::io::{Io as _, ReadHalf as _, Stream as _, Task as _, TaskClass, WriteHalf as _, write_all};
use bytes::Bytes;
use sim::{Network, Simulation, Stuck};

fn address(host: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, host], 9092))
}

#[test]
fn a_hang_is_reported_with_the_tasks_that_wait() {
    let simulation = Simulation::new(42);
    let io = simulation.machine().shard(0);
    io.spawn(TaskClass::Background, pending()).detach();
    let outcome = simulation.run(pending::<()>());
    let Err(Stuck::Deadlock(report)) = outcome else {
        unreachable!("nothing can happen");
    };
    assert!(report.starts_with("seed 42: nothing can run"), "{report}");
    assert!(
        report.contains("world.rs:"),
        "the spawner is named: {report}"
    );
    assert!(report.contains("Background"), "{report}");
}

#[test]
fn virtual_time_is_bounded() {
    let simulation = Simulation::new(1);
    let io = simulation.machine().shard(0);
    simulation.set_time_max(Duration::from_secs(60));
    let outcome = simulation.run(async {
        loop {
            io.sleep_until(io.now() + Duration::from_secs(1)).await;
        }
    });
    let outcome: Result<(), Stuck> = outcome;
    assert!(matches!(outcome, Err(Stuck::OutOfTime(_))));
    assert_eq!(simulation.elapsed(), Duration::from_secs(60));
}

#[test]
#[should_panic(expected = "spins without waiting: crates/sim/tests/world.rs")]
fn a_task_that_spins_until_a_deadline_is_found() {
    let simulation = Simulation::new(1);
    let io = simulation.machine().shard(0);
    let deadline = io.now() + Duration::from_secs(1);
    let spinner = io.clone();
    let spinning = async move { while spinner.now() < deadline {} };
    let task = io.spawn(TaskClass::Foreground, spinning);
    let outcome = simulation.run(task.join());
    outcome.expect("it panics before");
}

#[test]
fn no_two_shards_of_any_process_draw_the_same_numbers() {
    let simulation = Simulation::new(1);
    let machines = [(); 2].map(|()| simulation.machine());
    let mut first = BTreeSet::new();
    for life in 0..4 {
        for machine in &machines {
            for number in 0..4 {
                let drawn = machine.shard(number).random();
                assert!(first.insert(drawn), "shard {number} of process {life}");
            }
            machine.kill();
        }
    }
}

#[test]
fn a_crash_ends_the_tasks_of_its_process_only() {
    let simulation = Simulation::new(1);
    let (crashing, staying) = (simulation.machine(), simulation.machine());
    let beats = [(); 2].map(|()| Rc::new(Cell::new(0)));
    for (machine, beats) in [&crashing, &staying].into_iter().zip(&beats) {
        let (io, beats) = (machine.shard(0), Rc::clone(beats));
        let beating = async move {
            loop {
                io.sleep_until(io.now() + Duration::from_millis(1)).await;
                beats.set(beats.get() + 1);
            }
        };
        let spawner = machine.shard(1);
        spawner.spawn(TaskClass::Foreground, beating).detach();
    }
    let io = staying.shard(7);
    let outcome = simulation.run(async {
        io.sleep_until(io.now() + Duration::from_millis(10)).await;
        crashing.kill();
        let counted = beats[0].get();
        assert!(counted >= 8);
        io.sleep_until(io.now() + Duration::from_millis(10)).await;
        assert_eq!(beats[0].get(), counted);
        assert!(beats[1].get() > counted);
        let restarted = crashing.shard(0);
        let task = restarted.spawn(TaskClass::Foreground, async {});
        task.join().await;
    });
    outcome.expect("it ends");
}

#[test]
fn different_seeds_take_different_orders() {
    let order_of = |seed| {
        let simulation = Simulation::new(seed);
        let io = simulation.machine().shard(0);
        let order = Rc::new(Cell::new(0_u64));
        let outcome = simulation.run(async {
            let tasks = [1, 2, 3, 4, 5].map(|digit| {
                let order = Rc::clone(&order);
                io.spawn(TaskClass::Foreground, async move {
                    order.set(order.get() * 10 + digit);
                })
            });
            for task in tasks {
                task.join().await;
            }
        });
        outcome.expect("it ends");
        order.get()
    };
    let orders: BTreeSet<u64> = (0..100).map(order_of).collect();
    assert!(orders.len() > 20, "{orders:?}");
    assert_eq!(order_of(3), order_of(3));
}

#[test]
fn listeners_accept_and_cut_connections_break() {
    let simulation = Simulation::new(5);
    let io = simulation.machine().shard(0);
    let network = Network::default();
    let refused = network.connect(address(1), address(2));
    assert!(refused.is_err(), "nobody listens");
    let listener = network.listen(address(1)).expect("free");
    assert!(network.listen(address(1)).is_err(), "taken");
    let outcome = simulation.run(async {
        let (client, link) = network.connect(address(1), address(2)).expect("open");
        let server = listener.accept().await;
        assert_eq!(server.peer_addr(), address(2));
        let (mut input, _unused) = io.adopt(server).expect("adopted").split();
        let (_replies, mut output) = io.adopt(client).expect("adopted").split();
        link.fragment(1);
        let chunks = vec![Bytes::from_static(b"hello")];
        write_all(&mut output, chunks, drop).await.expect("sent");
        let mut buffer = [0; 16];
        assert_eq!(input.read(&mut buffer).await.expect("a byte"), 1);
        link.cut();
        assert!(input.read(&mut buffer).await.is_err());
        let refused = output.write(&[Bytes::from_static(b"late")]).await;
        assert!(refused.is_err());
    });
    outcome.expect("it ends");
}
