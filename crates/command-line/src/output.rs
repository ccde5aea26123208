//! Results on standard output in three formats, and failures on standard error.

use std::io::{self, IsTerminal as _, Write as _};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::failure::{Advice, Failure};
use crate::global::{ColorWhen, Global, OutputFormat};
use crate::table::{self, Section, Tabular};

const HEADING: Style = Style::new().bold();
const ERROR: Style = AnsiColor::Red.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default();

/// How this run writes.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    format: OutputFormat,
    color: ColorWhen,
    advice: Advice,
}

impl Output {
    /// Writes as the options say. `advice` is what the program itself knows about a broker's errors.
    pub fn new(global: &Global, advice: Advice) -> Self {
        Self {
            format: global.output,
            color: global.color,
            advice,
        }
    }

    /// Writes in `format`, for a program that talks to no broker.
    pub fn local(format: OutputFormat, color: ColorWhen) -> Self {
        Self {
            color,
            ..Self::plain(format)
        }
    }

    /// Writes in `format`, without colours and advice, as tests of a program want it.
    pub fn plain(format: OutputFormat) -> Self {
        Self {
            format,
            color: ColorWhen::Never,
            advice: |_| None,
        }
    }

    /// The form that was asked for.
    pub fn format(&self) -> OutputFormat {
        self.format
    }

    /// Writes rows: a table, or an array of objects.
    ///
    /// # Errors
    /// When standard output takes no more.
    pub fn rows<T: Tabular + Serialize>(&self, rows: &[T]) -> Result<(), Failure> {
        match self.format {
            OutputFormat::Table => self.write(&self.table(rows)),
            OutputFormat::Json | OutputFormat::Yaml => self.write(&self.structured(&rows)?),
        }
    }

    /// Writes rows that more rows will follow: a table, a line of JSON, or a document of YAML.
    ///
    /// # Errors
    /// When standard output takes no more.
    pub fn more_rows<T: Tabular + Serialize>(&self, rows: &[T]) -> Result<(), Failure> {
        match self.format {
            OutputFormat::Table => self.rows(rows),
            OutputFormat::Json => {
                let line = serde_json::to_string(rows).map_err(io::Error::other);
                let line = line.map_err(unformatted)?;
                self.write(&(line + "\n"))
            }
            OutputFormat::Yaml => self.write(&format!("---\n{}", self.structured(&rows)?)),
        }
    }

    /// Writes a report: pairs of a name and a value under headings, or all of it as JSON or YAML.
    ///
    /// # Errors
    /// When standard output takes no more.
    pub fn report_of<T: Serialize>(&self, sections: &[Section], whole: &T) -> Result<(), Failure> {
        match self.format {
            OutputFormat::Table => self.write(&self.sections(sections)),
            OutputFormat::Json | OutputFormat::Yaml => self.write(&self.structured(whole)?),
        }
    }

    /// The rows as a table under bold titles; nothing when there are no rows.
    pub fn table<T: Tabular>(&self, rows: &[T]) -> String {
        if rows.is_empty() {
            return String::new();
        }
        let plain = table::rows(rows);
        let style = self.style(HEADING, &io::stdout());
        match plain.split_once('\n') {
            Some((titles, rest)) => format!("{style}{titles}{style:#}\n{rest}"),
            None => plain,
        }
    }

    /// Sections as tables of two columns; those without rows are left out.
    fn sections(&self, sections: &[Section]) -> String {
        let style = self.style(HEADING, &io::stdout());
        let filled = sections.iter().filter(|section| !section.rows.is_empty());
        let texts = filled.map(|section| {
            format!(
                "{style}{}{style:#}\n{}",
                section.title,
                table::pairs(&section.rows)
            )
        });
        texts.collect::<Vec<_>>().join("\n")
    }

    /// A title in bold.
    pub fn heading(&self, text: &str) -> String {
        let style = self.style(HEADING, &io::stdout());
        format!("{style}{text}{style:#}")
    }

    /// JSON or YAML.
    ///
    /// # Errors
    /// When the value has no such form.
    pub fn structured<T: Serialize>(&self, value: &T) -> Result<String, Failure> {
        let text = match self.format {
            OutputFormat::Yaml => serde_saphyr::to_string(value).map_err(io::Error::other),
            OutputFormat::Json | OutputFormat::Table => serde_json::to_string_pretty(value)
                .map(|text| text + "\n")
                .map_err(io::Error::other),
        };
        text.map_err(unformatted)
    }

    /// Does `act` for every item, also when it fails for some; those failures are reported as they come.
    ///
    /// # Errors
    /// The exit code of the first failure.
    pub fn for_each<T>(
        &self,
        items: &[T],
        mut act: impl FnMut(&T) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut outcome = Ok(());
        for item in items {
            if let Err(failure) = act(item) {
                outcome = outcome.and(Err(self.reported(&failure)));
            }
        }
        outcome
    }

