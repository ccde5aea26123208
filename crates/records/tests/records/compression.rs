//! What compressed data may look like: as all of Kafka's clients can read it, and not beyond.

use std::io::Write as _;

use flate2::GzBuilder;
use lz4_flex::frame::{BlockMode, BlockSize, FrameInfo};
use records::{Compression, InvalidBatch, ProduceRules};

use crate::support::{
    DECOMPRESSED_MAX_BYTES, Plain, body, compress, lz4, one, read, rules, validate, wrap,
};

const DAMAGED: InvalidBatch = InvalidBatch::Malformed("the compressed records are damaged");

/// A value that compresses, but not to nothing.
fn text(len: usize) -> Vec<u8> {
    (0..len)
        .map(|index| b'a' + u8::try_from(index * index % 23).expect("small"))
        .collect()
}

/// Checks compressed data that holds the one record with `value`.
fn check(codec: Compression, value: &[u8], compressed: &[u8]) -> Result<(), InvalidBatch> {
    let batch = wrap(codec, 1, compressed);
    validate(&batch, &rules())?;
    assert_eq!(read(&batch), [Plain::of_value(value)], "{codec:?}");
    Ok(())
}

fn compressed_codecs() -> impl Iterator<Item = Compression> {
    Compression::ALL
        .into_iter()
        .filter(|codec| *codec != Compression::None)
}

#[test]
fn blocks_of_all_sizes_are_read_to_their_end() {
    for codec in compressed_codecs() {
        for len in [
            0,
            1,
            1_000,
            32 << 10,
            65_525,
            65_526,
            65_536,
            200_000,
            1 << 20,
        ] {
            let value = text(len);
            let records = body(&[Plain::of_value(&value)]);
            assert_eq!(
                check(codec, &value, &compress(codec, &records)),
                Ok(()),
                "{codec:?} of {len}"
            );
            let built = one(&value, codec);
            assert!(
                validate(&built, &rules()).is_ok(),
                "{codec:?} of {len}, built"
            );
        }
    }
}

#[test]
fn every_cut_and_every_byte_more_is_seen() {
    let value = text(70_000);
    let records = body(&[Plain::of_value(&value)]);
    for codec in compressed_codecs() {
        let whole = compress(codec, &records);
        for len in (0..whole.len()).rev().take(20).chain(0..20) {
            assert!(
                check(codec, &value, &whole[..len]).is_err(),
                "{codec:?} cut to {len} of {}",
                whole.len()
            );
        }
        let longer = [&whole[..], b"\0"].concat();
        assert!(
            check(codec, &value, &longer).is_err(),
            "{codec:?} and a byte"
        );
    }
}

#[test]
fn checksums_of_the_codecs_are_checked() {
    let value = text(5_000);
    let records = body(&[Plain::of_value(&value)]);
    let mut zstd = zstd::Encoder::new(Vec::new(), 3).expect("memory takes all");
    zstd.include_checksum(true).expect("a known option");
    zstd.write_all(&records).expect("memory takes all");
    let cases = [
        (Compression::Gzip, compress(Compression::Gzip, &records), 8),
        (
            Compression::Zstd,
            zstd.finish().expect("memory takes all"),
            4,
        ),
        (
            Compression::Lz4,
            lz4(FrameInfo::new().content_checksum(true), &records),
            4,
        ),
        // The checksum of the only block stands before the end mark.
        (
            Compression::Lz4,
            lz4(FrameInfo::new().block_checksums(true), &records),
            8,
        ),
    ];
    for (codec, whole, from_end) in cases {
        assert_eq!(check(codec, &value, &whole), Ok(()), "{codec:?}");
        let mut damaged = whole.clone();
        damaged[whole.len() - from_end] ^= 1;
        assert_eq!(check(codec, &value, &damaged), Err(DAMAGED), "{codec:?}");
    }
}

#[test]
fn gzip_headers_may_hold_all_that_the_format_allows() {
    let value = text(100);
    let records = body(&[Plain::of_value(&value)]);
    let plain = compress(Compression::Gzip, &records);
    let builder = GzBuilder::new()
        .filename("a name")
        .comment("a comment")
        .extra(b"extra".to_vec())
        .mtime(7);
    let mut encoder = builder.write(Vec::new(), flate2::Compression::best());
    encoder.write_all(&records).expect("memory takes all");
    let full = encoder.finish().expect("memory takes all");
    assert_eq!(check(Compression::Gzip, &value, &full), Ok(()));
    // With a checksum of the header, right and wrong.
    let mut header = plain[..10].to_vec();
    header[3] |= 2;
    let [c0, c1, ..] = crc32fast::hash(&header).to_le_bytes();
    let with = |c0, c1| [&header[..], &[c0, c1], &plain[10..]].concat();
    assert_eq!(check(Compression::Gzip, &value, &with(c0, c1)), Ok(()));
    assert_eq!(
        check(Compression::Gzip, &value, &with(c0, !c1)),
        Err(DAMAGED)
    );
    // Two members: some clients would see the first alone.
    let empty = compress(Compression::Gzip, b"");
    assert_eq!(
        check(Compression::Gzip, &value, &[plain, empty].concat()),
        Err(DAMAGED)
    );
}

