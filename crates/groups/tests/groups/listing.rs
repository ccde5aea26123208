//! Groups are listed a part at a time, and what is asked for costs nothing for each of them.

use std::collections::BTreeSet;

use groups::{GroupConfig, GroupFilter, Request};
use protocol::Str;
use protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use protocol::messages::{ListGroupsRequest, OffsetCommitRequest};

use crate::world::World;

fn commit(world: &mut World, group_id: &str) {
    let request = OffsetCommitRequest {
        group_id: Str::from(group_id),
        topics: vec![OffsetCommitRequestTopic {
            name: Str::from_static("t"),
            partitions: vec![OffsetCommitRequestPartition::default()],
            ..OffsetCommitRequestTopic::default()
        }],
        ..OffsetCommitRequest::default()
    };
    world.call("client", 9, Request::OffsetCommit(request));
}

fn filter(states: &[&str], types: &[&str]) -> GroupFilter {
    let names = |names: &[&str]| names.iter().map(|name| Str::from(*name)).collect();
    GroupFilter::new(&ListGroupsRequest {
        states_filter: names(states),
        types_filter: names(types),
    })
}

/// The ids of the groups that pass, listed in parts of this many; `between` happens after each part.
fn listed(
    world: &mut World,
    filter: &GroupFilter,
    looked_at_max: usize,
    mut between: impl FnMut(&mut World),
) -> Vec<String> {
    let mut ids = Vec::new();
    let mut after = None;
    loop {
        let part = world
            .coordinator
            .list(filter, after.as_ref(), looked_at_max);
        assert!(part.groups.len() <= looked_at_max);
        let groups = part.groups.iter();
        ids.extend(groups.map(|group| group.group_id.as_str().to_owned()));
        if part.next.is_none() {
            return ids;
        }
        after = part.next;
        between(world);
    }
}

#[test]
fn parts_name_every_group_once() {
    let mut world = World::new(GroupConfig::default());
    for number in 0..100 {
        commit(&mut world, &format!("{number:03}"));
    }
    let all: Vec<String> = (0..100).map(|number| format!("{number:03}")).collect();
    let any = filter(&[], &[]);
    for looked_at_max in [1, 7, 50, 99, 100, 1_000] {
        assert_eq!(listed(&mut world, &any, looked_at_max, |_| ()), all);
    }
    assert_eq!(
        listed(&mut world, &filter(&["stable"], &[]), 7, |_| ()),
        [""; 0]
    );
    assert_eq!(
        listed(&mut world, &filter(&["EMPTY"], &["Classic"]), 7, |_| ()),
        all
    );
}

#[test]
fn groups_that_come_and_go_meanwhile_lose_no_other() {
    let mut world = World::new(GroupConfig::default());
    for number in 0..100 {
        commit(&mut world, &format!("stays {number:03}"));
        commit(&mut world, &format!("goes {number:03}"));
    }
    let mut number = 0;
    let ids = listed(&mut world, &filter(&[], &[]), 7, |world| {
        commit(world, &format!("comes {number:03}"));
        commit(world, &format!("zz {number:03}"));
        for gone in [
            format!("goes {number:03}"),
            format!("goes {:03}", 99 - number),
        ] {
            let delete = Request::DeleteGroup(Str::from(gone.as_str()));
            world.call("client", 2, delete);
        }
        number += 1;
    });
    let distinct: BTreeSet<&String> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len());
    let stay = ids.iter().filter(|id| id.starts_with("stays"));
    assert_eq!(stay.count(), 100);
}

#[test]
fn of_a_filter_no_more_is_kept_than_names_that_exist() {
    let made_up: Vec<String> = (0..100_000).map(|number| format!("{number}")).collect();
    let mut names: Vec<&str> = made_up.iter().map(String::as_str).collect();
    names.extend(["stable", "STABLE", "Stable"]);
    assert_eq!(filter(&names, &[]), filter(&["Stable"], &[]));
    names.push("consumer");
    assert_eq!(filter(&[], &names), filter(&[], &["Consumer"]));
    // Names that do not exist are not the same as none.
    assert_ne!(filter(&["made up"], &[]), filter(&[], &[]));
}
