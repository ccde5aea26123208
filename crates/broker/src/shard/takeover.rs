//! Taking over a new state of the cluster: logs are opened, created and deleted as it says.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use config::BrokerConfig;
use futures_util::StreamExt as _;
use futures_util::future::{join_all, select};
use futures_util::stream;
use io::Io;
use metadata::{MetadataImage, PartitionImage, TopicImage};
use protocol::Str;
use storage::{LastKnown, Log, LogConfig, LogIdentity, OpenError};
use types::{DurationMs, Event, Offset, PartitionIndex, Uuid};

use super::claims::{self, Claims};
use super::directory_move::DirectoryMove;
use super::lifecycle::Checkpoints;
use super::strays::{futures_of, topic_id_of};
use super::{CONTROLLER, LogDirectory, Shard, pace_of};
use crate::message::{HandedOver, LogCheckpoint, PartitionKey};
use crate::partition::Partition;
use crate::topics::{TopicSettings, View};

/// How often it is tried to give a copy that has become a partition's log its name.
const PROMOTE_ATTEMPTS_MAX: u32 = 5;

/// The pause before the next try, ...
const PROMOTE_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// ... which grows up to this where a log that has moved keeps its name.
const REMOVE_AGAIN_AFTER_MAX: Duration = Duration::from_secs(60);

/// Logs that are opened at the same time, at the start.
const OPENING_MAX: usize = 64;

/// A log that has to be opened.
pub(super) struct Opening {
    key: PartitionKey,
    topic: Arc<TopicImage>,
    settings: Rc<TopicSettings>,
    directory: LogDirectory,
    image: PartitionImage,
    /// What the shard before this one has said of it.
    handed_over: Option<HandedOver>,
}

impl<I: Io> Shard<I> {
    /// Takes over a new image, and what is written in the configuration. When it returns, every partition of this shard has
    /// its log, or is known to be offline.
    pub(crate) async fn take_over(
        self: &Rc<Self>,
        image: Arc<MetadataImage>,
        written: &Arc<BrokerConfig>,
    ) {
        let before = self.view();
        let view = Rc::new(View::new(image, Some(&before), written));
        let openings = self.missing_logs(&before, &view);
        if !openings.is_empty() {
            // After the start every log that is missing is new.
            let is_start = before.image.end_offset() == Offset(0);
            let checkpoints = if is_start {
                self.read_checkpoints().await
            } else {
                Checkpoints::default()
            };
            stream::iter(openings)
                .for_each_concurrent(OPENING_MAX, |opening| self.open_log(opening, &checkpoints))
                .await;
        }
        *self.view.borrow_mut() = Rc::clone(&view);
        if self.id() == CONTROLLER && !Rc::ptr_eq(&before.config, &view.config) {
            self.setup.on_change.changed(&view.config);
        }
        self.measures_load
            .set(view.config.values.logan_balancer_enable);
        if !Rc::ptr_eq(&before.config, &view.config) {
            let shards = self.mesh.shards().count();
            let ratio = view.config.values.logan_tracing_otlp_sample_ratio;
            self.tracing.set_ratio(ratio);
            self.storage.set_pace(pace_of(&view.config, shards));
            self.reconfigured.notify_all();
        }
        self.tell_coordinators(&before, &view);
        self.follow_groups();
        self.follow(&before, &view).await;
    }

    /// The logs that have to be opened: those of topics that changed, and those that could not be opened before.
    fn missing_logs(&self, before: &View, view: &View) -> Vec<Opening> {
        let mut openings = Vec::new();
        let changed = view.changed_since(before);
        let mut topics: BTreeSet<Uuid> = changed.into_iter().map(|(id, _)| id).collect();
        topics.extend(self.offline.borrow().keys().map(|key| key.topic_id));
        for id in topics {
            let Some((topic, settings)) = view.image.topic(id).zip(view.settings(id)) else {
                continue;
            };
            for (index, image) in (0..).zip(&topic.partitions) {
                let key = PartitionKey {
                    topic_id: topic.id,
                    index,
                };
                let has_failed = self.failed.borrow().contains(&key);
                if image.shard != Some(self.id()) || has_failed || self.partition(key).is_ok() {
                    continue;
                }
                let directory = match self.directory_of(image) {
                    Ok(index) => self.setup.directories[index].clone(),
                    Err(id) => {
                        if self.offline.borrow_mut().insert(key, None).is_none() {
                            tracing::error!(topic = %topic.name, partition = index, directory = %id,
                                "the partition is offline: its log directory has failed, or log.dirs does not name it");
                        }
                        continue;
                    }
                };
                openings.push(Opening {
                    key,
                    topic: Arc::clone(topic),
                    settings: Rc::clone(settings),
                    directory,
                    image: image.clone(),
                    handed_over: None,
                });
            }
        }
        openings
    }

