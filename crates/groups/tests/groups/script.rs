//! Scripts: lines of what clients do, each followed by what comes of it.
//!
//! A line that begins with `>` is expected output, `#` begins a comment. Clients are named by their client ids and
//! remember the member id and the generation that they were told last. `a#2` is the second member id that begins
//! with `a` and was seen. `UPDATE_SCRIPTS=1` writes the output into the files; read it before it is committed.
//!
//! ```text
//! config key=value ..        milliseconds, or numbers
//! join a [v=9] [id=a#1] [instance=i] [session=10000] [rebalance=60000] [type=consumer] [protocols=range:t+u,other:t]
//! sync a [gen=1] [id=..] [instance=..] [client=assignment ..]
//! beat a [gen=1] [id=..] [instance=..]
//! leave a [v=5] [id=..] [instance=..]
//! commit a [v=9] [gen=1] [id=..] [retention=..] t-0=5 ..        gen=- commits without a member
//! fetch [v=8] [t-0 ..]       all without partitions
//! undo t-0 ..                OffsetDelete
//! delete | describe [v=6] | list [states=..] [types=..]
//! create t 24 | drop t | swap t | restart | wait 1000
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use groups::{GroupConfig, GroupFilter, Reply, Request, Ticket};
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::leave_group_request::MemberIdentity;
use protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use protocol::messages::{
    ConsumerProtocolSubscription, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest,
    ListGroupsRequest, OffsetCommitRequest, OffsetDeleteRequest, SyncGroupRequest,
};
use protocol::wire::encode_versioned;
use protocol::{Encoder, Str};

use crate::show::{Ids, show_listed, show_record, show_reply};
use crate::world::World;

/// The group of all scripts.
const GROUP: &str = "g";

/// What a client remembers.
#[derive(Clone, Debug, Default)]
struct Client {
    member_id: String,
    generation: i32,
    protocol_name: Option<Str>,
}

/// A script that runs.
struct Run {
    world: World,
    clients: BTreeMap<String, Client>,
    waiting: BTreeMap<Ticket, String>,
    ids: Ids,
    output: Vec<String>,
}

/// Runs a script and compares what comes of it.
///
/// # Panics
///
/// If something else comes of it, or a line means nothing.
pub(crate) fn run(name: &str, script: &str) {
    let mut run = Run {
        world: World::new(config(&Arguments::default())),
        clients: BTreeMap::new(),
        waiting: BTreeMap::new(),
        ids: Ids::default(),
        output: Vec::new(),
    };
    let mut actual = String::new();
    for line in script.lines() {
        let line = line.trim_end();
        if line.trim_start().starts_with('>') {
            continue;
        }
        actual.push_str(line);
        actual.push('\n');
        let command = line.split('#').next().unwrap_or_default();
        let command = if line.starts_with('#') { command } else { line };
        if !command.trim().is_empty() {
            run.line(command);
            run.world.check_replay();
        }
        for text in run.output.drain(..) {
            writeln!(actual, "  > {text}").expect("strings take everything");
        }
    }
    if std::env::var_os("UPDATE_SCRIPTS").is_some() {
        let path = format!(
            "{}/tests/groups/scripts/{name}.txt",
            env!("CARGO_MANIFEST_DIR")
        );
        std::fs::write(path, actual).expect("the scripts are writable");
        return;
    }
    assert_eq!(
        actual, script,
        "{name}: what came of it (left) is not what is expected (right)"
    );
}

/// The words of a line, and its `key=value` pairs.
#[derive(Default)]
struct Arguments {
    words: Vec<String>,
    pairs: Vec<(String, String)>,
}

impl Arguments {
    fn of(line: &str) -> Self {
        let mut arguments = Self::default();
        for word in line.split_whitespace() {
            match word.split_once('=') {
                Some((key, value)) => arguments.pairs.push((key.to_owned(), value.to_owned())),
                None => arguments.words.push(word.to_owned()),
            }
        }
        arguments
    }

