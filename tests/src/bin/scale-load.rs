//! The load of `tests/perf/scale`: thousands of partitions and connections, on a few blocking threads.
//!
//! `scale-load ADDRESS create TOPICS PARTITIONS`, `... write`, `... read`, `... start`, `... connections COUNT ACTIVE IDLE BUSY`.
//! Every command prints JSON, one object a line, times in seconds. It speaks to Kafka as to Logan, names its own topics
//! (`scale-N`) and checks what it is told: a command that returns an error has measured nothing.

#![expect(clippy::print_stdout, reason = "its output is what it is there for")]

use std::collections::BTreeMap;
use std::error::Error;
use std::slice;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use client::{
    Acks, Client, ClientConfig, Connection, NewTopic, RetryPolicy, SubmitOptions, Ticket,
};
use protocol::Records;
use protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use records::Compression;
use tests::batch_of;
use types::{NodeId, Uuid};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Partitions in one request.
const PARTITIONS_PER_REQUEST: usize = 100;

/// Requests under way on one connection.
const IN_FLIGHT_MAX: usize = 5;

/// Threads that share the busy connections.
const BUSY_THREADS: usize = 16;

/// How long the brokers may take for anything.
const TIME_MAX: Duration = Duration::from_secs(300);

const VALUE_BYTES: usize = 100;

/// A partition and its topic.
#[derive(Clone, Debug)]
struct Place {
    topic: String,
    id: Uuid,
    partition: i32,
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [address, "create", topics, partitions] => {
            create(address, topics.parse()?, partitions.parse()?)
        }
        [address, "write"] => on_every_node(address, write),
        [address, "read"] => on_every_node(address, read),
        [address, "start"] => start(address),
        [address, "connections", count, active, idle, busy] => connections(
            address,
            (count.parse()?, active.parse()?),
            Duration::from_secs(idle.parse()?),
            busy.parse()?,
        ),
        _ => Err("see the head of tests/src/bin/scale-load.rs".into()),
    }
}

fn config(address: &str) -> ClientConfig {
    ClientConfig {
        in_flight_max: IN_FLIGHT_MAX,
        request_timeout: TIME_MAX,
        retry: RetryPolicy {
            total_max: TIME_MAX,
            ..RetryPolicy::default()
        },
        ..ClientConfig::of_server(address)
    }
}

/// Creates the topics one after the other, as tools do, and waits until every partition has a leader.
fn create(address: &str, topics: usize, partitions: i32) -> Outcome<()> {
    let mut client = Client::connect(config(address))?;
    let began = Instant::now();
    let mut slowest = Duration::ZERO;
    for number in 0..topics {
        let topic = NewTopic {
            name: format!("scale-{number}"),
            partitions: Some(partitions),
            replication_factor: Some(1),
            assignments: Vec::new(),
            configs: Vec::new(),
        };
        let asked = Instant::now();
        client.create_topic(&topic, false)?;
        slowest = slowest.max(asked.elapsed());
    }
    let answered = began.elapsed();
    let wanted = topics * usize::try_from(partitions)?;
    while places(&mut client)?.values().map(Vec::len).sum::<usize>() < wanted {
        if began.elapsed() > TIME_MAX {
            return Err("partitions without a leader remain".into());
        }
        thread::sleep(Duration::from_millis(10));
    }
    println!(
        r#"{{"answered": {:.4}, "slowest": {:.4}, "all_led": {:.4}}}"#,
        answered.as_secs_f64(),
        slowest.as_secs_f64(),
        began.elapsed().as_secs_f64()
    );
    Ok(())
}

/// The partitions that have a leader, by leader.
fn places(client: &mut Client) -> Outcome<BTreeMap<NodeId, Vec<Place>>> {
    let mut places = BTreeMap::<NodeId, Vec<Place>>::new();
    for topic in client.list_topics()? {
        if !topic.name.starts_with("scale-") {
            continue;
        }
        for (partition, description) in &topic.partitions {
            if let Some(leader) = description.leader {
                places.entry(leader).or_default().push(Place {
                    topic: topic.name.clone(),
                    id: topic.id,
                    partition: partition.0,
                });
            }
        }
    }
    Ok(places)
}

