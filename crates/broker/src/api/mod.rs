//! The APIs: one file each, registered in one table that also makes the answer to ApiVersions.
//!
//! A handler is an async function from a decoded request to an [`Outcome`]. What it does before it returns happens
//! in the order of the connection's requests; what it leaves to [`Outcome::Later`] happens while later requests are
//! already being read.

mod alter_configs;
mod alter_partition_reassignments;
mod alter_replica_log_dirs;
mod api_versions;
mod config_resources;
mod create_partitions;
mod create_topics;
mod delete_records;
mod delete_topics;
mod describe_client_quotas;
mod describe_cluster;
mod describe_configs;
mod describe_log_dirs;
mod describe_producers;
mod describe_quorum;
mod describe_topic_partitions;
mod elect_leaders;
mod fetch;
mod groups;
mod incremental_alter_configs;
mod init_producer_id;
mod journal;
mod list_config_resources;
mod list_offsets;
mod list_partition_reassignments;
mod metadata_api;
mod offset_for_leader_epoch;
mod produce;
mod update_features;

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use io::sync::Permit;
use io::{Instant, Io};
use protocol::messages as kafka;
use protocol::{ApiKey, Decoder, Request, RequestPrefix, Str, versions};
use types::{Event, RequestSpan, ShardId};

use crate::advertise::Audience;
use crate::budget::{DecodedBudget, Reservation};
use crate::connection::{Connection, Frame, Held, Pending, Response};
use crate::record_budget::RecordCharge;
use crate::requests::{Awaited, Stopwatch};
use crate::shard::Shard;
use crate::trace::{self, Draft};

use groups::{
    consumer_group_describe, consumer_group_heartbeat, delete_groups, describe_groups,
    find_coordinator, heartbeat, join_group, leave_group, list_groups, offset_commit,
    offset_delete, offset_fetch, sync_group,
};

pub(crate) use fetch::FetchSessions;

/// Responses below this size are bounded by their number alone.
const ANSWER_CHARGED_MIN_BYTES: usize = 4 << 10;

/// A request on its way through its handler. Its strings are slices of its frame: what outlives it copies them.
pub(crate) struct Call<I: Io> {
    pub(crate) shard: Rc<Shard<I>>,
    pub(crate) connection: Rc<Connection>,
    pub(crate) key: ApiKey,
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
    /// What the client calls itself in this request; empty if it does not.
    pub(crate) client_id: Str,
    /// The length of the frame.
    pub(crate) frame_bytes: usize,
    watch: Stopwatch,
    /// What is told of it, if it is sampled.
    pub(crate) span: Option<Draft>,
    /// What the frame was charged.
    _reservation: Option<Reservation>,
    /// Its turn, where few answers of its kind are made at once.
    admitted: Option<Permit>,
}

