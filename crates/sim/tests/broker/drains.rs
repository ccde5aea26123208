//! A broker that drains while one of its shards has not heard of it yet.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use ::io::{Io as _, Task as _, TaskClass};
use broker::MeshCredits;
use protocol::messages::FetchRequest;
use sim::{Machine, MailboxProbe, SimIo, Simulation, for_each_seed, mailboxes};

use crate::client::{Client, FETCH_VERSION, TOPIC, create_topic, fetch};
use crate::node::{Node, NodeConfig};

const PARTITIONS: i32 = 2;
/// No mailbox but those of control has room for this many.
const CONTROL_CREDITS: usize = 7;
const WAIT_MS: i32 = 20_000;
/// Far less than the wait, far more than anything else takes.
const SOON: Duration = Duration::from_secs(2);

async fn keep_waiting(mut client: Client, partition: i32, answered: Rc<Cell<usize>>) {
    let request = fetch(partition, 0, WAIT_MS, 1 << 20);
    let response = client.call::<FetchRequest>(FETCH_VERSION, &request).await;
    // Its log may be closed already.
    response.expect("an answer, whatever it says");
    answered.set(answered.get() + 1);
}

async fn pass(io: &SimIo, span: Duration) {
    io.sleep_until(io.now() + span).await;
}

async fn scenario(machine: &Machine, clients: &Machine) {
    let config = NodeConfig {
        shards: 2,
        directories: 1,
        credits: Some(MeshCredits {
            requests: 3,
            watches: 9,
            control: CONTROL_CREDITS,
        }),
        overrides: vec!["shard.advertise=single".to_owned()],
    };
    let node = Rc::new(Node::start(machine, &config).await.expect("it starts"));
    let io = clients.shard(0);
    let connect = |shard| Client::new(&io, node.connect(shard).expect("room").0);
    let created = create_topic(&mut connect(0), TOPIC, PARTITIONS).await;
    created.expect("a topic");
    let answered = Rc::new(Cell::new(0));
    for partition in 0..PARTITIONS {
        let waiting = keep_waiting(connect(1), partition, Rc::clone(&answered));
        io.spawn(TaskClass::Foreground, waiting).detach();
    }
    pass(&io, SOON).await;
    assert_eq!(answered.get(), 0, "there is nothing to read");

    let inboxes: Vec<MailboxProbe> = mailboxes()
        .into_iter()
        .filter(|it| it.capacity() == CONTROL_CREDITS)
        .collect();
    assert_eq!(inboxes.len(), 2, "each shard has one for control");
    inboxes.iter().for_each(MailboxProbe::hold);
    let draining = Rc::clone(&node);
    let drain = io.spawn(TaskClass::Foreground, async move { draining.drain().await });
    pass(&io, SOON).await;
    assert_eq!(
        answered.get(),
        1,
        "who waits for a partition of the shard that drains is answered, and asks it no more"
    );
    inboxes.iter().for_each(MailboxProbe::release);
    drain.join().await;
}

#[test]
fn a_shard_does_not_ask_one_that_drains_again_and_again() {
    for_each_seed(0..10, |seed| {
        let simulation = Simulation::new(seed);
        simulation.set_time_max(Duration::from_secs(60));
        let (machine, clients) = (simulation.machine(), simulation.machine());
        let outcome = simulation.run(scenario(&machine, &clients));
        outcome.expect("the drain ends");
    });
}
