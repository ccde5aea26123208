//! Decoding and encoding of structures.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};

use super::types::{element, is_option, is_set, is_structure};
use super::{Structure, condition, flexible_condition, names};
use crate::schema::{Field, Message, Versions};

/// In which of the versions a value may be null.
enum Nullable {
    Never,
    Always,
    If(String),
}

/// Whether a structure of a response has an error code, itself or within its fields.
fn has_errors(fields: &[Field], message: &Message) -> bool {
    fields
        .iter()
        .any(|field| is_error(field) || leads_to_errors(field, message))
}

fn is_error(field: &Field) -> bool {
    field.name == "ErrorCode" && field.kind == "int16"
}

/// Whether the structures that a field holds have error codes.
fn leads_to_errors(field: &Field, message: &Message) -> bool {
    let kind = element(&field.kind).unwrap_or(&field.kind);
    let shared = message.structs.iter().find(|shared| shared.name == kind);
    let fields = shared.map_or(&field.fields, |shared| &shared.fields);
    is_structure(kind) && has_errors(fields, message)
}

/// Writes `each_error` where there is something to see.
fn error_codes(structure: &Structure<'_>) -> Result<String> {
    let mut text = String::new();
    if structure.message.kind != "response" || !has_errors(structure.fields, structure.message) {
        return Ok(text);
    }
    text.push_str("\n    fn each_error(&self, see: &mut dyn FnMut(i16)) {\n");
    for field in structure.fields {
        let name = names::field(&field.name);
        if is_error(field) {
            writeln!(text, "        see(self.{name});")?;
        } else if leads_to_errors(field, structure.message) {
            let items = match (element(&field.kind), is_option(field)) {
                (Some(_), true) => format!("self.{name}.iter().flatten()"),
                (None, true) => format!("&self.{name}"),
                (Some(_), false) => format!("&self.{name}"),
                (None, false) => format!("[&self.{name}]"),
            };
            writeln!(
                text,
                "        for item in {items} {{\n            item.each_error(see);\n        }}"
            )?;
        }
    }
    text.push_str("    }\n");
    Ok(text)
}

/// Writes `impl Wire`.
pub(crate) fn codec(text: &mut String, structure: &Structure<'_>) -> Result<()> {
    let flexible = flexible_condition(structure.message).unwrap_or_else(|| "true".to_owned());
    let decode = decode_body(structure, &flexible)?;
    let encode = encode_body(structure, &flexible)?;
    let version = |body: &str| {
        if mentions(body, "version") {
            "version"
        } else {
            "_version"
        }
    };
    let argument = |body: &str, name: &'static str| {
        if mentions(body, name) {
            name.to_owned()
        } else {
            format!("_{name}")
        }
    };
    write!(
        text,
        "impl Wire for {} {{\n    fn decode({}: &mut Decoder, {}: i16) -> Result<Self, DecodeError> {{\n{decode}    }}\n\n    fn encode(&self, {}: &mut Encoder, {}: i16) -> Result<(), EncodeError> {{\n{encode}    }}\n{}}}\n",
        structure.name,
        argument(&decode, "d"),
        version(&decode),
        argument(&encode, "e"),
        version(&encode),
        error_codes(structure)?,
    )?;
    Ok(())
}

/// Whether `body` uses `word` as a variable, as opposed to a field of that name.
fn mentions(body: &str, word: &str) -> bool {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    body.match_indices(word).any(|(at, _)| {
        let before = body.get(..at).and_then(|text| text.chars().next_back());
        let after = body
            .get(at + word.len()..)
            .and_then(|text| text.chars().next());
        !before.is_some_and(|before| is_word(before) || before == '.')
            && !after.is_some_and(is_word)
    })
}

fn decode_body(structure: &Structure<'_>, flexible: &str) -> Result<String> {
    let versions = structure.message.versions;
    let mut body = String::new();
    for field in structure.fields.iter().filter(|field| field.tag.is_none()) {
        let name = names::field(&field.name);
        let read = read_field(field, versions)?;
        match condition(field.versions, versions) {
            None => writeln!(body, "        it.{name} = {read};")?,
            Some(condition) if condition == "false" => {}
            Some(condition) => {
                writeln!(
                    body,
                    "        if {condition} {{\n            it.{name} = {read};\n        }}"
                )?;
            }
        }
    }
    decode_tags(&mut body, structure, flexible)?;
    let mutable = if body.contains("it.") {
        "let mut it"
    } else {
        "let it"
    };
    let uses_flexible = mentions(&body, "flexible");
    let flexible = if uses_flexible {
        format!("        let flexible = {flexible};\n")
    } else {
        String::new()
    };
    Ok(format!(
        "{flexible}        {mutable} = Self::default();\n{body}        Ok(it)\n"
    ))
}

