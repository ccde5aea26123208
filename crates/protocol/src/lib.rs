//! Kafka's wire protocol: generated messages, bounded decoding, headers and version ranges.
//!
//! The messages in [`messages`] are generated from a schema of Apache Kafka 4.3.1 (`cargo xtask generate`); the
//! encodings of their fields are in [`wire`]. Decoding copies nothing but numbers: strings, bytes and records are
//! slices of the frame. Encoding appends records by reference to a list of chunks that a gathering write sends.
//!
//! Everything here is a pure function of its input and lives on any core. It does no I/O and knows no broker state.
//!
//! # Invariants
//! - No length from the wire is trusted before it has been compared with the bytes that remain.
//! - Decoding a frame of n bytes allocates at most [`wire::MEMORY_PER_FRAME_BYTE`] × n +
//!   [`wire::MEMORY_BASE_BYTES`] bytes.
//! - Nesting is that of the schema; nothing recurses on input.

#[rustfmt::skip]
#[path = "generated/mod.rs"]
pub mod messages;

mod frame;
pub mod versions;
pub mod wire;

pub use frame::{
    RequestPrefix, decode_request_header, encode_request_frame, encode_response_frame,
    request_header_version, response_header_version,
};
pub use messages::ApiKey;
pub use wire::{
    ChunkList, DecodeError, Decoder, EncodeError, Encoder, Message, Records, Request, Str, Wire,
};
