//! Records as lines, objects or documents.

use std::borrow::Cow;
use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use command_line::OutputFormat;
use records::Record;
use types::TimestampMs;

use crate::cli::{BytesFormat, ConsumeOptions, Field};
use crate::record_json::RecordJson;

/// How records are written.
#[derive(Debug)]
pub(crate) struct RecordFormat<'a> {
    format: OutputFormat,
    fields: &'a [Field],
    separator: &'a str,
    null_marker: &'a str,
    key_format: BytesFormat,
    value_format: BytesFormat,
    /// Control characters would command a terminal.
    escapes_controls: bool,
}

impl<'a> RecordFormat<'a> {
    pub(crate) fn new(
        options: &'a ConsumeOptions,
        format: OutputFormat,
        escapes_controls: bool,
    ) -> Self {
        Self {
            format,
            fields: &options.fields,
            separator: &options.separator,
            null_marker: &options.null_marker,
            key_format: options.key_format,
            value_format: options.value_format,
            escapes_controls,
        }
    }

    /// Writes one record with its end of line.
    pub(crate) fn write(
        &self,
        target: &mut impl Write,
        topic: &str,
        partition: i32,
        record: &Record<'_>,
    ) -> io::Result<()> {
        match self.format {
            OutputFormat::Table => self.write_line(target, topic, partition, record),
            OutputFormat::Json => {
                let record = RecordJson::new(topic, partition, record);
                serde_json::to_writer(&mut *target, &record)?;
                target.write_all(b"\n")
            }
            OutputFormat::Yaml => {
                let record = RecordJson::new(topic, partition, record);
                let text = serde_saphyr::to_string(&record).map_err(io::Error::other)?;
                target.write_all(b"---\n")?;
                target.write_all(text.as_bytes())
            }
        }
    }

    fn write_line(
        &self,
        target: &mut impl Write,
        topic: &str,
        partition: i32,
        record: &Record<'_>,
    ) -> io::Result<()> {
        for (field, at) in self.fields.iter().zip(0..) {
            if at > 0 {
                target.write_all(self.separator.as_bytes())?;
            }
            match field {
                Field::Topic => target.write_all(topic.as_bytes())?,
                Field::Partition => write!(target, "{partition}")?,
                Field::Offset => write!(target, "{}", record.offset)?,
                Field::Timestamp => target.write_all(rfc3339(record.timestamp).as_bytes())?,
                Field::Key => target.write_all(&self.shown(record.key, self.key_format))?,
                Field::Value => target.write_all(&self.shown(record.value, self.value_format))?,
                Field::Headers => self.write_headers(target, record)?,
            }
        }
        target.write_all(b"\n")
    }

    /// `key=value` pairs separated by commas.
    fn write_headers(&self, target: &mut impl Write, record: &Record<'_>) -> io::Result<()> {
        for (header, at) in record.headers().zip(0..) {
            if at > 0 {
                target.write_all(b",")?;
            }
            target.write_all(&self.shown(Some(header.key), BytesFormat::Text))?;
            target.write_all(b"=")?;
            target.write_all(&self.shown(header.value, BytesFormat::Text))?;
        }
        Ok(())
    }

    fn shown<'b>(&self, bytes: Option<&'b [u8]>, format: BytesFormat) -> Cow<'b, [u8]>
    where
        'a: 'b,
    {
        match bytes {
            None => Cow::Borrowed(self.null_marker.as_bytes()),
            Some(bytes) if format == BytesFormat::Text && self.escapes_controls => escaped(bytes),
            Some(bytes) => format.show(bytes),
        }
    }
}

/// The bytes with control characters (but for the tab) and what is no UTF-8 written as `\xNN`.
pub(crate) fn escaped(bytes: &[u8]) -> Cow<'_, [u8]> {
    let is_plain = |text: &str| !text.chars().any(|c| c.is_control() && c != '\t');
    if std::str::from_utf8(bytes).is_ok_and(is_plain) {
        return Cow::Borrowed(bytes);
    }
    let mut shown = String::with_capacity(bytes.len());
    let hex = |shown: &mut String, bytes: &[u8]| {
        for byte in bytes {
            shown.push_str(&format!("\\x{byte:02x}"));
        }
    };
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() && c != '\t' {
                hex(&mut shown, c.encode_utf8(&mut [0; 4]).as_bytes());
            } else {
                shown.push(c);
            }
        }
        hex(&mut shown, chunk.invalid());
    }
    Cow::Owned(shown.into_bytes())
}

