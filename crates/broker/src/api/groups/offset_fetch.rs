//! OffsetFetch (key 9, versions 1 to 10), for one group or, from version 8 on, for several.
//!
//! A group, a topic of it, and a partition of that is answered once, however often it is named, and an answer that becomes
//! long leaves out groups, which clients then ask for again.
//!
//! Source: KIP-447, KIP-709, KIP-848, KIP-1206; `KafkaApis.handleOffsetFetchRequest` of Kafka 4.3.1.

use std::collections::HashMap;
use std::hash::Hash;

use groups::{Reply, Request};
use io::Io;
use protocol::Str;
use protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponseTopic,
};
use protocol::messages::{OffsetFetchRequest, OffsetFetchResponse};
use types::{ErrorCode, Uuid};

use super::{ask, distinct, foreign_target};
use crate::api::{Call, Finished, Outcome};
use crate::groups::Asking;
use crate::slice::Steps;

/// The first version that asks for several groups.
const GROUPS_SINCE: i16 = 8;

/// Groups that are asked for at the same time.
const GROUPS_AT_ONCE: usize = 64;

/// Partitions that one request may name: they are looked up group by group without stepping aside.
const PARTITIONS_MAX: usize = 200_000;

/// How long an answer may become before the groups that are left are to be asked for again. What one group has committed
/// is never divided.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// What a partition takes in the answer beyond its metadata, and a topic or a group beyond its name, at most.
const FIELDS_BYTES: usize = 32;

pub(in crate::api) async fn handle<I: Io>(
    call: Call<I>,
    request: OffsetFetchRequest,
) -> Outcome<OffsetFetchResponse> {
    let version = call.version;
    let require_stable = request.require_stable;
    let groups = groups_of(request, version);
    if named_partitions(&groups) > PARTITIONS_MAX {
        let refused = groups.into_iter();
        let refused = refused.map(|group| refused_group(group.group_id, ErrorCode::InvalidRequest));
        return Outcome::Answer(response(refused.collect(), version));
    }
    let groups = each_once(groups);
    if let Some(target) = groups
        .first()
        .and_then(|group| foreign_target(&call, &group.group_id))
    {
        return Outcome::Migrate(target);
    }
    let mut left = groups.into_iter();
    let first = ask_some(&call, &mut left, require_stable).await;
    Outcome::Later(Box::pin(async move {
        let mut steps = Steps::new(&call.shard.io);
        let mut asked = first;
        let mut answers = Vec::new();
        let mut room_bytes = ANSWER_BYTES_MAX;
        while !asked.is_empty() {
            for (id, asking) in asked {
                let answer = answer_of(id, asking).await;
                steps.look().await;
                let taken = answer_bytes(&answer);
                if taken <= room_bytes || answers.is_empty() {
                    room_bytes = room_bytes.saturating_sub(taken);
                    answers.push(answer);
                } else {
                    room_bytes = 0;
                    answers.push(put_off(answer.group_id));
                }
            }
            if room_bytes == 0 {
                answers.extend(left.by_ref().map(|group| put_off(group.group_id)));
            }
            asked = ask_some(&call, &mut left, require_stable).await;
        }
        Finished::Answer(response(answers, version))
    }))
}

/// Asks the coordinators of the next groups.
async fn ask_some<I: Io>(
    call: &Call<I>,
    left: &mut impl Iterator<Item = OffsetFetchRequestGroup>,
    require_stable: bool,
) -> Vec<(Str, Asking<I>)> {
    let mut steps = Steps::new(&call.shard.io);
    let mut asked = Vec::new();
    for group in left.take(GROUPS_AT_ONCE) {
        steps.look().await;
        let id = group.group_id.clone();
        let request = Request::OffsetFetch {
            group,
            require_stable,
        };
        asked.push((id.clone(), ask(call, &id, request).await));
    }
    asked
}

