//! The committed schema, as the tests read it. Shares no code with the generator, so that a mistake there shows.

use std::ops::RangeInclusive;

const SCHEMA: &str = include_str!("../../schema/kafka-4.3.1.schema");

pub(crate) struct Message {
    pub(crate) name: String,
    pub(crate) versions: RangeInclusive<i16>,
    pub(crate) flexible: Option<RangeInclusive<i16>>,
    pub(crate) fields: Vec<Field>,
    shared: Vec<(String, Vec<Field>)>,
}

pub(crate) struct Field {
    name: String,
    pub(crate) kind: String,
    pub(crate) versions: Option<RangeInclusive<i16>>,
    pub(crate) nullable: Option<RangeInclusive<i16>>,
    pub(crate) tag: Option<u32>,
    pub(crate) is_never_flexible: bool,
    pub(crate) default: Option<String>,
    fields: Vec<Self>,
}

impl Message {
    pub(crate) fn is_flexible(&self, version: i16) -> bool {
        contains(self.flexible.as_ref(), version)
    }

    /// The fields of the structure that `field` holds, which it may share with others.
    pub(crate) fn structure<'a>(&'a self, field: &'a Field) -> &'a [Field] {
        if !field.fields.is_empty() {
            return &field.fields;
        }
        let name = field.kind.trim_start_matches("[]");
        let shared = self.shared.iter().find(|(shared, _)| shared == name);
        let (_, fields) = shared.expect("a structure is defined in its field or shared");
        fields
    }
}

pub(crate) fn contains(range: Option<&RangeInclusive<i16>>, version: i16) -> bool {
    range.is_some_and(|range| range.contains(&version))
}

/// All messages of the schema.
pub(crate) fn messages() -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    for line in SCHEMA.lines() {
        let words = line.trim_start_matches(' ');
        let depth = (line.len() - words.len()) / 2;
        let (first, rest) = words
            .split_once(' ')
            .expect("a line has two words at least");
        match (depth, first) {
            (0, "struct") => {
                let (name, _) = rest.split_once(' ').expect("a structure has versions");
                let message = messages
                    .last_mut()
                    .expect("a structure follows its message");
                message.shared.push((name.to_owned(), Vec::new()));
            }
            (0, _) => messages.push(message(rest)),
            _ => {
                let message = messages.last_mut().expect("a field follows its message");
                let top = message
                    .shared
                    .last_mut()
                    .map_or(&mut message.fields, |(_, fields)| fields);
                let place = (1..depth).fold(top, |fields, _| {
                    &mut fields
                        .last_mut()
                        .expect("a field is indented below its parent")
                        .fields
                });
                place.push(field(first, rest));
            }
        }
    }
    messages
}

fn message(words: &str) -> Message {
    let name = words.split(' ').next().expect("a message has a name");
    Message {
        name: name.to_owned(),
        versions: option(words, "versions")
            .and_then(versions)
            .expect("a message has versions"),
        flexible: option(words, "flexible").and_then(versions),
        fields: Vec::new(),
        shared: Vec::new(),
    }
}

fn field(name: &str, words: &str) -> Field {
    let (kind, rest) = words.split_once(' ').expect("a field has versions");
    let present = rest.split(' ').next().and_then(versions);
    let tagged = option(rest, "tagged");
    if let Some(tagged) = tagged {
        assert_eq!(versions(tagged), present, "{name} is either tagged or not");
    }
    Field {
        name: name.to_owned(),
        kind: kind.to_owned(),
        versions: present,
        nullable: option(rest, "nullable").and_then(versions),
        tag: option(rest, "tag").map(|tag| tag.parse().expect("a tag is a number")),
        is_never_flexible: option(rest, "flexible") == Some("none"),
        default: option(rest, "default").map(|default| default.trim_matches('"').to_owned()),
        fields: Vec::new(),
    }
}

fn option<'a>(words: &'a str, name: &str) -> Option<&'a str> {
    words
        .split(' ')
        .find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

fn versions(text: &str) -> Option<RangeInclusive<i16>> {
    let number = |text: &str| text.parse().expect("a version is a number");
    if text == "none" {
        return None;
    }
    Some(match (text.strip_suffix('+'), text.split_once('-')) {
        (Some(first), _) => number(first)..=i16::MAX,
        (None, Some((first, last))) => number(first)..=number(last),
        (None, None) => number(text)..=number(text),
    })
}

impl std::fmt::Debug for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.name, self.kind)
    }
}