/// What a handler decided.
pub(crate) enum Outcome<R> {
    /// The response.
    Answer(R),
    /// The response comes when this completes.
    Later(LocalBoxFuture<'static, Finished<R>>),
    /// The connection belongs to another shard, which will handle the request.
    Migrate(ShardId),
}

/// The end of an [`Outcome::Later`].
pub(crate) enum Finished<R> {
    Answer(R),
    /// The response, with the charge for its records, and how long the client preferred to wait.
    AnswerWith(R, RecordCharge, Duration),
    /// The client expects nothing.
    Silent,
    /// The client expects nothing and must learn of an error: the connection ends.
    Close,
}

/// What becomes of a frame.
pub(crate) enum Dispatched {
    Respond(Pending),
    Close,
    Migrate(ShardId),
}

macro_rules! apis {
    ($($key:ident => $module:ident($request:ident),)+) => {
        /// The APIs that are implemented, in the order of their keys.
        pub(crate) const IMPLEMENTED: &[ApiKey] = &[$(ApiKey::$key),+];

        async fn handle<I: Io>(
            mut call: Call<I>,
            decoder: Decoder,
            charged: Option<Permit>,
        ) -> Dispatched {
            match call.key {
                $(ApiKey::$key => {
                    let Some((request, taken)) = call.decode::<kafka::$request>(decoder) else {
                        return Dispatched::Close;
                    };
                    let reply = call.reply(DecodedBudget::settle(charged, taken));
                    reply.dispatched(Box::pin($module::handle(call, request)).await)
                })+
                _ => Dispatched::Close,
            }
        }
    };
}

apis! {
    Produce => produce(ProduceRequest),
    Fetch => fetch(FetchRequest),
    ListOffsets => list_offsets(ListOffsetsRequest),
    Metadata => metadata_api(MetadataRequest),
    OffsetCommit => offset_commit(OffsetCommitRequest),
    OffsetFetch => offset_fetch(OffsetFetchRequest),
    FindCoordinator => find_coordinator(FindCoordinatorRequest),
    JoinGroup => join_group(JoinGroupRequest),
    Heartbeat => heartbeat(HeartbeatRequest),
    LeaveGroup => leave_group(LeaveGroupRequest),
    SyncGroup => sync_group(SyncGroupRequest),
    DescribeGroups => describe_groups(DescribeGroupsRequest),
    ListGroups => list_groups(ListGroupsRequest),
    ApiVersions => api_versions(ApiVersionsRequest),
    CreateTopics => create_topics(CreateTopicsRequest),
    DeleteTopics => delete_topics(DeleteTopicsRequest),
    DeleteRecords => delete_records(DeleteRecordsRequest),
    InitProducerId => init_producer_id(InitProducerIdRequest),
    OffsetForLeaderEpoch => offset_for_leader_epoch(OffsetForLeaderEpochRequest),
    DescribeConfigs => describe_configs(DescribeConfigsRequest),
    AlterConfigs => alter_configs(AlterConfigsRequest),
    AlterReplicaLogDirs => alter_replica_log_dirs(AlterReplicaLogDirsRequest),
    DescribeLogDirs => describe_log_dirs(DescribeLogDirsRequest),
    CreatePartitions => create_partitions(CreatePartitionsRequest),
    DeleteGroups => delete_groups(DeleteGroupsRequest),
    ElectLeaders => elect_leaders(ElectLeadersRequest),
    IncrementalAlterConfigs => incremental_alter_configs(IncrementalAlterConfigsRequest),
    AlterPartitionReassignments => alter_partition_reassignments(AlterPartitionReassignmentsRequest),
    ListPartitionReassignments => list_partition_reassignments(ListPartitionReassignmentsRequest),
    OffsetDelete => offset_delete(OffsetDeleteRequest),
    DescribeClientQuotas => describe_client_quotas(DescribeClientQuotasRequest),
    DescribeQuorum => describe_quorum(DescribeQuorumRequest),
    UpdateFeatures => update_features(UpdateFeaturesRequest),
    DescribeCluster => describe_cluster(DescribeClusterRequest),
    DescribeProducers => describe_producers(DescribeProducersRequest),
    ConsumerGroupHeartbeat => consumer_group_heartbeat(ConsumerGroupHeartbeatRequest),
    ConsumerGroupDescribe => consumer_group_describe(ConsumerGroupDescribeRequest),
    ListConfigResources => list_config_resources(ListConfigResourcesRequest),
    DescribeTopicPartitions => describe_topic_partitions(DescribeTopicPartitionsRequest),
}

/// Serves one frame of a connection, whose last byte arrived at `arrived`.
pub(crate) async fn dispatch<I: Io>(
    shard: &Rc<Shard<I>>,
    connection: &Rc<Connection>,
    frame: Frame,
    arrived: Instant,
) -> Dispatched {
    let Ok(prefix) = RequestPrefix::peek(&frame.bytes) else {
        return refuse(shard, connection, "a request without a header");
    };
    let key = ApiKey::from_code(prefix.api_key).filter(|key| IMPLEMENTED.contains(key));
    let Some(key) = key else {
        return refuse(
            shard,
            connection,
            "a request for an API that is not offered",
        );
    };
    let (first, last) = versions::stable(key);
    if !(first..=last).contains(&prefix.api_version) {
        if key == ApiKey::ApiVersions {
            return Dispatched::Respond(Pending::Ready(api_versions::unsupported_version(
                prefix.correlation_id,
            )));
        }
        return refuse(
            shard,
            connection,
            "a request of a version that is not offered",
        );
    }
    let charged = shard.decoded_budget.admit(key, frame.bytes.len()).await;
    let frame_bytes = frame.bytes.len();
    // Other shards may get requests for coordinators, which must not hold the receive buffer. A frame that was charged
    // has memory of its own.
    let bytes = if is_for_coordinators(key) && frame.reservation.is_none() {
        Bytes::copy_from_slice(&frame.bytes)
    } else {
        frame.bytes
    };
    let mut decoder = Decoder::new(bytes).with_memory_max(shard.limits.request_decoded_max_bytes);
    let Ok(Ok(header)) =
        io::contain::contain(|| protocol::decode_request_header(&mut decoder, prefix))
    else {
        return refuse(shard, connection, "a malformed request header");
    };
    let admitted = shard.answers.admit(key, connection.peer.ip()).await;
    let name = (prefix.api_version, prefix.correlation_id);
    let watch = Stopwatch::new(key, name, arrived, shard.io.now());
    let begun = Event::RequestBegun {
        request: watch.request_name(connection.peer),
        bytes: u32::try_from(frame_bytes).unwrap_or(u32::MAX),
    };
    shard.io.record(watch.begun(), begun);
    let client_id = header.client_id.unwrap_or_default();
    let is_sampled = shard.tracing.samples(&shard.io);
    let call = Call {
        shard: Rc::clone(shard),
        connection: Rc::clone(connection),
        key,
        version: prefix.api_version,
        correlation_id: prefix.correlation_id,
        span: is_sampled.then(|| begin_span(shard, connection, &client_id, watch)),
        client_id,
        frame_bytes,
        watch,
        _reservation: frame.reservation,
        admitted,
    };
    handle(call, decoder, charged).await
}

/// What is known of a sampled request when its handler begins.
#[cold]
fn begin_span<I: Io>(
    shard: &Shard<I>,
    connection: &Connection,
    client_id: &str,
    watch: Stopwatch,
) -> Draft {
    let name = watch.request_name(connection.peer);
    let span = RequestSpan {
        context: trace::new_context(&shard.io),
        parent: None,
        links: Vec::new(),
        api: ApiKey::from_code(name.api).map_or("", ApiKey::name),
        version: name.version,
        correlation_id: name.correlation_id,
        client_id: trace::client_id(client_id),
        peer: connection.peer,
        shard: shard.id(),
        begun_nanos: watch.arrived().0,
        took: Duration::ZERO,
        queue: watch.begun().saturating_since(watch.arrived()),
        local: Duration::ZERO,
        awaited: Duration::ZERO,
        request_bytes: 0,
        response_bytes: 0,
        topic: None,
        partition: None,
        error: None,
    };
    Rc::new(RefCell::new(span))
}

/// Whether what is awaited for an answer is what other clients do.
fn waits_for_others(key: ApiKey) -> bool {
    matches!(key, ApiKey::JoinGroup | ApiKey::SyncGroup)
}

/// Whether the request, or each group of it, goes to a group's coordinator.
fn is_for_coordinators(key: ApiKey) -> bool {
    matches!(
        key,
        ApiKey::OffsetCommit
            | ApiKey::OffsetFetch
            | ApiKey::FindCoordinator
            | ApiKey::JoinGroup
            | ApiKey::Heartbeat
            | ApiKey::LeaveGroup
            | ApiKey::SyncGroup
            | ApiKey::DescribeGroups
            | ApiKey::ListGroups
            | ApiKey::DeleteGroups
            | ApiKey::OffsetDelete
            | ApiKey::ConsumerGroupHeartbeat
            | ApiKey::ConsumerGroupDescribe
    )
}

/// Ends the connection as Kafka does, with a log line if there are not too many.
fn refuse<I: Io>(shard: &Shard<I>, connection: &Connection, what: &str) -> Dispatched {
    if shard.log_limit.admit(shard.io.now()) {
        tracing::warn!(peer = %connection.peer, "closed a connection: {what}");
    }
    Dispatched::Close
}

impl<I: Io> Call<I> {
    /// The request, and the memory that its arrays take.
    fn decode<R: Request>(&self, mut decoder: Decoder) -> Option<(R, usize)> {
        let memory = decoder.memory_left();
        let decoded = io::contain::contain(|| {
            // Bytes behind the message are ignored, as in Kafka: librdkafka 2.16 sends some after Metadata version 13.
            R::decode(&mut decoder, self.version)
        });
        match decoded {
            Ok(Ok(request)) => Some((request, memory.saturating_sub(decoder.memory_left()))),
            Ok(Err(error)) => {
                if self.shard.log_limit.admit(self.shard.io.now()) {
                    let (peer, name) = (self.connection.peer, R::NAME);
                    tracing::warn!(%peer, version = self.version, "closed a connection: malformed {name}: {error}");
                }
                None
            }
            // The panic hook has logged it.
            Err(_panicked) => {
                note_panic(&self.shard, self.watch, self.connection.peer);
                None
            }
        }
    }

