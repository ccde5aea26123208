//! Fetch (key 1, versions 4 to 18).
//!
//! A fetch reads what is there. If that is less than the client's minimum it waits for a high watermark to move, on
//! this shard or another, and reads again; nothing is polled. The memory of the records it carries is taken from the
//! shard's response budget until they are sent.
//!
//! Source: KIP-227, KIP-320, KIP-516, KIP-595, KIP-951; `KafkaApis.handleFetchRequest` and `DelayedFetch` of
//! Kafka 4.3.1.

mod collect;
mod plan;
mod session;

use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{Either, select};
use io::{Instant, Io};
use protocol::Str;
use protocol::messages::fetch_response::{
    EpochEndOffset, FetchableTopicResponse, LeaderIdAndEpoch, NodeEndpoint, PartitionData,
};
use protocol::messages::{FetchRequest, FetchResponse};
use types::{ErrorCode, ShardId, Uuid};

use super::{Call, Finished, Outcome};
use crate::connection::Connection;
use crate::record_budget::RecordCharge;
use crate::shard::{OWNERS_TRIED_MAX, Shard};
use crate::trace;
use collect::{Collected, Outlook, collect, wait_for_more};
use plan::{Plan, plan};

pub(crate) use session::FetchSessions;

/// Client-supplied waits are cut to this; Kafka has no bound, and nothing waits for longer usefully.
const WAIT_MAX: Duration = Duration::from_secs(3600);

/// So often a partition is refused before its leader's shard gets the connection: a client that learns of leaders from
/// metadata only asks some times more where they were.
const REFUSED_FETCHES: u32 = 4;

/// From this version on the answer names the leader where the client was wrong about it (KIP-951).
const LEADERS_SINCE: i16 = 16;

pub(super) async fn handle<I: Io>(call: Call<I>, request: FetchRequest) -> Outcome<FetchResponse> {
    let shard = Rc::clone(&call.shard);
    let plan = match plan(&shard, call.version, &request) {
        Ok(plan) => plan,
        Err(code) => {
            return Outcome::Answer(FetchResponse {
                error_code: code.code(),
                ..FetchResponse::default()
            });
        }
    };
    // With a node id for each shard, the first partition shows which shard the connection is meant for.
    if call.may_migrate()
        && let Some(owner) = foreign_target(&call, &plan)
    {
        return Outcome::Migrate(owner);
    }
    let span = call.span.clone();
    let redirects = call.redirects() && call.connection.is_settled.get();
    let plan = plan.settled(&shard, redirects);
    let wait = u64::try_from(request.max_wait_ms)
        .map_or(Duration::ZERO, Duration::from_millis)
        .min(WAIT_MAX);
    let max_bytes = request.max_bytes.min(shard.config().values.fetch_max_bytes);
    let max_bytes = usize::try_from(max_bytes).unwrap_or(0);
    let fetch = Fetch {
        connection: Rc::clone(&call.connection),
        version: call.version,
        listener: call.connection.listener,
        // More than can be sent at once need not be waited for.
        min_bytes: usize::try_from(request.min_bytes)
            .unwrap_or(0)
            .min(max_bytes)
            .min(shard.limits.response_len_max_bytes),
        max_bytes,
        read_committed: request.isolation_level == 1,
        deadline: shard.io.now() + wait,
        plan,
        shard,
    };
    Outcome::Later(Box::pin(async move {
        let (collected, charge, waited) = fetch.run().await;
        let response = fetch.respond(collected);
        if let Some(span) = &span {
            let (shard, image) = (&fetch.shard, &fetch.shard.view().image);
            trace::note_fetched(span, &response, image, &mut shard.scratch.borrow_mut());
        }
        Finished::AnswerWith(response, charge, waited)
    }))
}

/// The shard that a connection is meant for, if it is another one: the first fetch shows it of a partition that the client
/// knows the place of, and later a partition that is asked for again and again although its leader was named.
fn foreign_target<I: Io>(call: &Call<I>, plan: &Plan) -> Option<ShardId> {
    let connection = &call.connection;
    let is_settled = connection.is_settled.get();
    if is_settled && connection.refused_fetches.is_empty() {
        return None;
    }
    let (shard, view) = (&call.shard, call.shard.view());
    let mut wanted = plan.partitions.iter().map(|it| &it.wanted);
    if !is_settled {
        let owner = wanted.find_map(|it| {
            let image = view.partition(it.key)?;
            let is_known = it.current_leader_epoch == image.leader_epoch;
            let tells = is_known || !shard.has_moved_lately(it.key);
            image.shard.filter(|_| tells)
        });
        return connection.settle(shard.id(), owner);
    }
    wanted.find_map(|it| {
        let is_repeated = connection.refused_fetches.were(it.key, 0, REFUSED_FETCHES);
        let owner = view.owner(it.key).filter(|owner| *owner != shard.id());
        owner.filter(|_| is_repeated)
    })
}

/// A fetch under way.
struct Fetch<I: Io> {
    shard: Rc<Shard<I>>,
    connection: Rc<Connection>,
    version: i16,
    listener: usize,
    min_bytes: usize,
    max_bytes: usize,
    read_committed: bool,
    deadline: Instant,
    plan: Plan,
}

