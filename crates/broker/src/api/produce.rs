//! Produce (key 0, versions 3 to 13).
//!
//! Before the handler returns, every batch has been checked and has its place in its log (or in the queue before it),
//! so that appends keep the order of the connection. What remains, waiting until the batches are durable, happens
//! while later requests are read.
//!
//! Source: Kafka 4.3.1 `KafkaApis.handleProduceRequest`, `ReplicaManager.appendRecords`; KIP-98, KIP-467, KIP-951.

mod check;

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use io::Io;
use metadata::TopicImage;
use protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse,
    TopicProduceResponse,
};
use protocol::messages::{ProduceRequest, ProduceResponse};
use protocol::{Records, Str};
use records::{InvalidBatch, ProduceRules};
use types::{ErrorCode, LeaderEpoch, ShardId, TimestampMs};

use super::{Call, Finished, Outcome};
use crate::advertise::Audience;
use crate::connection::Connection;
use crate::errors;
use crate::groups::is_internal;
use crate::load::timed;
use crate::mesh::PendingReply;
use crate::message::{AppendJob, AppendResult, AppendedAt, PartitionKey, Reply, Request};
use crate::partition::{Partition, Submitted};
use crate::shard::{OWNERS_TRIED_MAX, Shard};
use crate::slice::Steps;
use crate::topics::TopicSettings;
use crate::trace;
use crate::traffic::add;
use check::{Unfit, check};

/// The first version that may carry Zstandard (KIP-110).
const ZSTD_SINCE: i16 = 7;

/// The first version that names topics by their ids.
const IDS_SINCE: i16 = 13;

/// Where a batch's checksum is.
const CRC: std::ops::Range<usize> = 17..21;

/// What is known of one partition's batch when the handler returns.
enum Progress<I: Io> {
    Refused(Failure),
    Appended {
        partition: Rc<Partition<I>>,
        at: AppendedAt,
    },
    /// Under way at another shard.
    Sent(PendingReply),
}

/// Why a batch was refused, and what else the client is told.
struct Failure {
    code: ErrorCode,
    message: Option<Str>,
    record: Option<i32>,
    leader: Option<(ShardId, LeaderEpoch)>,
}

impl From<ErrorCode> for Failure {
    fn from(code: ErrorCode) -> Self {
        Self {
            code,
            message: None,
            record: None,
            leader: None,
        }
    }
}

struct PartitionProgress<I: Io> {
    index: i32,
    progress: Progress<I>,
}

struct TopicProgress<I: Io> {
    /// As the client named it, in memory of its own.
    name: Str,
    id: types::Uuid,
    is_append_time: bool,
    partitions: Vec<PartitionProgress<I>>,
}

pub(super) async fn handle<I: Io>(
    call: Call<I>,
    request: ProduceRequest,
) -> Outcome<ProduceResponse> {
    let shard = Rc::clone(&call.shard);
    if let Some(target) = foreign_target(&call, &request) {
        return Outcome::Migrate(target);
    }
    if let Some(span) = &call.span {
        let image = &shard.view().image;
        trace::note_produced(span, &request, image, &mut shard.scratch.borrow_mut());
    }
    let wait_durable = request.acks != 0;
    let refuse_all = match request.acks {
        -1..=1 if request.transactional_id.is_some() => Some(ErrorCode::InvalidTxnState),
        -1..=1 => None,
        _ => Some(ErrorCode::InvalidRequiredAcks),
    };
    let mut pass = Pass {
        shard: &shard,
        version: call.version,
        now: shard.io.wall_clock(),
        wait_durable,
        refuse_all,
        all_in_sync: request.acks == -1,
        // A producer that does not wait for answers would not learn who leads.
        redirects: wait_durable && call.redirects() && call.connection.is_settled.get(),
        connection: &call.connection,
        steps: Steps::new(&shard.io),
    };
    let mut topics = Vec::with_capacity(request.topic_data.len());
    for topic in request.topic_data {
        topics.push(pass.topic(topic).await);
    }
    let listener = call.connection.listener;
    Outcome::Later(Box::pin(async move {
        finish(&shard, listener, topics, wait_durable).await
    }))
}