async fn answer_of<I: Io>(id: Str, asking: Asking<I>) -> OffsetFetchResponseGroup {
    match asking.answer().await {
        Ok(Reply::OffsetFetch(group)) => group,
        Ok(_) => refused_group(id, ErrorCode::UnknownServerError),
        Err(code) => refused_group(id, code),
    }
}

/// The answer about a group that does not fit any more. Clients ask again for what is said to be loading, and for nothing
/// else.
fn put_off(group_id: Str) -> OffsetFetchResponseGroup {
    refused_group(group_id, ErrorCode::CoordinatorLoadInProgress)
}

/// What a group takes in the answer, at most.
fn answer_bytes(group: &OffsetFetchResponseGroup) -> usize {
    let topics = group.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter();
        let partitions =
            partitions.map(|it| FIELDS_BYTES + it.metadata.as_deref().map_or(0, str::len));
        FIELDS_BYTES + topic.name.len() + partitions.sum::<usize>()
    });
    FIELDS_BYTES + group.group_id.len() + topics.sum::<usize>()
}

fn named_partitions(groups: &[OffsetFetchRequestGroup]) -> usize {
    let topics = groups
        .iter()
        .flat_map(|group| group.topics.iter().flatten());
    topics.map(|topic| topic.partition_indexes.len()).sum()
}

/// Each group once, each of its topics once, and each partition of those once: repeating them would make the answer many
/// times as large as the request. What is asked of a group at several places is asked of it at the first of them, by the
/// member that is named there.
fn each_once(groups: Vec<OffsetFetchRequestGroup>) -> Vec<OffsetFetchRequestGroup> {
    let mut groups = merged(
        groups,
        |group| group.group_id.clone(),
        |group, again| match (&mut group.topics, again.topics) {
            (Some(topics), Some(more)) => topics.extend(more),
            (topics, None) => *topics = None,
            (None, Some(_)) => {}
        },
    );
    for topics in groups.iter_mut().filter_map(|group| group.topics.as_mut()) {
        *topics = merged(
            std::mem::take(topics),
            |topic| (topic.name.clone(), topic.topic_id),
            |topic, again| topic.partition_indexes.extend(again.partition_indexes),
        );
        for topic in topics {
            // As most are.
            let is_ascending = topic.partition_indexes.is_sorted_by(|one, next| one < next);
            if !is_ascending {
                topic.partition_indexes = distinct(std::mem::take(&mut topic.partition_indexes));
            }
        }
    }
    groups
}

/// Each of these once, in order; one whose key was there already is merged into the first.
fn merged<T, K: Eq + Hash>(
    items: Vec<T>,
    key: impl Fn(&T) -> K,
    merge: impl Fn(&mut T, T),
) -> Vec<T> {
    if items.len() <= 1 {
        return items;
    }
    let mut places = HashMap::with_capacity(items.len());
    let mut merged: Vec<T> = Vec::with_capacity(items.len());
    for item in items {
        let place = *places.entry(key(&item)).or_insert(merged.len());
        match merged.get_mut(place) {
            Some(first) => merge(first, item),
            None => merged.push(item),
        }
    }
    merged
}

/// What is asked for, in the form of the later versions.
fn groups_of(request: OffsetFetchRequest, version: i16) -> Vec<OffsetFetchRequestGroup> {
    if version >= GROUPS_SINCE {
        return request.groups;
    }
    let topics = request.topics.map(|topics| {
        let topics = topics.into_iter().map(|topic| OffsetFetchRequestTopics {
            name: topic.name,
            topic_id: Uuid::ZERO,
            partition_indexes: topic.partition_indexes,
        });
        topics.collect()
    });
    vec![OffsetFetchRequestGroup {
        group_id: request.group_id,
        topics,
        ..OffsetFetchRequestGroup::default()
    }]
}

fn refused_group(group_id: Str, code: ErrorCode) -> OffsetFetchResponseGroup {
    OffsetFetchResponseGroup {
        group_id,
        error_code: code.code(),
        ..OffsetFetchResponseGroup::default()
    }
}

