//! Results as people read them: rows under titles, and names with values.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// A result that has rows and columns.
pub trait Tabular {
    /// Titles; those of numbers are aligned to the right.
    const COLUMNS: &'static [Column];
    /// One cell for each column.
    fn cells(&self) -> Vec<String>;
}

/// A column of a table, by its title.
#[derive(Clone, Copy, Debug)]
pub enum Column {
    /// Aligned to the left.
    Text(&'static str),
    /// Aligned to the right.
    Number(&'static str),
}

/// Names and values under a title.
#[derive(Clone, Debug)]
pub struct Section {
    pub(crate) title: String,
    pub(crate) rows: Vec<(String, String)>,
}

impl Section {
    /// A section without rows, which is not shown.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            rows: Vec::new(),
        }
    }

    /// Adds a pair.
    pub fn row(&mut self, name: &str, value: impl Into<String>) {
        self.rows.push((name.to_owned(), value.into()));
    }
}

/// A cell for something that may be absent.
pub fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// Rows under their titles, with a line break at the end.
pub(crate) fn rows<T: Tabular>(rows: &[T]) -> String {
    let mut table = empty();
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

/// Pairs in two columns, with a line break at the end.
pub(crate) fn pairs(pairs: &[(String, String)]) -> String {
    let mut table = empty();
    for (name, value) in pairs {
        table.add_row([name, value]);
    }
    for at in 0..2 {
        if let Some(column) = table.column_mut(at) {
            column.set_padding((2, 0));
        }
    }
    table.trim_fmt() + "\n"
}

fn empty() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table
}
