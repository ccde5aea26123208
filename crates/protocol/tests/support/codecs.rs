//! The codec under test, by the names of messages.

use bytes::Bytes;
use protocol::wire::{decode_exact, encode_versioned};
use protocol::{Encoder, Message};

/// Decodes a whole message and encodes it again.
pub(crate) type Recode = fn(Bytes, i16) -> Result<Bytes, String>;

fn recode<M: Message>(bytes: Bytes, version: i16) -> Result<Bytes, String> {
    let message: M = decode_exact(bytes, version).map_err(|error| error.to_string())?;
    let mut encoder = Encoder::default();
    encode_versioned(&mut encoder, &message, version).map_err(|error| error.to_string())?;
    Ok(encoder.finish().to_bytes())
}

/// Every generated message.
pub(crate) fn all() -> Vec<(&'static str, Recode)> {
    let mut all: Vec<(&'static str, Recode)> = Vec::new();
    macro_rules! one {
        ($message:ident) => {
            all.push((stringify!($message), recode::<protocol::messages::$message>))
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
pub(crate) fn find(name: &str) -> Recode {
    let found = all().into_iter().find(|(known, _)| *known == name);
    found
        .map(|(_, recode)| recode)
        .expect("a codec was generated for every message of the schema")
}
