//! The encodings that Kafka's messages are made of.
//!
//! Source: the Kafka protocol guide ("Protocol Primitive Types") and KIP-482 (compact encodings, tagged fields).

mod chunks;
mod decoder;
mod encoder;
mod text;

use thiserror::Error;

pub use chunks::{ChunkList, Records};
pub use decoder::{Decoder, MEMORY_BASE_BYTES, MEMORY_PER_FRAME_BYTE};
pub use encoder::{Encoder, Tags};
pub use text::Str;

use crate::messages::ApiKey;

/// What the generated modules use.
pub(crate) mod prelude {
    pub(crate) use bytes::Bytes;
    pub(crate) use types::Uuid;

    pub(crate) use super::{
        DecodeError, Decoder, EncodeError, Encoder, Message, Records, Request, Str, Tags, Wire,
        not_null,
    };
    pub(crate) use crate::messages::ApiKey;
}

/// Something with an encoding for each version of its message.
pub trait Wire: Sized {
    /// Reads it; `version` is one that its message has.
    ///
    /// # Errors
    /// [`DecodeError`] for anything that is not such an encoding.
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError>;

    /// Writes it; `version` is one that its message has.
    ///
    /// # Errors
    /// [`EncodeError`] when a field holds what this version cannot say.
    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError>;

    /// Shows each error code that it carries, 0 included; see [`Message`] for which these are.
    fn each_error(&self, _see: &mut dyn FnMut(i16)) {}
}

/// A message of the schema. The error codes of a response are its fields `ErrorCode`, at any depth.
pub trait Message: Wire + Default + Clone + std::fmt::Debug + PartialEq {
    /// Its name in Kafka's specifications.
    const NAME: &'static str;
    /// The first version that the schema has.
    const FIRST_VERSION: i16;
    /// The last version that the schema has.
    const LAST_VERSION: i16;
    /// The API key of a request or response, or the type of a record of an internal topic.
    const SCHEMA_KEY: Option<i16>;

    /// Whether `version` uses compact encodings and tagged fields.
    fn is_flexible(version: i16) -> bool;
}

/// A request, tied to its response.
pub trait Request: Message {
    /// Its API.
    const KEY: ApiKey;
    /// What answers it.
    type Response: Message;
}

/// Why bytes are not an encoding of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// A field reaches beyond the end.
    #[error("{needed} bytes are needed and {remaining} remain")]
    Truncated {
        /// Bytes that the field takes.
        needed: usize,
        /// Bytes that are left.
        remaining: usize,
    },
    /// A length that no value of its type can have.
    #[error("a length of {0}")]
    InvalidLength(i64),
    /// A null where the version allows none.
    #[error("a null where none is allowed")]
    UnexpectedNull,
    /// A variable-length number of more bytes than its type can need.
    #[error("a variable-length number that does not end")]
    VarintTooLong,
    /// A string that is not UTF-8.
    #[error("a string that is not UTF-8")]
    NotUtf8,
    /// Tags that are not in strictly ascending order.
    #[error("tagged fields out of order")]
    TagsOutOfOrder,
    /// A tagged field whose content is longer or shorter than its size says.
    #[error("a tagged field of the wrong size")]
    TagSizeMismatch,
    /// More elements than a frame of this size can sensibly have.
    #[error("the decoded message would exceed its memory bound")]
    TooMuchMemory,
    /// Bytes after the end of the message.
    #[error("{0} bytes after the end of the message")]
    TrailingBytes(usize),
    /// A version that the schema does not have.
    #[error("version {0} is not supported")]
    UnsupportedVersion(i16),
    /// An API key that the schema does not have.
    #[error("unknown API key {0}")]
    UnknownApiKey(i16),
}

/// Why a message cannot be encoded in a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// A field is set that the version does not have and that may not be left out silently.
    #[error("version {version} has no field {field}")]
    NotInVersion {
        /// The field's name in Kafka's specifications.
        field: &'static str,
        /// The version.
        version: i16,
    },
    /// A null that the version does not allow.
    #[error("field {0} may not be null")]
    Null(&'static str),
    /// A string, array or message that is longer than its length field can say.
    #[error("a length of {0} does not fit its field")]
    TooLong(usize),
    /// A version that the schema does not have.
    #[error("version {0} is not supported")]
    UnsupportedVersion(i16),
}

impl EncodeError {
    /// See [`EncodeError::NotInVersion`].
    pub(crate) fn not_in_version(field: &'static str, version: i16) -> Self {
        Self::NotInVersion { field, version }
    }
}

/// The value of a field that may not be null in this version.
pub(crate) fn not_null<'a, T>(
    value: Option<&'a T>,
    field: &'static str,
) -> Result<&'a T, EncodeError> {
    value.ok_or(EncodeError::Null(field))
}

/// Reads one message of `version` that fills all of `bytes`.
///
/// # Errors
/// [`DecodeError`], also for bytes that are left over.
pub fn decode_exact<M: Message>(bytes: bytes::Bytes, version: i16) -> Result<M, DecodeError> {
    let mut decoder = Decoder::new(bytes);
    let message = decode_versioned(&mut decoder, version)?;
    decoder.finish()?;
    Ok(message)
}

/// Reads one message after checking that the schema has `version`.
///
/// # Errors
/// [`DecodeError`].
pub fn decode_versioned<M: Message>(decoder: &mut Decoder, version: i16) -> Result<M, DecodeError> {
    if !(M::FIRST_VERSION..=M::LAST_VERSION).contains(&version) {
        return Err(DecodeError::UnsupportedVersion(version));
    }
    M::decode(decoder, version)
}

/// Writes one message after checking that the schema has `version`.
///
/// # Errors
/// [`EncodeError`].
pub fn encode_versioned<M: Message>(
    encoder: &mut Encoder,
    message: &M,
    version: i16,
) -> Result<(), EncodeError> {
    if !(M::FIRST_VERSION..=M::LAST_VERSION).contains(&version) {
        return Err(EncodeError::UnsupportedVersion(version));
    }
    message.encode(encoder, version)
}