    /// How to open the log of a partition that another shard has let go of; `None` if there is no such partition.
    pub(super) fn opening_of(&self, view: &View, arrived: HandedOver) -> Option<Opening> {
        let key = arrived.key;
        let image = view.partition(key)?;
        let directory = self.directory_of(image).ok()?;
        Some(Opening {
            key,
            topic: Arc::clone(view.image.topic(key.topic_id)?),
            settings: Rc::clone(view.settings(key.topic_id)?),
            directory: self.setup.directories[directory].clone(),
            image: image.clone(),
            handed_over: Some(arrived),
        })
    }

    /// Opens a log, or notes that the partition is offline.
    pub(super) async fn open_log(self: &Rc<Self>, opening: Opening, checkpoints: &Checkpoints) {
        let Opening {
            key,
            topic,
            settings,
            directory,
            image,
            handed_over,
        } = opening;
        let path = log_path(&directory, &topic.name, key.index);
        let identity = LogIdentity {
            topic: Rc::from(topic.name.as_str()),
            partition: PartitionIndex(key.index),
            topic_id: topic.id,
        };
        // A log that could not be opened before, or that another shard had, is known better than by the files.
        let known = match &handed_over {
            Some(arrived) => arrived.checkpoint.clone(),
            None => self.offline.borrow().get(&key).cloned().flatten(),
        };
        let (found, cleaner_offset) = match known {
            Some(it) => ((it.recovery_point, it.log_start_offset), it.cleaner_offset),
            None => (
                checkpoints.of(&directory, &topic.name, key.index),
                checkpoints.cleaner_offset(&directory, &topic.name, key.index),
            ),
        };
        let may_have_copy = self.offline.borrow().contains_key(&key)
            || checkpoints.may_have_copy(&path, identity.partition);
        let opened = match handed_over.and_then(|arrived| arrived.last) {
            Some(last) => {
                let config = settings.log.clone();
                Log::open(&self.storage, &path, identity, config, last).await
            }
            None => match self.settle(may_have_copy, &path, &identity, found).await {
                Ok(()) => {
                    self.open_or_create(&path, identity, &settings, directory.is_clean, found)
                        .await
                }
                Err(error) => Err(error),
            },
        };
        match opened {
            Ok(log) => {
                log.assign_leader_epoch(image.leader_epoch);
                if let Some(offset) = cleaner_offset
                    && !log.set_cleaner_offset(offset)
                {
                    tracing::warn!(topic = %topic.name, partition = key.index, %offset, end = %log.log_end_offset(),
                        "the log ends before what was cleaned: it is cleaned from its begin");
                }
                let partition =
                    Partition::new(self, key, image.leader_epoch, settings.log.clone(), log);
                let log = partition.log.identity().log_name();
                let opened = Event::PartitionOpened { log };
                self.io.record_now(opened);
                self.offline.borrow_mut().remove(&key);
                self.partitions.borrow_mut().insert(key, partition);
            }
            Err(error) => {
                tracing::error!(topic = %topic.name, partition = key.index, %error, "the partition is offline");
                let checkpoint = self.directory_index(path.as_path()).map(|directory| {
                    let (recovery_point, log_start_offset) = found;
                    LogCheckpoint {
                        directory,
                        topic: topic.name.clone(),
                        partition: key.index,
                        recovery_point,
                        log_start_offset,
                        cleaner_offset,
                    }
                });
                self.offline.borrow_mut().insert(key, checkpoint);
            }
        }
    }

    /// A copy that has not got the partition's name yet is its log, if there is nothing better: without this a log would be
    /// made beside it.
    async fn settle(
        &self,
        may_have_copy: bool,
        path: &Path,
        identity: &LogIdentity,
        known: (Offset, Offset),
    ) -> Result<(), OpenError> {
        let Some(directory) = self.directory_index(path).filter(|_| may_have_copy) else {
            return Ok(());
        };
        let copies = futures_of(self, directory, identity).await?;
        if copies.is_empty() {
            return Ok(());
        }
        let claims = Claims {
            directory,
            topic: Str::from(&*identity.topic),
            partition: identity.partition.0,
            has_home: !claims::is_free(self, path).await,
            copies,
        };
        claims::settle(self, &claims, known).await
    }

