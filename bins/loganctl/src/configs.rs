//! `loganctl configs`.

use client::{Client, ConfigChange, ConfigDetail, ConfigEntry, ConfigResource, ConfigSource};
use command_line::{Column, Failure, Output, OutputFormat, Tabular, or_dash};
use serde::Serialize;
use types::NodeId;

use crate::cli::{ConfigsCommand, ResourceOptions};

/// A key as it is shown.
#[derive(Debug, Serialize)]
struct ConfigRow {
    name: String,
    value: Option<String>,
    source: String,
    read_only: bool,
    sensitive: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    synonyms: Vec<SynonymRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    documentation: Option<String>,
}

/// A place that says something about a key.
#[derive(Debug, Serialize)]
struct SynonymRow {
    name: String,
    value: Option<String>,
    source: String,
}

pub(crate) fn run(
    mut client: Client,
    command: &ConfigsCommand,
    output: &Output,
) -> Result<(), Failure> {
    let client = &mut client;
    match command {
        ConfigsCommand::Describe {
            resource,
            keys,
            all,
            details,
        } => {
            let resource = resource_of(client, resource)?;
            let detail = match details {
                true => ConfigDetail::Everything,
                false => ConfigDetail::Values,
            };
            let entries = client.describe_configs(&resource, detail)?;
            show(chosen(entries, &resource, keys, *all)?, *details, output)
        }
        ConfigsCommand::Set(options) => {
            let pairs = options.settings.iter().cloned();
            let changes = pairs.map(|(key, value)| ConfigChange::Set(key, value));
            change(client, &options.resource, changes, options.dry_run)
        }
        ConfigsCommand::Append(options) => {
            let pairs = options.settings.iter().cloned();
            let changes = pairs.map(|(key, value)| ConfigChange::Append(key, value));
            change(client, &options.resource, changes, options.dry_run)
        }
        ConfigsCommand::Subtract(options) => {
            let pairs = options.settings.iter().cloned();
            let changes = pairs.map(|(key, value)| ConfigChange::Subtract(key, value));
            change(client, &options.resource, changes, options.dry_run)
        }
        ConfigsCommand::Delete {
            resource,
            keys,
            dry_run,
        } => {
            let changes = keys.iter().cloned().map(ConfigChange::Delete);
            change(client, resource, changes, *dry_run)
        }
    }
}

fn change(
    client: &mut Client,
    resource: &ResourceOptions,
    changes: impl Iterator<Item = ConfigChange>,
    dry_run: bool,
) -> Result<(), Failure> {
    let resource = resource_of(client, resource)?;
    let changes: Vec<_> = changes.collect();
    Ok(client.alter_configs(&resource, &changes, dry_run)?)
}

/// A broker that does not exist would be waited for: it is looked for first.
fn resource_of(client: &Client, options: &ResourceOptions) -> Result<ConfigResource, Failure> {
    let node = match (&options.topic, &options.group, options.broker) {
        (Some(topic), ..) => return Ok(ConfigResource::Topic(topic.clone())),
        (None, Some(group), _) => return Ok(ConfigResource::Group(group.clone())),
        (None, None, None) => return Ok(ConfigResource::BrokerDefault),
        (None, None, Some(id)) => NodeId(id),
    };
    let nodes = client.cluster().nodes();
    if nodes.contains_key(&node) {
        return Ok(ConfigResource::Broker(node));
    }
    let known: Vec<_> = nodes.keys().map(ToString::to_string).collect();
    Err(Failure::NotFound {
        problem: format!("there is no broker {node}"),
        advice: format!("there are: {}", known.join(", ")),
    })
}

/// The keys that were asked for, in the order of their names; those that somebody set if none was.
fn chosen(
    entries: Vec<ConfigEntry>,
    resource: &ConfigResource,
    keys: &[String],
    all: bool,
) -> Result<Vec<ConfigEntry>, Failure> {
    let is_there = |key: &&String| entries.iter().any(|entry| entry.name == **key);
    if let Some(missing) = keys.iter().find(|key| !is_there(key)) {
        return Err(Failure::NotFound {
            problem: format!("{resource} has no key {missing}"),
            advice: "`loganctl configs describe --all` shows every key".to_owned(),
        });
    }
    let is_wanted = |entry: &ConfigEntry| match keys {
        [] => all || is_set_for(resource, entry.source),
        keys => keys.contains(&entry.name),
    };
    let mut chosen: Vec<_> = entries.into_iter().filter(is_wanted).collect();
    chosen.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(chosen)
}

