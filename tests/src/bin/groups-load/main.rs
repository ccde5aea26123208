//! The load of `tests/perf/groups/measure`: members that heartbeat, commits, and rebalances, on a few blocking threads.
//!
//! ```text
//! groups-load ADDRESS heartbeats GROUPS MEMBERS INTERVAL_MS SECONDS   classic groups that stay as they are, after a line
//! groups-load ADDRESS commits CONNECTIONS IN_FLIGHT SECONDS           24 partitions a request, a group a connection
//! groups-load ADDRESS crash SESSION_MS ROUNDS                         how late a rebalance begins after a session
//! groups-load ADDRESS join INTERVAL_MS ROUNDS                         a ninth member joins a KIP-848 group of eight
//! groups-load ADDRESS rebalance INTERVAL_MS ROUNDS                    a ninth member joins a cooperative group of eight
//! ```
//! Every command prints one line of JSON, times in milliseconds. It speaks to Kafka as to Logan, makes its own topic, and checks
//! what it is told: a command that returns an error has measured nothing.

#![expect(clippy::print_stdout, reason = "its output is what it is there for")]

mod joins;
mod rebalances;

use std::collections::VecDeque;
use std::error::Error;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use client::{Client, ClientConfig, Connection, NewTopic, RetryPolicy, SubmitOptions, Ticket};
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use protocol::messages::{
    FindCoordinatorRequest, HeartbeatRequest, JoinGroupRequest, OffsetCommitRequest,
    SyncGroupRequest,
};
use types::{ErrorCode, Uuid};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// The partitions of the topic, and of each commit.
const PARTITIONS: i32 = 24;

const TOPIC: &str = "measured";

/// Threads that share the members that heartbeat.
const THREADS: usize = 16;

/// Longer than it takes until all groups are there.
const HEARTBEAT_SESSION_MS: i32 = 300_000;

/// How long the brokers may take for anything.
const TIME_MAX: Duration = Duration::from_secs(120);

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [address, "heartbeats", groups, members, interval, seconds] => heartbeats(
            address,
            (groups.parse()?, members.parse()?),
            Duration::from_millis(interval.parse()?),
            Duration::from_secs(seconds.parse()?),
        ),
        [address, "commits", connections, in_flight, seconds] => commits(
            address,
            (connections.parse()?, in_flight.parse()?),
            Duration::from_secs(seconds.parse()?),
        ),
        [address, "crash", session, rounds] => crash(address, session.parse()?, rounds.parse()?),
        [address, "join", interval, rounds] => joins::measure(
            address,
            Duration::from_millis(interval.parse()?),
            rounds.parse()?,
        ),
        [address, "rebalance", interval, rounds] => rebalances::measure(
            address,
            Duration::from_millis(interval.parse()?),
            rounds.parse()?,
        ),
        _ => Err("see the head of tests/src/bin/groups-load/main.rs".into()),
    }
}

fn config(address: &str, in_flight_max: usize) -> ClientConfig {
    ClientConfig {
        in_flight_max,
        request_timeout: TIME_MAX,
        retry: RetryPolicy {
            total_max: TIME_MAX,
            ..RetryPolicy::default()
        },
        ..ClientConfig::of_server(address)
    }
}

/// The topic of everything here, made if it is not there.
fn topic_id(address: &str) -> Outcome<Uuid> {
    let mut client = Client::connect(config(address, 1))?;
    if client.describe_topic(TOPIC).is_err() {
        let topic = NewTopic {
            name: TOPIC.to_owned(),
            partitions: Some(PARTITIONS),
            replication_factor: Some(1),
            assignments: Vec::new(),
            configs: Vec::new(),
        };
        client.create_topic(&topic, false)?;
    }
    Ok(client.describe_topic(TOPIC)?.id)
}