impl<I: Io> Fetch<I> {
    /// Reads until there is enough, something to report, or no time left. Tells how long it has waited for records.
    async fn run(&self) -> (Collected, RecordCharge, Duration) {
        let mut owners_tried = 0;
        let mut waited = Duration::ZERO;
        let mut goes_on = true;
        loop {
            let wanted = self.max_bytes.min(self.shard.limits.response_len_max_bytes);
            let budget = &self.shard.response_budget;
            let mut charge = budget.acquire(self.connection.peer.ip(), wanted).await;
            let collected =
                collect(&self.shard, &self.plan, charge.bytes().min(self.max_bytes)).await;
            // A partition has moved while it was being asked for: the next round asks its new owner.
            if !self.plan.redirects && collected.has_moved() && owners_tried < OWNERS_TRIED_MAX {
                owners_tried += 1;
                continue;
            }
            let now = self.shard.io.now();
            let is_late = now >= self.deadline;
            if is_late
                || collected.outlook(self.min_bytes) == Outlook::Answer
                || self.connection.is_draining()
                || !goes_on
            {
                charge.shrink_to(collected.len_bytes);
                return (collected, charge, waited);
            }
            drop(charge);
            let drained = self.connection.drain_begins();
            let more = pin!(wait_for_more(
                &self.shard,
                &self.plan,
                collected,
                self.deadline
            ));
            if let Either::Left((more, _)) = select(more, drained).await {
                goes_on = more;
            }
            waited += self.shard.io.now().saturating_since(now);
        }
    }

    fn respond(&self, collected: Collected) -> FetchResponse {
        let mut response = FetchResponse {
            session_id: self.plan.session_id,
            ..FetchResponse::default()
        };
        let mut told = Vec::new();
        for (partition, result) in self.plan.partitions.iter().zip(collected.results) {
            let news = session::Told {
                high_watermark: result.high_watermark,
                log_start_offset: result.log_start_offset,
            };
            let has_records = !result.chunks.is_empty();
            let is_news = has_records
                || result.error.is_some()
                || result.diverging.is_some()
                || partition.told != Some(news);
            if self.plan.is_incremental && !is_news {
                continue;
            }
            if result.error.is_none() {
                told.push((partition.wanted.key, news, has_records));
            }
            let key = partition.wanted.key;
            let data = self.partition_data(key, result, &mut response.node_endpoints);
            let (name, id) = self.topic_of(key.topic_id);
            add(&mut response.responses, name, id, data);
        }
        for (topic, partition) in &self.plan.unknown {
            let data = PartitionData {
                partition_index: *partition,
                error_code: ErrorCode::UnknownTopicOrPartition.code(),
                high_watermark: -1,
                last_stable_offset: -1,
                log_start_offset: -1,
                records: Some(protocol::Records::default()),
                ..PartitionData::default()
            };
            add(&mut response.responses, topic.clone(), Uuid::ZERO, data);
        }
        if self.plan.session_id != 0 {
            self.shard
                .fetch_sessions
                .borrow_mut()
                .told(self.plan.session_id, &told);
        }
        response
    }

    /// How the answer names a topic: by name or by id, as the version has it.
    fn topic_of(&self, id: Uuid) -> (Str, Uuid) {
        let name = self.plan.names.get(&id).cloned().unwrap_or_default();
        (name, id)
    }

    fn partition_data(
        &self,
        key: crate::message::PartitionKey,
        result: crate::message::ReadResult,
        endpoints: &mut Vec<NodeEndpoint>,
    ) -> PartitionData {
        let mut data = PartitionData {
            partition_index: key.index,
            error_code: result.error.map_or(0, ErrorCode::code),
            high_watermark: result.high_watermark.0,
            last_stable_offset: result.high_watermark.0,
            log_start_offset: result.log_start_offset.0,
            aborted_transactions: (self.read_committed && result.error.is_none()).then(Vec::new),
            preferred_read_replica: -1,
            records: Some(protocol::Records::from_chunks(result.chunks)),
            ..PartitionData::default()
        };
        if let Some((epoch, end)) = result.diverging {
            data.diverging_epoch = EpochEndOffset {
                epoch: epoch.0,
                end_offset: end.0,
            };
        }
        let is_misdirected = matches!(
            result.error,
            Some(ErrorCode::NotLeaderOrFollower | ErrorCode::FencedLeaderEpoch)
        );
        if result.error == Some(ErrorCode::NotLeaderOrFollower) {
            let now = self.shard.io.now();
            self.connection.refused_fetches.note(key, 0, now);
        }
        if self.version >= LEADERS_SINCE && is_misdirected {
            let view = self.shard.view();
            if let Some((owner, epoch)) = view
                .partition(key)
                .and_then(|it| Some((it.shard?, it.leader_epoch)))
            {
                let audience = self.connection.audience.get();
                let node = self.shard.advertise().node(self.listener, owner, audience);
                data.current_leader = LeaderIdAndEpoch {
                    leader_id: node.id.0,
                    leader_epoch: epoch.0,
                };
                if endpoints.iter().all(|known| known.node_id != node.id.0) {
                    endpoints.push(NodeEndpoint {
                        node_id: node.id.0,
                        host: node.host,
                        port: node.port,
                        rack: node.rack,
                    });
                }
            }
        }
        data
    }
}

/// Adds a partition to its topic, which nearly always is the last one.
fn add(topics: &mut Vec<FetchableTopicResponse>, topic: Str, topic_id: Uuid, data: PartitionData) {
    match topics.last_mut() {
        Some(last) if last.topic_id == topic_id && last.topic == topic => {
            last.partitions.push(data)
        }
        _ => topics.push(FetchableTopicResponse {
            topic,
            topic_id,
            partitions: vec![data],
        }),
    }
}
