//! Metadata (key 3, versions 0 to 13), which also creates topics that are asked for.
//!
//! Source: KIP-4, KIP-516, KIP-700; `KafkaApis.handleTopicMetadataRequest` and `DefaultAutoTopicCreationManager` of
//! Kafka 4.3.1. As in Kafka the answer does not know a topic that it causes to be created; it waits for the creation,
//! so that a client that asks again finds the topic.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use io::Io;
use metadata::{NewTopic, PartitionImage, TopicImage};
use protocol::Str;
use protocol::messages::metadata_request::MetadataRequestTopic;
use protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use protocol::messages::{MetadataRequest, MetadataResponse};
use types::{ErrorCode, NodeId, Uuid};

use super::{Call, Finished, Outcome};
use crate::advertise::Audience;
use crate::controller::{Command, CommandResult, random_uuid};
use crate::groups::{OFFSETS_TOPIC, is_internal, new_offsets_topic};
use crate::shard::Shard;
use crate::slice::Steps;
use crate::topics::View;

/// "Not asked for": without an authorizer there is nothing to say.
pub(super) const NO_AUTHORIZED_OPERATIONS: i32 = i32::MIN;

/// From this version on an empty list of topics means none; before, it meant all.
const EMPTY_MEANS_NONE_SINCE: i16 = 1;

/// Before this version the client cannot say whether topics may be created: they may.
const AUTO_CREATION_CHOICE_SINCE: i16 = 4;

/// From this version on an unknown topic has no name in the answer if it was asked for by id.
const NULL_NAMES_SINCE: i16 = 12;

/// A topic that the client asks for.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Wanted {
    Name(Str),
    Id(Uuid),
}

pub(super) async fn handle<I: Io>(
    call: Call<I>,
    request: MetadataRequest,
) -> Outcome<MetadataResponse> {
    let (shard, version) = (Rc::clone(&call.shard), call.version);
    let view = shard.view();
    let wanted = match request.topics {
        None => None,
        Some(topics) if topics.is_empty() && version < EMPTY_MEANS_NONE_SINCE => None,
        Some(topics) => Some(distinct(&shard, &topics).await),
    };
    let may_create = shard.config().values.auto_create_topics_enable
        && (request.allow_auto_topic_creation || version < AUTO_CREATION_CHOICE_SINCE);
    let missing = match wanted.as_deref() {
        Some(wanted) if may_create => missing(&shard, wanted),
        _ => Vec::new(),
    };
    if missing.is_empty() {
        let answer = respond(&call, &view, wanted.as_deref(), &HashMap::new()).await;
        return Outcome::Answer(answer);
    }
    Outcome::Later(Box::pin(async move {
        let refused = create(&shard, missing).await;
        Finished::Answer(respond(&call, &view, wanted.as_deref(), &refused).await)
    }))
}

/// What is asked for, each topic once, as in Kafka: repeating a large topic would make the answer huge.
async fn distinct<I: Io>(shard: &Shard<I>, topics: &[MetadataRequestTopic]) -> Vec<Wanted> {
    let mut steps = Steps::new(&shard.io);
    let mut seen = HashSet::new();
    let mut distinct = Vec::new();
    for topic in topics {
        steps.step().await;
        let wanted = match &topic.name {
            Some(name) if topic.topic_id.is_zero() => Wanted::Name(name.detached()),
            // Java's client leaves the name of a topic that it asks for by id empty, not null.
            _ => Wanted::Id(topic.topic_id),
        };
        if seen.insert(wanted.clone()) {
            distinct.push(wanted);
        }
    }
    distinct
}

fn missing<I: Io>(shard: &Shard<I>, wanted: &[Wanted]) -> Vec<Str> {
    let view = shard.view();
    let names = wanted.iter().filter_map(|topic| match topic {
        Wanted::Name(name) => Some(name),
        Wanted::Id(_) => None,
    });
    names
        .filter(|name| view.image.topic_named(name).is_none())
        .cloned()
        .collect()
}

/// Creates topics with the broker's defaults, and returns those that could not be.
async fn create<I: Io>(shard: &Shard<I>, names: Vec<Str>) -> HashMap<Str, ErrorCode> {
    let topic = |name: &Str| match name.as_str() {
        OFFSETS_TOPIC => {
            let machines = shard.view().image.brokers().count();
            new_offsets_topic(&shard.config(), machines, random_uuid(&shard.io))
        }
        _ => new_topic(name, random_uuid(&shard.io)),
    };
    let topics = names.iter().map(topic).collect();
    match shard
        .decide(Command::CreateTopics {
            topics,
            validate_only: false,
        })
        .await
    {
        CommandResult::CreatedTopics(verdicts) => names
            .into_iter()
            .zip(verdicts)
            .filter_map(|(name, verdict)| Some((name, verdict.err()?.code)))
            // Another client was faster.
            .filter(|(_, code)| *code != ErrorCode::TopicAlreadyExists)
            .collect(),
        CommandResult::Refused(refusal) => {
            names.into_iter().map(|name| (name, refusal.code)).collect()
        }
        _ => HashMap::new(),
    }
}

/// A topic with the broker's defaults.
fn new_topic(name: &Str, id: Uuid) -> NewTopic {
    NewTopic {
        name: name.clone(),
        id,
        partitions: -1,
        replication_factor: -1,
        assignments: Vec::new(),
        configs: Vec::new(),
    }
}

