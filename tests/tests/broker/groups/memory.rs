//! The memory of groups has a bound, which the broker tells of when it is reached.

use tests::{create_topic, temporary_directory};
use types::ErrorCode;

use super::{commit, committed, coordinator, launch, until};

/// What the log says when somebody is refused.
const REFUSAL: &str = "groups take all the memory that they may have";

/// More groups than there is room for.
const GROUPS: usize = 2_000;

/// Groups that are refused: far more than the log tells of in the time that it takes.
const MORE: usize = 100;

#[test]
fn made_up_groups_are_refused_aloud_and_nothing_that_was_committed_is_lost() {
    let directory = temporary_directory();
    let small = || {
        launch(directory.path())
            .with("offsets.topic.num.partitions", "1")
            .with("logan.group.memory.bytes", "1048576")
    };
    let broker = small().start();
    create_topic(&broker, "t", 2, &[]);
    let mut wire = coordinator(&broker, "0");
    let made_up = (0..GROUPS).map(|number| number.to_string());
    let made: Vec<String> = made_up
        .take_while(|group| match *commit(&mut wire, group, "t", &[5]) {
            [ErrorCode::None] => true,
            [ErrorCode::CoordinatorLoadInProgress] => false,
            ref codes => unreachable!("{codes:?}"),
        })
        .collect();
    assert!((50..GROUPS).contains(&made.len()), "{}", made.len());
    until("the log tells of it", || broker.log().contains(REFUSAL));
    // Now and then, however many are refused.
    for number in 0..MORE {
        let codes = commit(&mut wire, &format!("more {number}"), "t", &[5]);
        assert_eq!(codes, [ErrorCode::CoordinatorLoadInProgress]);
    }
    let told = broker.log().matches(REFUSAL).count();
    assert!(told < MORE / 2, "{told}");
    assert_eq!(commit(&mut wire, &made[0], "t", &[6]), [ErrorCode::None]);
    assert_eq!(broker.stop().code(), 0);

    // All of it is loaded, whatever is allowed by then.
    let broker = small().start();
    let mut wire = coordinator(&broker, "0");
    for (index, group) in made.iter().enumerate() {
        let offset = if index == 0 { 6 } else { 5 };
        assert_eq!(committed(&mut wire, group, "t", 1), [offset], "{group}");
    }
    assert_eq!(broker.stop().code(), 0);
}
