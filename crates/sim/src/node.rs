//! The real broker on a simulated machine, started as the process `logan` starts it.

use std::cell::Cell;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use crate::{Link, Machine, Receiver, Rng, Sender, SimIo, Socket};
use ::io::{Io as _, Receiver as _, Sender as _, Task as _, TaskClass};
use broker::{
    Accepted, Advertise, LogDirectory, MeshCredits, OnChange, Scrape, ShardCommand, ShardEvent,
    ShardSeed, ShardSetup, run_shard,
};
use config::{BrokerConfig, Sources};
use storage::checkpoint::CLEAN_SHUTDOWN_FILE;
use types::{Sample, Series, Uuid};

const DATA: &str = "/data";
const PORT: u16 = 9092;
const ACCEPTED_MAX: usize = 64;
const EVENTS_MAX: usize = 4;

/// What a broker is told.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// How many shards it has, at least one.
    pub shards: u32,
    /// How many log directories it has, at least one.
    pub directories: u8,
    /// The credits between its shards, if not those of its configuration.
    pub credits: Option<MeshCredits>,
    /// Lines of its configuration, as `key=value`.
    pub overrides: Vec<String>,
}

/// A broker that runs.
#[derive(Debug)]
pub struct Node {
    accepted: Vec<Sender<Accepted<Socket>>>,
    commands: Sender<ShardCommand>,
    events: Receiver<ShardEvent>,
    scraped: Vec<Sender<Scrape<SimIo>>>,
    clients: Cell<u16>,
}

impl Node {
    /// Starts a broker and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready.
    ///
    /// # Panics
    /// When its configuration is not one.
    pub async fn start(machine: &Machine, config: &NodeConfig) -> Result<Self, String> {
        let (node, seeds) = prepare(machine, config).await;
        for (number, seed) in (0..).zip(seeds) {
            let io = machine.shard(number);
            let shard = run_shard(io.clone(), seed);
            io.spawn(TaskClass::Foreground, shard).detach();
        }
        match node.events.recv().await {
            Some(ShardEvent::Ready) => Ok(node),
            event => Err(format!("the broker does not start: {event:?}")),
        }
    }

    /// Ends the broker as SIGTERM does.
    ///
    /// # Panics
    /// When it does not end in good order.
    pub async fn drain(&self) {
        let sent = self.commands.try_send(ShardCommand::Drain);
        sent.expect("a broker is drained once");
        let event = self.events.recv().await;
        assert!(
            matches!(event, Some(ShardEvent::Drained { .. })),
            "{event:?}"
        );
    }

    /// A connection to one shard, as the router would give it; none while the shard takes no more.
    pub fn connect(&self, shard: usize) -> Option<(Socket, Link)> {
        let number = self.clients.get();
        self.clients.set(number.wrapping_add(1));
        let [high, low] = number.to_be_bytes();
        let client = SocketAddr::from(([10, 1, high, low], 40_000));
        let wire = crate::connect(SocketAddr::from(([10, 0, 0, 1], PORT)), client);
        let accepted = Accepted {
            socket: wire.server,
            listener: 0,
        };
        let sent = self.accepted[shard].try_send(accepted);
        sent.is_ok().then_some((wire.client, wire.link))
    }

    /// What a shard tells of itself, as the control thread would ask.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn scrape(&self, shard: usize) -> Result<Vec<Sample>, String> {
        let (reply, answer) = SimIo::mailbox(1);
        let scrape = Scrape {
            reply,
            series: Series::default(),
        };
        let sent = self.scraped[shard].try_send(scrape);
        sent.map_err(|_full| format!("shard {shard} is not to be asked"))?;
        let snapshot = answer.recv().await;
        let snapshot = snapshot.ok_or_else(|| format!("shard {shard} does not answer"))?;
        Ok(snapshot.samples)
    }

    /// How many shards it has.
    #[must_use]
    pub fn shards(&self) -> usize {
        self.accepted.len()
    }
}

