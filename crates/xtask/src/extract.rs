//! Reads the message specifications that Kafka ships inside its jars.
//!
//! Only facts are taken over: names, types, versions, tags, nullability, defaults. Descriptions are left behind.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::Value;
use zip::ZipArchive;

use crate::schema::{self, Field, Message, Struct, Versions};

/// Where the jars keep their specifications.
const DIRECTORIES: [&str; 2] = ["common/message/", "common/metadata/"];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageSpecification {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    api_key: Option<i16>,
    valid_versions: String,
    flexible_versions: Option<String>,
    #[serde(default)]
    latest_version_unstable: bool,
    #[serde(default)]
    fields: Vec<FieldSpecification>,
    #[serde(default)]
    common_structs: Vec<StructSpecification>,
}

#[derive(Debug, Deserialize)]
struct StructSpecification {
    name: String,
    versions: String,
    fields: Vec<FieldSpecification>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FieldSpecification {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    versions: Option<String>,
    nullable_versions: Option<String>,
    tag: Option<u32>,
    tagged_versions: Option<String>,
    flexible_versions: Option<String>,
    default: Option<Value>,
    #[serde(default)]
    ignorable: bool,
    #[serde(default)]
    fields: Vec<Self>,
}

/// The compact schema of all messages in `jars` that have a valid version, sorted by kind and name.
pub(crate) fn schema_of_jars(jars: &[PathBuf]) -> Result<String> {
    let mut messages = Vec::new();
    for jar in jars {
        read_jar(jar, &mut messages).with_context(|| format!("read {}", jar.display()))?;
    }
    ensure!(
        !messages.is_empty(),
        "no message specification in these jars"
    );
    messages.sort_by(|a, b| (&a.kind, &a.name).cmp(&(&b.kind, &b.name)));
    Ok(schema::print(&messages))
}

fn read_jar(jar: &Path, messages: &mut Vec<Message>) -> Result<()> {
    let mut archive = ZipArchive::new(File::open(jar)?)?;
    let names: Vec<String> = archive.file_names().map(str::to_owned).collect();
    for name in names {
        let is_specification = DIRECTORIES
            .iter()
            .any(|directory| name.starts_with(directory))
            && Path::new(&name)
                .extension()
                .is_some_and(|extension| extension == "json");
        if !is_specification {
            continue;
        }
        let mut text = String::new();
        archive.by_name(&name)?.read_to_string(&mut text)?;
        if let Some(message) = convert(&text).with_context(|| format!("in {name}"))? {
            messages.push(message);
        }
    }
    Ok(())
}

fn convert(text: &str) -> Result<Option<Message>> {
    let message: MessageSpecification = serde_json::from_str(&without_comments(text))?;
    let Some(versions) = Versions::parse(&message.valid_versions)? else {
        return Ok(None);
    };
    let flexible = message.flexible_versions.as_deref().unwrap_or("none");
    Ok(Some(Message {
        kind: message.kind,
        name: message.name,
        key: message.api_key,
        versions,
        flexible: Versions::parse(flexible)?,
        latest_unstable: message.latest_version_unstable,
        fields: convert_fields(message.fields)?,
        structs: message
            .common_structs
            .into_iter()
            .map(|shared| {
                Ok(Struct {
                    name: shared.name,
                    versions: Versions::parse(&shared.versions)?
                        .context("a struct has versions")?,
                    fields: convert_fields(shared.fields)?,
                })
            })
            .collect::<Result<_>>()?,
    }))
}

fn convert_fields(fields: Vec<FieldSpecification>) -> Result<Vec<Field>> {
    let range = |text: &Option<String>| Versions::parse(text.as_deref().unwrap_or("none"));
    fields
        .into_iter()
        .map(|field| {
            Ok(Field {
                versions: match &field.versions {
                    Some(_) => range(&field.versions)?,
                    None => range(&field.tagged_versions)?,
                },
                nullable: range(&field.nullable_versions)?,
                tag: field.tag,
                tagged: range(&field.tagged_versions)?,
                flexible: field
                    .flexible_versions
                    .as_deref()
                    .map(Versions::parse)
                    .transpose()?,
                default: field.default.map(|value| match value {
                    Value::String(text) => text,
                    other => other.to_string(),
                }),
                ignorable: field.ignorable,
                fields: convert_fields(field.fields)?,
                name: field.name,
                kind: field.kind,
            })
        })
        .collect()
}

/// Removes `//` comments, which Kafka's specifications have and JSON has not.
fn without_comments(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    for line in text.lines() {
        let mut in_string = false;
        let mut previous = ' ';
        let mut end = line.len();
        for (index, character) in line.char_indices() {
            match character {
                '"' if previous != '\\' => in_string = !in_string,
                '/' if !in_string && previous == '/' => {
                    end = index - 1;
                    break;
                }
                _ => {}
            }
            previous = character;
        }
        result.push_str(line.get(..end).expect("comments begin at a character"));
        result.push('\n');
    }
    result
}
