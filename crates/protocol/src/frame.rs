//! Frames: a size, a header, a message.
//!
//! Source: the Kafka protocol guide ("Headers"); KIP-482 for header versions; KIP-511 for the exception that the
//! response to ApiVersions always has header version 0.

use bytes::{BufMut as _, Bytes, BytesMut};

use crate::messages::{ApiKey, RequestHeader, ResponseHeader};
use crate::wire::{
    ChunkList, DecodeError, Decoder, EncodeError, Encoder, Message, Request, Wire as _,
    encode_versioned,
};

/// The part of a request header that every version has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestPrefix {
    /// The API's number, known or not.
    pub api_key: i16,
    /// The version of the request.
    pub api_version: i16,
    /// What the response repeats.
    pub correlation_id: i32,
}

/// The header version of a request: 2 for flexible versions, else 1.
#[must_use]
pub const fn request_header_version(key: ApiKey, version: i16) -> i16 {
    if key.is_flexible(version) { 2 } else { 1 }
}

/// The header version of a response: 1 for flexible versions, else 0; always 0 for ApiVersions.
#[must_use]
pub const fn response_header_version(key: ApiKey, version: i16) -> i16 {
    match key {
        ApiKey::ApiVersions => 0,
        _ if key.is_flexible(version) => 1,
        _ => 0,
    }
}

impl RequestPrefix {
    /// Reads the first eight bytes of a frame without consuming them.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn peek(frame: &[u8]) -> Result<Self, DecodeError> {
        let Some([k0, k1, v0, v1, correlation @ ..]) = frame.first_chunk::<8>() else {
            return Err(DecodeError::Truncated {
                needed: 8,
                remaining: frame.len(),
            });
        };
        Ok(Self {
            api_key: i16::from_be_bytes([*k0, *k1]),
            api_version: i16::from_be_bytes([*v0, *v1]),
            correlation_id: i32::from_be_bytes(*correlation),
        })
    }
}

/// Reads a request's header, leaving the decoder at the message.
///
/// # Errors
/// [`DecodeError::UnknownApiKey`], and what the header's own fields give.
pub fn decode_request_header(
    decoder: &mut Decoder,
    prefix: RequestPrefix,
) -> Result<RequestHeader, DecodeError> {
    let key =
        ApiKey::from_code(prefix.api_key).ok_or(DecodeError::UnknownApiKey(prefix.api_key))?;
    RequestHeader::decode(decoder, request_header_version(key, prefix.api_version))
}

/// A response with its size and header, ready to be sent.
///
/// # Errors
/// [`EncodeError`].
pub fn encode_response_frame<M: Message>(
    key: ApiKey,
    version: i16,
    correlation_id: i32,
    message: &M,
) -> Result<ChunkList, EncodeError> {
    let mut encoder = Encoder::with_capacity(256);
    let header = ResponseHeader { correlation_id };
    header.encode(&mut encoder, response_header_version(key, version))?;
    encode_versioned(&mut encoder, message, version)?;
    with_size(encoder)
}

/// A request with its size and header, ready to be sent.
///
/// # Errors
/// [`EncodeError`].
pub fn encode_request_frame<R: Request>(
    version: i16,
    correlation_id: i32,
    client_id: Option<&str>,
    message: &R,
) -> Result<ChunkList, EncodeError> {
    let mut encoder = Encoder::with_capacity(256);
    let header = RequestHeader {
        request_api_key: R::KEY as i16,
        request_api_version: version,
        correlation_id,
        client_id: client_id.map(Into::into),
    };
    header.encode(&mut encoder, request_header_version(R::KEY, version))?;
    encode_versioned(&mut encoder, message, version)?;
    with_size(encoder)
}

fn with_size(encoder: Encoder) -> Result<ChunkList, EncodeError> {
    let message = encoder.finish();
    let size = i32::try_from(message.len()).or(Err(EncodeError::TooLong(message.len())))?;
    let mut framed = ChunkList::default();
    let mut chunks = message.into_chunks().into_iter();
    let first = chunks.next().unwrap_or_default();
    // The size joins the first chunk, which holds the header and is small.
    let mut head = BytesMut::with_capacity(4 + first.len());
    head.put_i32(size);
    head.put_slice(&first);
    framed.push(head.freeze());
    chunks.for_each(|chunk: Bytes| framed.push(chunk));
    Ok(framed)
}