async fn prepare(machine: &Machine, config: &NodeConfig) -> (Node, Vec<ShardSeed<SimIo>>) {
    let shards = usize::try_from(config.shards).expect("few shards");
    let setup = Arc::new(setup(machine, config).await);
    let credits = config
        .credits
        .unwrap_or_else(|| broker::mesh_credits(&setup.config, shards));
    let (events, events_in) = SimIo::mailbox(EVENTS_MAX);
    let (mut accepted, mut commands, mut seeds) = (Vec::new(), Vec::new(), Vec::new());
    let mut scraped = Vec::new();
    for port in broker::mesh::<SimIo>(shards, credits) {
        let (sender, accepted_in) = SimIo::mailbox(ACCEPTED_MAX);
        accepted.push(sender);
        let (sender, commands_in) = SimIo::mailbox(1);
        commands.push(sender);
        let (sender, scrapes) = SimIo::mailbox(1);
        scraped.push(sender);
        seeds.push(ShardSeed {
            port,
            accepted: accepted_in,
            commands: commands_in,
            scrapes,
            spans: None,
            events: events.clone(),
            setup: Arc::clone(&setup),
            failed_directories: Vec::new(),
        });
    }
    let node = Node {
        accepted,
        commands: commands.swap_remove(0),
        events: events_in,
        scraped,
        clients: Cell::new(0),
    };
    (node, seeds)
}

/// The paths of the log directories.
pub fn paths(directories: u8) -> impl Iterator<Item = String> {
    let others = (1..directories).map(|index| format!("{DATA}-{index}"));
    std::iter::once(DATA.to_owned()).chain(others)
}

async fn take_directory(machine: &Machine, number: u8, path: String) -> LogDirectory {
    let io = machine.shard(u32::MAX);
    let path = PathBuf::from(path);
    io.create_dir_all(&path).await.expect("a directory");
    io.sync_dir("/".as_ref()).await.expect("a sync");
    // The broker itself removes the mark.
    let is_clean = io
        .list_dir(&path)
        .await
        .expect("a list")
        .iter()
        .any(|entry| entry.name == CLEAN_SHUTDOWN_FILE);
    LogDirectory {
        path,
        id: Uuid([3 + number; 16]),
        is_clean,
        numa_node: -1,
        failure: None,
    }
}

async fn setup(machine: &Machine, config: &NodeConfig) -> ShardSetup {
    let mut directories = Vec::new();
    for (number, path) in (0..).zip(paths(config.directories)) {
        directories.push(take_directory(machine, number, path).await);
    }
    let named: Vec<_> = paths(config.directories).collect();
    let mut sources = Sources::development();
    let common = [
        format!("log.dirs={}", named.join(",")),
        "logan.cache.bytes=1048576".to_owned(),
    ];
    for argument in common.iter().chain(&config.overrides) {
        sources.add_override(argument).expect("a key and a value");
    }
    let broker = BrokerConfig::from_sources(&sources).expect("a configuration");
    let shards = u16::try_from(config.shards).expect("few shards");
    let advertise = Advertise::new(&broker, &[PORT], "broker", shards);
    let cache_bytes = broker.cache_bytes(1 << 30);
    ShardSetup {
        advertise,
        directories,
        cluster_id: Uuid([2; 16]),
        cache_bytes: usize::try_from(cache_bytes).expect("small"),
        descriptors_max: 1024,
        on_change: OnChange::default(),
        config: broker,
    }
}

/// How a broker ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// The power is cut.
    PowerCut,
    /// The process dies.
    Kill,
    /// It is drained; then the power is cut.
    Drain,
}

impl Crash {
    /// One of them, half of the time a power cut.
    #[must_use]
    pub fn drawn(rng: &Rng) -> Self {
        match rng.below(4) {
            0 => Self::Kill,
            1 => Self::Drain,
            _ => Self::PowerCut,
        }
    }

    /// Ends the broker that runs.
    ///
    /// # Panics
    /// When one is to be drained and none runs.
    pub async fn happen(self, machine: &Machine, node: Option<Rc<Node>>) {
        match self {
            Self::PowerCut => machine.cut_power(),
            Self::Kill => machine.kill(),
            Self::Drain => {
                node.expect("a broker runs").drain().await;
                machine.cut_power();
            }
        }
    }
}
