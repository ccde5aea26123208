//! The classic protocol and committed offsets, script by script.

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident)+) => {
        $(
            $(#[$doc])*
            #[test]
            fn $name() {
                crate::script::run(
                    stringify!($name),
                    include_str!(concat!("scripts/", stringify!($name), ".txt")),
                );
            }
        )+
    };
}

scripts! {
    a_group_begins_and_ends
    a_member_without_an_id_gets_one_first
    the_first_rebalance_waits_for_more_members
    a_commit_of_an_old_generation_is_refused
    a_rebalance_ends_without_the_member_that_vanished
    dead_members_are_forgotten
    a_static_member_takes_its_place_back_at_once
    a_static_leader_skips_the_assignment
    a_fenced_static_member_is_told_so
    offsets_in_use_are_kept_however_idle
    offsets_of_an_empty_group_expire
    a_new_topic_does_not_inherit_offsets
    protocols_are_voted_for
    a_full_group_refuses_members
    members_that_do_not_sync_are_removed
    a_restart_keeps_members_and_generation
    older_versions_are_served
    offsets_are_deleted_on_request
    commits_are_checked_partition_by_partition
    a_lost_response_is_repeated
    groups_are_listed_by_state_and_type
    ids_that_were_given_out_go_with_their_group
}
