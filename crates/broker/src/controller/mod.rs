//! The controller: decides about metadata, one decision at a time, on shard 0.
//!
//! A decision is written to the metadata log, durable there, applied, taken over by every shard, and only then
//! answered. So a client that created a topic can use it at once through any connection.
//!
//! The queue is bounded by the control credits of the other shards and by the connections of this one.

mod configs;
mod directories;
mod moves;
mod store;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, VecDeque};
use std::io::Result;
use std::rc::Rc;
use std::sync::Arc;

use config::BrokerConfig;
use futures_util::future::join_all;
use io::sync::{Notify, Promise};
use io::{Instant, Io};
use metadata::record::{BrokerEndpoint, RegisterBrokerRecord};
use metadata::{
    AlterConfigsReply, ConfigChange, CreatePartitionsReply, CreateTopicsReply, CreateTopicsRules,
    Decision, DeletedTopic, DirectoryChange, FeatureUpdate, Machine, MetadataImage, MetadataRecord,
    NewPartitions, NewTopic, PartitionMove, ProducerIdBlock, Reassignment, Refusal,
    SUPPORTED_FEATURES, TopicSelector, decide_bootstrap, decide_create_partitions,
    decide_create_topics, decide_delete_topics, decide_directory_change, decide_producer_ids,
    decide_register_broker, decide_spread, decide_update_features,
};
use protocol::Str;
use rustc_hash::FxHashSet;
use types::{ErrorCode, Uuid};

use crate::mesh::ReturnAddress;
use crate::message::{Control, Reply};
use crate::shard::{Shard, lifecycle};
use directories::WishedDirectories;
use moves::{MoveVerdict, MovesUnderWay, Progress};
use store::MetadataStore;

/// A change to decide.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    CreateTopics {
        topics: Vec<NewTopic>,
        validate_only: bool,
    },
    DeleteTopics(Vec<TopicSelector>),
    CreatePartitions {
        topics: Vec<NewPartitions>,
        validate_only: bool,
    },
    AlterConfigs {
        changes: Vec<ConfigChange>,
        validate_only: bool,
    },
    UpdateFeatures {
        updates: Vec<FeatureUpdate>,
        validate_only: bool,
    },
    AllocateProducerIds,
    /// Move partitions as a client wants it, until the deadline.
    Reassign {
        wanted: Vec<Reassignment>,
        allows_factor_change: bool,
        deadline: Instant,
    },
    /// Move partitions as the balancer wants it.
    Rebalance(Vec<PartitionMove>),
    /// Go on with moves, after others have had their turn.
    GoOn(MovesUnderWay),
    /// The copy of a log in another directory is complete: it is the partition's from now on.
    ChangeDirectory(DirectoryChange),
    /// Put a partition that is not there yet into this directory when it is created.
    WishDirectory {
        topic: String,
        partition: i32,
        directory: Uuid,
    },
    /// Let this be what is written in the configuration.
    Reload(Arc<BrokerConfig>),
    /// Accept no more commands and close the metadata log.
    Close,
}

/// The answer to the [`Command`] of the same name.
#[derive(Clone, Debug)]
pub(crate) enum CommandResult {
    CreatedTopics(CreateTopicsReply),
    DeletedTopics(Vec<DeletedTopic>),
    CreatedPartitions(CreatePartitionsReply),
    AlteredConfigs(AlterConfigsReply),
    UpdatedFeatures,
    ProducerIds(ProducerIdBlock),
    Reassigned(Vec<MoveVerdict>),
    Rebalanced,
    ChangedDirectory,
    WishedDirectory,
    Reloaded,
    Closed,
    /// The whole command is refused.
    Refused(Refusal),
}

/// Who waits for an answer.
pub(crate) enum Asker {
    Local(Promise<CommandResult>),
    Remote(ReturnAddress),
}

impl Asker {
    fn answer<I: Io>(self, shard: &Shard<I>, result: CommandResult) {
        match self {
            Self::Local(promise) => promise.fulfil(result),
            Self::Remote(address) => shard
                .mesh
                .reply_to(address, Reply::Decided(Box::new(result))),
        }
    }
}

/// The queue of commands.
#[derive(Default)]
pub(crate) struct Controller {
    queue: RefCell<VecDeque<(Command, Asker)>>,
    arrived: Notify,
    has_failed: Cell<bool>,
}

impl Controller {
    /// Adds a command behind those that wait.
    pub(crate) fn submit(&self, command: Command, asker: Asker) {
        self.queue.borrow_mut().push_back((command, asker));
        self.arrived.notify_all();
    }

