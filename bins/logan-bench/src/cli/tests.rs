//! What the command line accepts and refuses.

use std::time::Duration;

use clap::CommandFactory as _;

use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split(' '))
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
        let line = line.trim_start();
        if !line.starts_with("logan-bench ") {
            continue;
        }
        // Without redirections, and without the remark that stands behind three spaces.
        let call = line.split("   ").next().expect("a first piece");
        let words = call.split(' ').take_while(|word| !word.starts_with('>'));
        let words: Vec<_> = words.collect();
        seen += 1;
        let parsed = Cli::try_parse_from(&words);
        assert!(
            parsed.is_ok(),
            "{words:?}: {}",
            parsed.expect_err("checked")
        );
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn a_later_option_beats_an_earlier_one() {
    let cli = parse("logan-bench produce --duration 1s --duration 2s").expect("twice is fine");
    let Command::Produce(options) = cli.command else {
        unreachable!("produce was said")
    };
    assert_eq!(options.run.duration.0, Duration::from_secs(2));
}

#[test]
fn kafkas_and_openmessagings_names_are_understood() {
    for line in [
        "logan-bench produce --throughput -1 --record-size 100 --num-records 5",
        "logan-bench produce --producer-rate 1000 --message-size 100 --acks 1",
        "logan-bench consume --topic t --fetch-size 1MiB",
    ] {
        assert!(parse(line).is_ok(), "{line}: {:?}", parse(line));
    }
}

#[test]
fn nonsense_is_refused() {
    for line in [
        "logan-bench produce --record-size 0",
        "logan-bench produce --throughput fast",
        "logan-bench produce --compress-ratio 0.5",
        "logan-bench produce --cores x",
        "logan-bench consume --from middle",
        "logan-bench connections --connections 0",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
}