/// With a node id for each shard, a connection that has not shown yet which shard it means follows its first
/// produced partition that every client knows the place of; later, a batch that was refused on it.
fn foreign_target<I: Io>(call: &Call<I>, request: &ProduceRequest) -> Option<ShardId> {
    let (shard, connection) = (&call.shard, &call.connection);
    if !call.may_migrate() {
        return None;
    }
    let is_settled = connection.is_settled.get();
    if is_settled && connection.refused_batches.is_empty() {
        return None;
    }
    let view = shard.view();
    let mut wanted = request.topic_data.iter().flat_map(|topic| {
        let id = view.topic(&topic.name, topic.topic_id).map(|it| it.id);
        topic.partition_data.iter().filter_map(move |data| {
            let index = data.index;
            let key = id.map(|topic_id| PartitionKey { topic_id, index })?;
            Some((key, data.records.as_ref().map_or(0, crc_of)))
        })
    });
    if !is_settled {
        let mut telling = wanted.filter(|(key, _)| !shard.has_moved_lately(*key));
        return connection.settle(shard.id(), telling.find_map(|(key, _)| view.owner(key)));
    }
    wanted.find_map(|(key, crc)| {
        let owner = view.owner(key).filter(|owner| *owner != shard.id());
        owner.filter(|_| connection.refused_batches.were(key, crc, 1))
    })
}

/// One pass over a request, in its order.
struct Pass<'a, I: Io> {
    shard: &'a Rc<Shard<I>>,
    version: i16,
    now: TimestampMs,
    wait_durable: bool,
    refuse_all: Option<ErrorCode>,
    /// Whether the producer wants every replica in sync to have the batch (acks=all).
    all_in_sync: bool,
    /// Whether batches for other shards are refused with their leader's address.
    redirects: bool,
    connection: &'a Connection,
    steps: Steps<I>,
}