#[test]
fn lz4_frames_that_java_cannot_read_are_refused() {
    let value = text(100_000);
    let records = body(&[Plain::of_value(&value)]);
    for size in [
        BlockSize::Max64KB,
        BlockSize::Max256KB,
        BlockSize::Max1MB,
        BlockSize::Max4MB,
    ] {
        let independent = FrameInfo::new()
            .block_size(size)
            .block_mode(BlockMode::Independent);
        assert_eq!(
            check(Compression::Lz4, &value, &lz4(independent, &records)),
            Ok(()),
            "{size:?}"
        );
        let linked = FrameInfo::new()
            .block_size(size)
            .block_mode(BlockMode::Linked);
        assert_eq!(
            check(Compression::Lz4, &value, &lz4(linked, &records)),
            Err(DAMAGED),
            "{size:?}"
        );
    }
    let len = records.len() as u64;
    let sized = |len| lz4(FrameInfo::new().content_size(Some(len)), &records);
    assert_eq!(check(Compression::Lz4, &value, &sized(len)), Ok(()));
    let whole = lz4(FrameInfo::new(), &records);
    let empty = lz4(FrameInfo::new(), b"");
    assert_eq!(
        check(Compression::Lz4, &value, &[&whole[..], &empty].concat()),
        Err(DAMAGED)
    );
    for (at, what) in [
        (0, "magic"),
        (4, "flags"),
        (5, "block size"),
        (6, "checksum of the header"),
    ] {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        assert_eq!(
            check(Compression::Lz4, &value, &damaged),
            Err(DAMAGED),
            "{what}"
        );
    }
}

#[test]
fn snappy_is_read_raw_and_in_xerials_framing() {
    let value = text(100_000);
    let records = body(&[Plain::of_value(&value)]);
    let framed = |size: usize| {
        let mut framed = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
        for block in records.chunks(size) {
            let block = compress(Compression::Snappy, block);
            framed.extend_from_slice(
                &u32::try_from(block.len())
                    .expect("a small block")
                    .to_be_bytes(),
            );
            framed.extend_from_slice(&block);
        }
        framed
    };
    for size in [1_000, 32 << 10, 1 << 20] {
        assert_eq!(check(Compression::Snappy, &value, &framed(size)), Ok(()));
    }
    let mut negative = framed(1_000);
    negative[16] = 0xff;
    assert_eq!(check(Compression::Snappy, &value, &negative), Err(DAMAGED));
}

#[test]
fn zstd_takes_many_frames_and_large_windows() {
    let value = text(100_000);
    let records = body(&[Plain::of_value(&value)]);
    let (first, second) = records.split_at(30_000);
    let frames = [
        compress(Compression::Zstd, first),
        b"\x50\x2a\x4d\x18\x02\0\0\0xx".to_vec(),
        compress(Compression::Zstd, second),
    ];
    assert_eq!(check(Compression::Zstd, &value, &frames.concat()), Ok(()));
    for level in [-5, 1, 19, 22] {
        let mut encoder = zstd::Encoder::new(Vec::new(), level).expect("memory takes all");
        encoder.write_all(&records).expect("memory takes all");
        let frame = encoder.finish().expect("memory takes all");
        assert_eq!(
            check(Compression::Zstd, &value, &frame),
            Ok(()),
            "level {level}"
        );
    }
}

#[test]
fn the_limit_is_exact_for_every_codec() {
    let value = text(100_000);
    let records = body(&[Plain::of_value(&value)]);
    for codec in compressed_codecs() {
        let limited = |decompressed_max_bytes| ProduceRules {
            decompressed_max_bytes,
            ..rules()
        };
        for batch in [
            one(&value, codec),
            wrap(codec, 1, &compress(codec, &records)),
        ] {
            assert!(
                validate(&batch, &limited(records.len())).is_ok(),
                "{codec:?}"
            );
            let refused = validate(&batch, &limited(records.len() - 1));
            assert_eq!(
                refused.expect_err("a byte too much"),
                InvalidBatch::DecompressedTooLarge,
                "{codec:?}"
            );
        }
    }
    assert!(records.len() < DECOMPRESSED_MAX_BYTES);
}
