//! Scenarios in files: a workload and its options, in TOML; workloads of the OpenMessaging Benchmark in YAML.
//!
//! A file becomes words of the command line, so that both have one grammar. Keys that are no options are refused, with
//! the nearest one that is.

use std::collections::BTreeMap;
use std::path::Path;

use crate::cli::Cli;
use clap::CommandFactory as _;
use command_line::Failure;

/// Names that are less alike than this are not suggested.
const ALIKE_MIN: f64 = 0.75;

/// The key that names the workload.
const WORKLOAD: &str = "workload";

/// Workloads that a file may name.
const WORKLOADS: [&str; 4] = ["produce", "consume", "end-to-end", "connections"];

/// The words that a scenario file stands for: the workload, then its options.
pub(crate) fn words(path: &Path) -> Result<Vec<String>, Failure> {
    let text = std::fs::read_to_string(path).map_err(Failure::file("read", path))?;
    let is_yaml = path
        .extension()
        .is_some_and(|ending| ending == "yaml" || ending == "yml");
    let words = if is_yaml {
        from_openmessaging(&text)
    } else {
        from_toml(&text)
    };
    words.map_err(|problem| {
        let advice =
            "`logan-bench run --help` shows a scenario; the keys are the options of its workload";
        Failure::usage(format!("{}: {problem}", path.display()), advice)
    })
}

fn from_toml(text: &str) -> Result<Vec<String>, String> {
    let table: toml::Table = text
        .parse()
        .map_err(|error| format!("{error}").trim_end().to_owned())?;
    let workload = match table.get(WORKLOAD) {
        Some(toml::Value::String(workload)) if WORKLOADS.contains(&workload.as_str()) => workload,
        Some(other) => {
            let known = WORKLOADS.join(", ");
            return Err(format!(
                "a {} named {} is no workload; there are {known}",
                other.type_str(),
                other.as_str().unwrap_or_default()
            ));
        }
        None => {
            return Err(format!(
                "there is no workload; it is one of {}",
                WORKLOADS.join(", ")
            ));
        }
    };
    let options = options_of(workload);
    let mut words = vec![workload.clone()];
    for (key, value) in &table {
        if key == WORKLOAD {
            continue;
        }
        let name = key.replace('_', "-");
        if !options.contains(&name) {
            return Err(match nearest(&name, &options) {
                Some(nearest) => format!(
                    "unknown key {key}; did you mean {}?",
                    nearest.replace('-', "_")
                ),
                None => format!("unknown key {key}"),
            });
        }
        for text in values(key, value)? {
            words.push(format!("--{name}={text}"));
        }
    }
    check(&words)?;
    Ok(words)
}

/// One word for each value of a key.
fn values(key: &str, value: &toml::Value) -> Result<Vec<String>, String> {
    let one = |value: &toml::Value| match value {
        toml::Value::String(text) => Ok(text.clone()),
        toml::Value::Integer(number) => Ok(number.to_string()),
        toml::Value::Float(number) => Ok(number.to_string()),
        toml::Value::Boolean(flag) => Ok(flag.to_string()),
        toml::Value::Datetime(_) | toml::Value::Array(_) | toml::Value::Table(_) => Err(format!(
            "{key} is neither text, nor a number, nor true or false"
        )),
    };
    match value {
        toml::Value::Array(items) => items.iter().map(one).collect(),
        toml::Value::Table(table) => table
            .iter()
            .map(|(name, value)| Ok(format!("{name}={}", one(value)?)))
            .collect(),
        value => Ok(vec![one(value)?]),
    }
}

/// What the file says must be a good command line by itself.
fn check(words: &[String]) -> Result<(), String> {
    let line = std::iter::once("logan-bench").chain(words.iter().map(String::as_str));
    Cli::command()
        .try_get_matches_from(line)
        .map(drop)
        .map_err(|error| {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            first.strip_prefix("error: ").unwrap_or(first).to_owned()
        })
}

/// The long names of a workload's options.
fn options_of(workload: &str) -> Vec<String> {
    let command = Cli::command();
    let found = command.find_subcommand(workload);
    let own = found.into_iter().flat_map(clap::Command::get_arguments);
    let arguments = own.chain(command.get_arguments());
    let names = arguments.flat_map(|argument| {
        let aliases = argument.get_all_aliases().unwrap_or_default();
        argument.get_long().into_iter().chain(aliases)
    });
    names.map(str::to_owned).collect()
}

fn nearest<'a>(name: &str, known: &'a [String]) -> Option<&'a str> {
    let alike = known
        .iter()
        .map(|option| (strsim::jaro_winkler(name, option), option));
    let best = alike.max_by(|one, other| one.0.total_cmp(&other.0));
    best.filter(|(likeness, _)| *likeness >= ALIKE_MIN)
        .map(|(_, option)| option.as_str())
}

/// The keys of a workload of the OpenMessaging Benchmark. Source: its README, "Workload configuration".
const OPENMESSAGING: [&str; 16] = [
    "name",
    "topics",
    "partitionsPerTopic",
    "messageSize",
    "useRandomizedPayloads",
    "randomBytesRatio",
    "randomizedPayloadPoolSize",
    "payloadFile",
    "keyDistributor",
    "subscriptionsPerTopic",
    "producersPerTopic",
    "consumerPerSubscription",
    "producerRate",
    "consumerBacklogSizeGB",
    "testDurationMinutes",
    "warmupDurationMinutes",
];