/// A connection to the coordinator of a group.
fn coordinator(address: &str, group: &str, in_flight_max: usize) -> Outcome<Connection> {
    let config = config(address, in_flight_max);
    let mut bootstrap = Connection::open(address, &config)?;
    let request = FindCoordinatorRequest {
        coordinator_keys: vec![group.into()],
        ..FindCoordinatorRequest::default()
    };
    let deadline = Instant::now() + TIME_MAX;
    loop {
        let response = bootstrap.call(&request)?;
        let found = response.coordinators.first();
        let found = found.ok_or("no coordinator is named")?;
        if found.error_code == 0 {
            let at = format!("{}:{}", found.host, found.port);
            return Ok(Connection::open(&at, &config)?);
        }
        if Instant::now() > deadline {
            return Err(format!("FindCoordinator: {}", found.error_code).into());
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// What may pass by itself while a coordinator comes to be.
fn is_passing(code: i16) -> bool {
    matches!(
        ErrorCode::from_code(code),
        Some(
            ErrorCode::CoordinatorLoadInProgress
                | ErrorCode::CoordinatorNotAvailable
                | ErrorCode::NotCoordinator
        )
    )
}

fn expect_none(what: &str, code: i16) -> Outcome<()> {
    if code == 0 {
        return Ok(());
    }
    Err(format!("{what}: error {code}").into())
}

/// A classic member of a stable group.
struct Member {
    group: String,
    id: String,
    generation: i32,
}

impl Member {
    fn heartbeat(&self) -> HeartbeatRequest {
        HeartbeatRequest {
            group_id: self.group.as_str().into(),
            generation_id: self.generation,
            member_id: self.id.as_str().into(),
            group_instance_id: None,
        }
    }
}

fn join_request(group: &str, id: &str, session_ms: i32) -> JoinGroupRequest {
    JoinGroupRequest {
        group_id: group.into(),
        session_timeout_ms: session_ms,
        rebalance_timeout_ms: 60_000,
        member_id: id.into(),
        protocol_type: "consumer".into(),
        protocols: vec![JoinGroupRequestProtocol {
            name: "range".into(),
            metadata: Bytes::from_static(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        }],
        ..JoinGroupRequest::default()
    }
}

/// Members of one group, all of which join before it begins: the coordinator waits for more members at first.
fn classic_group(
    connections: &mut [&mut Connection],
    group: &str,
    session_ms: i32,
) -> Outcome<Vec<Member>> {
    let mut ids = Vec::new();
    for connection in &mut *connections {
        let deadline = Instant::now() + TIME_MAX;
        let named = loop {
            let named = connection.call(&join_request(group, "", session_ms))?;
            if !is_passing(named.error_code) || Instant::now() > deadline {
                break named;
            }
            thread::sleep(Duration::from_millis(20));
        };
        if ErrorCode::from_code(named.error_code) != Some(ErrorCode::MemberIdRequired) {
            return Err(format!("JoinGroup: error {}", named.error_code).into());
        }
        ids.push(named.member_id.to_string());
    }
    let mut waiting = Vec::new();
    for (connection, id) in connections.iter_mut().zip(&ids) {
        let request = join_request(group, id, session_ms);
        waiting.push(connection.submit(&request, SubmitOptions::default())?);
    }
    let mut joined = Vec::new();
    for (connection, ticket) in connections.iter_mut().zip(waiting) {
        let response = connection.complete(ticket)?;
        expect_none("JoinGroup", response.error_code)?;
        joined.push(response);
    }
    let generation = joined.iter().map(|it| it.generation_id).max();
    let generation = generation.ok_or("a group has members")?;
    let mut waiting = Vec::new();
    for (connection, joined) in connections.iter_mut().zip(&joined) {
        let members = joined.members.iter();
        let request = SyncGroupRequest {
            group_id: group.into(),
            generation_id: generation,
            member_id: joined.member_id.clone(),
            protocol_type: Some("consumer".into()),
            protocol_name: Some("range".into()),
            assignments: members
                .map(|member| SyncGroupRequestAssignment {
                    member_id: member.member_id.clone(),
                    assignment: Bytes::from_static(b"some"),
                })
                .collect(),
            ..SyncGroupRequest::default()
        };
        waiting.push(connection.submit(&request, SubmitOptions::default())?);
    }
    for (connection, ticket) in connections.iter_mut().zip(waiting) {
        expect_none("SyncGroup", connection.complete(ticket)?.error_code)?;
    }
    let members = ids.into_iter().map(|id| Member {
        group: group.to_owned(),
        id,
        generation,
    });
    Ok(members.collect())
}

/// Sorted times, and what is asked of them.
struct Times(Vec<Duration>);

impl Times {
    fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// The time below which this many thousandths of all lie.
    fn at(&self, thousandths: usize) -> f64 {
        let index = self.0.len() * thousandths / 1_000;
        let time = self.0.get(index).or(self.0.last());
        millis(time.copied().unwrap_or_default())
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// Every member heartbeats once an interval, on a connection of its own; late ones count from when they were due.
fn heartbeats(
    address: &str,
    (groups, members): (usize, usize),
    interval: Duration,
    time: Duration,
) -> Outcome<()> {
    topic_id(address)?;
    let began = Instant::now();
    let are_there = Arc::new(Barrier::new(THREADS + 1));
    let beaters: Vec<_> = (0..THREADS)
        .map(|thread| {
            let (address, are_there) = (address.to_owned(), Arc::clone(&are_there));
            thread::spawn(move || {
                let joined = (thread..groups)
                    .step_by(THREADS)
                    .map(|number| beating_group(&address, number, members))
                    .collect::<Outcome<Vec<_>>>();
                are_there.wait();
                beat(joined?.into_iter().flatten().collect(), interval, time)
            })
        })
        .collect();
    are_there.wait();
    let count = groups * members;
    // Who measures the broker begins when this is said.
    println!(
        r#"{{"joined": {count}, "seconds": {:.1}}}"#,
        began.elapsed().as_secs_f64()
    );
    let mut times = Vec::new();
    for beater in beaters {
        times.extend(beater.join().map_err(|_panic| "a thread panicked")??);
    }
    let times = Times::new(times);
    println!(
        r#"{{"members": {count}, "heartbeats": {}, "per_second": {:.0}, "p50_ms": {:.3}, "p99_ms": {:.3}, "p99_9_ms": {:.3}, "max_ms": {:.3}}}"#,
        times.0.len(),
        times.0.len() as f64 / time.as_secs_f64(),
        times.at(500),
        times.at(990),
        times.at(999),
        times.at(1_000)
    );
    Ok(())
}

/// The members of a group, each with a connection of its own.
fn beating_group(
    address: &str,
    number: usize,
    members: usize,
) -> Outcome<Vec<(Connection, Member)>> {
    let group = format!("beating-{number}");
    let connections: Outcome<Vec<_>> = (0..members)
        .map(|_| coordinator(address, &group, 1))
        .collect();
    let mut connections = connections?;
    let mut joining: Vec<_> = connections.iter_mut().collect();
    let joined = classic_group(&mut joining, &group, HEARTBEAT_SESSION_MS)?;
    Ok(connections.into_iter().zip(joined).collect())
}

fn beat(
    mut members: Vec<(Connection, Member)>,
    interval: Duration,
    time: Duration,
) -> Outcome<Vec<Duration>> {
    let began = Instant::now();
    let count = u32::try_from(members.len())?;
    let step = interval / count.max(1);
    let mut times = Vec::new();
    let mut due = began;
    while due < began + time {
        for (connection, member) in &mut members {
            let now = Instant::now();
            if now < due {
                thread::sleep(due - now);
            }
            let response = connection.call(&member.heartbeat())?;
            expect_none("Heartbeat", response.error_code)?;
            times.push(due.elapsed());
            due += step;
        }
    }
    Ok(times)
}

/// Commits as fast as the broker takes them, some requests ahead of their answers.
fn commits(address: &str, (connections, in_flight): (usize, usize), time: Duration) -> Outcome<()> {
    topic_id(address)?;
    let committers: Vec<_> = (0..connections)
        .map(|number| {
            let address = address.to_owned();
            thread::spawn(move || committer(&address, number, in_flight, time))
        })
        .collect();
    let mut times = Vec::new();
    for committer in committers {
        times.extend(committer.join().map_err(|_panic| "a thread panicked")??);
    }
    let times = Times::new(times);
    let partitions = times.0.len() as f64 * f64::from(PARTITIONS);
    println!(
        r#"{{"requests": {}, "partitions_per_second": {:.0}, "p50_ms": {:.3}, "p99_ms": {:.3}}}"#,
        times.0.len(),
        partitions / time.as_secs_f64(),
        times.at(500),
        times.at(990)
    );
    Ok(())
}

fn committer(
    address: &str,
    number: usize,
    in_flight: usize,
    time: Duration,
) -> Outcome<Vec<Duration>> {
    let group = format!("committing-{number}");
    let mut connection = coordinator(address, &group, in_flight)?;
    let mut request = OffsetCommitRequest {
        group_id: group.as_str().into(),
        generation_id_or_member_epoch: -1,
        topics: vec![OffsetCommitRequestTopic {
            name: TOPIC.into(),
            partitions: Vec::new(),
            ..OffsetCommitRequestTopic::default()
        }],
        ..OffsetCommitRequest::default()
    };
    // By name, which all versions but the last ones know.
    let options = SubmitOptions {
        version_max: 9,
        ..SubmitOptions::default()
    };
    let mut commit = |connection: &mut Connection, offset: i64| -> Outcome<_> {
        request.topics[0].partitions = (0..PARTITIONS)
            .map(|partition_index| OffsetCommitRequestPartition {
                partition_index,
                committed_offset: offset,
                ..OffsetCommitRequestPartition::default()
            })
            .collect();
        Ok((Instant::now(), connection.submit(&request, options)?))
    };
    let deadline = Instant::now() + TIME_MAX;
    loop {
        let (_, ticket) = commit(&mut connection, 0)?;
        let code = connection.complete(ticket)?.topics[0].partitions[0].error_code;
        if !is_passing(code) || Instant::now() > deadline {
            expect_none("OffsetCommit", code)?;
            break;
        }
        thread::sleep(Duration::from_millis(20));
    }
    let began = Instant::now();
    let mut times = Vec::new();
    let mut open: VecDeque<(Instant, Ticket<OffsetCommitRequest>)> = VecDeque::new();
    for offset in 1.. {
        if began.elapsed() >= time {
            break;
        }
        if open.len() == in_flight {
            let (sent, ticket) = open.pop_front().ok_or("requests are open")?;
            let response = connection.complete(ticket)?;
            expect_none("OffsetCommit", response.topics[0].partitions[0].error_code)?;
            times.push(sent.elapsed());
        }
        open.push_back(commit(&mut connection, offset)?);
    }
    Ok(times)
}

/// One of two members falls silent; the other one asks all the time whether there is a rebalance.
fn crash(address: &str, session_ms: i32, rounds: usize) -> Outcome<()> {
    topic_id(address)?;
    let session = Duration::from_millis(u64::try_from(session_ms)?);
    let mut late = Vec::new();
    for round in 0..rounds {
        let group = format!("crashing-{session_ms}-{round}-{}", std::process::id());
        let mut silent = coordinator(address, &group, 1)?;
        let mut watching = coordinator(address, &group, 1)?;
        let members = classic_group(&mut [&mut silent, &mut watching], &group, session_ms)?;
        let [first, second] = &members[..] else {
            return Err("two members joined".into());
        };
        expect_none("Heartbeat", silent.call(&first.heartbeat())?.error_code)?;
        let last_heard_of = Instant::now();
        loop {
            let code = watching.call(&second.heartbeat())?.error_code;
            if ErrorCode::from_code(code) == Some(ErrorCode::RebalanceInProgress) {
                break;
            }
            expect_none("Heartbeat", code)?;
            thread::sleep(Duration::from_millis(2));
        }
        let silence = last_heard_of.elapsed();
        if silence < session {
            return Err(format!("the session ended after {silence:?}").into());
        }
        late.push(silence - session);
    }
    let late = Times::new(late);
    println!(
        r#"{{"session_ms": {session_ms}, "rounds": {rounds}, "late_p50_ms": {:.1}, "late_max_ms": {:.1}}}"#,
        late.at(500),
        late.at(1_000)
    );
    Ok(())
}