/// A time in UTC with milliseconds; the bare number where the calendar ends, and `-` where there is none.
pub(crate) fn rfc3339(timestamp: TimestampMs) -> String {
    let Ok(millis) = u64::try_from(timestamp.0) else {
        return "-".to_owned();
    };
    /// The last millisecond of the year 9999.
    const LAST: u64 = 253_402_300_799_999;
    if millis > LAST {
        return millis.to_string();
    }
    let time = SystemTime::UNIX_EPOCH + Duration::from_millis(millis);
    humantime::format_rfc3339_millis(time).to_string()
}

#[cfg(test)]
mod tests {
    use records::RecordIter;
    use records::{BATCH_HEADER_BYTES, BatchBuilder, BatchHeader, Compression, NewRecord};

    use super::*;

    /// What a record looks like with these options behind `consume t`.
    fn shown(
        arguments: &str,
        format: OutputFormat,
        escapes: bool,
        record: &NewRecord<'_>,
    ) -> String {
        use clap::Parser as _;
        let line = format!("loganctl consume t {arguments}");
        let cli = crate::cli::Cli::try_parse_from(line.split_whitespace()).expect(&line);
        let crate::cli::Command::Consume(options) = cli.command else {
            unreachable!("it consumes");
        };
        let mut builder = BatchBuilder::new(Compression::None);
        builder.push(record);
        let batch = builder.build().expect("it is small");
        let header = BatchHeader::parse(&batch).expect("it is whole");
        let mut records = RecordIter::new(&header, &batch[BATCH_HEADER_BYTES..]);
        let record = records.next().expect("one record").expect("a good one");
        let mut text = Vec::new();
        RecordFormat::new(&options, format, escapes)
            .write(&mut text, "t", 3, &record)
            .expect("memory takes it");
        String::from_utf8_lossy(&text).into_owned()
    }

    const RECORD: NewRecord<'_> = NewRecord {
        timestamp: TimestampMs(1_700_000_000_123),
        key: Some(b"k"),
        value: Some(b"v\x1b[1m\xff\tend"),
        headers: &[(b"a", Some(b"1")), (b"b", None)],
    };

    #[test]
    fn a_line_is_the_bare_value() {
        let record = NewRecord {
            value: Some(b"plain"),
            ..RECORD
        };
        assert_eq!(shown("", OutputFormat::Table, false, &record), "plain\n");
    }

    #[test]
    fn fields_stand_in_the_order_that_was_asked_for() {
        let line = shown(
            "--fields partition,offset,timestamp,key,headers,topic --separator |",
            OutputFormat::Table,
            false,
            &RECORD,
        );
        assert_eq!(line, "3|0|2023-11-14T22:13:20.123Z|k|a=1,b=NULL|t\n");
    }

    #[test]
    fn null_is_what_the_marker_says() {
        let record = NewRecord {
            value: None,
            ..RECORD
        };
        let line = shown("--null-marker (none)", OutputFormat::Table, false, &record);
        assert_eq!(line, "(none)\n");
    }

    #[test]
    fn a_terminal_is_shown_escapes_and_a_pipe_the_bytes() {
        assert_eq!(
            shown("", OutputFormat::Table, true, &RECORD),
            "v\\x1b[1m\\xff\tend\n"
        );
        assert!(shown("", OutputFormat::Table, false, &RECORD).contains('\u{1b}'));
    }

    #[test]
    fn bytes_that_are_no_text_can_be_shown_as_digits() {
        let arguments = "--fields key,value --key-format base64 --value-format hex";
        let line = shown(arguments, OutputFormat::Table, true, &RECORD);
        assert_eq!(line, "aw==\t761b5b316dff09656e64\n");
    }

    #[test]
    fn json_is_one_object_a_line() {
        let line = shown("", OutputFormat::Json, false, &RECORD);
        assert_eq!(line.lines().count(), 1);
        let value: serde_json::Value = serde_json::from_str(&line).expect("it is JSON");
        assert_eq!(value["partition"], 3);
        assert_eq!(value["timestamp"], 1_700_000_000_123_i64);
        assert_eq!(value["headers"][1]["key"], "b");
        assert!(value["value_base64"].is_string() && value["value"].is_null());
    }

    #[test]
    fn yaml_is_one_document_a_record() {
        let record = NewRecord {
            value: Some(b"v"),
            headers: &[],
            ..RECORD
        };
        let text = shown("", OutputFormat::Yaml, false, &record);
        assert!(text.starts_with("---\ntopic: t\npartition: 3\n"), "{text}");
    }

    #[test]
    fn times_outside_of_the_calendar_are_shown_without_one() {
        assert_eq!(rfc3339(TimestampMs(-1)), "-");
        assert_eq!(rfc3339(TimestampMs(i64::MAX)), i64::MAX.to_string());
        assert_eq!(
            rfc3339(TimestampMs(253_402_300_799_999)),
            "9999-12-31T23:59:59.999Z"
        );
    }
}
