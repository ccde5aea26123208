//! A broker of one or two shards on the simulator, and a client that means well.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use io::Io as _;
use protocol::messages::{
    FindCoordinatorRequest, MetadataRequest, OffsetCommitRequest, OffsetFetchRequest,
    offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
};
use sim::client::{Client, FETCH_VERSION, PRODUCE_VERSION, fetch, fetched, produce, produced};
use sim::node::{Node, NodeConfig};
use sim::{Machine, SimIo, oracle};

/// The group that has committed something.
pub(super) const GROUP: &str = "group";

/// How long anything of a client that means well may take, in virtual time.
const PATIENCE: Duration = Duration::from_secs(120);

/// Small bounds, so that inputs reach them.
const OVERRIDES: [&str; 12] = [
    "auto.create.topics.enable=false",
    "log.segment.bytes=1048576",
    "logan.cache.bytes=262144",
    "logan.disk.reserve.bytes=0",
    "logan.group.memory.bytes=1048576",
    "logan.request.decoded.bytes.max=1048576",
    "logan.request.memory.bytes=4194304",
    "logan.response.queue.bytes=1048576",
    "logan.staging.memory.bytes=4194304",
    "offsets.topic.num.partitions=1",
    "socket.request.max.bytes=262144",
    "transaction.state.log.num.partitions=1",
];

/// What brokers of the targets are told.
pub(super) fn node_config(shards: u32) -> NodeConfig {
    NodeConfig {
        shards,
        directories: 1,
        credits: None,
        overrides: OVERRIDES.map(str::to_owned).to_vec(),
    }
}

/// What comes of `work`, if it comes in time.
pub(super) async fn within<T>(
    io: &SimIo,
    span: Duration,
    work: impl Future<Output = T>,
) -> Option<T> {
    let limit = pin!(io.sleep_until(io.now() + span));
    match select(pin!(work), limit).await {
        Either::Left((outcome, _)) => Some(outcome),
        Either::Right(_) => None,
    }
}

/// A connection of somebody who means well.
pub(super) async fn connect(io: &SimIo, node: &Node) -> Client {
    let connected = within(io, PATIENCE, async {
        loop {
            if let Some((socket, _)) = node.connect(0) {
                return Client::new(io, socket);
            }
            io.sleep_until(io.now() + Duration::from_millis(10)).await;
        }
    });
    connected.await.expect("a broker takes connections")
}

/// Writes a record to partition 0 and reads it back; whatever else has happened, this is to work.
pub(super) async fn serve(io: &SimIo, node: &Node) {
    let mut client = connect(io, node).await;
    let served = within(io, PATIENCE, async {
        let batch = oracle::batch(1, None, (0, 2), 20);
        let request = produce(0, batch.clone());
        let response = client.call(PRODUCE_VERSION, &request).await;
        let response = produced(response.expect("a produce request is answered"));
        assert_eq!(response.error_code, 0, "a record is taken");
        let request = fetch(0, response.base_offset, 0, 1 << 16);
        let response = client.call(FETCH_VERSION, &request).await;
        let data = fetched(response.expect("a fetch request is answered"));
        let records = data.expect("what was written can be read").records;
        let records = records.unwrap_or_default().into_bytes();
        assert_eq!(records[12..16], [0, 0, 0, 0], "the epoch of the leader");
        assert_eq!(records[61..batch.len()], batch[61..]);
    });
    served.await.expect("a record is served in time");
}

/// Asks for this and that, and takes whatever is answered: the broker may know little of what was there.
pub(super) async fn ask(io: &SimIo, node: &Node) {
    let mut client = connect(io, node).await;
    let asked = within(io, PATIENCE, async {
        let metadata = MetadataRequest {
            topics: None,
            ..MetadataRequest::default()
        };
        client.call(9, &metadata).await?;
        for partition in 0..2 {
            client
                .call(FETCH_VERSION, &fetch(partition, 0, 0, 1 << 16))
                .await?;
            let batch = oracle::batch(1, None, (0, 2), 20);
            client
                .call(PRODUCE_VERSION, &produce(partition, batch))
                .await?;
        }
        commit(&mut client).await?;
        let offsets = OffsetFetchRequest {
            group_id: GROUP.into(),
            topics: None,
            ..OffsetFetchRequest::default()
        };
        client.call(5, &offsets).await.map(drop)
    });
    let asked = asked.await.expect("questions are answered in time");
    asked.expect("questions are answered");
}

/// Commits an offset; the first one makes the topic of all commits.
pub(super) async fn commit(client: &mut Client) -> std::io::Result<()> {
    let find = FindCoordinatorRequest {
        key: GROUP.into(),
        ..FindCoordinatorRequest::default()
    };
    client.call(3, &find).await?;
    let request = OffsetCommitRequest {
        group_id: GROUP.into(),
        generation_id_or_member_epoch: -1,
        topics: vec![OffsetCommitRequestTopic {
            name: sim::client::TOPIC.into(),
            partitions: vec![OffsetCommitRequestPartition {
                committed_offset: 3,
                ..OffsetCommitRequestPartition::default()
            }],
            ..OffsetCommitRequestTopic::default()
        }],
        ..OffsetCommitRequest::default()
    };
    client.call(8, &request).await.map(drop)
}

/// Starts a broker; none if it says in time that it does not start.
pub(super) async fn start(io: &SimIo, machine: &Machine, shards: u32) -> Option<Node> {
    let config = node_config(shards);
    let started = within(io, PATIENCE, Node::start(machine, &config)).await;
    started.expect("a broker starts, or says why not").ok()
}

/// Ends a broker in good order.
pub(super) async fn drain(io: &SimIo, node: &Node) {
    let drained = within(io, PATIENCE, node.drain()).await;
    drained.expect("a broker ends in time");
}
