//! Partitions that move between shards while they are written and read, and while the broker crashes.

use std::cell::Cell;
use std::io::{Error, Result};
use std::rc::Rc;
use std::time::Duration;

use ::io::{Io as _, TaskClass};
use broker::MeshCredits;
use futures_util::future::LocalBoxFuture;
use protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use protocol::messages::metadata_request::MetadataRequestTopic;
use protocol::messages::{AlterPartitionReassignmentsRequest, MetadataRequest};
use sim::{Simulation, Task, for_each_seed};
use types::ErrorCode;

use crate::client::{Client, TOPIC};
use crate::lookups;
use crate::node::{Crash, NodeConfig};
use crate::oracle::Verdict;
use crate::scenario::{self, Moves, Plan, Shared, Summary};

const SEEDS: u64 = 12;
/// Clients that ask for offsets and producers meanwhile: more than there are credits where these are few.
const LOOKERS: usize = 4;
const REASSIGNMENTS_VERSION: i16 = 0;
const METADATA_VERSION: i16 = 9;
const TIMEOUT_MS: i32 = 30_000;
/// The node ids of shards lie this far apart.
const SHARD_ID_STRIDE: i32 = 100_000;

/// Starts what moves partitions or watches them move, and what asks for them meanwhile.
pub(crate) fn start(shared: &Rc<Shared>, plan: &Plan) -> Vec<Task> {
    let (mover, count) = (Rc::clone(shared), plan.partitions);
    let spawn = |task| shared.io.spawn(TaskClass::Foreground, task);
    let moving: LocalBoxFuture<'static, ()> = match plan.moves {
        Moves::Nobody => return Vec::new(),
        Moves::Operator => Box::pin(async move { keep_moving(&mover, count).await }),
        Moves::Balancer => Box::pin(async move { keep_watching(&mover).await }),
    };
    let mut tasks = vec![spawn(moving)];
    for _ in 0..LOOKERS {
        let looker = Rc::clone(shared);
        tasks.push(spawn(Box::pin(async move {
            lookups::keep_looking_up(&looker, count).await
        })));
    }
    tasks
}

/// Counts moves by their epochs until the scenario is over.
async fn keep_watching(shared: &Shared) {
    while !shared.is_over.get() {
        if let Ok(mut client) = shared.connect_known().await
            && let Ok(response) = client.call(METADATA_VERSION, &metadata()).await
        {
            let partitions = response.topics.iter().flat_map(|it| &it.partitions);
            let epochs: i32 = partitions.map(|it| it.leader_epoch).sum();
            let moves = u64::try_from(epochs).expect("epochs begin at 0");
            shared.count(|summary| summary.moves = summary.moves.max(moves));
        }
        shared.pause(40).await;
    }
}

fn metadata() -> MetadataRequest {
    MetadataRequest {
        topics: Some(vec![MetadataRequestTopic {
            name: Some(TOPIC.into()),
            ..MetadataRequestTopic::default()
        }]),
        ..MetadataRequest::default()
    }
}

/// Moves partitions until the scenario is over.
async fn keep_moving(shared: &Shared, partitions: i32) {
    // Connections show the shard that they are meant for as long as everybody knows where partitions are.
    shared.pause(200).await;
    let epochs: Vec<Cell<i32>> = (0..partitions).map(|_| Cell::new(0)).collect();
    while !shared.is_over.get() {
        let Ok(mut client) = shared.connect_known().await else {
            continue;
        };
        while !shared.is_over.get() && move_some(shared, &mut client, &epochs).await.is_ok() {
            shared.pause(40).await;
        }
        shared.back_off().await;
    }
}

/// Moves one partition or several, each to a shard by chance, and looks whether they are there.
async fn move_some(shared: &Shared, client: &mut Client, epochs: &[Cell<i32>]) -> Result<()> {
    let shards = shared.shards();
    let mut targets = Vec::new();
    for partition in 0..epochs.len() {
        if targets.is_empty() || shared.rng.chance(1, 3) {
            targets.push((partition, shared.rng.index(shards)));
        }
    }
    let request = reassign(&targets);
    let response = client.call(REASSIGNMENTS_VERSION, &request).await?;
    let answers = response.responses.iter().flat_map(|it| &it.partitions);
    for answer in answers {
        match ErrorCode::from_code(answer.error_code) {
            Some(ErrorCode::None) => {}
            Some(ErrorCode::NotController) => return Err(Error::other("it is draining")),
            code => shared.hold(Err(format!("a move is refused: {code:?}"))),
        }
    }
    if response.error_code != 0 {
        return Err(Error::other(format!("error {}", response.error_code)));
    }
    shared.count(|summary| summary.moves += targets.len() as u64);
    shared.hold(check_owners(shared, client, &targets, epochs).await?);
    Ok(())
}

fn reassign(targets: &[(usize, usize)]) -> AlterPartitionReassignmentsRequest {
    let partition = |(partition, shard): &(usize, usize)| ReassignablePartition {
        partition_index: i32::try_from(*partition).expect("few"),
        // Shard k has this name in every mode.
        replicas: Some(vec![-1 - i32::try_from(*shard).expect("few")]),
    };
    AlterPartitionReassignmentsRequest {
        timeout_ms: TIMEOUT_MS,
        topics: vec![ReassignableTopic {
            name: TOPIC.into(),
            partitions: targets.iter().map(partition).collect(),
        }],
        ..AlterPartitionReassignmentsRequest::default()
    }
}