    /// Whether the metadata log has failed: nothing can be decided until the next start.
    pub(crate) fn has_failed(&self) -> bool {
        self.has_failed.get()
    }

    /// Refuses what nobody will carry out any more.
    fn refuse_all<I: Io>(&self, shard: &Shard<I>) {
        let left = self.queue.take();
        for (_, asker) in left {
            let message = "the broker is shutting down";
            let refusal = Refusal::new(ErrorCode::NotController, message);
            asker.answer(shard, CommandResult::Refused(refusal));
        }
    }

    async fn next(&self) -> (Command, Asker) {
        loop {
            let arrived = self.arrived.notified();
            if let Some(next) = self.queue.borrow_mut().pop_front() {
                return next;
            }
            arrived.await;
        }
    }
}

/// The state that decisions change; one task owns it.
pub(crate) struct Decider<I: Io> {
    shard: Rc<Shard<I>>,
    store: MetadataStore<I>,
    image: Arc<MetadataImage>,
    /// What is written in the configuration.
    written: Arc<BrokerConfig>,
    machine: Machine,
    /// Topics that the log removes, as far back as it goes.
    removed_topics: FxHashSet<Uuid>,
    /// The log directories, by index, whose checkpoints on disk may have lines of deleted topics: a log of the same name
    /// would be held against them.
    foreign_checkpoints: BTreeSet<usize>,
    wished_directories: WishedDirectories,
}

impl<I: Io> Decider<I> {
    /// Opens the metadata log, and brings it up to date with this machine: a new cluster is begun, the broker is
    /// registered, and partitions are spread anew if the number of shards has changed.
    ///
    /// # Errors
    /// The operating system's, and what makes the log unusable.
    pub(crate) async fn open(shard: Rc<Shard<I>>) -> Result<Self> {
        let setup = Arc::clone(&shard.setup);
        let directory = setup
            .directories
            .first()
            .expect("a broker has a log directory");
        let (store, replay) =
            MetadataStore::open(shard.io.clone(), &directory.path, directory.is_clean).await?;
        // Before the first write: a log that changes after the mark is no longer the one that was closed.
        let unmarked = lifecycle::remove_clean_marks(&shard).await;
        unmarked.map_err(std::io::Error::other)?;
        let machine = Machine {
            node: shard.config().node_id,
            shards: u16::try_from(shard.mesh.shards().count())
                .expect("shards are numbered in 16 bits"),
            directories: shard.measured_directories().await,
        };
        let foreign_checkpoints = (0..setup.directories.len()).collect();
        let mut decider = Self {
            written: Arc::clone(&shard.view().written),
            shard,
            store,
            image: Arc::new(replay.image),
            machine,
            removed_topics: replay.removed_topics.into_iter().collect(),
            foreign_checkpoints,
            wished_directories: WishedDirectories::default(),
        };
        let refused = |refusal: Refusal| std::io::Error::other(refusal.message);
        let bootstrap = decide_bootstrap(&decider.image, setup.cluster_id, SUPPORTED_FEATURES)
            .map_err(refused)?;
        decider.write(&bootstrap.records).await?;
        let registration = decide_register_broker(&decider.image, decider.registration());
        decider.write(&registration.records).await?;
        let spread = decide_spread(&decider.image, &decider.machine);
        if !spread.reply.is_empty() {
            tracing::info!(
                shards = decider.machine.shards,
                partitions = spread.reply.len(),
                "the number of shards has changed: spread the partitions anew"
            );
        }
        decider.write(&spread.records).await?;
        Ok(decider)
    }

    /// The state of the cluster.
    pub(crate) fn image(&self) -> &Arc<MetadataImage> {
        &self.image
    }

    /// Whether a topic is known to have been deleted: its record is in the log at least until its directories have other
    /// names.
    pub(crate) fn has_removed(&self, topic: Uuid) -> bool {
        self.removed_topics.contains(&topic) && self.image.topic(topic).is_none()
    }

    /// Decides until it is told to close.
    pub(crate) async fn run(mut self) {
        let shard = Rc::clone(&self.shard);
        loop {
            let (command, asker) = shard.controller.next().await;
            let is_last = matches!(command, Command::Close);
            match self.carry_out(command).await {
                Progress::Done(result) => asker.answer(&shard, result),
                Progress::More(moves) => shard.controller.submit(Command::GoOn(moves), asker),
            }
            if is_last {
                return shard.controller.refuse_all(&shard);
            }
            if let Err(error) = self.store.compact(&self.image).await {
                tracing::error!(%error, "cannot write a metadata snapshot");
            }
            shard.controller.has_failed.set(self.store.is_failed());
        }
    }