fn decode_tags(body: &mut String, structure: &Structure<'_>, flexible: &str) -> Result<()> {
    if flexible == "false" {
        return Ok(());
    }
    let versions = structure.message.versions;
    let mut arms = String::new();
    for field in structure.fields {
        let Some(tag) = field.tag else { continue };
        let name = names::field(&field.name);
        let read = read_field(field, versions)?;
        let guard = match condition(field.tagged, versions) {
            Some(condition) if flexible != condition => format!(" if {condition}"),
            _ => String::new(),
        };
        writeln!(arms, "                {tag}{guard} => it.{name} = {read},")?;
    }
    let read = if arms.is_empty() {
        "d.skip_tags()?;".to_owned()
    } else {
        format!(
            "d.tags(|tag, d| {{\n            match tag {{\n{arms}                _ => return Ok(false),\n            }}\n            Ok(true)\n        }})?;"
        )
    };
    if flexible == "true" {
        writeln!(body, "        {read}")?;
    } else {
        writeln!(
            body,
            "        if flexible {{\n            {read}\n        }}"
        )?;
    }
    Ok(())
}

fn nullable(field: &Field, versions: Versions) -> Nullable {
    if !is_option(field) {
        return Nullable::Never;
    }
    let present = field
        .versions
        .and_then(|present| present.intersect(versions))
        .unwrap_or(versions);
    match condition(field.nullable, present) {
        None => Nullable::Always,
        Some(condition) => Nullable::If(condition),
    }
}

fn flexible_of(field: &Field, versions: Versions) -> String {
    match field.flexible {
        None => "flexible".to_owned(),
        Some(range) => condition(range, versions).unwrap_or_else(|| "true".to_owned()),
    }
}

fn read_field(field: &Field, versions: Versions) -> Result<String> {
    let flexible = flexible_of(field, versions);
    let plain = read(&field.kind, &flexible)?;
    Ok(match nullable(field, versions) {
        Nullable::Never => format!("{plain}?"),
        Nullable::Always => format!("{}?", read_nullable(field, &flexible)?),
        Nullable::If(condition) if condition == "false" => format!("Some({plain}?)"),
        Nullable::If(condition) => {
            let nullable = read_nullable(field, &flexible)?;
            format!("if {condition} {{ {nullable}? }} else {{ Some({plain}?) }}")
        }
    })
}

fn read(kind: &str, flexible: &str) -> Result<String> {
    if let Some(element) = element(kind) {
        return Ok(format!(
            "d.array({flexible}, |d| {})",
            read(element, flexible)?
        ));
    }
    if is_structure(kind) {
        return Ok(format!("{kind}::decode(d, version)"));
    }
    Ok(match kind {
        "string" | "bytes" | "records" => format!("d.{kind}({flexible})"),
        _ => format!("d.{}()", primitive(kind)?),
    })
}

fn read_nullable(field: &Field, flexible: &str) -> Result<String> {
    let kind = field.kind.as_str();
    if let Some(element) = element(kind) {
        return Ok(format!(
            "d.nullable_array({flexible}, |d| {})",
            read(element, flexible)?
        ));
    }
    if is_structure(kind) {
        let reader = nullable_struct(field);
        return Ok(format!("d.{reader}(|d| {kind}::decode(d, version))"));
    }
    Ok(format!("d.nullable_{kind}({flexible})"))
}

/// The name of the reader and writer of a structure that may be null. Kafka marks its presence with a byte, but in a tagged
/// field with a varint.
fn nullable_struct(field: &Field) -> &'static str {
    if field.tag.is_some() {
        "nullable_tagged_struct"
    } else {
        "nullable_struct"
    }
}

fn primitive(kind: &str) -> Result<&'static str> {
    Ok(match kind {
        "bool" => "bool",
        "int8" => "i8",
        "int16" => "i16",
        "uint16" => "u16",
        "int32" => "i32",
        "uint32" => "u32",
        "int64" => "i64",
        "float64" => "f64",
        "uuid" => "uuid",
        _ => return None.with_context(|| format!("unknown type {kind}")),
    })
}

