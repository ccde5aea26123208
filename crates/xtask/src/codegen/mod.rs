//! Writes Rust for the messages of the compact schema.
//!
//! A message becomes a module with its structures; `mod.rs` lists the modules and the API keys. The code calls
//! small functions of `protocol::wire` for each field, so that it stays compact and every bound is checked in one
//! place.

mod body;
mod names;
mod types;

use std::fmt::Write as _;

use anyhow::{Context as _, Result};

use crate::schema::{Field, Message, Versions};

const HEADER: &str = "// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.\n";

/// A structure of a message, with what its fields need to know.
pub(crate) struct Structure<'a> {
    pub(crate) name: &'a str,
    pub(crate) fields: &'a [Field],
    pub(crate) message: &'a Message,
}

/// The generated files: name and content.
pub(crate) fn generate(messages: &[Message]) -> Result<Vec<(String, String)>> {
    let mut files = vec![
        ("mod.rs".to_owned(), root(messages)?),
        ("api_key.rs".to_owned(), api_keys(messages)?),
    ];
    for message in messages {
        let name = format!("{}.rs", names::module(&message.name));
        let content = module(message).with_context(|| format!("generate {}", message.name))?;
        files.push((name, content));
    }
    Ok(files)
}

fn root(messages: &[Message]) -> Result<String> {
    let mut text = format!("{HEADER}//! Kafka's messages, a module each.\n\n");
    text.push_str("#![expect(missing_docs, reason = \"the names and meanings are those of Kafka's message specifications\")]\n\n");
    text.push_str("#![expect(clippy::field_reassign_with_default, reason = \"fields are read in the order of the wire\")]\n\n");
    text.push_str("mod api_key;\n");
    let mut modules: Vec<&Message> = messages.iter().collect();
    modules.sort_by_key(|message| names::module(&message.name));
    for message in &modules {
        writeln!(text, "pub mod {};", names::module(&message.name))?;
    }
    text.push_str("\npub use api_key::ApiKey;\n");
    for message in &modules {
        writeln!(
            text,
            "pub use {}::{};",
            names::module(&message.name),
            message.name
        )?;
    }
    text.push_str("\n/// Calls `$action!(Message)` for every message that is neither a request nor a response.\n");
    list_macro(&mut text, "for_each_data", messages, |message| {
        !matches!(message.kind.as_str(), "request" | "response")
    })?;
    text.push_str("\n/// Calls `$action!(Request, Response)` for every API.\n");
    text.push_str("#[macro_export]\nmacro_rules! for_each_api {\n    ($action:ident) => {\n");
    for request in requests(messages) {
        let response = response_of(request, messages)?;
        writeln!(
            text,
            "        $action!({}, {});",
            request.name, response.name
        )?;
    }
    text.push_str("    };\n}\n");
    Ok(text)
}

fn list_macro(
    text: &mut String,
    name: &str,
    messages: &[Message],
    keep: impl Fn(&Message) -> bool,
) -> Result<()> {
    writeln!(
        text,
        "#[macro_export]\nmacro_rules! {name} {{\n    ($action:ident) => {{"
    )?;
    for message in messages.iter().filter(|message| keep(message)) {
        writeln!(text, "        $action!({});", message.name)?;
    }
    text.push_str("    };\n}\n");
    Ok(())
}

fn requests(messages: &[Message]) -> Vec<&Message> {
    let mut requests: Vec<&Message> = messages
        .iter()
        .filter(|message| message.kind == "request")
        .collect();
    requests.sort_by_key(|message| message.key);
    requests
}

fn response_of<'a>(request: &Message, messages: &'a [Message]) -> Result<&'a Message> {
    messages
        .iter()
        .find(|message| message.kind == "response" && message.key == request.key)
        .with_context(|| format!("{} has no response", request.name))
}

fn api_keys(messages: &[Message]) -> Result<String> {
    let requests = requests(messages);
    let mut text = format!("{HEADER}//! The keys of Kafka's APIs.\n\n");
    text.push_str("/// An API of Kafka's protocol, as of Apache Kafka 4.3.1.\n");
    text.push_str("#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]\n#[repr(i16)]\npub enum ApiKey {\n");
    let row = |text: &mut String, format: &dyn Fn(&str, i16, &Message) -> String| -> Result<()> {
        for request in &requests {
            let key = request.key.context("a request has a key")?;
            text.push_str(&format(names::api(&request.name), key, request));
        }
        Ok(())
    };
    row(&mut text, &|name, key, _| format!("    {name} = {key},\n"))?;
    text.push_str("}\n\nimpl ApiKey {\n    /// The API of this number, if Kafka 4.3 has it.\n    #[must_use]\n");
    text.push_str(
        "    pub const fn from_code(code: i16) -> Option<Self> {\n        match code {\n",
    );
    row(&mut text, &|name, key, _| {
        format!("            {key} => Some(Self::{name}),\n")
    })?;
    text.push_str("            _ => None,\n        }\n    }\n\n    /// Kafka's name of the API.\n    #[must_use]\n");
    text.push_str("    pub const fn name(self) -> &'static str {\n        match self {\n");
    row(&mut text, &|name, _, _| {
        format!("            Self::{name} => \"{name}\",\n")
    })?;
    text.push_str("        }\n    }\n\n    /// The versions that the schema has, first and last.\n    #[must_use]\n");
    text.push_str("    pub const fn schema_versions(self) -> (i16, i16) {\n        match self {\n");
    row(&mut text, &|name, _, request| {
        format!(
            "            Self::{name} => ({}, {}),\n",
            request.versions.first, request.versions.last
        )
    })?;
    text.push_str("        }\n    }\n\n    /// Whether a version uses compact encodings and tagged fields (KIP-482).\n    #[must_use]\n");
    text.push_str(
        "    pub const fn is_flexible(self, version: i16) -> bool {\n        match self {\n",
    );
    row(&mut text, &|name, _, request| {
        format!(
            "            Self::{name} => {},\n",
            flexible_condition(request).unwrap_or_else(|| "true".to_owned())
        )
    })?;
    text.push_str("        }\n    }\n}\n");
    Ok(text)
}

