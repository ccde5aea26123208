//! Whatever bytes come, decoding takes no more memory than it states, and ends in a message or an error.
//!
//! The allocator counts for the whole process: this file has a single test, so that nothing else allocates meanwhile.

mod support;

use bytes::Bytes;
use peak_alloc::PeakAlloc;
use protocol::wire::{MEMORY_BASE_BYTES, MEMORY_PER_FRAME_BYTE};

use support::codecs::{self, Decode};
use support::sample::Sampler;
use support::schema::{self, Message};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Numbers that lie about what follows, in the encodings of lengths.
const FORGED: [&[u8]; 7] = [
    // Null, and one byte more than there is of many a short field.
    b"\xff\xff\xff\xff",
    b"\x7f",
    // The greatest plain lengths.
    b"\x7f\xff",
    b"\x7f\xff\xff\xff",
    // The greatest compact length, the greatest that Java can have, and a number that does not end.
    b"\xff\xff\xff\xff\x0f",
    b"\xff\xff\xff\xff\x07",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
];

/// Zeroes behind a message, of which a forged count can make empty elements; and such counts, plain and compact.
const PADDING: usize = 4096;
const PADDED_COUNTS: [&[u8]; 2] = [b"\x00\x00\x0f\xff", b"\x80\x20"];

/// Decodes, and holds the most memory that this took against the bound.
fn decode(name: &str, decode: Decode, bytes: &[u8], version: i16) -> bool {
    let bound = MEMORY_PER_FRAME_BYTE * bytes.len() + MEMORY_BASE_BYTES;
    let frame = Bytes::copy_from_slice(bytes);
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let decoded = decode(frame, version);
    let peak = ALLOCATOR.peak_usage().saturating_sub(before);
    assert!(
        peak <= bound,
        "{name} v{version}: {peak} bytes for {} of {bytes:?}",
        bytes.len()
    );
    // Whatever can be read can be written, or is refused.
    decoded.is_ok_and(|message| message.encode(version).is_ok())
}

#[test]
fn forged_and_cut_frames_are_refused_within_the_memory_bound() {
    for message in schema::messages() {
        let codec = codecs::find(&message.name);
        for version in message.versions.clone() {
            let sampler = Sampler::new(&message, version, 7);
            let bytes = if message.is_flexible(version) {
                sampler.with_unknown_tags()
            } else {
                sampler
            }
            .bytes();
            assert!(
                decode(&message.name, codec, &bytes, version),
                "the sample is whole"
            );
            cut(&message, codec, &bytes, version);
            forge(&message, codec, &bytes, version);
        }
    }
    many_small_elements_are_bounded();
}

fn cut(message: &Message, codec: Decode, bytes: &[u8], version: i16) {
    for len in 0..bytes.len() {
        assert!(
            !decode(&message.name, codec, &bytes[..len], version),
            "{} v{version} cut to {len}",
            message.name
        );
    }
}

fn forge(message: &Message, codec: Decode, bytes: &[u8], version: i16) {
    for at in 0..bytes.len() {
        for lie in FORGED {
            decode(&message.name, codec, &replaced(bytes, at, lie), version);
        }
        // Where many elements can be had for few bytes, one version shows as much as all.
        if version == *message.versions.end() {
            for count in PADDED_COUNTS {
                let mut padded = replaced(bytes, at, count);
                padded.resize(padded.len() + PADDING, 0);
                decode(&message.name, codec, &padded, version);
            }
        }
    }
}

/// `bytes` with some of them overwritten.
fn replaced(bytes: &[u8], at: usize, by: &[u8]) -> Vec<u8> {
    let after = bytes.get(at + by.len()..).unwrap_or_default();
    [&bytes[..at], by, after].concat()
}

/// A frame of a megabyte that is nothing but names of topics.
fn many_small_elements_are_bounded() {
    let codec = codecs::find("MetadataRequest");
    for (name_bytes, is_accepted) in [(0, false), (1, false), (12, true)] {
        let name = [&[0, name_bytes][..], &vec![b'x'; usize::from(name_bytes)]].concat();
        let count = (1 << 20) / name.len();
        let frame = [
            &u32::try_from(count).expect("a small count").to_be_bytes(),
            &*name.repeat(count),
        ]
        .concat();
        let accepted = decode("MetadataRequest", codec, &frame, 1);
        assert_eq!(accepted, is_accepted, "names of {name_bytes} bytes");
    }
}
