//! The compact schema: one line a message, structure or field, indented by two spaces a level.
//!
//! ```text
//! request Produce key=0 versions=3-13 flexible=9+
//!   TransactionalId string 3+ nullable=3+ default=null
//!   TopicData []TopicProduceData 0+
//!     Name string 0-12 ignorable
//! struct Shared 0+
//!   Id int32 0+
//! ```
//! The facts are those of Kafka's message specifications; the form is Logan's own.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail, ensure};

/// Inclusive range of versions; `None` is an empty range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Versions {
    pub(crate) first: i16,
    pub(crate) last: i16,
}

impl Versions {
    /// Parses `3-13`, `9+`, `4`; `none` is no range.
    pub(crate) fn parse(text: &str) -> Result<Option<Self>> {
        if text == "none" {
            return Ok(None);
        }
        let (first, last) = if let Some(first) = text.strip_suffix('+') {
            (first.parse()?, i16::MAX)
        } else if let Some((first, last)) = text.split_once('-') {
            (first.parse()?, last.parse()?)
        } else {
            (text.parse()?, text.parse()?)
        };
        Ok(Some(Self { first, last }))
    }

    pub(crate) fn print(range: Option<Self>) -> String {
        match range {
            None => "none".to_owned(),
            Some(Self {
                first,
                last: i16::MAX,
            }) => format!("{first}+"),
            Some(Self { first, last }) if first == last => first.to_string(),
            Some(Self { first, last }) => format!("{first}-{last}"),
        }
    }

    pub(crate) fn covers(self, other: Self) -> bool {
        self.first <= other.first && other.last <= self.last
    }

    pub(crate) fn intersect(self, other: Self) -> Option<Self> {
        let (first, last) = (self.first.max(other.first), self.last.min(other.last));
        (first <= last).then_some(Self { first, last })
    }
}

/// A message, or a header, or a record of an internal topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// `request`, `response`, `header`, `data`, `metadata`, `coordinator-key`, `coordinator-value`.
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) key: Option<i16>,
    pub(crate) versions: Versions,
    pub(crate) flexible: Option<Versions>,
    pub(crate) latest_unstable: bool,
    pub(crate) fields: Vec<Field>,
    pub(crate) structs: Vec<Struct>,
}

/// A structure that several fields of a message use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Struct {
    pub(crate) name: String,
    pub(crate) versions: Versions,
    pub(crate) fields: Vec<Field>,
}

/// A field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: String,
    /// As in Kafka's specifications: `int32`, `[]string`, a structure's name, and so on.
    pub(crate) kind: String,
    pub(crate) versions: Option<Versions>,
    pub(crate) nullable: Option<Versions>,
    pub(crate) tag: Option<u32>,
    pub(crate) tagged: Option<Versions>,
    /// Overrides the message's flexible versions.
    pub(crate) flexible: Option<Option<Versions>>,
    pub(crate) default: Option<String>,
    pub(crate) ignorable: bool,
    /// The fields of the structure that this field defines, empty if it uses one defined elsewhere.
    pub(crate) fields: Vec<Self>,
}

/// Writes messages in the compact form.
pub(crate) fn print(messages: &[Message]) -> String {
    let mut text = String::new();
    for message in messages {
        let key = message
            .key
            .map(|key| format!(" key={key}"))
            .unwrap_or_default();
        let unstable = if message.latest_unstable {
            " latest-unstable"
        } else {
            ""
        };
        line(
            &mut text,
            0,
            &format!(
                "{} {}{key} versions={} flexible={}{unstable}",
                message.kind,
                message.name,
                Versions::print(Some(message.versions)),
                Versions::print(message.flexible),
            ),
        );
        print_fields(&mut text, 1, &message.fields);
        for shared in &message.structs {
            let versions = Versions::print(Some(shared.versions));
            line(&mut text, 0, &format!("struct {} {versions}", shared.name));
            print_fields(&mut text, 1, &shared.fields);
        }
    }
    text
}

fn print_fields(text: &mut String, depth: usize, fields: &[Field]) {
    for field in fields {
        let mut words = format!(
            "{} {} {}",
            field.name,
            field.kind,
            Versions::print(field.versions)
        );
        let mut word = |name: &str, value: String| {
            write!(words, " {name}={value}").expect("writing to a string");
        };
        if field.nullable.is_some() {
            word("nullable", Versions::print(field.nullable));
        }
        if let Some(tag) = field.tag {
            word("tag", tag.to_string());
            word("tagged", Versions::print(field.tagged));
        }
        if let Some(flexible) = field.flexible {
            word("flexible", Versions::print(flexible));
        }
        if let Some(default) = &field.default {
            word("default", format!("{default:?}"));
        }
        if field.ignorable {
            words.push_str(" ignorable");
        }
        line(text, depth, &words);
        print_fields(text, depth + 1, &field.fields);
    }
}

