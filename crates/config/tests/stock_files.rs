//! The files that Kafka 4.3 comes with, taken as they are.

use config::{BrokerConfig, Sources, Warning};

const BROKER: &str = include_str!("kafka-4.3.1/broker.properties");
const CONTROLLER: &str = include_str!("kafka-4.3.1/controller.properties");
const COMBINED: &str = include_str!("kafka-4.3.1/server.properties");

fn load(text: &str) -> BrokerConfig {
    let sources = Sources::from_text("f", text).expect("valid text");
    BrokerConfig::from_sources(&sources).expect("they start as they are")
}

fn listeners(config: &BrokerConfig) -> Vec<(String, String)> {
    let listeners = config.listeners.iter().map(|listener| {
        let advertised = listener.advertised.as_ref();
        (
            listener.bind.to_string(),
            advertised.map_or_else(String::new, ToString::to_string),
        )
    });
    listeners.collect()
}

fn pair(bind: &str, advertised: &str) -> (String, String) {
    (bind.to_owned(), advertised.to_owned())
}

#[test]
fn a_brokers_file_opens_its_listener() {
    let config = load(BROKER);
    let address = "PLAINTEXT://localhost:9092";
    assert_eq!(listeners(&config), [pair(address, address)]);
    assert_eq!(config.node_id.0, 2);
    let told: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
    assert!(
        told.contains(
            &"num.io.threads is not used by Logan: each core runs one shard, which does it all; shard.cores says which cores (f:11)"
                .to_owned()
        ),
        "{told:#?}"
    );
    assert!(
        told.contains(
            &"listener CONTROLLER is for Kafka's controllers and is not opened".to_owned()
        ),
        "{told:#?}"
    );
}

#[test]
fn the_file_of_both_opens_the_brokers_listener_only() {
    let config = load(COMBINED);
    let opened = [pair("PLAINTEXT://:9092", "PLAINTEXT://localhost:9092")];
    assert_eq!(listeners(&config), opened);
}

#[test]
fn a_controllers_file_opens_its_listener_for_clients() {
    let config = load(CONTROLLER);
    let opened = [pair("CONTROLLER://:9093", "CONTROLLER://localhost:9093")];
    assert_eq!(listeners(&config), opened);
    let told: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
    assert!(
        told.contains(
            &"process.roles names a controller alone, but Logan has none apart from brokers: a whole broker starts, and serves clients at CONTROLLER://:9093 (f:2)"
                .to_owned()
        ),
        "{told:#?}"
    );
    assert!(
        !told.iter().any(|told| told.contains("is not opened")),
        "{told:#?}"
    );
}

#[test]
fn what_they_set_is_known_and_named_once() {
    for text in [BROKER, CONTROLLER, COMBINED] {
        let config = load(text);
        let unknown: Vec<_> = config
            .warnings
            .iter()
            .filter(|it| it.is_unknown())
            .collect();
        assert_eq!(unknown, Vec::<&Warning>::new());
        let mut subjects: Vec<_> = config.warnings.iter().map(Warning::subject).collect();
        subjects.sort_unstable();
        let count = subjects.len();
        subjects.dedup();
        assert_eq!(subjects.len(), count);
    }
}

#[test]
fn a_controllers_listener_must_speak_plaintext_too() {
    let mapped = format!("{CONTROLLER}\nlistener.security.protocol.map=CONTROLLER:SSL\n");
    let sources = Sources::from_text("f", &mapped).expect("valid text");
    let fault = BrokerConfig::from_sources(&sources).expect_err("there is no TLS");
    assert!(
        fault
            .to_string()
            .contains("Listener CONTROLLER would speak SSL"),
        "{fault}"
    );
}
