//! The codecs that Kafka knows.
//!
//! Decompression is a stream: the caller decides how much of it is ever in memory, and where it stops.

mod gzip;
mod lz4;
mod snappy;
mod stream;
mod zstd_frames;

use std::io::{Error, ErrorKind, Result, Write as _};

use flate2::write::GzEncoder;
use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
use zstd::stream::raw::CParameter;
use zstd::stream::write::Encoder as ZstdEncoder;

pub(crate) use stream::{Decompressors, STEP_BYTES, Stream};

/// A codec, with Kafka's numbers and names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Records as they are.
    None,
    /// RFC 1952.
    Gzip,
    /// Snappy in xerial's framing.
    Snappy,
    /// The LZ4 frame format.
    Lz4,
    /// RFC 8878.
    Zstd,
}

/// The levels used where Logan compresses; the meaning is each codec's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompressionLevels {
    /// 1 to 9, or -1 for the codec's default.
    pub gzip: i32,
    /// 1 to 17; 9, the default, is the fast compressor, and every other one of those that search longer, as in Kafka.
    pub lz4: i32,
    /// 1 to 22, or negative for faster ones.
    pub zstd: i32,
}

/// The level that Kafka takes for the fast compressor (KIP-390).
const LZ4_FAST: i32 = 9;

/// The levels of LZ4's own library that search longer; Kafka's go further and mean its last.
const LZ4_SEARCHING: std::ops::RangeInclusive<i32> = 3..=12;

impl Default for CompressionLevels {
    fn default() -> Self {
        Self {
            gzip: -1,
            lz4: LZ4_FAST,
            zstd: 3,
        }
    }
}

impl Compression {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The codec of this number.
    #[must_use]
    pub const fn from_id(id: i16) -> Option<Self> {
        match id {
            0 => Some(Self::None),
            1 => Some(Self::Gzip),
            2 => Some(Self::Snappy),
            3 => Some(Self::Lz4),
            4 => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The number in a batch's attributes.
    #[must_use]
    pub const fn id(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    /// The name in `compression.type`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// The codec of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.name() == name)
    }
}

/// Compresses `data` into a new buffer behind `head`.
///
/// # Errors
/// Those of the codec; none is expected for data in memory.
pub(crate) fn compress(
    codec: Compression,
    levels: CompressionLevels,
    data: &[u8],
    head: Vec<u8>,
) -> Result<Vec<u8>> {
    let mut compressor = Compressor::new(codec, levels, head)?;
    compressor.expect_len(data.len())?;
    compressor.write(data)?;
    compressor.finish()
}

/// The level of Zstandard from which on its tables would take up to 1 GiB.
const ZSTD_LARGE_TABLES_FROM: i32 = 17;

/// The logarithms of what Zstandard's tables may have: 4 MiB of window, and 48 MiB beside it.
const ZSTD_TABLES_MAX: [CParameter; 3] = [
    CParameter::WindowLog(22),
    CParameter::HashLog(22),
    CParameter::ChainLog(23),
];

fn zstd_encoder(head: Vec<u8>, level: i32) -> Result<ZstdEncoder<'static, Vec<u8>>> {
    let mut encoder = ZstdEncoder::new(head, level)?;
    if level >= ZSTD_LARGE_TABLES_FROM {
        for limit in ZSTD_TABLES_MAX {
            encoder.set_parameter(limit)?;
        }
    }
    Ok(encoder)
}

/// Compresses into a buffer, piece by piece.
pub(crate) enum Compressor {
    Plain(Vec<u8>),
    Gzip(GzEncoder<Vec<u8>>),
    Snappy(Vec<u8>),
    Lz4(Box<FrameEncoder<Vec<u8>>>),
    Lz4Searching(::lz4::Encoder<Vec<u8>>),
    Zstd(ZstdEncoder<'static, Vec<u8>>),
}

impl std::fmt::Debug for Compressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Compressor").finish_non_exhaustive()
    }
}