    async fn carry_out(&mut self, command: Command) -> Progress {
        let moves = match command {
            Command::Reassign {
                wanted,
                allows_factor_change,
                deadline,
            } => self.begin_reassigning(&wanted, allows_factor_change, deadline),
            Command::Rebalance(moves) => MovesUnderWay::of_balancer(moves),
            Command::GoOn(moves) => moves,
            other => return Progress::Done(self.carry_out_whole(other).await),
        };
        self.go_on(moves).await
    }

    async fn carry_out_whole(&mut self, command: Command) -> CommandResult {
        if matches!(command, Command::Close) {
            return match self.store.close().await {
                Ok(()) => CommandResult::Closed,
                Err(error) => {
                    tracing::error!(%error, "cannot close the metadata log");
                    let message = format!("cannot close the metadata log: {error}");
                    CommandResult::Refused(Refusal::new(ErrorCode::KafkaStorageError, message))
                }
            };
        }
        if let Command::Reload(written) = command {
            return self.reload(written).await;
        }
        if adds_partitions(&command) && !self.foreign_checkpoints.is_empty() {
            self.forget_checkpoints().await;
            let online = self.shard.online_directories();
            if online
                .iter()
                .all(|(index, _)| self.has_foreign_checkpoints(*index))
            {
                let message = "the checkpoints of deleted topics cannot be written";
                let refusal = Refusal::new(ErrorCode::KafkaStorageError, message);
                return CommandResult::Refused(refusal);
            }
        }
        if let Command::WishDirectory {
            topic,
            partition,
            directory,
        } = command
        {
            let now = self.shard.io.now();
            self.wished_directories
                .remember(&topic, partition, directory, now);
            return CommandResult::WishedDirectory;
        }
        if let Err(refusal) = self.look_at_directories(&command).await {
            return CommandResult::Refused(refusal);
        }
        let shard = Rc::clone(&self.shard);
        let _logs = match &command {
            Command::ChangeDirectory(_) if shard.moves_are_over.get() => {
                let message = "the broker is shutting down";
                let refusal = Refusal::new(ErrorCode::OperationNotAttempted, message);
                return CommandResult::Refused(refusal);
            }
            // The end closes the logs that it finds, and must not find one that is about to be replaced.
            Command::ChangeDirectory(_) => Some(shard.moving.acquire(1).await),
            _ => None,
        };
        match self.decide(command) {
            Err(refusal) => CommandResult::Refused(refusal),
            Ok(Decision { records, reply }) if records.is_empty() => reply,
            Ok(Decision { mut records, reply }) => match self.write_new(&mut records).await {
                Ok(()) => {
                    self.publish().await;
                    if matches!(reply, CommandResult::DeletedTopics(_)) {
                        self.forget_checkpoints().await;
                    }
                    reply
                }
                Err(error) => {
                    tracing::error!(%error, "cannot write the metadata log");
                    let message = format!("cannot write the metadata log: {error}");
                    CommandResult::Refused(Refusal::new(ErrorCode::KafkaStorageError, message))
                }
            },
        }
    }

    /// Puts another configuration in force on every shard, if it goes with what clients have set.
    async fn reload(&mut self, written: Arc<BrokerConfig>) -> CommandResult {
        if let Err(refusal) = configs::check_reload(&self.written, &written, &self.image) {
            return CommandResult::Refused(refusal);
        }
        self.written = written;
        self.publish().await;
        CommandResult::Reloaded
    }

    /// Takes the lines of deleted topics out of the checkpoints. No partition is created where that fails.
    pub(crate) async fn forget_checkpoints(&mut self) {
        let saved = lifecycle::checkpoint_now(&self.shard).await;
        let all = 0..self.shard.setup.directories.len();
        self.foreign_checkpoints = all.filter(|index| !saved.has(*index)).collect();
    }

    fn has_foreign_checkpoints(&self, index: usize) -> bool {
        self.foreign_checkpoints.contains(&index)
    }

