//! What the command line accepts and refuses.

use std::time::Duration;

use clap::CommandFactory as _;
use clap::error::ErrorKind;
use command_line::OutputFormat;
use types::TimestampMs;

use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split(' '))
}

fn refused(line: &str) -> ErrorKind {
    parse(line).expect_err(line).kind()
}

fn produce(line: &str) -> ProduceOptions {
    match parse(line).expect(line).command {
        Command::Produce(options) => options,
        other => unreachable!("{other:?}"),
    }
}

fn consume(line: &str) -> ConsumeOptions {
    match parse(line).expect(line).command {
        Command::Consume(options) => options,
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn the_definition_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_teaches_by_example() {
    fn check(command: &clap::Command) {
        let help = command.get_after_help().map(ToString::to_string);
        let has_example = help.is_some_and(|help| help.contains("Examples:\n  "));
        assert!(has_example, "{}", command.get_name());
        command.get_subcommands().for_each(check);
    }
    check(&Cli::command());
}

#[test]
fn examples_can_be_typed_as_they_stand() {
    fn lines(command: &clap::Command, found: &mut Vec<String>) {
        let help = command.get_after_help().map(ToString::to_string);
        found.extend(help.iter().flat_map(|help| help.lines()).map(str::to_owned));
        command.get_subcommands().for_each(|sub| lines(sub, found));
    }
    let mut found = Vec::new();
    lines(&Cli::command(), &mut found);
    let mut seen = 0;
    for line in &found {
        // Between pipes; without redirections, and without the remark that stands behind three spaces.
        for part in line.split(" | ") {
            let part = part.trim_start();
            if !part.starts_with("loganctl ") {
                continue;
            }
            let call = part.split("   ").next().expect("a first piece");
            let call = call
                .split([' '])
                .take_while(|word| !word.starts_with(['<', '>']));
            let words: Vec<_> = call.map(|word| word.trim_matches('\'')).collect();
            if words.contains(&"--separator") {
                continue;
            }
            seen += 1;
            let parsed = Cli::try_parse_from(&words);
            assert!(
                parsed.is_ok(),
                "{words:?}: {}",
                parsed.expect_err("checked")
            );
        }
    }
    assert!(seen > 25, "{seen}");
}

#[test]
fn global_options_stand_before_and_behind_the_command() {
    for line in [
        "loganctl -b a:1,b:2 --output json topics list",
        "loganctl topics list -b a:1,b:2 --output json",
    ] {
        let global = parse(line).expect(line).global;
        assert_eq!(global.bootstrap_server, ["a:1", "b:2"]);
        assert_eq!(global.output, OutputFormat::Json);
    }
}

#[test]
fn the_timeout_bounds_every_wait() {
    let cli = parse("loganctl --timeout 2s topics list").expect("a good line");
    let config = cli.global.client_config("loganctl");
    let two = Duration::from_secs(2);
    assert_eq!(config.request_timeout, two);
    assert_eq!(config.connect_timeout, two);
    assert_eq!(config.retry.total_max, two);
    assert_eq!(
        refused("loganctl --timeout 0s topics list"),
        ErrorKind::ValueValidation
    );
}

#[test]
fn topics_need_names_and_sensible_numbers() {
    assert_eq!(
        refused("loganctl topics create"),
        ErrorKind::MissingRequiredArgument
    );
    for line in [
        "loganctl topics create t --partitions 0",
        "loganctl topics create t --replication-factor 0",
        "loganctl topics create t --config x",
    ] {
        assert_eq!(refused(line), ErrorKind::ValueValidation, "{line}");
    }
}

#[test]
fn acks_are_kafkas_numbers_or_all() {
    assert_eq!(produce("loganctl produce t").acks, AcksOption::All);
    assert_eq!(
        produce("loganctl produce t --acks 0").acks,
        AcksOption::None
    );
    assert_eq!(produce("loganctl produce t -a 1").acks, AcksOption::Leader);
    assert_eq!(
        produce("loganctl produce t --acks=-1").acks,
        AcksOption::All
    );
    assert_eq!(
        refused("loganctl produce t --acks 2"),
        ErrorKind::InvalidValue
    );
}

#[test]
fn idempotence_is_asked_for_refused_or_left_open() {
    assert_eq!(produce("loganctl produce t").idempotent, None);
    assert_eq!(
        produce("loganctl produce --idempotent t").idempotent,
        Some(true)
    );
    assert_eq!(
        produce("loganctl produce --idempotent=false t").idempotent,
        Some(false)
    );
}

#[test]
fn a_consumer_has_one_place_to_begin() {
    let now = TimestampMs(1_000_000);
    let start = |line| consume(line).start(now);
    assert_eq!(start("loganctl consume t"), Start::End);
    assert_eq!(
        start("loganctl consume t --from-beginning"),
        Start::Beginning
    );
    assert_eq!(start("loganctl consume t --offset -3"), Start::Offset(-3));
    assert_eq!(
        start("loganctl consume t --from-time 10s"),
        Start::Time(TimestampMs(990_000))
    );
    assert_eq!(
        refused("loganctl consume t --from-beginning --offset 3"),
        ErrorKind::ArgumentConflict
    );
}

#[test]
fn fields_and_partitions_are_lists() {
    let options = consume("loganctl consume t --fields key,value -p 0,2 -p 5");
    assert_eq!(options.fields, [Field::Key, Field::Value]);
    assert_eq!(options.partitions, [0, 2, 5]);
    assert_eq!(consume("loganctl consume t").separator, "\t");
    assert_eq!(
        refused("loganctl consume t --partition=-1"),
        ErrorKind::ValueValidation
    );
}

#[test]
fn a_configuration_belongs_to_exactly_one_resource() {
    for line in [
        "loganctl configs describe",
        "loganctl configs set retention.ms=1",
    ] {
        assert_eq!(refused(line), ErrorKind::MissingRequiredArgument, "{line}");
    }
    let both = "loganctl configs describe --topic t --broker 1";
    assert_eq!(refused(both), ErrorKind::ArgumentConflict);
    let pair = "loganctl configs set --topic t retention.ms";
    assert_eq!(refused(pair), ErrorKind::ValueValidation);
}

#[test]
fn a_move_has_exactly_one_destination() {
    let none = "loganctl partitions move t";
    assert_eq!(refused(none), ErrorKind::MissingRequiredArgument);
    let both = "loganctl partitions move t --to 1 --to-directory /d";
    assert_eq!(refused(both), ErrorKind::ArgumentConflict);
    let line = "loganctl partitions move t -p 0,1 --to 2,3";
    let Command::Partitions {
        command: PartitionsCommand::Move(options),
    } = parse(line).expect(line).command
    else {
        unreachable!("it moves");
    };
    assert_eq!((options.partitions, options.to), (vec![0, 1], vec![2, 3]));
}

#[test]
fn servers_have_a_host_and_a_port() {
    for wrong in [
        "127.0.0.1",
        "::1",
        "host:",
        ":9092",
        "host:0",
        "host:65536",
        "a:1,b",
        "[]:1",
    ] {
        let line = format!("loganctl -b {wrong} topics list");
        assert_eq!(refused(&line), ErrorKind::ValueValidation, "{line}");
    }
    let line = "loganctl -b localhost:9092,[::1]:1,10.0.0.1:65535 topics list";
    assert_eq!(parse(line).expect(line).global.bootstrap_server.len(), 3);
}

#[test]
fn deleting_records_needs_a_bound() {
    let none = "loganctl records delete t";
    assert_eq!(refused(none), ErrorKind::MissingRequiredArgument);
    let both = "loganctl records delete t --all --before-offset 3";
    assert_eq!(refused(both), ErrorKind::ArgumentConflict);
    assert!(parse("loganctl records delete t --before-offset -3").is_ok());
}

#[test]
fn altering_a_topic_needs_something_to_alter() {
    assert_eq!(
        refused("loganctl topics alter t"),
        ErrorKind::MissingRequiredArgument
    );
    assert!(parse("loganctl topics alter t -c a=1 -d b").is_ok());
    assert_eq!(
        refused("loganctl topics create t --partitions 2 --assign 0=1"),
        ErrorKind::ArgumentConflict
    );
}
