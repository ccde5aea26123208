//! Encodings of messages made of chance, straight from the schema and without the codec under test.
//!
//! They are canonical: nothing is in them that an encoder would leave out or write in another way. So they must come
//! back byte for byte.

use super::schema::{Field, Message, contains};

/// The longest array.
const COUNT_MAX: u64 = 3;

/// What strings are made of; characters of one to four bytes.
const LETTERS: [char; 8] = ['a', 'Z', '0', '.', '_', 'é', '語', '🦀'];

/// A tag that Kafka has not assigned, and what it carries.
const UNKNOWN_TAG: u64 = 9_999;
const UNKNOWN_CONTENT: &[u8] = b"of a later version";

/// Writes encodings of one version of a message.
pub(crate) struct Sampler<'a> {
    message: &'a Message,
    version: i16,
    is_flexible: bool,
    chance: Chance,
    has_unknown_tags: bool,
    /// Whether values are the schema's defaults instead of chance.
    is_default: bool,
}

impl<'a> Sampler<'a> {
    pub(crate) fn new(message: &'a Message, version: i16, seed: u64) -> Self {
        Self {
            message,
            version,
            is_flexible: message.is_flexible(version),
            chance: Chance(seed),
            has_unknown_tags: false,
            is_default: false,
        }
    }

    /// Adds a tagged field of an unknown number to every structure; all else stays as it is for this seed.
    pub(crate) fn with_unknown_tags(mut self) -> Self {
        self.has_unknown_tags = true;
        self
    }

    pub(crate) fn bytes(mut self) -> Vec<u8> {
        let mut out = Vec::new();
        self.structure(&mut out, &self.message.fields);
        out
    }

    fn structure(&mut self, out: &mut Vec<u8>, fields: &[Field]) {
        let is_present = |field: &&Field| contains(field.versions.as_ref(), self.version);
        let present: Vec<&Field> = fields.iter().filter(is_present).collect();
        for field in present.iter().filter(|field| field.tag.is_none()) {
            self.field(out, field);
        }
        if self.is_flexible {
            let mut tagged: Vec<_> = present
                .iter()
                .filter_map(|field| Some((field.tag?, *field)))
                .collect();
            tagged.sort_unstable_by_key(|(tag, _)| *tag);
            self.tags(out, &tagged);
        }
    }

    /// Tagged fields, which are left out where they are their defaults.
    fn tags(&mut self, out: &mut Vec<u8>, tagged: &[(u32, &Field)]) {
        let mut written = Vec::new();
        for (tag, field) in tagged {
            if self.is_default || self.chance.below(2) == 0 {
                continue;
            }
            let mut content = Vec::new();
            self.field(&mut content, field);
            if content != self.default_of(field) {
                written.push((u64::from(*tag), content));
            }
        }
        if self.has_unknown_tags {
            written.push((UNKNOWN_TAG, UNKNOWN_CONTENT.to_vec()));
        }
        put_varint(out, len(&written));
        for (tag, content) in written {
            put_varint(out, tag);
            put_varint(out, len(&content));
            out.extend_from_slice(&content);
        }
    }

    fn default_of(&self, field: &Field) -> Vec<u8> {
        let mut sampler = Self {
            is_default: true,
            ..Self::new(self.message, self.version, 0)
        };
        let mut content = Vec::new();
        sampler.field(&mut content, field);
        content
    }

    fn field(&mut self, out: &mut Vec<u8>, field: &Field) {
        let is_compact = self.is_flexible && !field.is_never_flexible;
        let is_nullable = contains(field.nullable.as_ref(), self.version);
        let is_null = is_nullable
            && if self.is_default {
                field.default.as_deref() == Some("null")
            } else {
                self.chance.below(4) == 0
            };
        let is_structure = field.kind.starts_with(char::is_uppercase);
        if is_null {
            return if is_structure {
                // The marker is a byte, but a varint in a tagged field.
                out.push(if field.tag.is_some() { 0 } else { 0xff })
            } else {
                put_null(out, &field.kind, is_compact)
            };
        }
        if is_structure {
            if is_nullable {
                out.push(1);
            }
            return self.structure(out, self.message.structure(field));
        }
        let Some(element) = field.kind.strip_prefix("[]") else {
            return self.value(out, &field.kind, field.default.as_deref(), is_compact);
        };
        let count = if self.is_default {
            0
        } else {
            self.chance.below(COUNT_MAX + 1)
        };
        put_length(out, count, 4, is_compact);
        for _ in 0..count {
            if element.starts_with(char::is_uppercase) {
                self.structure(out, self.message.structure(field));
            } else {
                self.value(out, element, None, is_compact);
            }
        }
    }

    fn value(&mut self, out: &mut Vec<u8>, kind: &str, default: Option<&str>, is_compact: bool) {
        let width = match kind {
            "bool" => {
                let value = if self.is_default {
                    default == Some("true")
                } else {
                    self.chance.below(2) == 1
                };
                return out.push(u8::from(value));
            }
            "string" => {
                let text = if self.is_default {
                    default.unwrap_or_default().to_owned()
                } else {
                    self.chance.text()
                };
                put_length(out, len(text.as_bytes()), 2, is_compact);
                return out.extend_from_slice(text.as_bytes());
            }
            "bytes" | "records" => {
                let bytes = if self.is_default {
                    Vec::new()
                } else {
                    self.chance.text().into_bytes()
                };
                put_length(out, len(&bytes), 4, is_compact);
                return out.extend_from_slice(&bytes);
            }
            "uuid" => {
                let halves = if self.is_default {
                    [0; 2]
                } else {
                    [self.chance.number(), self.chance.number()]
                };
                return halves
                    .iter()
                    .for_each(|half| out.extend_from_slice(&half.to_be_bytes()));
            }
            "int8" => 1,
            "int16" | "uint16" => 2,
            "int32" => 4,
            "int64" | "float64" => 8,
            other => unreachable!("no message has a field of type {other}"),
        };
        let number = if self.is_default {
            default.map_or(0, parse_number)
        } else {
            self.chance.number()
        };
        out.extend(number.to_be_bytes().iter().skip(8 - width));
    }
}

fn parse_number(text: &str) -> u64 {
    let number = match text.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    number.expect("a default is a number").cast_unsigned()
}

fn len<T>(items: &[T]) -> u64 {
    items.len() as u64
}

fn put_length(out: &mut Vec<u8>, length: u64, width: usize, is_compact: bool) {
    if is_compact {
        put_varint(out, length + 1);
    } else {
        out.extend(length.to_be_bytes().iter().skip(8 - width));
    }
}

fn put_null(out: &mut Vec<u8>, kind: &str, is_compact: bool) {
    match (is_compact, kind) {
        (true, _) => out.push(0),
        (false, "string") => out.extend_from_slice(&[0xff; 2]),
        (false, _) => out.extend_from_slice(&[0xff; 4]),
    }
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7f).expect("seven bits") | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).expect("seven bits"));
}

/// Reproducible chance. Source: the SplitMix64 generator of Steele, Lea and Flood (2014).
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// A number, often one at the edge of its range.
    fn number(&mut self) -> u64 {
        match self.below(4) {
            0 => self.below(3),
            1 => u64::MAX,
            _ => self.next(),
        }
    }

    fn text(&mut self) -> String {
        let length = self.below(6);
        let mut letter = || {
            let index = self.below(LETTERS.len() as u64);
            LETTERS[usize::try_from(index).expect("a small number")]
        };
        (0..length).map(|_| letter()).collect()
    }
}
