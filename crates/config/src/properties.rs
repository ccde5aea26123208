//! Reads Java's `.properties` syntax.
//!
//! Understood: comments (`#`, `!`), blank lines, continuation by a trailing backslash, the separators `=`, `:` and
//! white space, and the escapes `\t \n \r \f \uXXXX`; any other escaped character stands for itself. Unlike Java's
//! reader, which assumes ISO 8859-1, text is UTF-8 where it can be, and a line without a key is refused instead of defining "".
//! This module knows nothing about which keys exist.
//!
//! Source: `java.util.Properties#load`.

use std::iter::Peekable;
use std::str::Chars;

/// One `key = value` of a file, in file order; a key may come more than once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// The key, unescaped, never empty.
    pub key: String,
    /// The value, unescaped; trailing white space is kept, as in Java.
    pub value: String,
    /// The line on which the key stands, from 1.
    pub line: usize,
}

/// Why a text is no `.properties` file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}: {problem}")]
pub struct SyntaxError {
    /// The line on which the faulty entry begins, from 1.
    pub line: usize,
    /// What is wrong, and what would be right.
    pub problem: String,
}

/// The text of a file: UTF-8, or else ISO 8859-1, of which every byte is a character.
#[must_use]
pub fn decode(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| error.as_bytes().iter().copied().map(char::from).collect())
}

/// Splits a text into its properties.
///
/// # Errors
///
/// A `\u` that is not followed by four hexadecimal digits, a surrogate without its partner, or an entry without a key.
pub fn parse(text: &str) -> Result<Vec<Property>, SyntaxError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut properties = Vec::new();
    for logical in logical_lines(text) {
        let mut rest = logical.text.chars().peekable();
        let key = unescape(&mut rest, Part::Key).map_err(|problem| SyntaxError {
            line: logical.line,
            problem,
        })?;
        if key.is_empty() {
            let problem = "there is no key before the separator; write key=value".to_owned();
            return Err(SyntaxError {
                line: logical.line,
                problem,
            });
        }
        skip_separator(&mut rest);
        let value = unescape(&mut rest, Part::Value).map_err(|problem| SyntaxError {
            line: logical.line,
            problem,
        })?;
        properties.push(Property {
            key,
            value,
            line: logical.line,
        });
    }
    Ok(properties)
}

/// One entry after continuation lines were joined, escapes still in place.
struct LogicalLine {
    text: String,
    line: usize,
}

fn logical_lines(text: &str) -> Vec<LogicalLine> {
    let mut lines = Vec::new();
    let mut open: Option<LogicalLine> = None;
    // Java ends a line at LF, CR or CRLF; splitting CRLF into two only yields a blank line, which changes the number.
    let unified = text.replace("\r\n", "\n").replace('\r', "\n");
    for (index, natural) in unified.split('\n').enumerate() {
        let content = natural.trim_start_matches(is_blank);
        if open.is_none() && (content.is_empty() || content.starts_with(['#', '!'])) {
            continue;
        }
        let backslashes = content
            .chars()
            .rev()
            .take_while(|character| *character == '\\')
            .count();
        let continues = backslashes % 2 == 1;
        let kept = if continues {
            content.strip_suffix('\\').unwrap_or(content)
        } else {
            content
        };
        let mut logical = open.take().unwrap_or_else(|| LogicalLine {
            text: String::new(),
            line: index + 1,
        });
        logical.text.push_str(kept);
        if continues {
            open = Some(logical);
        } else if !logical.text.is_empty() {
            lines.push(logical);
        }
    }
    lines.extend(open.filter(|logical| !logical.text.is_empty()));
    lines
}

fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\u{c}')
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Ends at the first separator that is not escaped.
    Key,
    /// Runs to the end of the logical line.
    Value,
}

fn unescape(rest: &mut Peekable<Chars<'_>>, part: Part) -> Result<String, String> {
    let mut text = String::new();
    while let Some(&character) = rest.peek() {
        if part == Part::Key && (is_blank(character) || matches!(character, '=' | ':')) {
            break;
        }
        rest.next();
        if character != '\\' {
            text.push(character);
            continue;
        }
        match rest.next() {
            Some('t') => text.push('\t'),
            Some('n') => text.push('\n'),
            Some('r') => text.push('\r'),
            Some('f') => text.push('\u{c}'),
            Some('u') => text.push(unicode(rest)?),
            Some(other) => text.push(other),
            None => {}
        }
    }
    Ok(text)
}

