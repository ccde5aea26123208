//! The codec under test, by the names of messages.

use bytes::Bytes;
use protocol::wire::{decode_exact, encode_versioned};
use protocol::{DecodeError, EncodeError, Encoder, Message};

/// A message of some type.
pub(crate) trait Decoded {
    fn encode(&self, version: i16) -> Result<Bytes, EncodeError>;
}

impl<M: Message> Decoded for M {
    fn encode(&self, version: i16) -> Result<Bytes, EncodeError> {
        let mut encoder = Encoder::default();
        encode_versioned(&mut encoder, self, version)?;
        Ok(encoder.finish().to_bytes())
    }
}

/// Decodes a whole message.
pub(crate) type Decode = fn(Bytes, i16) -> Result<Box<dyn Decoded>, DecodeError>;

fn decode<M: Message + 'static>(
    bytes: Bytes,
    version: i16,
) -> Result<Box<dyn Decoded>, DecodeError> {
    Ok(Box::new(decode_exact::<M>(bytes, version)?))
}

/// Every generated message.
pub(crate) fn all() -> Vec<(&'static str, Decode)> {
    let mut all: Vec<(&'static str, Decode)> = Vec::new();
    macro_rules! one {
        ($message:ident) => {
            all.push((stringify!($message), decode::<protocol::messages::$message>))
        };
    }
    macro_rules! pair {
        ($request:ident, $response:ident) => {
            one!($request);
            one!($response);
        };
    }
    protocol::for_each_api!(pair);
    protocol::for_each_data!(one);
    all
}

/// The codec of a message of the schema.
pub(crate) fn find(name: &str) -> Decode {
    let found = all().into_iter().find(|(known, _)| *known == name);
    found
        .map(|(_, decode)| decode)
        .expect("a codec was generated for every message of the schema")
}
