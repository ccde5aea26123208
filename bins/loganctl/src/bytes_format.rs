//! Bytes as they stand in a line: as text, in hexadecimal digits, or in base64.

use std::borrow::Cow;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::cli::BytesFormat;

impl BytesFormat {
    /// What a line shows for `bytes`.
    pub(crate) fn show(self, bytes: &[u8]) -> Cow<'_, [u8]> {
        match self {
            Self::Text => Cow::Borrowed(bytes),
            Self::Hex => {
                let mut digits = String::with_capacity(2 * bytes.len());
                for byte in bytes {
                    write!(digits, "{byte:02x}").expect("text takes text");
                }
                Cow::Owned(digits.into_bytes())
            }
            Self::Base64 => Cow::Owned(BASE64.encode(bytes).into_bytes()),
        }
    }

    /// The bytes that `shown` stands for, or what is wrong with it.
    pub(crate) fn read(self, shown: &[u8]) -> Result<Cow<'_, [u8]>, String> {
        match self {
            Self::Text => Ok(Cow::Borrowed(shown)),
            Self::Hex => from_hex(shown).map(Cow::Owned),
            Self::Base64 => BASE64
                .decode(shown)
                .map(Cow::Owned)
                .map_err(|error| format!("is no base64: {error}")),
        }
    }
}

fn from_hex(digits: &[u8]) -> Result<Vec<u8>, String> {
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() {
        return Err("is no hexadecimal: the number of digits is odd".to_owned());
    }
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|it| u8::try_from(it).ok())
    };
    let byte = |pair: &[u8; 2]| Some(digit(pair[0])? << 4 | digit(pair[1])?);
    let bytes = pairs.iter().map(byte).collect::<Option<_>>();
    bytes.ok_or_else(|| "is no hexadecimal: digits are 0 to 9 and a to f".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_read_back() {
        let bytes = b"\x00\xff caf\xc3\xa9";
        for format in [BytesFormat::Text, BytesFormat::Hex, BytesFormat::Base64] {
            let shown = format.show(bytes);
            assert_eq!(format.read(&shown).as_deref(), Ok(&bytes[..]), "{format:?}");
        }
        assert_eq!(&*BytesFormat::Hex.show(b"\x0a\xff"), b"0aff");
        assert_eq!(&*BytesFormat::Base64.show(b"\xff"), b"/w==");
    }

    #[test]
    fn what_stands_for_no_bytes_is_refused() {
        for wrong in ["a", "0g", "0x"] {
            assert!(BytesFormat::Hex.read(wrong.as_bytes()).is_err(), "{wrong}");
        }
        assert!(BytesFormat::Base64.read(b"?").is_err());
        assert_eq!(
            BytesFormat::Hex.read(b"CAfe").as_deref(),
            Ok(&b"\xca\xfe"[..])
        );
    }
}
