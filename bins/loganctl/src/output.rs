//! Results on standard output in three formats, and failures on standard error.

use std::io::{self, IsTerminal as _, Write as _};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde::Serialize;

use crate::cli::{ColorWhen, Global, OutputFormat};
use crate::failure::Failure;

const HEADING: Style = Style::new().bold();
const ERROR: Style = AnsiColor::Red.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default();

/// How this run writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    pub(crate) format: OutputFormat,
    color: ColorWhen,
}

/// A result that has rows and columns.
pub(crate) trait Tabular {
    /// Titles; those of numbers are aligned to the right.
    const COLUMNS: &'static [Column];
    /// One cell for each column.
    fn cells(&self) -> Vec<String>;
}

/// A column of a table.
pub(crate) enum Column {
    Text(&'static str),
    Number(&'static str),
}

impl Output {
    pub(crate) fn new(global: &Global) -> Self {
        Self {
            format: global.output,
            color: global.color,
        }
    }

    #[cfg(test)]
    pub(crate) fn plain(format: OutputFormat, color: ColorWhen) -> Self {
        Self { format, color }
    }

    /// Writes rows: a table, or an array of objects.
    pub(crate) fn rows<T: Tabular + Serialize>(&self, rows: &[T]) -> Result<(), Failure> {
        match self.format {
            OutputFormat::Table => self.write(&self.table(rows)),
            OutputFormat::Json | OutputFormat::Yaml => self.write(&self.structured(&rows)?),
        }
    }

    /// The rows as a table under bold titles; nothing when there are no rows.
    pub(crate) fn table<T: Tabular>(&self, rows: &[T]) -> String {
        if rows.is_empty() {
            return String::new();
        }
        let plain = render(rows);
        let style = self.style(HEADING, &io::stdout());
        match plain.split_once('\n') {
            Some((titles, rest)) => format!("{style}{titles}{style:#}\n{rest}"),
            None => plain,
        }
    }

    /// A title in bold.
    pub(crate) fn heading(&self, text: &str) -> String {
        let style = self.style(HEADING, &io::stdout());
        format!("{style}{text}{style:#}")
    }

    /// JSON or YAML.
    pub(crate) fn structured<T: Serialize>(&self, value: &T) -> Result<String, Failure> {
        let text = match self.format {
            OutputFormat::Yaml => serde_saphyr::to_string(value).map_err(io::Error::other),
            OutputFormat::Json | OutputFormat::Table => serde_json::to_string_pretty(value)
                .map(|text| text + "\n")
                .map_err(io::Error::other),
        };
        text.map_err(|source| Failure::Local {
            act: "format the result",
            source,
        })
    }

    /// Does `act` for every item, also when it fails for some; those failures are reported as they come.
    pub(crate) fn for_each<T>(
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
    pub(crate) fn reported(&self, failure: &Failure) -> Failure {
        self.report(failure);
        Failure::Reported {
            exit_code: failure.code(),
        }
    }

    pub(crate) fn write(&self, text: &str) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush())
            .map_err(Failure::output)
    }

    /// Says what went wrong, and what would be right.
    pub(crate) fn report(&self, failure: &Failure) {
        if failure.is_silent() {
            return;
        }
        let error = self.style(ERROR, &io::stderr());
        let mut text = format!("{error}error:{error:#} {failure}\n");
        if let Some(advice) = failure.advice() {
            let hint = self.style(HINT, &io::stderr());
            text.push_str(&format!("{hint}hint:{hint:#} {advice}\n"));
        }
        // When standard error is gone, too, there is nobody left to tell.
        drop(io::stderr().lock().write_all(text.as_bytes()));
    }

    /// Whether records go to somebody's screen.
    pub(crate) fn is_terminal() -> bool {
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

fn render<T: Tabular>(rows: &[T]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(T::COLUMNS.iter().map(|column| match column {
        Column::Text(title) | Column::Number(title) => *title,
    }));
    for (column, at) in T::COLUMNS.iter().zip(0..) {
        if let Some(of_table) = table.column_mut(at) {
            of_table.set_padding((0, 2));
            if matches!(column, Column::Number(_)) {
                of_table.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    for row in rows {
        table.add_row(row.cells());
    }
    table.trim_fmt() + "\n"
}

/// A cell for something that may be absent.
pub(crate) fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

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
        Output { format, color }
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
