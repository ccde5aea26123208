//! Forged, enormous and unknown: Kafka's error, bounded memory, and other groups unharmed.

use bytes::Bytes;
use protocol::messages::SyncGroupRequest;
use protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use tests::{create_topic, error_of, temporary_directory};
use types::ErrorCode;

use super::{
    COMMIT, JOIN, SYNC, commit, commit_request, committed, coordinator, heartbeat, join,
    join_request, launch, single_member, sync_request,
};

#[test]
fn unknown_members_and_generations_are_refused() {
    let directory = temporary_directory();
    let broker = launch(directory.path()).start();
    let mut wire = coordinator(&broker, "g");
    let joined = single_member(&mut wire, "g");
    let member = joined.member_id.as_str();
    assert_eq!(
        heartbeat(&mut wire, "g", "forged", 1),
        ErrorCode::UnknownMemberId
    );
    assert_eq!(
        heartbeat(&mut wire, "g", member, 7),
        ErrorCode::IllegalGeneration
    );
    assert_eq!(
        heartbeat(&mut wire, "other", member, 1),
        ErrorCode::UnknownMemberId
    );
    assert_eq!(
        heartbeat(&mut wire, "", member, 1),
        ErrorCode::InvalidGroupId
    );
    assert_eq!(heartbeat(&mut wire, "g", member, 1), ErrorCode::None);
    let forged = join(&mut wire, "g", "forged");
    assert_eq!(error_of(forged.error_code), ErrorCode::UnknownMemberId);
    let nameless = join(&mut wire, "", "");
    assert_eq!(error_of(nameless.error_code), ErrorCode::InvalidGroupId);
    let hasty = wire.call(JOIN, &join_request("g2", "", 1));
    assert_eq!(error_of(hasty.error_code), ErrorCode::InvalidSessionTimeout);
    let mut foreign = join_request("g", "", 30_000);
    foreign.protocol_type = "connect".into();
    let foreign = wire.call(JOIN, &foreign);
    assert_eq!(
        error_of(foreign.error_code),
        ErrorCode::InconsistentGroupProtocol
    );
    assert_eq!(heartbeat(&mut wire, "g", member, 1), ErrorCode::None);
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn an_enormous_group_id_is_a_group_like_any_other() {
    let directory = temporary_directory();
    let broker = launch(directory.path()).start();
    create_topic(&broker, "t", 1, &[]);
    let group = "g".repeat(32_000);
    let mut wire = coordinator(&broker, &group);
    assert_eq!(commit(&mut wire, &group, "t", &[5]), [ErrorCode::None]);
    assert_eq!(committed(&mut wire, &group, "t", 1), [5]);
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn metadata_beyond_the_limit_is_refused_and_the_rest_is_taken() {
    let directory = temporary_directory();
    let broker = launch(directory.path())
        .with("offset.metadata.max.bytes", "10")
        .start();
    create_topic(&broker, "t", 2, &[]);
    let mut wire = coordinator(&broker, "g");
    let mut request = commit_request("g", "t", &[5, 6]);
    request.topics[0].partitions[0].committed_metadata = Some("x".repeat(11).as_str().into());
    request.topics[0].partitions[1].committed_metadata = Some("x".repeat(10).as_str().into());
    let response = wire.call(COMMIT, &request);
    let partitions = response.topics[0].partitions.iter();
    let codes: Vec<_> = partitions.map(|it| error_of(it.error_code)).collect();
    assert_eq!(codes, [ErrorCode::OffsetMetadataTooLarge, ErrorCode::None]);
    assert_eq!(committed(&mut wire, "g", "t", 2), [-1, 6]);
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn an_assignment_that_no_batch_can_hold_harms_nobody_else() {
    let directory = temporary_directory();
    let broker = launch(directory.path())
        .with("offsets.topic.num.partitions", "1")
        .start();
    let mut wire = coordinator(&broker, "g");
    let bystander = single_member(&mut wire, "bystander");
    let joined = join(&mut wire, "g", "");
    let request = SyncGroupRequest {
        assignments: vec![SyncGroupRequestAssignment {
            member_id: joined.member_id.clone(),
            assignment: Bytes::from(vec![0; 4 << 20]),
        }],
        ..sync_request(&joined, "g")
    };
    let response = wire.call(SYNC, &request);
    assert_ne!(response.error_code, 0);
    let code = heartbeat(
        &mut wire,
        "bystander",
        &bystander.member_id,
        bystander.generation_id,
    );
    assert_eq!(code, ErrorCode::None);
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn a_group_takes_no_more_members_than_it_may() {
    let directory = temporary_directory();
    let broker = launch(directory.path()).with("group.max.size", "3").start();
    let mut wire = coordinator(&broker, "g");
    let joined = single_member(&mut wire, "g");
    let mut refused = 0;
    for _ in 0..20 {
        let mut other = broker.wire();
        let named = other.call(JOIN, &join_request("g", "", 30_000));
        match error_of(named.error_code) {
            ErrorCode::GroupMaxSizeReached => refused += 1,
            ErrorCode::MemberIdRequired => {
                let id = named.member_id.as_str();
                other.send_request(JOIN, &join_request("g", id, 30_000));
            }
            code => unreachable!("{code:?}"),
        }
    }
    assert!(refused > 0, "twenty members of three");
    let code = heartbeat(&mut wire, "g", &joined.member_id, joined.generation_id);
    assert!(
        matches!(code, ErrorCode::None | ErrorCode::RebalanceInProgress),
        "{code:?}"
    );
    assert_eq!(broker.stop().code(), 0);
}