    /// Whether requests for partitions of other shards are answered with their leader's address instead of being
    /// served through that shard.
    fn redirects(&self) -> bool {
        self.connection.audience.get() == Audience::Shards
    }

    /// Whether the shard of a connection depends on what it asks for.
    fn may_migrate(&self) -> bool {
        self.redirects() && !self.shard.advertise().has_port_per_shard()
    }

    fn reply(&mut self, decoded: Option<Permit>) -> ReplyTo<I> {
        ReplyTo {
            shard: Rc::clone(&self.shard),
            watch: self.watch,
            frame_bytes: self.frame_bytes,
            key: self.key,
            version: self.version,
            correlation_id: self.correlation_id,
            peer: self.connection.peer,
            span: self.span.clone(),
            _decoded: decoded,
            _admitted: self.admitted.take(),
        }
    }
}

/// A request whose handler has come back, until its response is made or nobody waits for it any more.
struct InFlight<I: Io> {
    shard: Rc<Shard<I>>,
    since: Instant,
}

impl<I: Io> Drop for InFlight<I> {
    fn drop(&mut self) {
        self.shard.requests.settled();
    }
}

/// What a response needs of its request.
struct ReplyTo<I: Io> {
    shard: Rc<Shard<I>>,
    watch: Stopwatch,
    frame_bytes: usize,
    key: ApiKey,
    version: i16,
    correlation_id: i32,
    peer: SocketAddr,
    span: Option<Draft>,
    /// What the decoded request was charged, until it is answered.
    _decoded: Option<Permit>,
    /// Its turn, until the answer is charged.
    _admitted: Option<Permit>,
}

impl<I: Io> ReplyTo<I> {
    fn dispatched<R: protocol::Message + 'static>(self, outcome: Outcome<R>) -> Dispatched {
        match outcome {
            Outcome::Answer(response) => {
                let _in_flight = self.decided();
                Dispatched::Respond(Pending::Ready(self.encode(&response, None)))
            }
            Outcome::Later(finished) => Dispatched::Respond(Pending::Later(self.finish(finished))),
            Outcome::Migrate(target) => Dispatched::Migrate(target),
        }
    }