impl<I: Io> Pass<'_, I> {
    async fn topic(&mut self, data: TopicProduceData) -> TopicProgress<I> {
        let view = self.shard.view();
        let topic = view.topic(&data.name, data.topic_id).map(Arc::clone);
        let settings = topic
            .as_ref()
            .and_then(|topic| view.settings(topic.id))
            .map(Rc::clone);
        let mut progress = TopicProgress {
            name: data.name.detached(),
            id: data.topic_id,
            is_append_time: settings
                .as_ref()
                .is_some_and(|settings| settings.is_append_time),
            partitions: Vec::with_capacity(data.partition_data.len()),
        };
        let unknown = if self.version >= IDS_SINCE {
            ErrorCode::UnknownTopicId
        } else {
            ErrorCode::UnknownTopicOrPartition
        };
        for partition in data.partition_data {
            self.steps.step().await;
            let index = partition.index;
            let done = match (self.refuse_all, &topic, &settings) {
                (Some(code), _, _) => Progress::Refused(code.into()),
                (None, Some(topic), _) if is_internal(&topic.name) => {
                    Progress::Refused(refused_internal(&topic.name))
                }
                (None, Some(topic), Some(settings)) => {
                    self.partition(topic, settings, partition).await
                }
                (None, _, _) => Progress::Refused(unknown.into()),
            };
            progress.partitions.push(PartitionProgress {
                index,
                progress: done,
            });
        }
        progress
    }

    async fn partition(
        &mut self,
        topic: &TopicImage,
        settings: &TopicSettings,
        data: PartitionProduceData,
    ) -> Progress<I> {
        let key = PartitionKey {
            topic_id: topic.id,
            index: data.index,
        };
        let view = self.shard.view();
        let known = view.partition(key).and_then(|it| Some((it, it.shard?)));
        let Some((image, owner)) = known else {
            return Progress::Refused(ErrorCode::UnknownTopicOrPartition.into());
        };
        if self.all_in_sync && image.isr.len() < settings.in_sync_min {
            return Progress::Refused(ErrorCode::NotEnoughReplicas.into());
        }
        let crc = data.records.as_ref().map_or(0, crc_of);
        if owner != self.shard.id() && self.redirects {
            return self.misdirected((key, crc), (owner, image.leader_epoch));
        }
        let validating = self.validated(key, &settings.rules, data.records);
        // Work that the partition takes along when it moves: where it is not at home, others check its batches.
        let validated = if self.shard.measures_load.get() {
            let (validated, busy) = timed(&self.shard.io, validating).await;
            if let Ok(partition) = self.shard.partition(key) {
                partition.meter.count_busy(busy);
            }
            validated
        } else {
            validating.await
        };
        let job = match validated {
            Ok(job) => job,
            Err(failure) => return Progress::Refused(failure),
        };
        self.place(job, crc).await
    }

    /// Checks the batch and makes it ready to be appended.
    async fn validated(
        &self,
        key: PartitionKey,
        rules: &ProduceRules,
        records: Option<Records>,
    ) -> Result<AppendJob, Failure> {
        let rules = ProduceRules {
            allows_zstd: self.version >= ZSTD_SINCE,
            ..*rules
        };
        let records = records.unwrap_or_default().into_bytes();
        let checked = check(self.shard, &records, &rules, self.now).await;
        let valid = checked.map_err(|unfit| match unfit {
            Unfit::Invalid(error) => failure(&error),
            Unfit::Panicked => ErrorCode::UnknownServerError.into(),
        })?;
        if valid.header.is_transactional() {
            return Err(ErrorCode::TransactionalIdAuthorizationFailed.into());
        }
        let batch = valid.replacement.clone().unwrap_or(records);
        Ok(AppendJob {
            key,
            batch,
            valid,
            now: self.now,
            wait_durable: self.wait_durable,
        })
    }

    /// Gives the batch its place with the shard that owns the partition by now: checking it and waiting for a credit
    /// take time, in which the partition may have moved.
    async fn place(&mut self, mut job: AppendJob, crc: u32) -> Progress<I> {
        let (shard, key) = (self.shard, job.key);
        let mut reservation = None;
        for _ in 0..OWNERS_TRIED_MAX {
            let view = shard.view();
            let known = view.partition(key).and_then(|it| Some((it, it.shard?)));
            let Some((image, owner)) = known else {
                return Progress::Refused(ErrorCode::UnknownTopicOrPartition.into());
            };
            if owner == shard.id() {
                add(&shard.counters.appends_own, 1);
                return self.append(job).await;
            }
            if self.redirects {
                return self.misdirected((key, crc), (owner, image.leader_epoch));
            }
            if reservation.is_none() {
                // The batch is a slice of this shard's receive buffer or of the request's frame, which both end with
                // the request.
                let mut taken = shard.forward_budget.reservation();
                taken.grow(job.batch.len()).await;
                reservation = Some(taken);
                if job.valid.replacement.is_none() {
                    job.batch = Bytes::copy_from_slice(&job.batch);
                }
            }
            let may = shard.mesh.may_request(owner).await;
            if shard.view().owner(key) == Some(owner) {
                add(&shard.counters.appends_foreign, 1);
                let request = Request::Append(job);
                return Progress::Sent(shard.mesh.request_now(may, request, reservation));
            }
        }
        Progress::Refused(ErrorCode::NotLeaderOrFollower.into())
    }

    /// The refusal of a batch for another shard, which says which one.
    fn misdirected(
        &self,
        (key, crc): (PartitionKey, u32),
        leader: (ShardId, LeaderEpoch),
    ) -> Progress<I> {
        let now = self.shard.io.now();
        self.connection.refused_batches.note(key, crc, now);
        Progress::Refused(Failure {
            leader: Some(leader),
            ..ErrorCode::NotLeaderOrFollower.into()
        })
    }

    async fn append(&self, job: AppendJob) -> Progress<I> {
        let landing = match self.shard.submit(job) {
            Submitted::Done(landing) => landing,
            // Nothing more of this connection is read until the log admits it: that is the back pressure.
            Submitted::Queued(answer) => answer.await.unwrap_or(Err(ErrorCode::KafkaStorageError)),
        };
        match landing {
            Ok((partition, at)) => Progress::Appended { partition, at },
            Err(code) => Progress::Refused(code.into()),
        }
    }
}

/// The refusal of a batch for a topic that only brokers write.
fn refused_internal(topic: &str) -> Failure {
    Failure {
        message: Some(format!("Cannot append to internal topic {topic}").into()),
        ..ErrorCode::InvalidTopicException.into()
    }
}