    fn text(&self, key: &str) -> Option<&str> {
        let pair = self.pairs.iter().find(|(name, _)| name == key);
        pair.map(|(_, value)| value.as_str())
    }

    fn number<T: std::str::FromStr>(&self, key: &str, otherwise: T) -> T {
        let parse = |text: &str| text.parse().ok().expect("a number");
        self.text(key).map_or(otherwise, parse)
    }

    fn millis(&self, key: &str, otherwise: u64) -> Duration {
        Duration::from_millis(self.number(key, otherwise))
    }

    fn word(&self, index: usize) -> &str {
        self.words.get(index).expect("another word")
    }

    /// `topic-partition` words or keys, with their values.
    fn partitions(&self) -> Vec<(&str, i32, i64)> {
        let of = |name: &'_ str| -> Option<(usize, i32)> {
            let at = name.rfind('-')?;
            Some((at, name.get(at + 1..)?.parse().ok()?))
        };
        let words = self.words.iter().map(|word| (word.as_str(), "0"));
        let pairs = self
            .pairs
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()));
        let named = words.chain(pairs);
        let found = named.filter_map(|(name, value)| {
            let (at, index) = of(name)?;
            Some((name.split_at(at).0, index, value.parse().ok()?))
        });
        found.collect()
    }
}

fn config(arguments: &Arguments) -> GroupConfig {
    GroupConfig {
        initial_rebalance_delay: arguments.millis("delay", 0),
        classic_members_max: arguments.number("size", 100),
        offset_metadata_len_max: arguments.number("metadata", 16),
        offsets_retention: arguments.millis("retention", 3_600_000),
        offsets_retention_check_interval: arguments.millis("check", 600_000),
        batch_len_max_bytes: arguments.number("batch", 100_000),
        ..GroupConfig::default()
    }
}

impl Run {
    fn line(&mut self, line: &str) {
        let mut arguments = Arguments::of(line);
        for (_, value) in &mut arguments.pairs {
            *value = self.ids.full(value);
        }
        match arguments.word(0) {
            "config" => self.world = World::new(config(&arguments)),
            "create" => {
                let partitions = arguments.word(2).parse().expect("a number");
                self.world.create_topic(arguments.word(1), partitions);
                self.settle();
            }
            "drop" => {
                self.world.delete_topic(arguments.word(1));
                self.settle();
            }
            // Before the coordinator has looked at what was deleted.
            "swap" => {
                self.world.delete_topic(arguments.word(1));
                self.world.create_topic(arguments.word(1), 24);
            }
            "restart" => self.world.restart(),
            "list" => {
                let filter = GroupFilter::new(&list(&arguments));
                let part = self.world.coordinator.list(&filter, None, usize::MAX);
                self.output.push(show_listed(&part.groups));
            }
            "wait" => self.wait(&arguments),
            _ => self.request(&arguments),
        }
    }

    fn wait(&mut self, arguments: &Arguments) {
        let span: u64 = arguments.word(1).parse().expect("a number");
        let until = self.world.now + Duration::from_millis(span);
        while self.world.now < until {
            let replies = self.world.step(until);
            self.tell(replies, true);
        }
    }

    fn settle(&mut self) {
        let replies = self.world.settle();
        self.tell(replies, false);
    }

    fn request(&mut self, arguments: &Arguments) {
        let name = arguments.words.get(1).cloned().unwrap_or_default();
        let client = self.clients.get(&name).cloned().unwrap_or_default();
        let (version, request) = match arguments.word(0) {
            "join" => (9, join(arguments, &client)),
            "sync" => (5, self.sync(arguments, &client)),
            "beat" => (4, beat(arguments, &client)),
            "leave" => (5, leave(arguments, &client)),
            "commit" => (9, commit(arguments, &client)),
            "fetch" => (8, fetch(arguments)),
            "undo" => (0, undo(arguments)),
            "delete" => (2, Request::DeleteGroup(Str::from(GROUP))),
            "describe" => (6, Request::DescribeGroup(Str::from(GROUP))),
            other => unreachable!("no command: {other}"),
        };
        let version = arguments.number("v", version);
        let (ticket, replies) = self.world.call(&name, version, request);
        self.waiting.insert(ticket, name);
        self.tell(replies, false);
        self.settle();
    }