/// Such files are lines of `key: value`, which is all of YAML that is read.
fn pairs_of_yaml(text: &str) -> Result<BTreeMap<&str, &str>, String> {
    let known = OPENMESSAGING.map(str::to_owned);
    let mut pairs = BTreeMap::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() || line == "---" {
            continue;
        }
        let pair = line.split_once(':');
        let (key, value) = pair.ok_or_else(|| format!("{line:?} is no line of `key: value`"))?;
        if !known.iter().any(|name| name == key) {
            return Err(match nearest(key, &known) {
                Some(nearest) => format!("unknown key {key}; did you mean {nearest}?"),
                None => format!("unknown key {key}"),
            });
        }
        pairs.insert(key, value.trim().trim_matches(['"', '\'']));
    }
    Ok(pairs)
}

fn from_openmessaging(text: &str) -> Result<Vec<String>, String> {
    let pairs = pairs_of_yaml(text)?;
    let number = |key: &str, otherwise: f64| match pairs.get(key) {
        None => Ok(otherwise),
        Some(value) => {
            let number = value.parse::<f64>().ok();
            number.ok_or_else(|| format!("{key}: {value} is no number"))
        }
    };
    if number("consumerBacklogSizeGB", 0.0)? > 0.0 {
        return Err("consumerBacklogSizeGB: use `logan-bench consume --fill`, which reads what was written before".to_owned());
    }
    let subscriptions = number("subscriptionsPerTopic", 1.0)?;
    let has_consumers = subscriptions > 0.0;
    let mut words = vec![
        if has_consumers {
            "end-to-end"
        } else {
            "produce"
        }
        .to_owned(),
    ];
    let mut option =
        |name: &str, value: &dyn ToString| words.push(format!("--{name}={}", value.to_string()));
    let topics = number("topics", 1.0)?;
    option("topics", &topics);
    option("partitions-per-topic", &number("partitionsPerTopic", 1.0)?);
    option("record-size", &number("messageSize", 1024.0)?);
    option(
        "producers",
        &(number("producersPerTopic", 1.0)? * topics).max(1.0),
    );
    let rate = number("producerRate", 0.0)?;
    let rate = if rate > 0.0 {
        rate.to_string()
    } else {
        "max".to_owned()
    };
    option("throughput", &rate);
    option(
        "duration",
        &format!("{}m", number("testDurationMinutes", 5.0)?),
    );
    option(
        "warmup",
        &format!("{}m", number("warmupDurationMinutes", 1.0)?),
    );
    if pairs.get("useRandomizedPayloads") == Some(&"true") {
        option(
            "compress-ratio",
            &(1.0 / number("randomBytesRatio", 1.0)?.clamp(0.02, 1.0)),
        );
    }
    match pairs.get("keyDistributor").copied() {
        None | Some("NO_KEY") => {}
        Some("KEY_ROUND_ROBIN" | "RANDOM_NANO") => option("keys", &"uniform:10000"),
        Some(other) => return Err(format!("keyDistributor: {other} is not known")),
    }
    if has_consumers {
        option("subscriptions", &subscriptions);
        let consumers = number("consumerPerSubscription", 1.0)?.max(1.0);
        option("consumers-per-subscription", &consumers);
    }
    if let Some(name) = pairs.get("name") {
        option("name", name);
    }
    check(&words)?;
    Ok(words)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_scenario_becomes_a_command_line() {
        let text = "workload = 'produce'\nrecord_size = 100\nthroughput = '5MB'\nidempotence = true\n\
                    topic_config = { 'retention.ms' = 1000 }\n";
        let words = from_toml(text).expect("it makes sense");
        let expected = [
            "produce",
            "--idempotence=true",
            "--record-size=100",
            "--throughput=5MB",
            "--topic-config=retention.ms=1000",
        ];
        let found: BTreeSet<&str> = words.iter().map(String::as_str).collect();
        assert_eq!(found, expected.into());
    }

    #[test]
    fn unknown_keys_are_refused_with_the_nearest_one() {
        let refused = |text: &str| from_toml(text).expect_err(text);
        let said = refused("workload = 'produce'\nrecrod_size = 100");
        assert_eq!(said, "unknown key recrod_size; did you mean record_size?");
        assert!(refused("workload = 'produce'\nxyz = 1").ends_with("unknown key xyz"));
        assert!(refused("workload = 'prodcue'").contains("produce, consume"));
        assert!(refused("record_size = 1").contains("no workload"));
        assert!(refused("workload = 'produce'\nrecord_size = 0").contains("record-size"));
        assert!(refused("workload = 'consume'\nlinger = '5ms'").contains("unknown key linger"));
        assert!(refused("workload = ").contains("line 1"));
    }

    #[test]
    fn the_scenarios_of_the_repository_make_sense() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/perf/scenarios");
        let entries = std::fs::read_dir(folder).expect("it is committed");
        let scenarios: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        assert!(scenarios.len() >= 10);
        for path in scenarios {
            words(&path).expect("it makes sense");
        }
    }

    #[test]
    fn openmessaging_workloads_are_read() {
        let text = "name: 1 topic\ntopics: 1\npartitionsPerTopic: 16\nmessageSize: 1024\npayloadFile: payload/payload-1Kb.data\n\
                    subscriptionsPerTopic: 1\nproducersPerTopic: 1\nconsumerPerSubscription: 1\nproducerRate: 50000\n\
                    consumerBacklogSizeGB: 0\ntestDurationMinutes: 15\n";
        let words = from_openmessaging(text).expect("it makes sense");
        assert_eq!(words[0], "end-to-end");
        for word in [
            "--partitions-per-topic=16",
            "--throughput=50000",
            "--duration=15m",
        ] {
            assert!(words.iter().any(|found| found == word), "{words:?}");
        }
        let misspelt = from_openmessaging(&format!("{text}produserRate: 1\n"));
        let said = misspelt.expect_err("it is misspelt");
        assert_eq!(said, "unknown key produserRate; did you mean producerRate?");
    }
}
