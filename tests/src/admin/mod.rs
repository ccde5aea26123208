//! The same administration asked of any broker: one line for each answer, so that Kafka's and Logan's can be compared.
//!
//! `cargo run -p tests --example admin_verdicts -- HOST:PORT NODE_ID` prints the lines of a broker without topics of its
//! own; those of Kafka 4.3.1 are kept beside the test that holds Logan's against them.

mod brokers;
mod cases;
mod say;

use std::time::Duration;

use protocol::messages::{
    AlterConfigsRequest, CreatePartitionsRequest, CreateTopicsRequest, DescribeConfigsRequest,
    IncrementalAlterConfigsRequest, ListConfigResourcesRequest,
};

use crate::{Wire, error_of, within};
pub use cases::admin_verdicts;

/// How long a broker may take to act on what it has answered.
const SETTLED_WITHIN: Duration = Duration::from_secs(10);

/// Asks, and notes what is answered.
struct Asker<'a> {
    wire: Wire,
    tell: &'a mut dyn FnMut(String),
    /// How often it has waited for the broker.
    marks: u32,
}

/// `NONE`, or the error's name and sentence.
fn verdict(code: i16, message: Option<&str>) -> String {
    let name = error_of(code).name();
    match message {
        None | Some("") => name.to_owned(),
        Some(message) => format!("{name}: {message}"),
    }
}

impl Asker<'_> {
    fn note(&mut self, what: &str, answer: &str) {
        (self.tell)(format!("{what} => {answer}"));
    }

    fn create_topics(&mut self, what: &str, request: &CreateTopicsRequest) {
        let response = self.wire.call(7, request);
        for topic in response.topics {
            let mut answer = verdict(topic.error_code, topic.error_message.as_deref());
            answer += &format!(
                " partitions={} replicas={}",
                topic.num_partitions, topic.replication_factor
            );
            if topic.topic_config_error_code != 0 {
                answer += &format!(
                    " configs: {}",
                    error_of(topic.topic_config_error_code).name()
                );
            }
            let own = topic.configs.iter().flatten();
            let own = own.filter(|config| config.config_source == 1);
            let mut own: Vec<String> = own
                .map(|config| {
                    format!(
                        "{}={}",
                        config.name,
                        config.value.as_deref().unwrap_or("null")
                    )
                })
                .collect();
            own.sort();
            answer += &format!(" own=[{}]", own.join(" "));
            self.note(&format!("{what} {}", topic.name), &answer);
        }
    }

    fn create_partitions(&mut self, what: &str, request: &CreatePartitionsRequest) {
        let mut results = self.wire.call(3, request).results;
        results.sort_by(|one, other| one.name.cmp(&other.name));
        for topic in results {
            let answer = verdict(topic.error_code, topic.error_message.as_deref());
            self.note(&format!("{what} {}", topic.name), &answer);
        }
    }

    fn incremental(&mut self, what: &str, request: &IncrementalAlterConfigsRequest) {
        let response = self.wire.call(1, request);
        for resource in response.responses {
            let answer = verdict(resource.error_code, resource.error_message.as_deref());
            let (kind, name) = (resource.resource_type, resource.resource_name);
            self.note(&format!("{what} {kind}:{name}"), &answer);
        }
    }

    fn alter(&mut self, what: &str, request: &AlterConfigsRequest) {
        let response = self.wire.call(2, request);
        for resource in response.responses {
            let answer = verdict(resource.error_code, resource.error_message.as_deref());
            let (kind, name) = (resource.resource_type, resource.resource_name);
            self.note(&format!("{what} {kind}:{name}"), &answer);
        }
    }

    /// Waits until the broker has taken over what it was told: Kafka's learns of it after the answer.
    fn settle(&mut self) {
        self.marks += 1;
        let mark = format!("{}", 1_000_000 + self.marks);
        let set = say::change(say::TOPIC, "own", &[(say::SET, "flush.ms", Some(&mark))]);
        self.wire.call(1, &say::changes(vec![set], false));
        let question = say::question(say::TOPIC, "own", Some(&["flush.ms"]), false);
        let is_known = within(SETTLED_WITHIN, || {
            let response = self.wire.call(4, &question);
            let configs = response.results.iter().flat_map(|result| &result.configs);
            configs
                .flat_map(|config| &config.value)
                .any(|value| **value == *mark)
        });
        assert!(is_known, "the broker does not take over what it was told");
    }

    fn describe(&mut self, what: &str, request: &DescribeConfigsRequest) {
        self.settle();
        let response = self.wire.call(4, request);
        for resource in response.results {
            let answer = verdict(resource.error_code, resource.error_message.as_deref());
            let (kind, name) = (resource.resource_type, resource.resource_name);
            let what = format!("{what} {kind}:{name}");
            self.note(&what, &answer);
            let mut configs = resource.configs;
            configs.sort_by(|one, other| one.name.cmp(&other.name));
            for config in configs {
                let value = config.value.as_deref().unwrap_or("null");
                let mut line = format!(
                    "{value} source={} type={}",
                    config.config_source, config.config_type
                );
                for (flag, is_set) in [
                    ("read-only", config.read_only),
                    ("sensitive", config.is_sensitive),
                ] {
                    if is_set {
                        line += &format!(" {flag}");
                    }
                }
                for synonym in config.synonyms {
                    let value = synonym.value.as_deref().unwrap_or("null");
                    line += &format!(" <{}={value}:{}>", synonym.name, synonym.source);
                }
                self.note(&format!("{what} {}", config.name), &line);
            }
        }
    }

    fn list(&mut self, what: &str, version: i16, request: &ListConfigResourcesRequest) {
        let response = self.wire.call(version, request);
        let mut found: Vec<String> = response
            .config_resources
            .iter()
            .map(|resource| format!("{}:{}", resource.resource_type, resource.resource_name))
            .collect();
        found.sort();
        let answer = format!(
            "{} [{}]",
            verdict(response.error_code, None),
            found.join(" ")
        );
        self.note(what, &answer);
    }
}