/// Does `work` with the partitions of every node, all nodes at the same time.
fn on_every_node(address: &str, work: fn(&mut Connection, &[Place]) -> Outcome<()>) -> Outcome<()> {
    let by_node = places(&mut Client::connect(config(address))?)?;
    let count: usize = by_node.values().map(Vec::len).sum();
    let began = Instant::now();
    let workers: Vec<_> = by_node
        .into_iter()
        .map(|(node, places)| {
            let config = config(address);
            thread::spawn(move || -> Outcome<()> {
                let mut client = Client::connect(config)?;
                client.list_topics()?;
                work(client.node(node)?, &places)
            })
        })
        .collect();
    for worker in workers {
        worker.join().map_err(|_panic| "a thread panicked")??;
    }
    println!(
        r#"{{"partitions": {count}, "seconds": {:.4}}}"#,
        began.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Groups partitions by topic, as requests do.
fn by_topic(places: &[Place]) -> impl Iterator<Item = &[Place]> {
    places.chunk_by(|left, right| left.topic == right.topic)
}

fn produce_request(places: &[Place], batch: &Bytes) -> ProduceRequest {
    let topic_data = by_topic(places).map(|places| TopicProduceData {
        name: places[0].topic.as_str().into(),
        topic_id: places[0].id,
        partition_data: places
            .iter()
            .map(|place| PartitionProduceData {
                index: place.partition,
                records: Some(Records::from(batch.clone())),
            })
            .collect(),
    });
    ProduceRequest {
        acks: Acks::All.code(),
        timeout_ms: 60_000,
        topic_data: topic_data.collect(),
        ..ProduceRequest::default()
    }
}

/// Writes one record to each partition.
fn write(connection: &mut Connection, places: &[Place]) -> Outcome<()> {
    let batch = batch_of(Compression::None, &[&[b'v'; VALUE_BYTES]]);
    let mut open = std::collections::VecDeque::new();
    for places in places.chunks(PARTITIONS_PER_REQUEST) {
        if open.len() == IN_FLIGHT_MAX {
            let ticket = open.pop_front().ok_or("requests are open")?;
            check_written(connection, ticket)?;
        }
        let request = produce_request(places, &batch);
        open.push_back(connection.submit(&request, SubmitOptions::default())?);
    }
    for ticket in open {
        check_written(connection, ticket)?;
    }
    Ok(())
}

fn check_written(connection: &mut Connection, ticket: Ticket<ProduceRequest>) -> Outcome<()> {
    let response = connection.complete(ticket)?;
    let refused = response
        .responses
        .iter()
        .flat_map(|topic| &topic.partition_responses)
        .find(|partition| partition.error_code != 0);
    match refused {
        Some(partition) => Err(format!(
            "partition {}: error {}",
            partition.index, partition.error_code
        )
        .into()),
        None => Ok(()),
    }
}

/// Reads the first record of each partition. A response may leave partitions for the next one.
fn read(connection: &mut Connection, places: &[Place]) -> Outcome<()> {
    let began = Instant::now();
    let mut places = places.to_vec();
    while !places.is_empty() {
        if began.elapsed() > TIME_MAX {
            return Err(format!("{} partitions give no records", places.len()).into());
        }
        let asked = places.len().min(PARTITIONS_PER_REQUEST);
        read_some(connection, &mut places, asked)?;
    }
    Ok(())
}

/// Asks for the first of `places`, and removes those that have answered.
fn read_some(connection: &mut Connection, places: &mut Vec<Place>, asked: usize) -> Outcome<()> {
    let request = {
        let places = &places[..asked];
        let topics = by_topic(places).map(|places| FetchTopic {
            topic: places[0].topic.as_str().into(),
            topic_id: places[0].id,
            partitions: places
                .iter()
                .map(|place| FetchPartition {
                    partition: place.partition,
                    current_leader_epoch: -1,
                    fetch_offset: 0,
                    last_fetched_epoch: -1,
                    log_start_offset: -1,
                    partition_max_bytes: 1 << 20,
                    ..FetchPartition::default()
                })
                .collect(),
        });
        FetchRequest {
            replica_id: -1,
            max_wait_ms: 500,
            min_bytes: 1,
            max_bytes: 50 << 20,
            session_epoch: -1,
            topics: topics.collect(),
            ..FetchRequest::default()
        }
    };
    let response = connection.call(&request)?;
    let mut answered = std::collections::BTreeSet::new();
    for topic in &response.responses {
        for partition in &topic.partitions {
            if partition.error_code != 0 {
                let (index, code) = (partition.partition_index, partition.error_code);
                return Err(format!("partition {index}: error {code}").into());
            }
            let records = partition.records.clone().unwrap_or_default();
            if !records.into_bytes().is_empty() {
                let name = (topic.topic_id, topic.topic.to_string());
                answered.insert((name, partition.partition_index));
            }
        }
    }
    // Versions from 13 on name topics by their ids only, older ones by their names only.
    let has_answered = |place: &Place| {
        let by_id = ((place.id, String::new()), place.partition);
        let by_name = ((Uuid::ZERO, place.topic.clone()), place.partition);
        answered.contains(&by_id) || answered.contains(&by_name)
    };
    let mut index = 0;
    places.retain(|place| {
        index += 1;
        index > asked || !has_answered(place)
    });
    Ok(())
}

/// Asks until everything works again: Metadata with all leaders, then a record in the last topic's last partition.
fn start(address: &str) -> Outcome<()> {
    let began = Instant::now();
    let mut client = connect_until(address)?;
    let by_node = places(&mut client)?;
    let answered = began.elapsed();
    let partitions: usize = by_node.values().map(Vec::len).sum();
    let (node, places) = by_node.last_key_value().ok_or("there are no topics")?;
    let place = places.last().ok_or("there are no partitions")?.clone();
    // A broker may name itself as the leader before it has taken the partition over: Kafka answers with error 6 then.
    while let Err(error) = write(client.node(*node)?, slice::from_ref(&place)) {
        if began.elapsed() > TIME_MAX {
            return Err(error);
        }
        thread::sleep(Duration::from_millis(2));
    }
    println!(
        r#"{{"partitions": {partitions}, "metadata": {:.4}, "produced": {:.4}}}"#,
        answered.as_secs_f64(),
        began.elapsed().as_secs_f64()
    );
    Ok(())
}

fn connect_until(address: &str) -> Outcome<Client> {
    let began = Instant::now();
    loop {
        let quick = ClientConfig {
            retry: RetryPolicy {
                total_max: Duration::ZERO,
                ..RetryPolicy::default()
            },
            ..config(address)
        };
        match Client::connect(quick) {
            Ok(_) => return Ok(Client::connect(config(address))?),
            Err(error) if began.elapsed() > TIME_MAX => return Err(error.into()),
            Err(_) => thread::sleep(Duration::from_millis(2)),
        }
    }
}

/// Opens connections, leaves all of them alone for a while, and then uses some of them once a second.
fn connections(
    address: &str,
    (count, active): (usize, usize),
    idle: Duration,
    busy_seconds: u64,
) -> Outcome<()> {
    let config = config(address);
    let places: Vec<Place> = places(&mut Client::connect(config.clone())?)?
        .into_values()
        .flatten()
        .collect();
    let began = Instant::now();
    let mut open = Vec::with_capacity(count);
    for _ in 0..count {
        open.push(Connection::open(address, &config)?);
    }
    println!(
        r#"{{"connections": {count}, "seconds": {:.4}}}"#,
        began.elapsed().as_secs_f64()
    );
    thread::sleep(idle);
    println!(r#"{{"idle": {}}}"#, idle.as_secs());
    let quiet = open.split_off(active.min(count));
    let mut used: Vec<(Connection, Place)> =
        open.into_iter().zip(places.into_iter().cycle()).collect();
    let mut workers = Vec::new();
    let share = used.len().div_ceil(BUSY_THREADS).max(1);
    while !used.is_empty() {
        let mut own = used.split_off(used.len() - share.min(used.len()));
        workers.push(thread::spawn(move || use_each(&mut own, busy_seconds)));
    }
    let mut latencies = Vec::new();
    for worker in workers {
        latencies.extend(worker.join().map_err(|_panic| "a thread panicked")??);
    }
    latencies.sort_unstable();
    let at = |part: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a rank among few"
        )]
        let rank = (latencies.len() as f64 * part) as usize;
        let rank = rank.min(latencies.len() - 1);
        latencies[rank].as_secs_f64() * 1000.0
    };
    println!(
        r#"{{"active": {active}, "requests": {}, "p50_ms": {:.2}, "p99_ms": {:.2}, "p99_9_ms": {:.2}}}"#,
        latencies.len(),
        at(0.5),
        at(0.99),
        at(0.999)
    );
    drop(quiet);
    Ok(())
}

/// One record on each connection, once a second.
fn use_each(used: &mut [(Connection, Place)], seconds: u64) -> Outcome<Vec<Duration>> {
    let batch = batch_of(Compression::None, &[&[b'v'; VALUE_BYTES]]);
    let began = Instant::now();
    let mut latencies = Vec::new();
    for second in 0..seconds {
        for (connection, place) in &mut *used {
            let request = produce_request(slice::from_ref(place), &batch);
            let asked = Instant::now();
            let ticket = connection.submit(&request, SubmitOptions::default())?;
            check_written(connection, ticket)?;
            latencies.push(asked.elapsed());
        }
        let next = began + Duration::from_secs(second + 1);
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    Ok(latencies)
}
