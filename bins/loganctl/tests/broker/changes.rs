//! Changes of a real broker's configurations and topics, and what is refused.

use crate::admin::with_topic;
use crate::json;

#[test]
fn configurations_are_set_shown_and_taken_back() {
    let broker = with_topic();
    let shown = |format| broker.succeed(&format!("configs describe --topic t -o {format}"), b"");
    assert_eq!(
        shown("table"),
        "KEY           VALUE    SOURCE\nretention.ms  3600000  topic\n"
    );
    assert_eq!(
        shown("yaml"),
        "- name: retention.ms\n  value: \"3600000\"\n  source: topic\n  read_only: false\n  sensitive: false\n"
    );
    assert_eq!(json(&shown("json"))[0]["value"], "3600000");

    let dry = "configs set --topic t max.message.bytes=2000000 --dry-run";
    broker.succeed(dry, b"");
    assert_eq!(json(&shown("json")).as_array().map(Vec::len), Some(1));
    broker.succeed("configs set --topic t max.message.bytes=2000000", b"");
    broker.succeed(
        "topics alter t -d retention.ms -c cleanup.policy=compact",
        b"",
    );
    broker.succeed("configs append --topic t cleanup.policy=delete", b"");
    let rows = json(&shown("json"));
    let pairs: Vec<_> = rows.as_array().expect("rows").iter().collect();
    let pairs: Vec<_> = pairs
        .iter()
        .map(|row| (row["name"].as_str(), row["value"].as_str()))
        .collect();
    assert_eq!(
        pairs,
        [
            (Some("cleanup.policy"), Some("compact,delete")),
            (Some("max.message.bytes"), Some("2000000")),
        ]
    );
    let details = broker.succeed("configs describe --topic t max.message.bytes -d", b"");
    assert!(
        details.contains("  topic: max.message.bytes=2000000\n")
            && details.contains("  default: message.max.bytes=1048588\n"),
        "{details}"
    );
    broker.succeed(
        "configs delete --topic t max.message.bytes cleanup.policy",
        b"",
    );
    assert_eq!(shown("table"), "");
}

#[test]
fn brokers_have_configurations_of_their_own_and_in_common() {
    let broker = with_topic();
    broker.succeed("configs set --brokers log.retention.ms=7200000", b"");
    let shown = broker.succeed("configs describe --brokers -o json", b"");
    assert_eq!(json(&shown)[0]["source"], "all brokers");
    broker.succeed("configs set --broker 0 log.retention.ms=9000000", b"");
    let words = "configs describe --broker 0 log.retention.ms";
    assert_eq!(
        broker.succeed(words, b""),
        "KEY               VALUE    SOURCE\nlog.retention.ms  9000000  broker\n"
    );
    broker.succeed("configs delete --broker 0 log.retention.ms", b"");
    broker.succeed("configs delete --brokers log.retention.ms", b"");
    assert_eq!(broker.succeed("configs describe --brokers", b""), "");
}

#[test]
fn partitions_are_added_but_never_taken_away() {
    let broker = with_topic();
    let planned = broker.succeed("topics add-partitions t --total 4 --dry-run -o json", b"");
    assert_eq!(json(&planned)[0]["partitions"], 4);
    let listed = broker.succeed("topics list -o json", b"");
    assert_ne!(json(&listed)[0]["partitions"], 4, "nothing was done");
    let grown = broker.succeed("topics add-partitions t --total 4 -o json", b"");
    assert_eq!(json(&grown)[0]["partitions"], 4);
    for total in [2, 4] {
        let words = format!("topics add-partitions t --total {total}");
        let refused = broker.run(&words, b"");
        assert_eq!(refused.code, 1, "{}", refused.stderr);
        let said = format!("topic t has 4 partitions, so it cannot get {total} in all");
        assert!(refused.stderr.contains(&said), "{}", refused.stderr);
    }
    broker.succeed("produce t -q -p 3", b"f\n");
    assert_eq!(
        broker.succeed("consume t -p 3 --from-beginning -e", b""),
        "f\n"
    );
}

#[test]
fn what_does_not_exist_is_named_at_once() {
    let broker = with_topic();
    for (words, code, said) in [
        (
            "configs describe --topic nope",
            3,
            "topic nope does not exist",
        ),
        (
            "configs set --topic nope retention.ms=1",
            3,
            "does not exist",
        ),
        (
            "configs describe --topic t no.such.key",
            3,
            "topic t has no key no.such.key",
        ),
        ("configs set --topic t no.such.key=1", 1, "no.such.key"),
        ("configs set --topic t retention.ms=soon", 1, "soon"),
        ("configs describe --broker 7", 3, "there is no broker 7"),
        (
            "topics add-partitions nope --total 3",
            3,
            "topic nope does not exist",
        ),
        (
            "topics add-partitions t --total 3 --assign 5=0",
            2,
            "--assign 2=1",
        ),
        ("records delete nope --all", 3, "topic nope does not exist"),
        ("records delete t -p 9 --all", 3, "has no partition 9"),
        ("partitions list nope", 3, "topic nope does not exist"),
        ("partitions move t --to 77", 3, "there is no node 77"),
        ("partitions move t -p 9 --to 0", 3, "has no partition 9"),
    ] {
        let ended = broker.run(words, b"");
        assert_eq!(ended.code, code, "{words}: {}", ended.stderr);
        assert!(ended.stderr.contains(said), "{words}: {}", ended.stderr);
        assert_eq!(ended.stdout, "", "{words}");
    }
}
