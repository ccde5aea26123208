//! What the broker has done lately, as `loganctl debug` shows it.

use std::fs;

use tests::{Broker, Launch, eventually, temporary_directory};

use crate::common::run;

const TOKEN: &str = "a-token-of-some-length";

fn admin_address(broker: &Broker) -> String {
    let address = eventually(std::time::Duration::from_secs(60), || {
        let log = broker.log();
        let (_, rest) = log.split_once("the status page is served at http://")?;
        let (address, _) = rest.split_once('/')?;
        Some(address.to_owned())
    });
    address.unwrap_or_else(|| unreachable!("{}", broker.log()))
}

#[test]
fn the_last_events_are_shown_and_written_where_the_token_is_right() {
    let directory = temporary_directory();
    let token_file = directory.path().join("token");
    fs::write(&token_file, TOKEN).expect("a file");
    let dumps = directory.path().join("dumps");
    let data = directory.path().join("data");
    fs::create_dir(&data).expect("a directory");
    let broker = Launch::in_directory(&data)
        .with("shard.advertise", "single")
        .with("logan.admin.listener", "0")
        .with("logan.admin.token.file", token_file.display().to_string())
        .with("logan.recorder.directory", dumps.display().to_string())
        .start();
    let admin = admin_address(&broker);
    let ask = |words: &str| run(broker.address(), &format!("{words} --admin {admin}"), b"");
    let created = run(broker.address(), "topics create flights", b"");
    assert_eq!(created.code, 0, "{}", created.stderr);

    let table = ask("debug dump");
    assert_eq!(table.code, 0, "{}", table.stderr);
    assert!(table.stdout.starts_with("TIME"), "{}", table.stdout);
    for said in [
        "request-ended",
        "api=CreateTopics",
        "connection-opened",
        "partition-opened",
    ] {
        assert!(table.stdout.contains(said), "{said}: {}", table.stdout);
    }
    let json = ask("debug dump --last 3 --output json");
    let events: serde_json::Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!(events.as_array().map(Vec::len), Some(3), "{}", json.stdout);
    let yaml = ask("debug dump --shard 0 --last 1 --output yaml");
    assert!(yaml.stdout.contains("shard: 0"), "{}", yaml.stdout);
    let unknown = ask("debug dump --shard 999");
    assert_eq!(unknown.code, 1);
    assert!(
        unknown.stderr.contains("no such shard"),
        "{}",
        unknown.stderr
    );

    let refused = ask("debug dump --write");
    assert_eq!(refused.code, 1);
    assert!(
        refused.stderr.contains("--token-file"),
        "{}",
        refused.stderr
    );
    let token = format!("--token-file {}", token_file.display());
    let written = ask(&format!("debug dump --write {token}"));
    assert_eq!(written.code, 0, "{}", written.stderr);
    assert!(
        written.stdout.starts_with(&*dumps.to_string_lossy()),
        "{}",
        written.stdout
    );
    let text = fs::read_to_string(written.stdout.trim()).expect("it is there");
    assert!(
        text.starts_with('{') && text.contains("\"reason\":\"asked\""),
        "{text}"
    );
    assert!(text.contains("\"api\":\"CreateTopics\""), "{text}");

    assert_eq!(ask("debug log-levels").stdout, "info\n");
    let changed = ask(&format!("debug log-levels info,broker=debug {token}"));
    assert_eq!(changed.code, 0, "{}", changed.stderr);
    assert!(
        changed.stdout.contains("broker=debug"),
        "{}",
        changed.stdout
    );
    let wrong = ask(&format!("debug log-levels inof {token}"));
    assert_eq!(wrong.code, 1);
    assert!(wrong.stderr.contains("inof"), "{}", wrong.stderr);
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn where_there_is_no_admin_listener_the_failure_says_so() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let ended = run("127.0.0.1:1", &format!("debug dump --admin {address}"), b"");
    assert_eq!(ended.code, 1);
    assert!(
        ended.stderr.contains("logan.admin.listener"),
        "{}",
        ended.stderr
    );
}