/// Holds what the metadata says against where the partitions were sent; epochs never fall.
async fn check_owners(
    shared: &Shared,
    client: &mut Client,
    targets: &[(usize, usize)],
    epochs: &[Cell<i32>],
) -> Result<Verdict> {
    let response = client.call(METADATA_VERSION, &metadata()).await?;
    let first = response.brokers.first().map_or(0, |it| it.node_id);
    let topic = response.topics.first();
    for partition in topic.into_iter().flat_map(|topic| &topic.partitions) {
        let index = usize::try_from(partition.partition_index).expect("counted from 0");
        let before = epochs[index].replace(partition.leader_epoch);
        if partition.leader_epoch < before {
            return Ok(Err(format!("the epoch of {index} fell from {before}")));
        }
        let target = targets.iter().find(|(moved, _)| *moved == index);
        let Some((_, shard)) = target else { continue };
        let expected = first + i32::try_from(*shard).expect("few") * SHARD_ID_STRIDE;
        if shared.is_aware() && partition.leader_id != expected {
            let found = partition.leader_id;
            return Ok(Err(format!("{index} is at {found}, not at {expected}")));
        }
    }
    Ok(Ok(()))
}

fn plan(seed: u64, crashes: &'static [Crash]) -> Plan {
    let is_aware = seed.is_multiple_of(2);
    let mode = if is_aware { "per-shard" } else { "single" };
    // Few credits, so that requests wait for them while their partition moves.
    let tight = MeshCredits {
        requests: 2,
        watches: 2,
        control: 4,
    };
    Plan {
        node: NodeConfig {
            shards: u32::try_from(seed % 3 + 2).expect("small"),
            directories: 1,
            credits: (seed % 4 < 2).then_some(tight),
            overrides: vec![format!("shard.advertise={mode}")],
        },
        partitions: 3,
        producers: 6,
        rounds: 3,
        crashes,
        bad_network: false,
        bad_disk: false,
        moves: Moves::Operator,
        directory_moves: false,
        is_aware,
    }
}

fn run(seed: u64, plan: &Plan) -> Summary {
    let simulation = Simulation::new(seed);
    simulation.set_time_max(Duration::from_secs(600));
    let (machine, clients) = (simulation.machine(), simulation.machine());
    let outcome = simulation.run(scenario::run(&simulation, &machine, &clients, plan));
    let summary = outcome.expect("a scenario ends");
    summary.expect("the broker keeps its promises")
}

#[test]
fn partitions_that_move_lose_nothing_and_keep_their_order() {
    let (moves, lookups) = (Cell::new(0), Cell::new(0));
    for_each_seed(0..SEEDS, |seed| {
        let plan = plan(seed, &[]);
        let summary = run(seed, &plan);
        assert!(summary.acknowledged > 0, "producers go on");
        moves.set(moves.get() + summary.moves);
        lookups.set(lookups.get() + summary.lookups);
        if !plan.is_aware {
            assert_eq!(summary.errors, 0, "who sees one node sees no move");
        }
    });
    assert!(moves.get() > 5 * SEEDS, "partitions move");
    assert!(lookups.get() > 50 * SEEDS, "they are asked for");
}

#[test]
fn partitions_that_move_survive_crashes_and_power_cuts() {
    for_each_seed(0..SEEDS, |seed| {
        let plan = plan(seed, &[Crash::PowerCut, Crash::Kill, Crash::Drain]);
        let summary = run(seed, &plan);
        assert!(summary.moves > 0, "partitions move");
    });
}

#[test]
fn partitions_that_move_survive_bad_disks_too() {
    for_each_seed(0..SEEDS, |seed| {
        let mut plan = Plan {
            bad_disk: true,
            ..plan(seed, &[Crash::PowerCut, Crash::Kill, Crash::Drain])
        };
        let overrides = &mut plan.node.overrides;
        overrides.push("logan.disk.reserve.bytes=65536".to_owned());
        run(seed, &plan);
    });
}

/// As [`plan`], with the balancer as the one that moves, and a load that it has to do with.
fn balanced(seed: u64, crashes: &'static [Crash]) -> Plan {
    let mut plan = Plan {
        moves: Moves::Balancer,
        partitions: 5,
        producers: 10,
        ..plan(seed, crashes)
    };
    plan.node.overrides.extend(
        [
            "logan.balancer.enable=true",
            "logan.balancer.interval.ms=100",
            "logan.balancer.partition.pause.ms=0",
            "logan.balancer.threshold.percent=5",
        ]
        .map(str::to_owned),
    );
    plan
}

#[test]
fn a_balancer_that_moves_partitions_harms_nobody() {
    let moves = Cell::new(0);
    for_each_seed(0..SEEDS, |seed| {
        let plan = balanced(seed, &[]);
        let summary = run(seed, &plan);
        assert!(summary.acknowledged > 0, "producers go on");
        if !plan.is_aware {
            assert_eq!(summary.errors, 0, "who sees one node sees no move");
        }
        moves.set(moves.get() + summary.moves);
    });
    assert!(moves.get() > 0, "it moves something");
}

#[test]
fn a_balancer_survives_crashes_and_power_cuts() {
    for_each_seed(0..SEEDS, |seed| {
        run(
            seed,
            &balanced(seed, &[Crash::PowerCut, Crash::Kill, Crash::Drain]),
        );
    });
}
