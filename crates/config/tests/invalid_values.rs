//! Every key refuses what its type and its range do not permit, and says which value of which key on which line.

use config::{
    BROKER_DEFINITIONS, BrokerConfig, ConfigType, Definition, GROUP_DEFINITIONS, Sources,
    TOPIC_DEFINITIONS, TopicConfig, Validator,
};

/// Texts that are no whole number.
const NO_INTEGER: [&str; 8] = ["", "x", "1.5", "1e3", "0x10", "1 2", "1_000", "1k"];

/// Texts that are no value of a type.
fn of_type(config_type: ConfigType) -> Vec<&'static str> {
    let integers_and = |beyond: [&'static str; 2]| [&NO_INTEGER[..], &beyond].concat();
    match config_type {
        ConfigType::Boolean => vec!["", "yes", "1", "tru", "true false", "null"],
        ConfigType::Short => integers_and(["32768", "-32769"]),
        ConfigType::Int => integers_and(["2147483648", "-2147483649"]),
        ConfigType::Long => integers_and(["9223372036854775808", "-9223372036854775809"]),
        ConfigType::Double => vec!["", "x", "1,5", "NaN", "inf", "-Infinity", "1e999", "0x1p3"],
        ConfigType::List => vec![",", "a,,b", ",a", "a,"],
        ConfigType::String => Vec::new(),
    }
}

/// Texts that the key's range does not permit.
fn of_range(validator: Validator) -> Vec<String> {
    match validator {
        Validator::Between(min, max) | Validator::BetweenOrMinusOne(min, max) => {
            let below = min
                .checked_sub(1)
                .filter(|below| *below != -1 || is_plain(validator));
            let around = [below, max.checked_add(1), Some(-2).filter(|it| *it < min)];
            around
                .into_iter()
                .flatten()
                .map(|it| it.to_string())
                .collect()
        }
        Validator::BetweenDouble(min, max) => {
            vec![(min - 0.001).to_string(), (max + 0.001).to_string()]
        }
        Validator::OneOf(texts) => {
            let upper = texts.first().map(|text| format!("{text}x"));
            let nothing = ["", "none at all"].map(str::to_owned);
            nothing.into_iter().chain(upper).collect()
        }
        Validator::OneOfAnyCase(_) => vec![String::new(), "none at all".to_owned()],
        Validator::ListOf(texts) => {
            let first = texts.first().expect("there are some");
            vec!["none at all".to_owned(), format!("{first},other")]
        }
        Validator::NotEmpty => vec![String::new()],
        Validator::Custom(_) => vec!["?".to_owned()],
        Validator::Any => Vec::new(),
    }
}

/// Whether -1 is like any other number.
fn is_plain(validator: Validator) -> bool {
    matches!(validator, Validator::Between(..))
}

fn invalid(definition: &Definition) -> Vec<String> {
    let of_type = of_type(definition.config_type)
        .into_iter()
        .map(str::to_owned);
    of_type.chain(of_range(definition.validator)).collect()
}

#[test]
fn every_key_of_the_broker_names_its_value_and_its_line() {
    let mut count = 0;
    for definition in BROKER_DEFINITIONS {
        let key = definition.name;
        for value in invalid(definition) {
            let text = format!("# first\n{key}={value}\n");
            let sources = Sources::from_text("f", &text).expect("a properties text");
            let fault = BrokerConfig::from_sources(&sources)
                .expect_err(&text)
                .to_string();
            let own = fault
                .lines()
                .find(|line| line.contains(key) && line.ends_with("(f:2)"));
            let own = own.unwrap_or_else(|| unreachable!("{text}: {fault}"));
            let is_named = own.contains(value.trim()) || definition.config_type == ConfigType::List;
            assert!(is_named, "{text}: {own}");
            count += 1;
        }
    }
    assert!(count > 800, "{count} values only");
}

#[test]
fn every_key_of_topics_and_groups_names_its_value() {
    let config = BrokerConfig::from_sources(&Sources::empty()).expect("the defaults");
    for definition in TOPIC_DEFINITIONS {
        for value in invalid(definition) {
            let own = [(definition.name, value.as_str())];
            let fault = TopicConfig::from_overrides(&config.topic_defaults, own);
            let fault = fault.expect_err(&value).to_string();
            assert!(fault.contains(definition.name), "{own:?}: {fault}");
        }
    }
    for definition in GROUP_DEFINITIONS {
        for value in invalid(definition) {
            let own = [(definition.name, value.as_str())];
            let fault = config.group(own).expect_err(&value).to_string();
            assert!(fault.contains(definition.name), "{own:?}: {fault}");
        }
    }
}

#[test]
fn what_several_keys_say_together_names_the_key_that_should_change() {
    for (text, key) in [
        ("listeners=PLAINTEXT://h:x", "listeners"),
        ("listeners=://:9092", "listeners"),
        ("advertised.listeners=PLAINTEXT", "advertised.listeners"),
        (
            "listener.security.protocol.map=a",
            "listener.security.protocol.map",
        ),
        (
            "max.connections.per.ip.overrides=1.2.3.4",
            "max.connections.per.ip.overrides",
        ),
        (
            "max.connections.per.ip.overrides=1.2.3.4:-1",
            "max.connections.per.ip.overrides",
        ),
        ("log.dirs=a,b,a", "log.dirs"),
        ("log.retention.minutes=0", "log.retention.minutes"),
        ("log.roll.jitter.ms=-1", "log.roll.jitter.ms"),
        (
            "offsets.topic.compression.codec=5",
            "offsets.topic.compression.codec",
        ),
        (
            "log.cleaner.dedupe.buffer.size=5",
            "log.cleaner.dedupe.buffer.size",
        ),
        (
            "group.min.session.timeout.ms=99999999",
            "group.max.session.timeout.ms",
        ),
    ] {
        let sources = Sources::from_text("f", text).expect("a properties text");
        let fault = BrokerConfig::from_sources(&sources)
            .expect_err(text)
            .to_string();
        assert!(fault.contains(key), "{text}: {fault}");
    }
}
