//! Logs that fail while they are used: what their files seem to hold may not be on the disk, so that nobody opens them before the
//! next start.

use std::time::Duration;

use protocol::messages::AlterPartitionReassignmentsRequest;
use protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use sim::{Fault, Operation, Simulation};
use types::ErrorCode;

use crate::client::{Client, PRODUCE_VERSION, TOPIC, create_topic, produce, produced, read_all};
use crate::node::{Node, NodeConfig};
use crate::oracle::batch;

const REASSIGNMENTS_VERSION: i16 = 0;

fn config() -> NodeConfig {
    NodeConfig {
        shards: 2,
        directories: 1,
        credits: None,
        overrides: vec!["shard.advertise=single".to_owned()],
    }
}

async fn append(client: &mut Client, number: u64) -> i16 {
    let request = produce(0, batch(1, None, (number, 1), 10));
    let response = client.call(PRODUCE_VERSION, &request).await;
    produced(response.expect("the broker answers")).error_code
}

async fn move_to(client: &mut Client, shard: i32) {
    let request = AlterPartitionReassignmentsRequest {
        timeout_ms: 30_000,
        topics: vec![ReassignableTopic {
            name: TOPIC.into(),
            partitions: vec![ReassignablePartition {
                partition_index: 0,
                // Shard k has this name in every mode.
                replicas: Some(vec![-1 - shard]),
            }],
        }],
        ..AlterPartitionReassignmentsRequest::default()
    };
    let response = client.call(REASSIGNMENTS_VERSION, &request).await;
    assert_eq!(response.expect("the broker answers").error_code, 0);
}

#[test]
fn a_log_that_failed_to_sync_stays_closed_wherever_its_partition_goes() {
    let simulation = Simulation::new(1);
    simulation.set_time_max(Duration::from_secs(600));
    let (machine, clients) = (simulation.machine(), simulation.machine());
    let test = async {
        let node = Node::start(&machine, &config()).await.expect("it starts");
        let (socket, _) = node.connect(0).expect("there is room");
        let mut client = Client::new(&clients.shard(0), socket);
        let created = create_topic(&mut client, TOPIC, 1).await;
        created.expect("a new topic");
        assert_eq!(append(&mut client, 0).await, 0);
        let fault = Fault::new(Operation::Sync).on(".log").times(1);
        machine.disk().inject(fault);
        let refused = ErrorCode::KafkaStorageError.code();
        assert_eq!(append(&mut client, 1).await, refused);
        for (number, shard) in (2..).zip([1, 0, 1]) {
            move_to(&mut client, shard).await;
            // What changes the metadata has every shard look for logs that it has not opened.
            let other = format!("other-{number}");
            let created = create_topic(&mut client, &other, 1).await;
            created.expect("a new topic");
            assert_eq!(append(&mut client, number).await, refused);
        }
        machine.cut_power();
        let node = Node::start(&machine, &config()).await.expect("it starts");
        let (socket, _) = node.connect(0).expect("there is room");
        let mut client = Client::new(&clients.shard(0), socket);
        let found = read_all(&mut client, 0).await.expect("it can be read");
        assert_eq!(found.get(&0), Some(&(1, 0)), "it was acknowledged");
        assert_eq!(append(&mut client, 9).await, 0);
    };
    simulation.run(test).expect("the test ends");
}
