//! From input to records: lines out of chunks, keys and values out of lines.

use std::borrow::Cow;

use command_line::Failure;
use records::NewRecord;
use types::TimestampMs;

use crate::cli::{BytesFormat, InputFormat, ProduceOptions};
use crate::record_json::RecordJson;

/// The longest line. What is longer is hardly text, and no broker takes it by default.
const LINE_MAX_BYTES: usize = 64 << 20;

/// Cuts chunks of input into lines, without their ends (`\n` or `\r\n`).
#[derive(Debug, Default)]
pub(crate) struct LineSplitter {
    /// The beginning of a line whose end has not come.
    carry: Vec<u8>,
    /// Lines so far.
    count: u64,
}

impl LineSplitter {
    /// Calls `each` with the number (from 1) and the text of every line that ends in `chunk`.
    pub(crate) fn feed(
        &mut self,
        chunk: &[u8],
        mut each: impl FnMut(u64, &[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut pieces = chunk.split(|byte| *byte == b'\n');
        let unfinished = pieces.next_back().unwrap_or_default();
        for piece in pieces {
            self.count += 1;
            if self.carry.is_empty() {
                each(self.count, without_return(piece))?;
                continue;
            }
            self.carry.extend_from_slice(piece);
            let line = std::mem::take(&mut self.carry);
            each(self.count, without_return(&line))?;
        }
        if self.carry.len() + unfinished.len() > LINE_MAX_BYTES {
            return Err(Failure::usage(
                format!(
                    "line {} is longer than {LINE_MAX_BYTES} bytes",
                    self.count + 1
                ),
                "is the input text with one record a line?",
            ));
        }
        self.carry.extend_from_slice(unfinished);
        Ok(())
    }

    /// Calls `each` with the last line, if the input did not end with a line's end.
    pub(crate) fn finish(
        &mut self,
        mut each: impl FnMut(u64, &[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if self.carry.is_empty() {
            return Ok(());
        }
        let line = std::mem::take(&mut self.carry);
        self.count += 1;
        each(self.count, &line)
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// What a line means.
#[derive(Debug)]
pub(crate) struct LineFormat<'a> {
    input: InputFormat,
    key_separator: Option<&'a [u8]>,
    null_marker: Option<&'a [u8]>,
    key_format: BytesFormat,
    value_format: BytesFormat,
    /// Of every record, behind those of its own.
    headers: Vec<(&'a [u8], Option<&'a [u8]>)>,
}

impl<'a> LineFormat<'a> {
    /// # Errors
    /// Options that contradict one another.
    pub(crate) fn new(options: &'a ProduceOptions) -> Result<Self, Failure> {
        let for_text = options.key_separator.is_some()
            || options.null_marker.is_some()
            || options.key_format != BytesFormat::Text
            || options.value_format != BytesFormat::Text;
        if options.input == InputFormat::Json && for_text {
            return Err(Failure::usage(
                "--key-separator, --null-marker, --key-format and --value-format are for --input text",
                "a JSON object has \"key\" and \"value\", null where there is none, and \"value_base64\" for bytes",
            ));
        }
        let headers = options.headers.iter();
        Ok(Self {
            input: options.input,
            key_separator: options.key_separator.as_deref().map(str::as_bytes),
            null_marker: options.null_marker.as_deref().map(str::as_bytes),
            key_format: options.key_format,
            value_format: options.value_format,
            headers: headers
                .map(|(key, value)| (key.as_bytes(), Some(value.as_bytes())))
                .collect(),
        })
    }

    /// Calls `send` with the record that a line stands for; it is timed `now` unless it says otherwise.
    pub(crate) fn parse(
        &self,
        number: u64,
        line: &[u8],
        now: TimestampMs,
        send: impl FnOnce(&NewRecord<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        match self.input {
            InputFormat::Text => {
                let (key, value) = self.split(number, line)?;
                let key = self.bytes(number, "key", key, self.key_format)?;
                let value = self.bytes(number, "value", Some(value), self.value_format)?;
                send(&NewRecord {
                    timestamp: now,
                    key: key.as_deref(),
                    value: value.as_deref(),
                    headers: &self.headers,
                })
            }
            InputFormat::Json => self.parse_json(number, line, now, send),
        }
    }

    fn split<'b>(
        &self,
        number: u64,
        line: &'b [u8],
    ) -> Result<(Option<&'b [u8]>, &'b [u8]), Failure> {
        let Some(separator) = self.key_separator else {
            return Ok((None, line));
        };
        let at = line
            .windows(separator.len())
            .position(|window| window == separator);
        let Some(at) = at else {
            return Err(Failure::usage(
                format!(
                    "line {number} has no key separator {:?}",
                    String::from_utf8_lossy(separator)
                ),
                "the lines before it were sent; each line is KEY, separator, VALUE",
            ));
        };
        Ok((Some(&line[..at]), &line[at + separator.len()..]))
    }

    /// The bytes of a field; `None` for null.
    fn bytes<'b>(
        &self,
        number: u64,
        name: &str,
        shown: Option<&'b [u8]>,
        format: BytesFormat,
    ) -> Result<Option<Cow<'b, [u8]>>, Failure> {
        let shown = shown.and_then(|shown| self.unless_null(shown));
        shown
            .map(|shown| format.read(shown))
            .transpose()
            .map_err(|problem| {
                Failure::usage(
                    format!("the {name} in line {number} {problem}"),
                    "the lines before it were sent",
                )
            })
    }

    fn unless_null<'b>(&self, text: &'b [u8]) -> Option<&'b [u8]> {
        (self.null_marker != Some(text)).then_some(text)
    }

    fn parse_json(
        &self,
        number: u64,
        line: &[u8],
        now: TimestampMs,
        send: impl FnOnce(&NewRecord<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        let record = serde_json::from_slice::<RecordJson>(line)
            .map_err(|error| error.to_string())
            .and_then(RecordJson::into_bytes)
            .map_err(|problem| {
                Failure::usage(
                    format!("line {number} is no record: {problem}"),
                    r#"the lines before it were sent; each line is an object such as {"key": "k", "value": "v", "headers": [{"key": "h", "value": "x"}]}"#,
                )
            })?;
        let own = record
            .headers
            .iter()
            .map(|(key, value)| (key.as_slice(), value.as_deref()));
        let headers: Vec<_> = own.chain(self.headers.iter().copied()).collect();
        send(&NewRecord {
            timestamp: record.timestamp.map_or(now, TimestampMs),
            key: record.key.as_deref(),
            value: record.value.as_deref(),
            headers: &headers,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    /// Key, value and header count of what a line becomes.
    type Parsed = (Option<Vec<u8>>, Option<Vec<u8>>, usize);

    fn parse(arguments: &str, line: &str) -> Result<Parsed, Failure> {
        let words = format!("loganctl produce t {arguments}");
        let cli = Cli::try_parse_from(words.split_whitespace()).expect(&words);
        let Command::Produce(options) = cli.command else {
            unreachable!("it produces");
        };
        let mut parsed = None;
        let format = LineFormat::new(&options)?;
        format.parse(7, line.as_bytes(), TimestampMs(5), |record| {
            let own = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
            parsed = Some((own(record.key), own(record.value), record.headers.len()));
            Ok(())
        })?;
        Ok(parsed.expect("a record was sent"))
    }

    fn bytes(text: &str) -> Option<Vec<u8>> {
        Some(text.as_bytes().to_vec())
    }

    #[test]
    fn lines_come_whole_wherever_chunks_are_cut() {
        let text = b"one\r\n\ntwo\nthree";
        for cut in 0..=text.len() {
            let mut lines = Vec::new();
            let mut splitter = LineSplitter::default();
            let mut each = |number, line: &[u8]| {
                lines.push((number, String::from_utf8_lossy(line).into_owned()));
                Ok(())
            };
            let (first, second) = text.split_at(cut);
            splitter.feed(first, &mut each).expect("short lines");
            splitter.feed(second, &mut each).expect("short lines");
            splitter.finish(&mut each).expect("short lines");
            let expected = [(1, "one"), (2, ""), (3, "two"), (4, "three")];
            let expected = expected.map(|(number, line)| (number, line.to_owned()));
            assert_eq!(lines, expected, "cut at {cut}");
        }
    }

    #[test]
    fn a_line_without_an_end_is_bounded() {
        let mut splitter = LineSplitter::default();
        let chunk = vec![b'x'; LINE_MAX_BYTES];
        let mut feed = || splitter.feed(&chunk, |_, _| Ok(()));
        assert!(feed().is_ok());
        assert!(feed().is_err_and(|failure| failure.code() == 2));
    }

    #[test]
    fn a_line_is_a_value_unless_a_separator_is_given() {
        assert_eq!(parse("", "a,b").expect("fine"), (None, bytes("a,b"), 0));
        let keyed = parse("--key-separator , -H h=1", "a,b,c").expect("fine");
        assert_eq!(keyed, (bytes("a"), bytes("b,c"), 1));
        let empty = parse("--key-separator ,", ",").expect("fine");
        assert_eq!(empty, (bytes(""), bytes(""), 0));
    }

    #[test]
    fn a_missing_separator_names_the_line() {
        let failure = parse("--key-separator ::", "a:b").expect_err("there is none");
        assert_eq!(failure.to_string(), r#"line 7 has no key separator "::""#);
    }

    #[test]
    fn the_marker_makes_nulls() {
        let parsed = parse("--key-separator , --null-marker NULL", "NULL,NULL").expect("fine");
        assert_eq!(parsed, (None, None, 0));
    }

    #[test]
    fn digits_stand_for_bytes_where_that_is_asked_for() {
        let arguments = "--key-separator : --key-format base64 --value-format hex --null-marker -";
        let parsed = parse(arguments, "aw==:ff00").expect("fine");
        assert_eq!(parsed, (bytes("k"), Some(vec![0xff, 0]), 0));
        assert_eq!(parse(arguments, "-:-").expect("fine"), (None, None, 0));
        let failure = parse(arguments, "aw==:f").expect_err("half a byte");
        assert!(
            failure
                .to_string()
                .starts_with("the value in line 7 is no hex")
        );
    }

    #[test]
    fn objects_bring_headers_of_their_own() {
        let line = r#"{"key": "k", "value": null, "headers": [{"key": "a", "value": "1"}]}"#;
        let parsed = parse("--input json -H b=2", line).expect("fine");
        assert_eq!(parsed, (bytes("k"), None, 2));
        let failure = parse("--input json", "{").expect_err("half an object");
        assert!(failure.to_string().starts_with("line 7 is no record"));
        assert!(parse("--input json --key-separator ,", "{}").is_err());
    }
}