    fn sync(&self, arguments: &Arguments, client: &Client) -> Request {
        const OPTIONS: [&str; 6] = ["gen", "id", "instance", "v", "type", "protocol"];
        let others = arguments
            .pairs
            .iter()
            .filter(|(key, _)| !OPTIONS.contains(&key.as_str()));
        let assignments = others.map(|(key, value)| SyncGroupRequestAssignment {
            member_id: Str::from(self.member_of(key)),
            assignment: Bytes::from(value.clone()),
        });
        let named = arguments.text("protocol").map(Str::from);
        Request::SyncGroup(SyncGroupRequest {
            group_id: Str::from(GROUP),
            generation_id: arguments.number("gen", client.generation),
            member_id: member_id(arguments, client),
            group_instance_id: instance_id(arguments),
            protocol_type: Some(Str::from(arguments.text("type").unwrap_or("consumer"))),
            protocol_name: named
                .or(client.protocol_name.clone())
                .or(Some(Str::default())),
            assignments: assignments.collect(),
        })
    }

    /// The member id that a client was told last; other text stays as it is.
    fn member_of(&self, name: &str) -> String {
        let client = self.clients.get(name);
        client.map_or_else(|| name.to_owned(), |client| client.member_id.clone())
    }

    /// Notes what was written and answered.
    fn tell(&mut self, replies: Vec<(Ticket, Reply)>, with_time: bool) {
        let time = if with_time {
            format!("{} ms: ", self.world.now.as_millis())
        } else {
            String::new()
        };
        let written = std::mem::take(&mut self.world.written);
        for record in &written {
            self.output
                .push(format!("{time}log {}", show_record(record, &mut self.ids)));
        }
        for (ticket, reply) in replies {
            let name = self.waiting.remove(&ticket).unwrap_or_default();
            if let Reply::JoinGroup(response) = &reply {
                let client = self.clients.entry(name.clone()).or_default();
                if !response.member_id.is_empty() {
                    response
                        .member_id
                        .as_str()
                        .clone_into(&mut client.member_id);
                }
                if response.error_code == 0 {
                    client.generation = response.generation_id;
                    client.protocol_name.clone_from(&response.protocol_name);
                }
            }
            let name = if name.is_empty() {
                name
            } else {
                format!("{name}: ")
            };
            self.output
                .push(format!("{time}{name}{}", show_reply(&reply, &mut self.ids)));
        }
    }
}

fn member_id(arguments: &Arguments, client: &Client) -> Str {
    Str::from(arguments.text("id").unwrap_or(&client.member_id))
}

fn instance_id(arguments: &Arguments) -> Option<Str> {
    arguments.text("instance").map(Str::from)
}

/// What a consumer that subscribes to these topics says.
pub(crate) fn subscription(topics: &[&str]) -> Bytes {
    let mut encoder = Encoder::default();
    encoder.i16(0);
    let subscription = ConsumerProtocolSubscription {
        topics: topics.iter().map(|topic| Str::from(*topic)).collect(),
        ..ConsumerProtocolSubscription::default()
    };
    encode_versioned(&mut encoder, &subscription, 0).expect("it is short");
    encoder.finish().to_bytes()
}