    fn decide(&self, command: Command) -> std::result::Result<Decision<CommandResult>, Refusal> {
        Ok(match command {
            Command::CreateTopics {
                topics,
                validate_only,
            } => {
                let decision = self.decide_create(&topics)?;
                unless_only(validate_only, decision).map(CommandResult::CreatedTopics)
            }
            Command::CreatePartitions {
                topics,
                validate_only,
            } => {
                let decision = decide_create_partitions(&self.image, &topics, &self.machine)?;
                unless_only(validate_only, decision).map(CommandResult::CreatedPartitions)
            }
            Command::AlterConfigs {
                changes,
                validate_only,
            } => {
                let decision = configs::decide(&self.shard, &self.image, &changes)?;
                unless_only(validate_only, decision).map(CommandResult::AlteredConfigs)
            }
            Command::DeleteTopics(selectors) => {
                decide_delete_topics(&self.image, &selectors).map(CommandResult::DeletedTopics)
            }
            Command::UpdateFeatures {
                updates,
                validate_only,
            } => {
                let node = self.machine.node;
                let decision =
                    decide_update_features(&self.image, &updates, SUPPORTED_FEATURES, node)?;
                unless_only(validate_only, decision).map(|()| CommandResult::UpdatedFeatures)
            }
            Command::AllocateProducerIds => {
                decide_producer_ids(&self.image, self.machine.node)?.map(CommandResult::ProducerIds)
            }
            Command::ChangeDirectory(change) => {
                decide_directory_change(&self.image, &self.machine, &change)?
                    .map(|()| CommandResult::ChangedDirectory)
            }
            Command::Close
            | Command::Reload(_)
            | Command::Reassign { .. }
            | Command::Rebalance(_)
            | Command::GoOn(_)
            | Command::WishDirectory { .. } => Decision {
                records: Vec::new(),
                reply: CommandResult::Closed,
            },
        })
    }

    fn decide_create(
        &self,
        topics: &[NewTopic],
    ) -> std::result::Result<Decision<CreateTopicsReply>, Refusal> {
        let config = self.shard.config();
        let check_configs =
            |configs: &[(Str, Option<Str>)]| configs::check_topic(&config, configs.iter());
        let rules = CreateTopicsRules {
            default_partitions: config.values.num_partitions,
            default_replication_factor: i16::try_from(config.values.default_replication_factor)
                .unwrap_or(1),
            check_configs: &check_configs,
            machine: &self.machine,
        };
        decide_create_topics(&self.image, topics, &rules)
    }

    /// As [`Decider::write`]; new partitions go where they were wished.
    async fn write_new(&mut self, records: &mut [MetadataRecord]) -> Result<()> {
        let now = self.shard.io.now();
        self.wished_directories
            .fulfil(&self.image, &self.machine, records, now);
        self.write(records).await
    }

    /// Makes records durable and applies them.
    async fn write(&mut self, records: &[MetadataRecord]) -> Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let next = self
            .image
            .with(records)
            .expect("a decision fits the image that it was made on");
        self.store.append(&self.image, records).await?;
        self.image = Arc::new(next);
        Ok(())
    }

    /// Gives the image to every shard and waits until each has taken it over.
    pub(crate) async fn publish(&self) {
        let shard = &self.shard;
        let others = shard.mesh.shards().filter(|other| *other != shard.id());
        let told = others.map(|other| async move {
            let image = Control::Image(Arc::clone(&self.image), Arc::clone(&self.written));
            shard.mesh.control(other, image).await.await
        });
        futures_util::future::join(
            join_all(told),
            shard.take_over(Arc::clone(&self.image), &self.written),
        )
        .await;
    }

    fn registration(&self) -> RegisterBrokerRecord {
        RegisterBrokerRecord {
            broker_id: self.machine.node.0,
            incarnation_id: random_uuid(&self.shard.io),
            end_points: self
                .shard
                .advertise()
                .endpoints()
                .map(|(name, host, port)| BrokerEndpoint {
                    name: name.clone(),
                    host: host.clone(),
                    port: u16::try_from(port).unwrap_or(0),
                    security_protocol: 0,
                })
                .collect(),
            rack: self
                .shard
                .config()
                .values
                .broker_rack
                .as_deref()
                .map(Into::into),
            log_dirs: self.machine.directories.iter().map(|it| it.id).collect(),
            ..RegisterBrokerRecord::default()
        }
    }
}

/// The decision, without its records if the request only wants to validate.
fn unless_only<R>(validate_only: bool, decision: Decision<R>) -> Decision<R> {
    if validate_only {
        decision.without_records()
    } else {
        decision
    }
}

/// Whether a command may give a partition its first log.
fn adds_partitions(command: &Command) -> bool {
    matches!(
        command,
        Command::CreateTopics {
            validate_only: false,
            ..
        } | Command::CreatePartitions {
            validate_only: false,
            ..
        }
    )
}

/// A random id.
pub(crate) fn random_uuid(io: &impl Io) -> Uuid {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&io.random().to_be_bytes());
    bytes[8..].copy_from_slice(&io.random().to_be_bytes());
    Uuid::from_random(bytes)
}