/// The condition for flexible encodings; `None` is "always".
pub(crate) fn flexible_condition(message: &Message) -> Option<String> {
    match message.flexible {
        None => Some("false".to_owned()),
        Some(versions) => condition(Some(versions), message.versions),
    }
}

/// Rust for "`version` lies in `versions`", given that it lies in `within`; `None` is "always".
pub(crate) fn condition(versions: Option<Versions>, within: Versions) -> Option<String> {
    let Some(versions) = versions.and_then(|versions| versions.intersect(within)) else {
        return Some("false".to_owned());
    };
    if versions.covers(within) {
        return None;
    }
    let Versions { first, last } = versions;
    Some(if first == last {
        format!("version == {first}")
    } else if last >= within.last {
        format!("version >= {first}")
    } else if first <= within.first {
        format!("version <= {last}")
    } else {
        format!("({first}..={last}).contains(&version)")
    })
}

fn module(message: &Message) -> Result<String> {
    let mut structures = vec![Structure {
        name: &message.name,
        fields: &message.fields,
        message,
    }];
    nested(message, &message.fields, &mut structures);
    for shared in &message.structs {
        structures.push(Structure {
            name: &shared.name,
            fields: &shared.fields,
            message,
        });
        nested(message, &shared.fields, &mut structures);
    }
    let mut text = format!("{HEADER}//! `{}`\n\nuse crate::wire::*;\n", message.name);
    text = text.replace("use crate::wire::*;\n", "use crate::wire::prelude::{");
    text.push_str(PRELUDE);
    text.push_str("};\n");
    for structure in &structures {
        text.push('\n');
        types::structure(&mut text, structure)?;
        text.push('\n');
        body::codec(&mut text, structure)?;
    }
    trait_impls(&mut text, message)?;
    Ok(prune_imports(&text))
}

const PRELUDE: &str = "ApiKey, Bytes, DecodeError, Decoder, EncodeError, Encoder, Message, Records, Request, Str, Tags, Uuid, Wire, not_null";

/// Keeps the imports that the module uses.
fn prune_imports(text: &str) -> String {
    let (head, body) = text.split_once("};\n").expect("the imports end");
    let used: Vec<&str> = PRELUDE
        .split(", ")
        .filter(|name| {
            body.match_indices(name).any(|(at, _)| {
                let is_word = |character: Option<char>| {
                    character
                        .is_some_and(|character| character.is_alphanumeric() || character == '_')
                };
                let before = body.get(..at).and_then(|text| text.chars().next_back());
                let after = body
                    .get(at + name.len()..)
                    .and_then(|text| text.chars().next());
                !is_word(before) && !is_word(after)
            })
        })
        .collect();
    let head = head.split_once('{').expect("the imports begin").0;
    format!("{head}{{{}}};\n{body}", used.join(", "))
}

fn nested<'a>(message: &'a Message, fields: &'a [Field], structures: &mut Vec<Structure<'a>>) {
    for field in fields.iter().filter(|field| !field.fields.is_empty()) {
        let name = field.kind.strip_prefix("[]").unwrap_or(&field.kind);
        structures.push(Structure {
            name,
            fields: &field.fields,
            message,
        });
        nested(message, &field.fields, structures);
    }
}

fn trait_impls(text: &mut String, message: &Message) -> Result<()> {
    let flexible = flexible_condition(message).unwrap_or_else(|| "true".to_owned());
    let unused = if flexible.contains("version") {
        "version"
    } else {
        "_version"
    };
    write!(
        text,
        "\nimpl Message for {0} {{\n    const NAME: &'static str = \"{0}\";\n    const FIRST_VERSION: i16 = {1};\n    const LAST_VERSION: i16 = {2};\n    const SCHEMA_KEY: Option<i16> = {3:?};\n\n    fn is_flexible({unused}: i16) -> bool {{\n        {flexible}\n    }}\n}}\n",
        message.name, message.versions.first, message.versions.last, message.key,
    )?;
    if message.kind == "request" {
        let api = names::api(&message.name);
        let response = format!("{api}Response");
        write!(
            text,
            "\nimpl Request for {} {{\n    const KEY: ApiKey = ApiKey::{api};\n    type Response = super::{response};\n}}\n",
            message.name
        )?;
    }
    Ok(())
}
