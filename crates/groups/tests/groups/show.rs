//! How scripts write what was answered and what was written.

use std::collections::BTreeMap;

use bytes::Bytes;
use groups::{GroupRecord, Reply};
use protocol::messages::list_groups_response::ListedGroup;
use types::ErrorCode;

/// Short names of member ids, in the order in which they are seen.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    by_id: BTreeMap<String, String>,
    count_by_prefix: BTreeMap<String, usize>,
}

impl Ids {
    /// The short name of a member id; other text stays as it is.
    pub(crate) fn show(&mut self, id: &str) -> String {
        let Some((prefix, _)) = id.split_once(UUID_PREFIX) else {
            return id.to_owned();
        };
        if let Some(name) = self.by_id.get(id) {
            return name.clone();
        }
        let count = self.count_by_prefix.entry(prefix.to_owned()).or_default();
        *count += 1;
        let name = format!("{prefix}#{count}");
        self.by_id.insert(id.to_owned(), name.clone());
        name
    }

    /// The member id of this short name; other text stays as it is.
    pub(crate) fn full(&self, name: &str) -> String {
        let mut ids = self.by_id.iter();
        let found = ids.find(|(_, short)| *short == name);
        found.map_or(name, |(id, _)| id).to_owned()
    }
}

/// How the uuids begin that the world gives its calls.
const UUID_PREFIX: &str = "-00000000-0000-0000-0000-";

fn show_error(code: i16) -> &'static str {
    ErrorCode::from_code(code).map_or("?", ErrorCode::name)
}

fn show_bytes(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn show_record(record: &GroupRecord, ids: &mut Ids) -> String {
    match record {
        GroupRecord::OffsetCommit {
            key,
            value: Some(value),
        } => {
            format!("offset {}-{}={}", key.topic, key.partition, value.offset)
        }
        GroupRecord::OffsetCommit { key, value: None } => {
            format!("offset {}-{} deleted", key.topic, key.partition)
        }
        GroupRecord::GroupMetadata { value: None, .. } => "group deleted".to_owned(),
        GroupRecord::GroupMetadata {
            value: Some(value), ..
        } => {
            let members = value.members.iter().map(|member| {
                format!(
                    "{}={}",
                    ids.show(&member.member_id),
                    show_bytes(&member.assignment)
                )
            });
            let members: Vec<String> = members.collect();
            let leader = value
                .leader
                .as_deref()
                .map_or("none".to_owned(), |id| ids.show(id));
            format!(
                "group gen={} leader={leader} [{}]",
                value.generation,
                members.join(" ")
            )
        }
        other => format!("{other:?}"),
    }
}

pub(crate) fn show_reply(reply: &Reply, ids: &mut Ids) -> String {
    match reply {
        Reply::JoinGroup(response) if response.error_code != 0 => {
            format!(
                "join {} id={}",
                show_error(response.error_code),
                ids.show(&response.member_id)
            )
        }
        Reply::JoinGroup(response) => {
            let members = response
                .members
                .iter()
                .map(|member| ids.show(&member.member_id));
            let members: Vec<String> = members.collect();
            format!(
                "joined gen={} id={} leader={} protocol={} [{}]{}",
                response.generation_id,
                ids.show(&response.member_id),
                ids.show(&response.leader),
                response.protocol_name.as_deref().unwrap_or("null"),
                members.join(" "),
                if response.skip_assignment {
                    " skip"
                } else {
                    ""
                },
            )
        }
        Reply::SyncGroup(response) if response.error_code == 0 => {
            format!("synced {}", show_bytes(&response.assignment))
        }
        Reply::SyncGroup(response) => format!("sync {}", show_error(response.error_code)),
        Reply::Heartbeat(response) => format!("beat {}", show_error(response.error_code)),
        Reply::LeaveGroup(response) => {
            let members = response.members.iter();
            let members: Vec<&str> = members
                .map(|member| show_error(member.error_code))
                .collect();
            format!(
                "left {} [{}]",
                show_error(response.error_code),
                members.join(" ")
            )
        }
        _ => show_other_reply(reply, ids),
    }
}

fn show_other_reply(reply: &Reply, ids: &mut Ids) -> String {
    match reply {
        Reply::OffsetCommit(response) => {
            let topics = response.topics.iter().flat_map(|topic| {
                let partitions = topic.partitions.iter();
                partitions.map(|one| {
                    let error = show_error(one.error_code);
                    format!("{}-{} {error}", topic.name, one.partition_index)
                })
            });
            format!("committed {}", topics.collect::<Vec<_>>().join(", "))
        }
        Reply::OffsetFetch(response) => {
            let topics = response.topics.iter().flat_map(|topic| {
                let partitions = topic.partitions.iter();
                partitions.map(|one| {
                    format!(
                        "{}-{}={}",
                        topic.name, one.partition_index, one.committed_offset
                    )
                })
            });
            format!("fetched {}", topics.collect::<Vec<_>>().join(" "))
        }
        Reply::OffsetDelete(response) => {
            let topics = response.topics.iter().flat_map(|topic| {
                let partitions = topic.partitions.iter();
                partitions.map(|one| show_error(one.error_code))
            });
            let topics: Vec<_> = topics.collect();
            format!(
                "undone {} [{}]",
                show_error(response.error_code),
                topics.join(" ")
            )
        }
        Reply::DeleteGroup(response) => format!("deleted {}", show_error(response.error_code)),
        Reply::DescribeGroup(group) => {
            let members = group.members.iter().map(|member| {
                format!(
                    "{}={}",
                    ids.show(&member.member_id),
                    show_bytes(&member.member_assignment)
                )
            });
            let members: Vec<String> = members.collect();
            format!(
                "described {} {} type={} protocol={} [{}]",
                show_error(group.error_code),
                group.group_state,
                group.protocol_type,
                group.protocol_data,
                members.join(" ")
            )
        }
        other => format!("{other:?}"),
    }
}

pub(crate) fn show_listed(groups: &[ListedGroup]) -> String {
    let groups = groups.iter().map(|group| {
        format!(
            "{} {} {} {}",
            group.group_id, group.group_type, group.group_state, group.protocol_type
        )
    });
    format!("listed [{}]", groups.collect::<Vec<_>>().join(", "))
}
