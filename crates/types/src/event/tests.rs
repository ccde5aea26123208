//! Every event comes back from its words.

use super::*;

fn examples() -> Vec<Event> {
    let request = RequestName {
        api: 1,
        version: 17,
        correlation_id: -5,
        peer: "192.0.2.7:50123".parse().expect("an address"),
    };
    let peer = "[2001:db8::9]:65535".parse().expect("an address");
    let log = LogName {
        topic: ShortName::new("orders"),
        partition: PartitionIndex(41),
    };
    let took = Duration::from_nanos(1_234_567_890_123);
    let lane = MessageLane::Control;
    let shard = ShardId(511);
    let mut examples = vec![
        Event::RequestBegun {
            request,
            bytes: u32::MAX,
        },
        Event::RequestEnded { request, took },
        Event::RequestPanicked { request },
        Event::ConnectionOpened {
            peer,
            has_moved: true,
        },
        Event::SyncSubmitted { log },
        Event::SyncCompleted {
            log,
            took,
            is_ok: true,
        },
        Event::LogFenced { log },
        Event::MessageSlow { shard, lane, took },
        Event::Stalled { took },
        Event::PartitionOpened { log },
        Event::PartitionReleased { log },
        Event::GroupsRebalanced {
            partition: PartitionIndex(49),
            rebalances: 3,
        },
        Event::DirectoryFailed { index: 2 },
        Event::Draining,
    ];
    let closed = CloseReason::ALL.map(|reason| Event::ConnectionClosed { peer, reason });
    examples.extend(closed);
    examples
}

#[test]
fn every_event_comes_back_from_its_words() {
    for event in examples() {
        assert_eq!(Event::of_words(event.to_words()), Some(event));
    }
}

#[test]
fn names_of_events_are_told_apart() {
    let mut names: Vec<_> = examples().iter().map(Event::name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 15);
}

#[test]
fn words_that_are_no_event_are_none() {
    assert_eq!(Event::of_words([0; EVENT_WORDS]), None);
    assert_eq!(Event::of_words([u64::MAX; EVENT_WORDS]), None);
    let closed = Event::ConnectionClosed {
        peer: "127.0.0.1:1".parse().expect("an address"),
        reason: CloseReason::Ended,
    };
    let mut words = closed.to_words();
    words[0] |= 0xFF << 8;
    assert_eq!(Event::of_words(words), None, "no such reason");
}

#[test]
fn long_names_are_cut_and_say_so() {
    let of = |name: &str| ShortName::new(name).to_string();
    assert_eq!(of(""), "");
    assert_eq!(of("exactly-twenty-four-byte"), "exactly-twenty-four-byte");
    assert_eq!(of("one-more-than-twenty-four"), "one-more-than-twenty-fo…");
    // A character that the cut goes through is replaced.
    assert_eq!(
        of("aaaaaaaaaaaaaaaaaaaaaaäaaa"),
        "aaaaaaaaaaaaaaaaaaaaaa\u{FFFD}…"
    );
}

#[test]
fn a_request_tells_who_asked_for_what() {
    let fields = examples()[1].fields();
    let text = |value: &str| EventValue::Text(value.to_owned());
    assert!(fields.contains(&("client", text("192.0.2.7:50123"))));
    assert!(fields.contains(&("api", EventValue::Api(1))));
    assert!(fields.contains(&("correlationId", EventValue::Number(-5))));
}