fn join(arguments: &Arguments, client: &Client) -> Request {
    let protocols = arguments.text("protocols").unwrap_or("range:t");
    let protocols = protocols
        .split(',')
        .filter(|one| !one.is_empty())
        .map(|one| {
            let (name, topics) = one.split_once(':').unwrap_or((one, ""));
            let topics: Vec<&str> = topics
                .split('+')
                .filter(|topic| !topic.is_empty())
                .collect();
            JoinGroupRequestProtocol {
                name: Str::from(name),
                metadata: subscription(&topics),
            }
        });
    Request::JoinGroup(JoinGroupRequest {
        group_id: Str::from(arguments.text("group").unwrap_or(GROUP)),
        session_timeout_ms: arguments.number("session", 10_000),
        rebalance_timeout_ms: arguments.number("rebalance", 60_000),
        member_id: member_id(arguments, client),
        group_instance_id: instance_id(arguments),
        protocol_type: Str::from(arguments.text("type").unwrap_or("consumer")),
        protocols: protocols.collect(),
        reason: None,
    })
}

fn beat(arguments: &Arguments, client: &Client) -> Request {
    Request::Heartbeat(HeartbeatRequest {
        group_id: Str::from(GROUP),
        generation_id: arguments.number("gen", client.generation),
        member_id: member_id(arguments, client),
        group_instance_id: instance_id(arguments),
    })
}

fn leave(arguments: &Arguments, client: &Client) -> Request {
    Request::LeaveGroup(LeaveGroupRequest {
        group_id: Str::from(GROUP),
        member_id: member_id(arguments, client),
        members: vec![MemberIdentity {
            member_id: member_id(arguments, client),
            group_instance_id: instance_id(arguments),
            reason: None,
        }],
    })
}

fn commit(arguments: &Arguments, client: &Client) -> Request {
    let by_hand = arguments.text("gen") == Some("-");
    let topics = arguments
        .partitions()
        .into_iter()
        .map(|(topic, index, offset)| {
            let partition = OffsetCommitRequestPartition {
                partition_index: index,
                committed_offset: offset,
                committed_leader_epoch: 3,
                committed_metadata: arguments.text("metadata").map(Str::from),
            };
            OffsetCommitRequestTopic {
                name: Str::from(topic),
                partitions: vec![partition],
                ..OffsetCommitRequestTopic::default()
            }
        });
    let (generation, member_id) = if by_hand {
        (-1, Str::default())
    } else {
        (
            arguments.number("gen", client.generation),
            member_id(arguments, client),
        )
    };
    Request::OffsetCommit(OffsetCommitRequest {
        group_id: Str::from(GROUP),
        generation_id_or_member_epoch: generation,
        member_id,
        group_instance_id: instance_id(arguments),
        retention_time_ms: arguments.number("retention", -1),
        topics: topics.collect(),
    })
}

fn fetch(arguments: &Arguments) -> Request {
    let topics =
        arguments
            .partitions()
            .into_iter()
            .map(|(topic, index, _)| OffsetFetchRequestTopics {
                name: Str::from(topic),
                partition_indexes: vec![index],
                ..OffsetFetchRequestTopics::default()
            });
    let topics: Vec<_> = topics.collect();
    Request::OffsetFetch {
        group: OffsetFetchRequestGroup {
            group_id: Str::from(GROUP),
            topics: (!topics.is_empty()).then_some(topics),
            ..OffsetFetchRequestGroup::default()
        },
        require_stable: false,
    }
}

fn undo(arguments: &Arguments) -> Request {
    let topics =
        arguments
            .partitions()
            .into_iter()
            .map(|(topic, index, _)| OffsetDeleteRequestTopic {
                name: Str::from(topic),
                partitions: vec![OffsetDeleteRequestPartition {
                    partition_index: index,
                }],
            });
    Request::OffsetDelete(OffsetDeleteRequest {
        group_id: Str::from(GROUP),
        topics: topics.collect(),
    })
}

fn list(arguments: &Arguments) -> ListGroupsRequest {
    let filter = |key: &str| arguments.text(key).map(Str::from).into_iter().collect();
    ListGroupsRequest {
        states_filter: filter("states"),
        types_filter: filter("types"),
    }
}