    fn finish<R: protocol::Message + 'static>(
        self,
        finished: LocalBoxFuture<'static, Finished<R>>,
    ) -> LocalBoxFuture<'static, Response> {
        let in_flight = self.decided();
        Box::pin(async move {
            let finished = finished.await;
            self.awaited(in_flight.since, &finished);
            let response = match finished {
                Finished::Answer(response) => self.encode(&response, None),
                Finished::AnswerWith(response, charge, _) => self.encode(&response, Some(charge)),
                Finished::Silent => self.unanswered(Response::Silent),
                Finished::Close => self.unanswered(Response::Close),
            };
            drop(in_flight);
            response
        })
    }

    /// Counts the request, which is in flight from now on.
    fn decided(&self) -> InFlight<I> {
        let since = self.shard.io.now();
        let requests = &self.shard.requests;
        requests.decided(self.watch, self.frame_bytes, since);
        if let Some(span) = &self.span {
            let mut span = span.borrow_mut();
            span.local = since.saturating_since(self.watch.begun());
            span.request_bytes = self.frame_bytes as u64;
        }
        InFlight {
            shard: Rc::clone(&self.shard),
            since,
        }
    }

    /// The end of a request that has no response.
    fn unanswered(self, response: Response) -> Response {
        let now = self.shard.io.now();
        self.shard.io.record(now, self.watch.ended(self.peer, now));
        if let Some(span) = &self.span {
            self.shard.tracing.ended(span, now);
        }
        response
    }

    fn awaited<R>(&self, since: Instant, finished: &Finished<R>) {
        let total = self.shard.io.now().saturating_since(since);
        let wait = match finished {
            Finished::AnswerWith(_, _, wait) => (*wait).min(total),
            _ if waits_for_others(self.key) => total,
            _ => Duration::ZERO,
        };
        let requests = &self.shard.requests;
        requests.awaited(self.watch, Awaited { total, wait });
        if let Some(span) = &self.span {
            span.borrow_mut().awaited = total;
        }
    }

    fn encode<R: protocol::Message>(self, response: &R, charged: Option<RecordCharge>) -> Response {
        let Self {
            shard,
            watch,
            key,
            version,
            correlation_id,
            peer,
            span,
            _decoded,
            _admitted,
            frame_bytes: _,
        } = self;
        let encoded = io::contain::contain(|| {
            protocol::encode_response_frame(key, version, correlation_id, response)
        });
        match encoded {
            Ok(Ok(chunks)) => {
                let chunks = chunks.into_chunks();
                let records = charged.as_ref().map_or(0, RecordCharge::bytes);
                let len_bytes = chunks.iter().map(Bytes::len).sum::<usize>();
                let fields = len_bytes.saturating_sub(records);
                let is_large = fields >= ANSWER_CHARGED_MIN_BYTES;
                let answers = shard.answers.of(key);
                let charge = is_large.then(|| answers.charge(peer.ip(), fields));
                let requests = &shard.requests;
                let made = requests.made(watch, response, len_bytes, shard.io.now());
                if let Some(span) = &span {
                    let mut span = span.borrow_mut();
                    span.response_bytes = len_bytes as u64;
                    span.error = trace::first_error(response);
                }
                Response::Send(chunks, Held::new(charged, charge, made).traced(span))
            }
            Ok(Err(error)) => {
                tracing::error!(api = key.name(), version, %error, "cannot encode a response");
                Response::Close
            }
            Err(_panicked) => {
                note_panic(&shard, watch, peer);
                Response::Close
            }
        }
    }
}

/// Has the flight recorder know of a panic that ends a connection and nothing else.
fn note_panic<I: Io>(shard: &Shard<I>, watch: Stopwatch, peer: SocketAddr) {
    let request = watch.request_name(peer);
    let panicked = Event::RequestPanicked { request };
    shard.io.record_now(panicked);
}