    async fn open_or_create(
        &self,
        path: &Path,
        identity: LogIdentity,
        settings: &TopicSettings,
        is_clean: bool,
        (recovery_point, log_start_offset): (Offset, Offset),
    ) -> Result<Log<I>, OpenError> {
        let config = settings.log.clone();
        let is_new = match self.io.list_dir(path).await {
            Err(error) => error.kind() == ErrorKind::NotFound,
            Ok(_) => false,
        };
        if is_new && (recovery_point > Offset(0) || log_start_offset > Offset(0)) {
            return Err(OpenError::Corrupt {
                path: path.to_path_buf(),
                position: 0,
                offset: log_start_offset,
                recovery_point,
                detail: "the directory is missing".to_owned(),
            });
        }
        if is_new || self.make_way(path, identity.topic_id, &config).await? {
            return Log::create(&self.storage, path, identity, config).await;
        }
        let last = LastKnown {
            is_clean,
            recovery_point,
            log_start_offset,
        };
        Log::open(&self.storage, path, identity, config, last).await
    }

    /// Deletes the directory of an earlier topic of the same name, when its deletion could not. Returns whether it did.
    async fn make_way(
        &self,
        path: &Path,
        topic_id: Uuid,
        config: &LogConfig,
    ) -> Result<bool, OpenError> {
        let view = self.view();
        // At the start strays have been set aside.
        if view.image.end_offset() == Offset(0) {
            return Ok(false);
        }
        let found = topic_id_of(self, path).await;
        let is_deleted = found.is_some_and(|id| id != topic_id && view.image.topic(id).is_none());
        if !is_deleted {
            return Ok(false);
        }
        let delay = u64::try_from(config.file_delete_delay_ms.0).unwrap_or(0);
        let delay = Duration::from_millis(delay);
        self.storage.delete_directory(path, delay).await?;
        Ok(true)
    }

    /// The partitions that this shard has of topics with so many partitions.
    fn partitions_of(&self, topics: &[(Uuid, usize)]) -> Vec<Rc<Partition<I>>> {
        let partitions = self.partitions.borrow();
        let keys = topics.iter().flat_map(|(topic_id, count)| {
            (0..).take(*count).map(|index| PartitionKey {
                topic_id: *topic_id,
                index,
            })
        });
        keys.filter_map(|key| partitions.get(&key).map(Rc::clone))
            .collect()
    }

    /// Gives partitions their new epochs and configurations, and lets go of those that are not this shard's any more.
    async fn follow(self: &Rc<Self>, before: &View, view: &View) {
        let expiration = i64::from(view.config.values.producer_id_expiration_ms);
        let expiration = DurationMs(expiration);
        let mut gone = Vec::new();
        let partitions = self.partitions_of(&view.changed_since(before));
        for partition in partitions {
            let key = partition.key;
            let image = view
                .partition(key)
                .filter(|image| image.shard == Some(self.id()));
            let Some(image) = image else {
                gone.push(key);
                continue;
            };
            partition.log.set_producer_id_expiration(expiration);
            let Some(settings) = view.settings(key.topic_id) else {
                continue;
            };
            if let Ok(index) = self.directory_of(image)
                && self.directory_index(partition.log.dir()) != Some(index)
            {
                self.relocate(&partition, index, image, settings).await;
                continue;
            }
            partition.set_leader_epoch(image.leader_epoch);
            partition.configure(&settings.log);
        }
        self.offline
            .borrow_mut()
            .retain(|key, _| view.partition(*key).is_some());
        self.failed
            .borrow_mut()
            .retain(|key| view.partition(*key).is_some());
        let gone = gone.into_iter().filter_map(|key| {
            let partition = self.partitions.borrow_mut().remove(&key)?;
            let is_deleted = view.image.topic(key.topic_id).is_none();
            Some(async move { partition.let_go(is_deleted).await })
        });
        // Until a deleted topic's directory has another name, no topic of the same name can be created.
        join_all(gone.collect::<Vec<_>>()).await;
    }
}