/// Reads what follows `\u`: four digits, or a pair of them when the first is a high surrogate.
fn unicode(rest: &mut Peekable<Chars<'_>>) -> Result<char, String> {
    let mut units = vec![code_unit(rest)?];
    if (0xd800..0xdc00).contains(&units[0]) {
        if rest.next() != Some('\\') || rest.next() != Some('u') {
            return Err(format!(
                "\\u{:04x} is half a character; its second half \\uXXXX must follow",
                units[0]
            ));
        }
        units.push(code_unit(rest)?);
    }
    match char::decode_utf16(units.iter().copied()).next() {
        Some(Ok(character)) => Ok(character),
        _ => Err(format!("\\u{:04x} is no character", units[0])),
    }
}

fn code_unit(rest: &mut Peekable<Chars<'_>>) -> Result<u16, String> {
    let mut unit = 0;
    for _ in 0..4 {
        let digit = rest.next().and_then(|character| character.to_digit(16));
        let digit = digit.and_then(|digit| u16::try_from(digit).ok());
        unit = unit << 4 | digit.ok_or("\\u must be followed by four hexadecimal digits; write \\\\u for the characters themselves")?;
    }
    Ok(unit)
}

fn skip_separator(rest: &mut Peekable<Chars<'_>>) {
    while rest.next_if(|character| is_blank(*character)).is_some() {}
    if rest
        .next_if(|character| matches!(character, '=' | ':'))
        .is_some()
    {
        while rest.next_if(|character| is_blank(*character)).is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::parse;

    fn pairs(text: &str) -> Vec<(String, String)> {
        let properties = parse(text).expect("valid text");
        properties
            .into_iter()
            .map(|property| (property.key, property.value))
            .collect()
    }

    fn pair(key: &str, value: &str) -> Vec<(String, String)> {
        vec![(key.to_owned(), value.to_owned())]
    }

    #[test]
    fn separators_are_equals_colon_and_white_space() {
        for text in [
            "a=b", "a:b", "a b", "a\tb", "  a = b", "a : b", "a\u{c}b", "a  =b",
        ] {
            assert_eq!(pairs(text), pair("a", "b"), "{text:?}");
        }
        assert_eq!(pairs("a = = b"), pair("a", "= b"));
        assert_eq!(pairs("a"), pair("a", ""));
        assert_eq!(pairs("a="), pair("a", ""));
        assert_eq!(pairs("a=b  "), pair("a", "b  "));
        assert_eq!(pairs("a=PLAINTEXT://h:1"), pair("a", "PLAINTEXT://h:1"));
    }

    #[test]
    fn comments_and_blank_lines_define_nothing() {
        assert!(pairs("# a=b\n! c=d\n\n   \t\n  # e=f\\\n").is_empty());
        assert_eq!(pairs("a=b # c"), pair("a", "b # c"));
    }

    #[test]
    fn a_trailing_backslash_joins_lines() {
        assert_eq!(pairs("a=b,\\\n   c,\\\r\n\td"), pair("a", "b,c,d"));
        assert_eq!(
            pairs("a=b\\\\\nc=d"),
            [pair("a", "b\\"), pair("c", "d")].concat()
        );
        assert_eq!(pairs("a=b\\\n# no comment"), pair("a", "b# no comment"));
        assert_eq!(pairs("a=b\\"), pair("a", "b"));
        assert!(pairs("\\\n").is_empty());
    }

    #[test]
    fn escapes_stand_for_their_characters() {
        assert_eq!(
            pairs(r"a\=\:\ b = \t\n\r\f\u00e9\q\\"),
            pair("a=: b", "\t\n\r\u{c}\u{e9}q\\")
        );
        assert_eq!(pairs(r"a=\ud83d\ude00"), pair("a", "\u{1f600}"));
    }

    #[test]
    fn lines_are_counted_from_one_across_continuations() {
        let properties = parse("#\na=b\\\nc\r\n\rd=e").expect("valid text");
        assert_eq!(
            properties
                .iter()
                .map(|property| property.line)
                .collect::<Vec<_>>(),
            [2, 5]
        );
    }

    #[test]
    fn faults_name_their_line() {
        for (text, line) in [
            ("\n\\u12", 2),
            ("a=\\uzzzz", 1),
            ("a=1\nb=\\ud800x", 2),
            ("a=\\udc00", 1),
            ("\n\n=x", 3),
        ] {
            assert_eq!(parse(text).expect_err(text).line, line, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            drop(parse(&text));
        }

        #[test]
        fn escaped_pairs_read_back(key in "[ -~]{1,12}", value in "[ -~]{0,20}") {
            let escape = |text: &str| text.chars().flat_map(|character| ['\\', 'u'].into_iter()
                .chain(format!("{:04x}", u32::from(character)).chars().collect::<Vec<_>>())).collect::<String>();
            proptest::prop_assert_eq!(pairs(&format!("{}={}", escape(&key), escape(&value))), pair(&key, &value));
        }
    }
}
