//! Structures and their defaults.

use std::fmt::Write as _;

use anyhow::Result;

use super::{Structure, names};
use crate::schema::Field;

/// Whether values of this kind are arrays, and of what.
pub(crate) fn element(kind: &str) -> Option<&str> {
    kind.strip_prefix("[]")
}

/// The Rust type of a kind, without nullability.
pub(crate) fn rust(kind: &str) -> String {
    match element(kind) {
        Some(element) => format!("Vec<{}>", rust(element)),
        None => match kind {
            "int8" => "i8",
            "int16" => "i16",
            "uint16" => "u16",
            "int32" => "i32",
            "uint32" => "u32",
            "int64" => "i64",
            "float64" => "f64",
            "string" => "Str",
            "uuid" => "Uuid",
            "bytes" => "Bytes",
            "records" => "Records",
            other => other,
        }
        .to_owned(),
    }
}

/// Whether a kind is a structure.
pub(crate) fn is_structure(kind: &str) -> bool {
    kind.starts_with(char::is_uppercase)
}

/// Whether a field's Rust type is an `Option`.
pub(crate) fn is_option(field: &Field) -> bool {
    field.nullable.is_some()
}

/// The default of a field in Rust.
pub(crate) fn default(field: &Field) -> String {
    let text = field.default.as_deref();
    if text == Some("null") {
        return "None".to_owned();
    }
    let plain = match field.kind.as_str() {
        "string" => match text {
            None | Some("") => "Str::default()".to_owned(),
            Some(text) => format!("Str::from_static({text:?})"),
        },
        "float64" => text.unwrap_or("0.0").to_owned(),
        "bool" => text.unwrap_or("false").to_owned(),
        "int8" | "int16" | "uint16" | "int32" | "uint32" | "int64" => {
            text.unwrap_or("0").to_owned()
        }
        kind if element(kind).is_some() => "Vec::new()".to_owned(),
        kind => format!("{kind}::default()", kind = rust(kind)),
    };
    if is_option(field) {
        format!("Some({plain})")
    } else {
        plain
    }
}

/// Rust for "this field is not its default".
pub(crate) fn is_set(field: &Field) -> String {
    let name = names::field(&field.name);
    let default = default(field);
    match default.as_str() {
        "None" => format!("self.{name}.is_some()"),
        "Vec::new()" | "Str::default()" | "Bytes::default()" => format!("!self.{name}.is_empty()"),
        "false" => format!("self.{name}"),
        "true" => format!("!self.{name}"),
        _ if field.kind == "float64" => format!("self.{name}.to_bits() != f64::to_bits({default})"),
        _ => format!("self.{name} != {default}"),
    }
}

/// Writes a structure and its `Default`.
pub(crate) fn structure(text: &mut String, structure: &Structure<'_>) -> Result<()> {
    let natural = structure.fields.iter().all(|field| {
        let default = default(field);
        matches!(
            default.as_str(),
            "None" | "0" | "0.0" | "false" | "Vec::new()"
        ) || default.ends_with("::default()")
    });
    let derives = if natural {
        "Clone, Debug, Default, PartialEq"
    } else {
        "Clone, Debug, PartialEq"
    };
    writeln!(
        text,
        "#[derive({derives})]\npub struct {} {{",
        structure.name
    )?;
    for field in structure.fields {
        let plain = rust(&field.kind);
        let kind = if is_option(field) {
            format!("Option<{plain}>")
        } else {
            plain
        };
        writeln!(text, "    pub {}: {kind},", names::field(&field.name))?;
    }
    text.push_str("}\n");
    if natural {
        return Ok(());
    }
    writeln!(
        text,
        "\nimpl Default for {} {{\n    fn default() -> Self {{\n        Self {{",
        structure.name
    )?;
    for field in structure.fields {
        writeln!(
            text,
            "            {}: {},",
            names::field(&field.name),
            default(field)
        )?;
    }
    text.push_str("        }\n    }\n}\n");
    Ok(())
}
