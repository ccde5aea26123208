//! The beginning of a name.

use std::fmt;

/// The bytes of a name that are kept.
pub const NAME_BYTES_MAX: usize = 24;

/// Stands in the last place of a name that was cut; no byte of UTF-8 is like it.
const CUT: u8 = 0xFF;

/// A name, or as much of it as fits; zeroes fill the rest.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ShortName([u8; NAME_BYTES_MAX]);

impl ShortName {
    /// The beginning of this name.
    #[must_use]
    #[inline]
    pub fn new(name: &str) -> Self {
        let mut bytes = [0; NAME_BYTES_MAX];
        let kept = name.len().min(NAME_BYTES_MAX);
        bytes[..kept].copy_from_slice(&name.as_bytes()[..kept]);
        if name.len() > NAME_BYTES_MAX {
            bytes[NAME_BYTES_MAX - 1] = CUT;
        }
        Self(bytes)
    }

    #[inline]
    pub(super) fn words(self) -> [u64; 3] {
        let word = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&self.0[at..at + 8]);
            u64::from_le_bytes(bytes)
        };
        [word(0), word(8), word(16)]
    }

    pub(super) fn of_words(words: [u64; 3]) -> Self {
        let mut bytes = [0; NAME_BYTES_MAX];
        for (place, word) in bytes.chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        Self(bytes)
    }
}

impl fmt::Display for ShortName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_cut = self.0[NAME_BYTES_MAX - 1] == CUT;
        let whole = &self.0[..NAME_BYTES_MAX - usize::from(is_cut)];
        let len = whole.iter().position(|it| *it == 0).unwrap_or(whole.len());
        f.write_str(&String::from_utf8_lossy(&whole[..len]))?;
        f.write_str(if is_cut { "…" } else { "" })
    }
}

impl fmt::Debug for ShortName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_string(), f)
    }
}