    /// Reports a failure now; what is left of it is its exit code.
    pub fn reported(&self, failure: &Failure) -> Failure {
        self.report(failure);
        Failure::Reported {
            exit_code: failure.code(),
        }
    }

    /// Writes text as it is.
    ///
    /// # Errors
    /// When standard output takes no more.
    pub fn write(&self, text: &str) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush())
            .map_err(Failure::output)
    }

    /// Says what went wrong, and what would be right.
    pub fn report(&self, failure: &Failure) {
        if failure.is_silent() {
            return;
        }
        let error = self.style(ERROR, &io::stderr());
        let mut text = format!("{error}error:{error:#} {failure}\n");
        if let Some(advice) = failure.advice(self.advice) {
            let hint = self.style(HINT, &io::stderr());
            text.push_str(&format!("{hint}hint:{hint:#} {advice}\n"));
        }
        // When standard error is gone, too, there is nobody left to tell.
        drop(io::stderr().lock().write_all(text.as_bytes()));
    }

    /// Says what somebody may not have expected.
    pub fn note(&self, text: &str) {
        let hint = self.style(HINT, &io::stderr());
        let line = format!("{hint}note:{hint:#} {text}\n");
        drop(io::stderr().lock().write_all(line.as_bytes()));
    }

    /// Whether records go to somebody's screen.
    pub fn is_terminal() -> bool {
        io::stdout().is_terminal()
    }

    fn style(&self, style: Style, stream: &impl anstream::stream::RawStream) -> Style {
        let is_colored = match self.color {
            ColorWhen::Always => true,
            ColorWhen::Never => false,
            // Knows terminals, NO_COLOR and CLICOLOR.
            ColorWhen::Auto => AutoStream::choice(stream) != ColorChoice::Never,
        };
        if is_colored { style } else { Style::new() }
    }
}

fn unformatted(source: io::Error) -> Failure {
    Failure::Local {
        act: "format the result",
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Column, or_dash};

    #[derive(Serialize)]
    struct Row {
        name: &'static str,
        count: Option<u32>,
    }

    impl Tabular for Row {
        const COLUMNS: &'static [Column] = &[Column::Text("NAME"), Column::Number("COUNT")];

        fn cells(&self) -> Vec<String> {
            vec![self.name.to_owned(), or_dash(self.count)]
        }
    }

    const ROWS: [Row; 2] = [
        Row {
            name: "a",
            count: Some(1000),
        },
        Row {
            name: "longer",
            count: None,
        },
    ];

    fn output(format: OutputFormat, color: ColorWhen) -> Output {
        Output {
            color,
            ..Output::plain(format)
        }
    }

    #[test]
    fn a_table_is_aligned_and_has_no_trailing_blanks() {
        let table = output(OutputFormat::Table, ColorWhen::Never).table(&ROWS);
        assert_eq!(table, "NAME    COUNT\na        1000\nlonger      -\n");
    }

    #[test]
    fn only_titles_are_coloured() {
        let table = output(OutputFormat::Table, ColorWhen::Always).table(&ROWS);
        assert!(table.starts_with("\u{1b}[1mNAME"), "{table:?}");
        assert_eq!(table.matches('\u{1b}').count(), 2, "{table:?}");
    }

    #[test]
    fn no_rows_make_no_table() {
        let rows: [Row; 0] = [];
        let table = output(OutputFormat::Table, ColorWhen::Never).table(&rows);
        assert_eq!(table, "");
    }

    #[test]
    fn names_and_values_stand_in_columns() {
        let mut section = Section::new("Produced");
        section.row("records", "1000");
        section.row("bytes", "12 MB");
        let sections = [section, Section::new("Empty")];
        let text = output(OutputFormat::Table, ColorWhen::Never).sections(&sections);
        assert_eq!(text, "Produced\n  records  1000\n  bytes    12 MB\n");
        let text = output(OutputFormat::Table, ColorWhen::Always).sections(&sections);
        assert!(text.starts_with("\u{1b}[1mProduced"), "{text:?}");
        assert_eq!(text.matches('\u{1b}').count(), 2, "{text:?}");
    }

    #[test]
    fn structured_formats_keep_names_and_nulls() {
        let json = output(OutputFormat::Json, ColorWhen::Never).structured(&ROWS.as_slice());
        let json = json.expect("plain values");
        let value: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
        assert_eq!(value[0]["count"], 1000);
        assert!(value[1]["count"].is_null());
        let yaml = output(OutputFormat::Yaml, ColorWhen::Never).structured(&ROWS.as_slice());
        assert_eq!(
            yaml.expect("plain values"),
            "- name: a\n  count: 1000\n- name: longer\n  count: null\n"
        );
    }
}