impl Compressor {
    /// Begins behind `head`.
    pub(crate) fn new(
        codec: Compression,
        levels: CompressionLevels,
        mut head: Vec<u8>,
    ) -> Result<Self> {
        Ok(match codec {
            Compression::None => Self::Plain(head),
            Compression::Gzip => {
                let level = u32::try_from(levels.gzip)
                    .map_or_else(|_| flate2::Compression::default(), flate2::Compression::new);
                Self::Gzip(GzEncoder::new(head, level))
            }
            Compression::Snappy => {
                snappy::begin(&mut head);
                Self::Snappy(head)
            }
            Compression::Lz4 if levels.lz4 != LZ4_FAST => {
                let level = levels
                    .lz4
                    .clamp(*LZ4_SEARCHING.start(), *LZ4_SEARCHING.end());
                let encoder = ::lz4::EncoderBuilder::new()
                    .block_mode(::lz4::BlockMode::Independent)
                    .block_size(::lz4::BlockSize::Max64KB)
                    .checksum(::lz4::ContentChecksum::NoChecksum)
                    .level(u32::try_from(level).unwrap_or(0))
                    .build(head)?;
                Self::Lz4Searching(encoder)
            }
            Compression::Lz4 => {
                // Java's reader refuses blocks that depend on one another.
                let frame = FrameInfo::new()
                    .block_mode(BlockMode::Independent)
                    .block_size(BlockSize::Max64KB);
                Self::Lz4(Box::new(FrameEncoder::with_frame_info(frame, head)))
            }
            Compression::Zstd => Self::Zstd(zstd_encoder(head, levels.zstd)?),
        })
    }

    /// Says how many bytes will come in all, so that the codec takes no more memory than they need.
    fn expect_len(&mut self, len_bytes: usize) -> Result<()> {
        match self {
            Self::Zstd(encoder) => encoder.set_pledged_src_size(u64::try_from(len_bytes).ok()),
            _ => Ok(()),
        }
    }

    /// Compresses the next piece. Pieces of [`STEP_BYTES`] give what one piece would.
    pub(crate) fn write(&mut self, data: &[u8]) -> Result<()> {
        match self {
            Self::Plain(target) => target.extend_from_slice(data),
            Self::Gzip(encoder) => encoder.write_all(data)?,
            Self::Snappy(target) => snappy::compress(data, target)?,
            Self::Lz4(encoder) => encoder.write_all(data)?,
            Self::Lz4Searching(encoder) => encoder.write_all(data)?,
            Self::Zstd(encoder) => encoder.write_all(data)?,
        }
        Ok(())
    }

    /// What came of it, the head included.
    pub(crate) fn finish(self) -> Result<Vec<u8>> {
        match self {
            Self::Plain(target) | Self::Snappy(target) => Ok(target),
            Self::Gzip(encoder) => encoder.finish(),
            Self::Lz4(encoder) => encoder
                .finish()
                .map_err(|error| Error::new(ErrorKind::InvalidData, error)),
            Self::Lz4Searching(encoder) => {
                let (target, result) = encoder.finish();
                result.map(|()| target)
            }
            Self::Zstd(encoder) => encoder.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Compression, CompressionLevels, compress, lz4};

    #[test]
    fn levels_of_lz4_above_the_fast_one_search_longer() {
        let text: Vec<u8> = (0..40_000_u32)
            .flat_map(|number| {
                format!("{} ", number.wrapping_mul(2_654_435_761) >> 12).into_bytes()
            })
            .collect();
        let len_at = |lz4| {
            let levels = CompressionLevels {
                lz4,
                ..CompressionLevels::default()
            };
            let compressed = compress(Compression::Lz4, levels, &text, Vec::new());
            let compressed = compressed.expect("it fits into memory");
            let mut frame = lz4::Frame::new(&compressed).expect("Java's reader would take it");
            let (mut block, mut back) = (Vec::new(), Vec::new());
            loop {
                let len = frame.next(&mut block, text.len()).expect("it is whole");
                if len == 0 {
                    break;
                }
                back.extend_from_slice(&block[..len]);
            }
            assert!(back == text, "level {lz4}");
            compressed.len()
        };
        let fast = len_at(9);
        assert!(len_at(3) < fast);
        assert!(len_at(12) <= len_at(3));
        assert_eq!(len_at(17), len_at(12));
    }
}