impl<I: Io> Shard<I> {
    /// Puts the complete copy of a log in its place, in another directory, and removes the log.
    async fn relocate(
        self: &Rc<Self>,
        partition: &Rc<Partition<I>>,
        target: usize,
        image: &PartitionImage,
        settings: &TopicSettings,
    ) {
        let (key, log) = (partition.key, &partition.log);
        match self.open_copy(partition, target, settings).await {
            Ok(copy) => {
                let expiration = self.config().values.producer_id_expiration_ms;
                copy.set_producer_id_expiration(DurationMs(i64::from(expiration)));
                let successor =
                    Partition::new(self, key, image.leader_epoch, settings.log.clone(), copy);
                self.partitions
                    .borrow_mut()
                    .insert(key, Rc::clone(&successor));
                partition.succeed(&successor);
                self.follow_groups();
                if let Err(error) = log.delete().await {
                    tracing::error!(dir = %log.dir().display(), %error, "a log that has moved keeps its name");
                    self.directory_move(key).inspect(|it| it.leave_source());
                }
            }
            Err(error) => {
                tracing::error!(dir = %log.dir().display(), error, "the partition is offline: its copy cannot be opened");
                // What is opened in its place later has to be the copy.
                let copy = LogCheckpoint {
                    directory: target,
                    topic: (&*log.identity().topic).into(),
                    partition: key.index,
                    recovery_point: log.log_end_offset(),
                    log_start_offset: log.log_start_offset(),
                    cleaner_offset: None,
                };
                self.offline.borrow_mut().insert(key, Some(copy));
                self.partitions.borrow_mut().remove(&key);
                log.fence("it has moved");
                partition.release();
            }
        }
    }

    async fn open_copy(
        &self,
        partition: &Partition<I>,
        target: usize,
        settings: &TopicSettings,
    ) -> Result<Log<I>, String> {
        let moving = self.directory_move(partition.key);
        let Some(moving) = moving.filter(|moving| moving.target == target) else {
            return Err("there is no copy".to_owned());
        };
        let log = &partition.log;
        let identity = log.identity().clone();
        let directory = &self.setup.directories[target];
        let path = log_path(directory, &identity.topic, identity.partition.0);
        self.promote(moving.path(), &path).await?;
        let last = LastKnown {
            is_clean: true,
            recovery_point: log.log_end_offset(),
            log_start_offset: log.log_start_offset(),
        };
        let opened = Log::open(&self.storage, &path, identity, settings.log.clone(), last);
        let copy = opened.await.map_err(|error| error.to_string())?;
        // More than the snapshot of the copy tells: batches that producers send again, records deleted meanwhile.
        copy.adopt(log);
        if let Some(offset) = moving.cleaner_offset(log) {
            let is_within = copy.set_cleaner_offset(offset);
            assert!(is_within, "the copy is complete");
        }
        Ok(copy)
    }
}

impl<I: Io> Shard<I> {
    /// Gives a copy that is the partition's log its name. What the file system refuses is tried a few times more, since the
    /// partition is offline without it.
    async fn promote(&self, copy: &Path, place: &Path) -> Result<(), String> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.storage.promote(copy, place).await {
                Ok(()) => return Ok(()),
                Err(error) if attempt == PROMOTE_ATTEMPTS_MAX => return Err(error.to_string()),
                Err(error) => {
                    tracing::warn!(dir = %copy.display(), %error, attempt, "a copy has not got its name yet");
                    self.io
                        .sleep_until(self.io.now() + PROMOTE_AGAIN_AFTER)
                        .await;
                }
            }
        }
    }

    /// The move of a partition to another directory, if one is under way on this shard.
    fn directory_move(&self, key: PartitionKey) -> Option<Rc<DirectoryMove<I>>> {
        self.directory_moves.borrow().get(&key).map(Rc::clone)
    }

    /// Removes the log that was copied, if it could not be renamed when the copy took its place. That is tried until it is
    /// gone, the partition is to go elsewhere, or the shard ends; the next start finds what is left.
    pub(super) async fn remove_source(&self, moving: &DirectoryMove<I>) {
        let mut pause = PROMOTE_AGAIN_AFTER;
        while let Some(source) = moving.left_source() {
            let cancelled = moving.cancellation();
            let pausing = pin!(self.io.sleep_until(self.io.now() + pause));
            select(pausing, cancelled).await;
            pause = (2 * pause).min(REMOVE_AGAIN_AFTER_MAX);
            let partition = self.partition(moving.key);
            let is_in_place =
                partition.is_ok_and(|it| self.directory_index(it.log.dir()) == Some(moving.target));
            if self.is_draining() || moving.is_cancelled() || !is_in_place {
                return;
            }
            match source.delete().await {
                Ok(()) => moving.source_is_gone(),
                Err(error) => {
                    tracing::debug!(dir = %source.dir().display(), %error, "not removed yet");
                }
            }
        }
    }
}

/// Where a partition's files are.
pub(super) fn log_path(directory: &LogDirectory, topic: &str, partition: i32) -> PathBuf {
    directory.path.join(format!("{topic}-{partition}"))
}
