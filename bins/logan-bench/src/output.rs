//! Results on standard output in three formats, and failures on standard error.

use std::io::{self, Write as _};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use crate::cli::{ColorWhen, Global, OutputFormat};
use crate::failure::Failure;

const HEADING: Style = Style::new().bold();
const ERROR: Style = AnsiColor::Red.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default();

/// How this run writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    format: OutputFormat,
    color: ColorWhen,
}

/// Names and values under a title.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    title: String,
    rows: Vec<(String, String)>,
}

impl Section {
    pub(crate) fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            rows: Vec::new(),
        }
    }

    /// Adds a pair.
    pub(crate) fn row(&mut self, name: &str, value: impl Into<String>) {
        self.rows.push((name.to_owned(), value.into()));
    }
}

impl Output {
    pub(crate) fn new(global: &Global) -> Self {
        Self {
            format: global.output,
            color: global.color,
        }
    }

    /// Writes a report: pairs of a name and a value under headings, or all of it as JSON or YAML.
    pub(crate) fn report_of<T: Serialize>(
        &self,
        sections: &[Section],
        whole: &T,
    ) -> Result<(), Failure> {
        match self.format {
            OutputFormat::Table => self.write(&self.sections(sections)),
            OutputFormat::Json | OutputFormat::Yaml => self.write(&self.structured(whole)?),
        }
    }

    /// Sections as tables of two columns.
    fn sections(&self, sections: &[Section]) -> String {
        let style = self.style(HEADING, &io::stdout());
        let filled = sections.iter().filter(|section| !section.rows.is_empty());
        let texts = filled.map(|section| {
            format!(
                "{style}{}{style:#}\n{}",
                section.title,
                render(&section.rows)
            )
        });
        texts.collect::<Vec<_>>().join("\n")
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

fn render(rows: &[(String, String)]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    for (name, value) in rows {
        table.add_row([name, value]);
    }
    for at in 0..2 {
        if let Some(column) = table.column_mut(at) {
            column.set_padding((2, 0));
        }
    }
    table.trim_fmt() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(format: OutputFormat, color: ColorWhen) -> Output {
        Output { format, color }
    }

    fn sections() -> Vec<Section> {
        let mut section = Section::new("Produced");
        section.row("records", "1000");
        section.row("bytes", "12 MB");
        vec![section, Section::new("Empty")]
    }

    #[test]
    fn names_and_values_stand_in_columns() {
        let text = output(OutputFormat::Table, ColorWhen::Never).sections(&sections());
        assert_eq!(text, "Produced\n  records  1000\n  bytes    12 MB\n");
    }

    #[test]
    fn only_titles_are_coloured() {
        let text = output(OutputFormat::Table, ColorWhen::Always).sections(&sections());
        assert!(text.starts_with("\u{1b}[1mProduced"), "{text:?}");
        assert_eq!(text.matches('\u{1b}').count(), 2, "{text:?}");
    }
}
