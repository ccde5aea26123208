//! A `server.properties`, and another one that replaces it while the broker runs.

use config::{
    BrokerConfig, Sources, TopicDefaults, properties, properties::Property, validate_topic_config,
};
use std::hint::black_box;

use super::memory::bounded;

/// A key whose names are looked up, which no fuzzing should do.
const RESOLVED: &str = "max.connections.per.ip.overrides";

/// What reading a configuration may take, beyond a multiple of its text: messages quote it.
const MEMORY_MAX_BYTES: usize = 4 << 20;
const MEMORY_PER_BYTE: usize = 256;

/// The text up to a line of dashes, and the text behind it.
pub fn server_properties(input: &[u8]) {
    bounded(MEMORY_MAX_BYTES + input.len() * MEMORY_PER_BYTE, || {
        let text = properties::decode(input.to_vec());
        let (first, second) = text.split_once("\n---\n").unwrap_or((&text, ""));
        let first = read(first);
        let second = read(second);
        if let (Some((config, _)), Some((_, sources))) = (&first, &second) {
            config.reloaded(sources).map(drop).ok();
        }
        for (config, _) in first.iter().chain(&second) {
            look(config);
        }
    });
}

fn read(text: &str) -> Option<(BrokerConfig, Sources)> {
    let pairs = properties::parse(text).ok()?;
    let mut sources = Sources::development();
    for pair in pairs.iter().filter(|pair| !is_resolved(pair)) {
        sources
            .add_override(&format!("{}={}", pair.key, pair.value))
            .ok();
    }
    Sources::from_text("file", text).expect("it was read before");
    // As a topic's own.
    let own = pairs.iter().map(|pair| (&*pair.key, Some(&*pair.value)));
    validate_topic_config(&TopicDefaults::default(), own)
        .map(drop)
        .ok();
    let config = BrokerConfig::from_sources(&sources).ok()?;
    Some((config, sources))
}

fn is_resolved(pair: &Property) -> bool {
    pair.key.trim() == RESOLVED && has_names(&pair.value)
}

fn has_names(value: &str) -> bool {
    value
        .chars()
        .any(|letter| !letter.is_ascii_digit() && !".,: ".contains(letter))
}

/// What is done with a configuration that was accepted.
fn look(config: &BrokerConfig) {
    assert!(!config.listeners.is_empty());
    assert!(!config.log_dirs.is_empty());
    let described = config.describe_broker().len();
    assert!(described > 100, "all keys are described");
    black_box(config.effective());
    black_box(config.cache_bytes(1 << 30));
    black_box(config.idle_limit());
    black_box(config.shutdown_timeout());
    config.check_shards(4).ok();
}