fn encode_body(structure: &Structure<'_>, flexible: &str) -> Result<String> {
    let versions = structure.message.versions;
    let mut body = String::new();
    for field in structure.fields.iter().filter(|field| field.tag.is_none()) {
        let write = write_field(field, versions)?;
        let refuse = if field.ignorable {
            String::new()
        } else {
            format!(
                " else if {} {{\n            return Err(EncodeError::not_in_version({:?}, version));\n        }}",
                is_set(field),
                field.name
            )
        };
        match condition(field.versions, versions) {
            None => writeln!(body, "        {write};")?,
            Some(condition) if condition == "false" => {}
            Some(condition) => {
                writeln!(
                    body,
                    "        if {condition} {{\n            {write};\n        }}{refuse}"
                )?;
            }
        }
    }
    encode_tags(&mut body, structure, flexible)?;
    let uses_flexible = mentions(&body, "flexible");
    let flexible = if uses_flexible {
        format!("        let flexible = {flexible};\n")
    } else {
        String::new()
    };
    Ok(format!("{flexible}{body}        Ok(())\n"))
}

fn encode_tags(body: &mut String, structure: &Structure<'_>, flexible: &str) -> Result<()> {
    if flexible == "false" {
        return Ok(());
    }
    let versions = structure.message.versions;
    let mut tagged: Vec<&Field> = structure
        .fields
        .iter()
        .filter(|field| field.tag.is_some())
        .collect();
    tagged.sort_by_key(|field| field.tag);
    let mut write = String::new();
    for field in tagged {
        let tag = field.tag.context("filtered by tag")?;
        let set = match condition(field.tagged, versions) {
            Some(condition) if condition != flexible => format!("{condition} && {}", is_set(field)),
            _ => is_set(field),
        };
        let value = write_field(field, versions)?;
        writeln!(
            write,
            "            if {set} {{\n                tags.add({tag}, |e| {{ {value}; Ok(()) }})?;\n            }}"
        )?;
    }
    let write = if write.is_empty() {
        "e.no_tags();".to_owned()
    } else {
        format!("let mut tags = Tags::default();\n{write}            e.tags(tags);")
    };
    if flexible == "true" {
        writeln!(body, "        {{\n            {write}\n        }}")?;
    } else {
        writeln!(
            body,
            "        if flexible {{\n            {write}\n        }}"
        )?;
    }
    Ok(())
}

fn write_field(field: &Field, versions: Versions) -> Result<String> {
    let flexible = flexible_of(field, versions);
    let value = format!("self.{}", names::field(&field.name));
    let not_null = format!("not_null({value}.as_ref(), {:?})?", field.name);
    Ok(match nullable(field, versions) {
        Nullable::Never => write_value(&field.kind, &place(&field.kind, &value), &flexible)?,
        Nullable::Always => write_nullable(field, &value, &flexible)?,
        Nullable::If(condition) if condition == "false" => {
            write_value(&field.kind, &not_null, &flexible)?
        }
        Nullable::If(condition) => {
            let nullable = write_nullable(field, &value, &flexible)?;
            let plain = write_value(&field.kind, &not_null, &flexible)?;
            format!("if {condition} {{ {nullable} }} else {{ {plain} }}")
        }
    })
}

/// How a value is named where a reference or a copy is needed.
fn place(kind: &str, value: &str) -> String {
    let is_copied = element(kind).is_none() && !is_structure(kind) && primitive(kind).is_ok();
    if is_copied || is_structure(kind) {
        value.to_owned()
    } else {
        format!("&{value}")
    }
}

fn write_value(kind: &str, value: &str, flexible: &str) -> Result<String> {
    if let Some(element) = element(kind) {
        let item = if !is_structure(element) && primitive(element).is_ok() {
            "*item"
        } else {
            "item"
        };
        return Ok(format!(
            "e.array({value}, {flexible}, |e, item| {{ {}; Ok(()) }})?",
            write_value(element, item, flexible)?
        ));
    }
    if is_structure(kind) {
        return Ok(format!("{value}.encode(e, version)?"));
    }
    Ok(match kind {
        "string" => format!("e.string({value}, {flexible})?"),
        "bytes" | "records" => format!("e.{kind}({value}, {flexible})?"),
        _ => format!("e.{}({value})", primitive(kind)?),
    })
}

fn write_nullable(field: &Field, value: &str, flexible: &str) -> Result<String> {
    let kind = field.kind.as_str();
    if let Some(element) = element(kind) {
        let item = if !is_structure(element) && primitive(element).is_ok() {
            "*item"
        } else {
            "item"
        };
        return Ok(format!(
            "e.nullable_array({value}.as_deref(), {flexible}, |e, item| {{ {}; Ok(()) }})?",
            write_value(element, item, flexible)?
        ));
    }
    if is_structure(kind) {
        let writer = nullable_struct(field);
        return Ok(format!(
            "e.{writer}({value}.as_ref(), |e, it| it.encode(e, version))?"
        ));
    }
    Ok(format!("e.nullable_{kind}({value}.as_ref(), {flexible})?"))
}