/// The checksum that a batch says it has: nearly always another for another batch.
fn crc_of(records: &Records) -> u32 {
    let first = records.chunks().first().and_then(|chunk| chunk.get(CRC));
    let crc = first.and_then(|crc| crc.try_into().ok());
    crc.map_or(0, u32::from_be_bytes)
}

fn failure(error: &InvalidBatch) -> Failure {
    let record = match error {
        InvalidBatch::MissingKey(fault) | InvalidBatch::InvalidTimestamp { fault, .. } => {
            Some(fault.index)
        }
        _ => None,
    };
    Failure {
        code: errors::batch(error),
        message: Some(error.to_string().into()),
        record,
        leader: None,
    }
}

/// Waits until everything is durable, and makes the response.
async fn finish<I: Io>(
    shard: &Rc<Shard<I>>,
    listener: usize,
    topics: Vec<TopicProgress<I>>,
    wait_durable: bool,
) -> Finished<ProduceResponse> {
    let mut response = ProduceResponse::default();
    let mut failed = false;
    let mut steps = Steps::new(&shard.io);
    for topic in topics {
        let mut answer = TopicProduceResponse {
            name: topic.name,
            topic_id: topic.id,
            partition_responses: Vec::with_capacity(topic.partitions.len()),
        };
        for partition in topic.partitions {
            steps.step().await;
            let settled = settle(partition.progress, wait_durable).await;
            failed |= settled.is_err();
            if let Err(Failure {
                leader: Some((owner, _)),
                ..
            }) = &settled
            {
                add_endpoint(&mut response.node_endpoints, shard, listener, *owner);
            }
            answer.partition_responses.push(partition_response(
                shard,
                partition.index,
                topic.is_append_time,
                settled,
            ));
        }
        response.responses.push(answer);
    }
    match (wait_durable, failed) {
        (true, _) => Finished::Answer(response),
        (false, true) => Finished::Close,
        (false, false) => Finished::Silent,
    }
}

async fn settle<I: Io>(progress: Progress<I>, wait_durable: bool) -> Result<AppendedAt, Failure> {
    match progress {
        Progress::Refused(failure) => Err(failure),
        Progress::Appended { partition, at } if wait_durable => {
            partition.wait_durable(at).await.map_err(Failure::from)
        }
        Progress::Appended { at, .. } => Ok(at),
        Progress::Sent(reply) => appended(reply.await.as_ref()).map_err(Failure::from),
    }
}

fn appended(reply: Option<&Reply>) -> AppendResult {
    match reply {
        Some(Reply::Appended(result)) => *result,
        _ => Err(ErrorCode::KafkaStorageError),
    }
}

fn partition_response<I: Io>(
    shard: &Shard<I>,
    index: i32,
    is_append_time: bool,
    settled: Result<AppendedAt, Failure>,
) -> PartitionProduceResponse {
    match settled {
        Ok(at) => PartitionProduceResponse {
            index,
            base_offset: at.base_offset.0,
            log_append_time_ms: if is_append_time {
                at.append_time.0
            } else {
                TimestampMs::NONE.0
            },
            log_start_offset: at.log_start_offset.0,
            ..PartitionProduceResponse::default()
        },
        Err(failure) => PartitionProduceResponse {
            index,
            error_code: failure.code.code(),
            base_offset: -1,
            log_append_time_ms: -1,
            log_start_offset: -1,
            record_errors: failure
                .record
                .map(|batch_index| BatchIndexAndErrorMessage {
                    batch_index,
                    batch_index_error_message: failure.message.clone(),
                })
                .into_iter()
                .collect(),
            error_message: failure.message,
            current_leader: failure.leader.map_or_else(
                LeaderIdAndEpoch::default,
                |(owner, epoch)| LeaderIdAndEpoch {
                    leader_id: shard.advertise().node_of(owner, Audience::Shards).0,
                    leader_epoch: epoch.0,
                },
            ),
        },
    }
}

fn add_endpoint<I: Io>(
    endpoints: &mut Vec<NodeEndpoint>,
    shard: &Shard<I>,
    listener: usize,
    owner: ShardId,
) {
    let node = shard.advertise().node(listener, owner, Audience::Shards);
    if endpoints.iter().all(|known| known.node_id != node.id.0) {
        endpoints.push(NodeEndpoint {
            node_id: node.id.0,
            host: node.host,
            port: node.port,
            rack: node.rack,
        });
    }
}