fn line(text: &mut String, depth: usize, words: &str) {
    text.push_str(&"  ".repeat(depth));
    text.push_str(words);
    text.push('\n');
}

/// Reads the compact form.
pub(crate) fn parse(text: &str) -> Result<Vec<Message>> {
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let words = line.trim_start_matches(' ');
        let indent = line.len() - words.len();
        ensure!(
            indent.is_multiple_of(2),
            "line {}: odd indentation",
            index + 1
        );
        lines.push((indent / 2, words));
    }
    let mut rest = lines.as_slice();
    let mut messages: Vec<Message> = Vec::new();
    while let Some(((_, words), after)) = rest.split_first() {
        rest = after;
        let fields = parse_fields(&mut rest, 1).with_context(|| format!("in {words:?}"))?;
        if let Some(shared) = words.strip_prefix("struct ") {
            let (name, versions) = shared
                .split_once(' ')
                .context("a struct has a name and versions")?;
            let message = messages
                .last_mut()
                .context("a struct follows its message")?;
            let versions = Versions::parse(versions)?.context("a struct exists in some version")?;
            message.structs.push(Struct {
                name: name.to_owned(),
                versions,
                fields,
            });
        } else {
            messages.push(parse_message(words, fields)?);
        }
    }
    Ok(messages)
}

fn parse_message(words: &str, fields: Vec<Field>) -> Result<Message> {
    let mut words = words.split(' ');
    let kind = words.next().context("a message has a kind")?.to_owned();
    let name = words.next().context("a message has a name")?.to_owned();
    let mut message = Message {
        kind,
        name,
        key: None,
        versions: Versions { first: 0, last: 0 },
        flexible: None,
        latest_unstable: false,
        fields,
        structs: Vec::new(),
    };
    for word in words {
        match word.split_once('=') {
            Some(("key", key)) => message.key = Some(key.parse()?),
            Some(("versions", versions)) => {
                message.versions = Versions::parse(versions)?.context("a message has versions")?;
            }
            Some(("flexible", versions)) => message.flexible = Versions::parse(versions)?,
            None if word == "latest-unstable" => message.latest_unstable = true,
            _ => bail!("unknown word {word:?}"),
        }
    }
    Ok(message)
}

fn parse_fields(rest: &mut &[(usize, &str)], depth: usize) -> Result<Vec<Field>> {
    let mut fields = Vec::new();
    while let Some(((indent, words), after)) = rest.split_first() {
        if *indent < depth {
            break;
        }
        ensure!(*indent == depth, "{words:?} is indented too far");
        *rest = after;
        let mut field = parse_field(words).with_context(|| format!("in {words:?}"))?;
        field.fields = parse_fields(rest, depth + 1)?;
        fields.push(field);
    }
    Ok(fields)
}

fn parse_field(words: &str) -> Result<Field> {
    let mut words = words.split(' ');
    let mut next = |what: &str| {
        words
            .next()
            .with_context(|| format!("a field has a {what}"))
    };
    let mut field = Field {
        name: next("name")?.to_owned(),
        kind: next("type")?.to_owned(),
        versions: Versions::parse(next("version range")?)?,
        nullable: None,
        tag: None,
        tagged: None,
        flexible: None,
        default: None,
        ignorable: false,
        fields: Vec::new(),
    };
    for word in words {
        match word.split_once('=') {
            Some(("nullable", versions)) => field.nullable = Versions::parse(versions)?,
            Some(("tag", tag)) => field.tag = Some(tag.parse()?),
            Some(("tagged", versions)) => field.tagged = Versions::parse(versions)?,
            Some(("flexible", versions)) => field.flexible = Some(Versions::parse(versions)?),
            Some(("default", value)) => {
                let value = value
                    .strip_prefix('"')
                    .and_then(|value| value.strip_suffix('"'));
                field.default = Some(value.context("defaults are quoted")?.to_owned());
            }
            None if word == "ignorable" => field.ignorable = true,
            _ => bail!("unknown word {word:?}"),
        }
    }
    Ok(field)
}