/// Steps aside between topics: there may be very many, and others have to get their turn.
async fn respond<I: Io>(
    call: &Call<I>,
    view: &View,
    wanted: Option<&[Wanted]>,
    refused: &HashMap<Str, ErrorCode>,
) -> MetadataResponse {
    let (shard, version, listener) = (&call.shard, call.version, call.connection.listener);
    let audience = call.connection.audience.get();
    let mut steps = Steps::new(&shard.io);
    let mut topics = Vec::new();
    match wanted {
        None => {
            for topic in view.image.topics() {
                steps.look().await;
                topics.push(describe(shard, audience, topic));
            }
        }
        Some(wanted) => {
            for wanted in wanted {
                steps.look().await;
                topics.push(match wanted {
                    Wanted::Name(name) => view.image.topic_named(name).map_or_else(
                        || unknown_name(name, refused),
                        |topic| describe(shard, audience, topic),
                    ),
                    Wanted::Id(id) => view.image.topic(*id).map_or_else(
                        || unknown_id(*id, version),
                        |topic| describe(shard, audience, topic),
                    ),
                });
            }
        }
    }
    let nodes = shard.advertise().nodes(listener, audience);
    let broker = |node: crate::advertise::AdvertisedNode| MetadataResponseBroker {
        node_id: node.id.0,
        host: node.host,
        port: node.port,
        rack: node.rack,
    };
    MetadataResponse {
        brokers: nodes.into_iter().map(broker).collect(),
        cluster_id: Some(view.cluster_id()),
        controller_id: shard.advertise().machine().0,
        topics,
        cluster_authorized_operations: NO_AUTHORIZED_OPERATIONS,
        ..MetadataResponse::default()
    }
}

fn unknown_name(name: &Str, refused: &HashMap<Str, ErrorCode>) -> MetadataResponseTopic {
    let code = match refused.get(name).copied() {
        // Kafka's word for a name that no topic can have, whatever is wrong with it.
        Some(ErrorCode::InvalidTopicException) => ErrorCode::InvalidTopicException,
        Some(code) => code,
        None if metadata::validate_topic_name(name).is_err() => ErrorCode::InvalidTopicException,
        None => ErrorCode::UnknownTopicOrPartition,
    };
    MetadataResponseTopic {
        error_code: code.code(),
        name: Some(name.clone()),
        topic_authorized_operations: NO_AUTHORIZED_OPERATIONS,
        ..MetadataResponseTopic::default()
    }
}

fn unknown_id(id: Uuid, version: i16) -> MetadataResponseTopic {
    MetadataResponseTopic {
        error_code: ErrorCode::UnknownTopicId.code(),
        name: (version < NULL_NAMES_SINCE).then(Str::default),
        topic_id: id,
        topic_authorized_operations: NO_AUTHORIZED_OPERATIONS,
        ..MetadataResponseTopic::default()
    }
}

fn describe<I: Io>(
    shard: &Shard<I>,
    audience: Audience,
    topic: &TopicImage,
) -> MetadataResponseTopic {
    let partitions = (0..).zip(&topic.partitions).map(|(index, partition)| {
        let nodes = Nodes::of(shard, audience, partition);
        let code = if nodes.leader == NodeId::NONE.0 {
            ErrorCode::LeaderNotAvailable
        } else {
            ErrorCode::None
        };
        MetadataResponsePartition {
            error_code: code.code(),
            partition_index: index,
            leader_id: nodes.leader,
            leader_epoch: partition.leader_epoch.0,
            replica_nodes: nodes.replicas,
            isr_nodes: nodes.isr,
            offline_replicas: nodes.offline,
        }
    });
    MetadataResponseTopic {
        error_code: ErrorCode::None.code(),
        name: Some(topic.name.clone()),
        topic_id: topic.id,
        is_internal: is_internal(&topic.name),
        partitions: partitions.collect(),
        topic_authorized_operations: NO_AUTHORIZED_OPERATIONS,
    }
}

/// The machines of a partition as clients know them: this one by the node of the shard that owns the partition.
///
/// A partition whose log directory has failed has no leader, and its replica here is offline (KIP-858), so that tools and
/// monitoring see what clients would find.
pub(super) struct Nodes {
    pub(super) leader: i32,
    pub(super) replicas: Vec<i32>,
    pub(super) isr: Vec<i32>,
    pub(super) offline: Vec<i32>,
}

impl Nodes {
    pub(super) fn of<I: Io>(
        shard: &Shard<I>,
        audience: Audience,
        partition: &PartitionImage,
    ) -> Self {
        let advertise = shard.advertise();
        let node = |machine: NodeId| match partition.shard {
            Some(owner) if machine == advertise.machine() => advertise.node_of(owner, audience).0,
            _ => machine.0,
        };
        let here = advertise.machine();
        let is_here = partition.replicas.contains(&here);
        let has_failed = is_here && shard.directory_of(partition).is_err();
        let leads = !(has_failed && partition.leader == here);
        Self {
            leader: if leads {
                node(partition.leader)
            } else {
                NodeId::NONE.0
            },
            offline: has_failed.then(|| node(here)).into_iter().collect(),
            replicas: partition
                .replicas
                .iter()
                .map(|replica| node(*replica))
                .collect(),
            isr: partition.isr.iter().map(|replica| node(*replica)).collect(),
        }
    }
}
