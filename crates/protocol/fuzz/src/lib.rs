//! What the fuzz targets check; the ordinary tests run it too, over the committed corpora.
//!
//! Whatever the input is, a decoder ends in a message or an error. A message that it read can be written, and what is
//! written is read as the same message again.

use bytes::Bytes;
use protocol::wire::{decode_versioned, encode_versioned};
use protocol::{Decoder, Encoder, Message, RequestPrefix, decode_request_header};

/// A request frame without its size: the header says what follows.
pub fn request(input: &[u8]) {
    let Ok(prefix) = RequestPrefix::peek(input) else {
        return;
    };
    let mut decoder = Decoder::new(Bytes::copy_from_slice(input));
    if decode_request_header(&mut decoder, prefix).is_err() {
        return;
    }
    macro_rules! request {
        ($request:ident, $response:ident) => {
            if is::<protocol::messages::$request>(prefix.api_key) {
                return message::<protocol::messages::$request>(decoder, prefix.api_version);
            }
        };
    }
    protocol::for_each_api!(request);
}

/// A response behind the two numbers that its client knows: the key of its API and its version.
pub fn response(input: &[u8]) {
    let Some((key, version, decoder)) = keyed(input) else {
        return;
    };
    macro_rules! response {
        ($request:ident, $response:ident) => {
            if is::<protocol::messages::$response>(key) {
                return message::<protocol::messages::$response>(decoder, version);
            }
        };
    }
    protocol::for_each_api!(response);
}

/// A record of the metadata log or of an internal topic, or a header, behind its place in the list and its version.
pub fn data(input: &[u8]) {
    let Some((place, version, decoder)) = keyed(input) else {
        return;
    };
    let mut places = 0..;
    macro_rules! data {
        ($data:ident) => {
            if places.next() == Some(place) {
                return message::<protocol::messages::$data>(decoder, version);
            }
        };
    }
    protocol::for_each_data!(data);
}

fn is<M: Message>(key: i16) -> bool {
    M::SCHEMA_KEY == Some(key)
}

/// Two numbers of 16 bits and what follows them.
fn keyed(input: &[u8]) -> Option<(i16, i16, Decoder)> {
    let mut decoder = Decoder::new(Bytes::copy_from_slice(input));
    let key = decoder.i16().ok()?;
    let version = decoder.i16().ok()?;
    Some((key, version, decoder))
}

fn message<M: Message>(mut decoder: Decoder, version: i16) {
    let Ok(message) = decode_versioned::<M>(&mut decoder, version) else {
        return;
    };
    let written = write(&message, version);
    let again: M = decode_versioned(&mut Decoder::new(written.clone()), version)
        .expect("what was written can be read");
    assert_eq!(write(&again, version), written);
}

fn write<M: Message>(message: &M, version: i16) -> Bytes {
    let mut encoder = Encoder::default();
    encode_versioned(&mut encoder, message, version).expect("what was read can be written");
    encoder.finish().to_bytes()
}