/// Whether a value was set on purpose, as seen from the resource: a topic's own, or anything that is no built-in default.
fn is_set_for(resource: &ConfigResource, source: ConfigSource) -> bool {
    match resource {
        ConfigResource::Topic(_) => source == ConfigSource::Topic,
        ConfigResource::Group(_) => source == ConfigSource::Group,
        ConfigResource::Broker(_) | ConfigResource::BrokerDefault => {
            source != ConfigSource::Default
        }
    }
}

fn show(entries: Vec<ConfigEntry>, details: bool, output: &Output) -> Result<(), Failure> {
    let rows: Vec<_> = entries.into_iter().map(row).collect();
    if !details || output.format() != OutputFormat::Table {
        return output.rows(&rows);
    }
    let texts: Vec<_> = rows.iter().map(|row| in_words(row, output)).collect();
    output.write(&texts.join("\n"))
}

/// One key with all that is known about it.
fn in_words(row: &ConfigRow, output: &Output) -> String {
    let mut text = output.heading(&row.name);
    text.push_str(&format!("  {}\n", or_dash(row.value.as_deref())));
    if let Some(documentation) = &row.documentation {
        text.push_str(&format!("  {documentation}\n"));
    }
    if row.read_only {
        text.push_str("  changed by a restart only\n");
    }
    for synonym in &row.synonyms {
        let value = or_dash(synonym.value.as_deref());
        text.push_str(&format!("  {}: {}={value}\n", synonym.source, synonym.name));
    }
    text
}

fn row(entry: ConfigEntry) -> ConfigRow {
    let synonyms = entry.synonyms.into_iter().map(|synonym| SynonymRow {
        name: synonym.name,
        value: synonym.value,
        source: name_of(synonym.source),
    });
    ConfigRow {
        name: entry.name,
        value: entry.value,
        source: name_of(entry.source),
        read_only: entry.is_read_only,
        sensitive: entry.is_sensitive,
        synonyms: synonyms.collect(),
        documentation: entry.documentation,
    }
}

fn name_of(source: ConfigSource) -> String {
    match source {
        ConfigSource::Topic => "topic".to_owned(),
        ConfigSource::Group => "group".to_owned(),
        ConfigSource::Broker => "broker".to_owned(),
        ConfigSource::BrokerDefault => "all brokers".to_owned(),
        ConfigSource::StaticBroker => "file".to_owned(),
        ConfigSource::Default => "default".to_owned(),
        ConfigSource::Other(code) => format!("source {code}"),
    }
}

impl Tabular for ConfigRow {
    const COLUMNS: &'static [Column] = &[
        Column::Text("KEY"),
        Column::Text("VALUE"),
        Column::Text("SOURCE"),
    ];

    fn cells(&self) -> Vec<String> {
        let value = if self.sensitive {
            "(secret)".to_owned()
        } else {
            or_dash(self.value.as_deref())
        };
        vec![self.name.clone(), value, self.source.clone()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, source: ConfigSource) -> ConfigEntry {
        ConfigEntry {
            name: name.to_owned(),
            value: Some("1".to_owned()),
            source,
            is_read_only: false,
            is_sensitive: false,
            synonyms: Vec::new(),
            documentation: None,
        }
    }

    fn names(resource: &ConfigResource, keys: &[&str], all: bool) -> Result<Vec<String>, Failure> {
        let entries = vec![
            entry("c", ConfigSource::StaticBroker),
            entry("b", ConfigSource::Topic),
            entry("a", ConfigSource::Default),
        ];
        let keys: Vec<_> = keys.iter().map(|&key| key.to_owned()).collect();
        let chosen = chosen(entries, resource, &keys, all)?;
        Ok(chosen.into_iter().map(|entry| entry.name).collect())
    }

    #[test]
    fn what_somebody_set_is_shown_unless_more_is_asked_for() {
        let topic = ConfigResource::Topic("t".to_owned());
        let broker = ConfigResource::Broker(NodeId(1));
        assert_eq!(names(&topic, &[], false).expect("keys"), ["b"]);
        assert_eq!(names(&broker, &[], false).expect("keys"), ["b", "c"]);
        assert_eq!(names(&topic, &[], true).expect("keys"), ["a", "b", "c"]);
        assert_eq!(names(&topic, &["a"], false).expect("a key"), ["a"]);
    }

    #[test]
    fn a_key_that_does_not_exist_is_named() {
        let topic = ConfigResource::Topic("t".to_owned());
        let failure = names(&topic, &["a", "z"], false).expect_err("there is no z");
        assert_eq!(failure.code(), 3);
        assert_eq!(failure.to_string(), "topic t has no key z");
    }

    #[test]
    fn secrets_are_not_shown() {
        let mut secret = entry("password", ConfigSource::Broker);
        secret.is_sensitive = true;
        secret.value = None;
        assert_eq!(row(secret).cells(), ["password", "(secret)", "broker"]);
    }
}
