//! Newtypes for the numbers that must never be mixed up.

use std::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// A Kafka node id as responses show it: a machine, or in `per-shard` mode one shard of it. -1 is "none".
    NodeId(i32)
}

number! {
    /// The index of a shard within one broker process, from 0.
    ShardId(u16)
}

number! {
    /// The index of a partition within its topic, from 0.
    PartitionIndex(i32)
}

number! {
    /// The position of a record in its partition, from 0.
    Offset(i64)
}

number! {
    /// The term of a partition's leader; -1 is "unknown". Every move of a partition raises it.
    LeaderEpoch(i32)
}

number! {
    /// The identity of an idempotent producer; [`ProducerId::NONE`] (-1) marks a batch without one.
    ProducerId(i64)
}

number! {
    /// The incarnation of a [`ProducerId`]; -1 where there is none.
    ProducerEpoch(i16)
}

impl NodeId {
    /// Kafka's "no node".
    pub const NONE: Self = Self(-1);
}

impl LeaderEpoch {
    /// Kafka's "no epoch".
    pub const NONE: Self = Self(-1);
}

impl ProducerId {
    /// Kafka's "no producer id".
    pub const NONE: Self = Self(-1);
}

impl ProducerEpoch {
    /// Kafka's "no producer epoch".
    pub const NONE: Self = Self(-1);
}

/// A 128-bit identifier of a topic, a directory or the cluster, written as Kafka does: 22 characters of
/// URL-safe base64 without padding.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(pub [u8; 16]);

impl Uuid {
    /// All zero: Kafka's "no id".
    pub const ZERO: Self = Self([0; 16]);

    /// Whether this is [`Uuid::ZERO`].
    #[must_use]
    pub fn is_zero(self) -> bool {
        self == Self::ZERO
    }

    /// Makes a version-4 UUID of 16 random bytes.
    #[must_use]
    pub fn from_random(mut bytes: [u8; 16]) -> Self {
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Self(bytes)
    }

    /// Reads Kafka's 22-character form; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 22 {
            return None;
        }
        let mut value: u128 = 0;
        for (index, byte) in text.bytes().enumerate() {
            let digit = u128::from(base64_digit(byte)?);
            if index < 21 {
                value = (value << 6) | digit;
            } else if digit & 0x0f == 0 {
                // The last character holds the two bits that 21 characters leave over.
                value = (value << 2) | (digit >> 4);
            } else {
                return None;
            }
        }
        Some(Self(value.to_be_bytes()))
    }
}

const BASE64_URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn base64_digit(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'-' => Some(62),
        b'_' => Some(63),
        _ => None,
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        let value = u128::from_be_bytes(self.0);
        for index in 0..21u32 {
            let digit = (value >> (122 - 6 * index)) & 0x3f;
            f.write_char(char::from(BASE64_URL[digit as usize]))?;
        }
        let last = (value & 0x03) << 4;
        f.write_char(char::from(BASE64_URL[last as usize]))
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::Uuid;

    #[test]
    fn uuid_text_round_trips() {
        for bytes in [[0u8; 16], [0xff; 16], *b"0123456789abcdef"] {
            let text = Uuid(bytes).to_string();
            assert_eq!(text.len(), 22);
            assert_eq!(Uuid::parse(&text), Some(Uuid(bytes)));
        }
    }

    #[test]
    fn uuid_refuses_text_that_is_not_22_digits() {
        for text in [
            "",
            "AAAAAAAAAAAAAAAAAAAAA",
            "AAAAAAAAAAAAAAAAAAAAAB",
            "AAAAAAAAAAAAAAAAAAAA==",
        ] {
            assert_eq!(Uuid::parse(text), None, "{text}");
        }
    }
}
