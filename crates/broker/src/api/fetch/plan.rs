//! What a fetch request asks for, with its session taken into account.

use io::Io;
use protocol::Str;
use protocol::messages::FetchRequest;
use protocol::messages::fetch_request::FetchPartition;
use rustc_hash::FxHashMap;
use types::{ErrorCode, LeaderEpoch, Offset, Uuid};

use super::session::{Change, EPOCH_FINAL, EPOCH_INITIAL, SessionPartition, Wanted};
use crate::message::PartitionKey;
use crate::shard::Shard;

/// From this version on topics are named by their ids.
const IDS_SINCE: i16 = 13;

/// What is to be read, in the order in which it is served.
pub(super) struct Plan {
    pub(super) partitions: Vec<SessionPartition>,
    /// Partitions of topics that the client named and nobody knows.
    pub(super) unknown: Vec<(Str, i32)>,
    /// The names of the topics, where the version has names.
    pub(super) names: FxHashMap<Uuid, Str>,
    pub(super) session_id: i32,
    /// Whether the client knows what it was told before.
    pub(super) is_incremental: bool,
    /// Whether partitions of other shards are answered with their leader's address.
    pub(super) redirects: bool,
    pub(super) uses_ids: bool,
    begins_session: bool,
}

/// Plans a fetch. A session that goes on is moved on by this.
///
/// # Errors
/// Kafka's codes for sessions that are unknown or out of step.
pub(super) fn plan<I: Io>(
    shard: &Shard<I>,
    version: i16,
    request: &FetchRequest,
) -> Result<Plan, ErrorCode> {
    let uses_ids = version >= IDS_SINCE;
    let mut asked = Asked::of(shard, request, uses_ids);
    let is_full = request.session_epoch == EPOCH_INITIAL || request.session_epoch == EPOCH_FINAL;
    if is_full {
        if request.session_id != 0 {
            shard.fetch_sessions.borrow_mut().end(request.session_id);
        }
        let partition = |wanted| SessionPartition { wanted, told: None };
        return Ok(Plan {
            // A session knows topics by their ids: a client that names an unknown one has to ask again in full.
            begins_session: request.session_epoch == EPOCH_INITIAL && asked.unknown.is_empty(),
            partitions: asked.wanted.into_iter().map(partition).collect(),
            unknown: asked.unknown,
            names: asked.names,
            session_id: 0,
            is_incremental: false,
            redirects: true,
            uses_ids,
        });
    }
    let view = shard.view();
    let forgotten = request.forgotten_topics_data.iter().flat_map(|topic| {
        let id = view
            .topic(&topic.topic, topic.topic_id)
            .map_or(topic.topic_id, |topic| topic.id);
        topic.partitions.iter().map(move |index| PartitionKey {
            topic_id: id,
            index: *index,
        })
    });
    let change = Change {
        wanted: asked.wanted,
        forgotten: forgotten.collect(),
    };
    let now = shard.io.now();
    let mut sessions = shard.fetch_sessions.borrow_mut();
    let partitions = sessions.resume(
        request.session_id,
        request.session_epoch,
        uses_ids,
        &change,
        now,
    )?;
    if !uses_ids {
        for partition in &partitions {
            let id = partition.wanted.key.topic_id;
            let Some(topic) = view.image.topic(id) else {
                // The name went with the topic: the client has to begin anew.
                sessions.end(request.session_id);
                return Err(ErrorCode::FetchSessionIdNotFound);
            };
            asked.names.insert(id, topic.name.clone());
        }
    }
    Ok(Plan {
        partitions,
        unknown: asked.unknown,
        names: asked.names,
        session_id: request.session_id,
        is_incremental: true,
        redirects: true,
        uses_ids,
        begins_session: false,
    })
}

impl Plan {
    /// Begins the session that the client asks for, now that it is clear that this shard serves it.
    pub(super) fn settled<I: Io>(mut self, shard: &Shard<I>, redirects: bool) -> Self {
        self.redirects = redirects;
        if self.begins_session {
            let id = i32::try_from(shard.io.random() >> 33).expect("31 bits");
            let (partitions, now) = (self.partitions.clone(), shard.io.now());
            self.session_id =
                shard
                    .fetch_sessions
                    .borrow_mut()
                    .begin(id, self.uses_ids, partitions, now);
        }
        self
    }
}

/// The request's own partitions.
struct Asked {
    wanted: Vec<Wanted>,
    unknown: Vec<(Str, i32)>,
    names: FxHashMap<Uuid, Str>,
}

impl Asked {
    fn of<I: Io>(shard: &Shard<I>, request: &FetchRequest, uses_ids: bool) -> Self {
        let view = shard.view();
        let mut asked = Self {
            wanted: Vec::new(),
            unknown: Vec::new(),
            names: FxHashMap::default(),
        };
        for topic in &request.topics {
            let mut id = topic.topic_id;
            if !uses_ids {
                let Some(known) = view.image.topic_named(&topic.topic) else {
                    let name = topic.topic.detached();
                    let unknown = |partition: &FetchPartition| (name.clone(), partition.partition);
                    asked.unknown.extend(topic.partitions.iter().map(unknown));
                    continue;
                };
                id = known.id;
                asked.names.insert(id, known.name.clone());
            }
            // An id that nobody knows yet stands in the session like any other, and is answered with its error.
            let partitions = topic.partitions.iter();
            asked
                .wanted
                .extend(partitions.map(|partition| wanted(id, partition)));
        }
        asked
    }
}

fn wanted(topic_id: Uuid, partition: &FetchPartition) -> Wanted {
    Wanted {
        key: PartitionKey {
            topic_id,
            index: partition.partition,
        },
        offset: Offset(partition.fetch_offset),
        max_bytes: usize::try_from(partition.partition_max_bytes).unwrap_or(0),
        current_leader_epoch: LeaderEpoch(partition.current_leader_epoch),
        last_fetched_epoch: LeaderEpoch(partition.last_fetched_epoch),
    }
}
