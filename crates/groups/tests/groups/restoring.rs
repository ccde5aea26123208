//! Groups as a log has them that no coordinator of ours has written.

use std::time::Duration;

use groups::{GroupConfig, GroupRecord, Reply, Request};
use protocol::Str;
use protocol::messages::group_metadata_value::MemberMetadata;
use protocol::messages::{GroupMetadataKey, GroupMetadataValue};

use crate::world::World;

fn member(id: &'static str, instance: Option<&'static str>, host: &'static str) -> MemberMetadata {
    MemberMetadata {
        member_id: Str::from_static(id),
        group_instance_id: instance.map(Str::from_static),
        client_host: Str::from_static(host),
        session_timeout: 10_000,
        rebalance_timeout: 10_000,
        ..MemberMetadata::default()
    }
}

/// What a coordinator that has read a stable group of these members says of it: ids and hosts.
fn restored(leader: &'static str, members: Vec<MemberMetadata>) -> Vec<(String, String)> {
    let mut world = World::new(GroupConfig::default());
    let record = GroupRecord::GroupMetadata {
        key: GroupMetadataKey {
            group: Str::from_static("g"),
        },
        value: Some(GroupMetadataValue {
            protocol_type: Str::from_static("consumer"),
            generation: 3,
            protocol: Some(Str::from_static("range")),
            leader: Some(Str::from_static(leader)),
            members,
            ..GroupMetadataValue::default()
        }),
    };
    let (key, value) = record.encode();
    world.log.push((key, value, None));
    world.restart();
    let (_, replies) = world.call("c", 5, Request::DescribeGroup(Str::from_static("g")));
    let [(_, Reply::DescribeGroup(described))] = replies.as_slice() else {
        unreachable!("one answer: {replies:?}");
    };
    let members = described.members.iter();
    let shown = members.map(|it| (it.member_id.to_string(), it.client_host.to_string()));
    let shown: Vec<_> = shown.collect();
    // Whoever leads does so until its session ends.
    world.step(Duration::from_secs(60));
    shown
}

fn expected(members: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(id, host): &(&str, &str)| ((*id).to_owned(), (*host).to_owned());
    members.iter().map(owned).collect()
}

#[test]
fn a_member_that_a_record_names_twice_is_as_it_is_named_last() {
    let named = vec![
        member("m", None, "/first"),
        member("n", Some("i"), "/other"),
        member("m", Some("k"), "/last"),
    ];
    let members = [("m", "/last"), ("n", "/other")];
    assert_eq!(restored("m", named), expected(&members));
}

#[test]
fn an_instance_that_a_record_names_twice_is_the_member_that_is_named_last() {
    let named = vec![
        member("m", Some("i"), "/first"),
        member("n", Some("i"), "/last"),
    ];
    assert_eq!(restored("m", named), expected(&[("n", "/last")]));
}

#[test]
fn a_leader_that_is_no_member_leads_nobody() {
    let named = vec![member("m", None, "/only")];
    assert_eq!(restored("gone", named), expected(&[("m", "/only")]));
}