fn response(mut groups: Vec<OffsetFetchResponseGroup>, version: i16) -> OffsetFetchResponse {
    if version >= GROUPS_SINCE {
        return OffsetFetchResponse {
            groups,
            ..OffsetFetchResponse::default()
        };
    }
    let group = groups.pop().unwrap_or_default();
    let topics = group.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter();
        OffsetFetchResponseTopic {
            name: topic.name,
            partitions: partitions
                .map(|partition| OffsetFetchResponsePartition {
                    partition_index: partition.partition_index,
                    committed_offset: partition.committed_offset,
                    committed_leader_epoch: partition.committed_leader_epoch,
                    metadata: partition.metadata,
                    error_code: partition.error_code,
                })
                .collect(),
        }
    });
    OffsetFetchResponse {
        topics: topics.collect(),
        error_code: group.error_code,
        ..OffsetFetchResponse::default()
    }
}

#[cfg(test)]
mod tests {
    use super::{
        ANSWER_BYTES_MAX, OffsetFetchRequestGroup, OffsetFetchRequestTopics,
        OffsetFetchResponseGroup, answer_bytes, each_once, response,
    };
    use protocol::messages::offset_fetch_response::{
        OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
    };
    use protocol::{ApiKey, Str};

    fn topic(name: &str, partitions: &[i32]) -> OffsetFetchRequestTopics {
        OffsetFetchRequestTopics {
            name: Str::from(name),
            partition_indexes: partitions.to_vec(),
            ..OffsetFetchRequestTopics::default()
        }
    }

    fn group(id: &str, topics: Option<Vec<OffsetFetchRequestTopics>>) -> OffsetFetchRequestGroup {
        OffsetFetchRequestGroup {
            group_id: Str::from(id),
            topics,
            ..OffsetFetchRequestGroup::default()
        }
    }

    #[test]
    fn what_is_named_again_is_asked_for_once() {
        let asked = vec![
            group("g", Some(vec![topic("t", &[3, 1, 3]), topic("u", &[0])])),
            group("all", Some(vec![topic("t", &[1])])),
            group("g", Some(vec![topic("t", &[1, 2]), topic("v", &[5, 5])])),
            group("all", None),
            group("all", Some(vec![topic("t", &[2])])),
        ];
        let expected = vec![
            group(
                "g",
                Some(vec![
                    topic("t", &[3, 1, 2]),
                    topic("u", &[0]),
                    topic("v", &[5]),
                ]),
            ),
            group("all", None),
        ];
        assert_eq!(each_once(asked), expected);
    }

    #[test]
    fn what_a_group_takes_in_an_answer_is_no_less_than_it_takes() {
        let partitions = (0..1_000).map(|index| OffsetFetchResponsePartitions {
            partition_index: index,
            metadata: Some(Str::from(
                "x".repeat(usize::try_from(index).expect("positive")),
            )),
            ..OffsetFetchResponsePartitions::default()
        });
        let group = OffsetFetchResponseGroup {
            group_id: Str::from("g".repeat(1_000)),
            topics: vec![OffsetFetchResponseTopics {
                name: Str::from("t".repeat(200)),
                partitions: partitions.collect(),
                ..OffsetFetchResponseTopics::default()
            }],
            ..OffsetFetchResponseGroup::default()
        };
        let taken = answer_bytes(&group);
        assert!(taken < ANSWER_BYTES_MAX);
        for version in [9, 10] {
            let whole = response(vec![group.clone()], version);
            let key = ApiKey::OffsetFetch;
            let frame = protocol::encode_response_frame(key, version, 1, &whole);
            let chunks = frame.expect("it fits").into_chunks();
            let len: usize = chunks.iter().map(bytes::Bytes::len).sum();
            assert!((len..len * 2).contains(&taken), "{len} {taken}");
        }
    }
}
