//! Compact tables: no lines, capitals in the head, as wide as the terminal at most.

use comfy_table::{Attribute, Color, ContentArrangement, Table, modifiers, presets};

use super::{Human, Out};
use crate::cli::history::TableStyle;

/// What a cell means, shown as a colour where there is colour and never by colour alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    #[default]
    Plain,
    Good,
    Busy,
    Bad,
}

/// The text of a cell and what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub text: String,
    pub tone: Tone,
}

impl Cell {
    pub(crate) fn new(text: impl ToString) -> Self {
        Self { text: text.to_string(), tone: Tone::Plain }
    }

    pub(crate) fn toned(text: impl ToString, tone: Tone) -> Self {
        Self { text: text.to_string(), tone }
    }

    /// The text of a value that may be absent.
    pub(crate) fn maybe(text: Option<impl ToString>) -> Self {
        text.map_or_else(|| Self::new("-"), Self::new)
    }
}

/// Something that is one row of a table.
pub(crate) trait Listed {
    /// The head of the table, in capitals.
    const HEAD: &'static [&'static str];

    fn row(&self) -> Vec<Cell>;
}

impl<T: Listed> Human for Vec<T> {
    fn human(&self, out: Out) -> String {
        if self.is_empty() {
            return String::new();
        }
        let head: Vec<_> = T::HEAD.iter().map(|title| (*title).to_owned()).collect();
        table(out, &head, self.iter().map(Listed::row))
    }
}

/// A table with a head.
pub(crate) fn table(out: Out, head: &[String], rows: impl IntoIterator<Item = Vec<Cell>>) -> String {
    styled_table(out, head, rows, TableStyle::Compact)
}

/// A table with a head, and lines as asked for.
pub(crate) fn styled_table(out: Out, head: &[String], rows: impl IntoIterator<Item = Vec<Cell>>, style: TableStyle) -> String {
    let mut table = empty();
    table.load_preset(preset(style));
    if style == TableStyle::Rounded {
        table.apply_modifier(modifiers::UTF8_ROUND_CORNERS);
    }
    table.set_header(head.iter().map(|title| {
        let cell = comfy_table::Cell::new(title);
        if out.color { cell.add_attribute(Attribute::Bold) } else { cell }
    }));
    if style == TableStyle::Compact { fill(&mut table, out, rows) } else { fill_lined(&mut table, out, rows) }
}

const fn preset(style: TableStyle) -> &'static str {
    match style {
        TableStyle::Compact => presets::NOTHING,
        TableStyle::Ascii => presets::ASCII_FULL,
        TableStyle::Psql => presets::ASCII_FULL_CONDENSED,
        TableStyle::Markdown => presets::ASCII_MARKDOWN,
        TableStyle::Modern => presets::UTF8_FULL,
        TableStyle::Sharp | TableStyle::Rounded => presets::UTF8_FULL_CONDENSED,
        TableStyle::Rst => presets::ASCII_HORIZONTAL_ONLY,
    }
}

/// Names and values under each other.
pub(crate) fn fields(out: Out, rows: impl IntoIterator<Item = (&'static str, Cell)>) -> String {
    let mut table = empty();
    fill(&mut table, out, rows.into_iter().map(|(name, value)| vec![Cell::new(name), value]))
}

fn empty() -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table
}

fn fill_lined(table: &mut Table, out: Out, rows: impl IntoIterator<Item = Vec<Cell>>) -> String {
    for row in rows {
        table.add_row(row.into_iter().map(|cell| styled(out, cell)));
    }
    format!("{table}\n")
}

fn fill(table: &mut Table, out: Out, rows: impl IntoIterator<Item = Vec<Cell>>) -> String {
    for row in rows {
        table.add_row(row.into_iter().map(|cell| styled(out, cell)));
    }
    // Every column has one space on each side; the outermost ones only push the text away from the edge.
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn styled(out: Out, cell: Cell) -> comfy_table::Cell {
    let text = super::printable(&cell.text);
    let color = match cell.tone {
        _ if !out.color => None,
        Tone::Plain => None,
        Tone::Good => Some(Color::Green),
        Tone::Busy => Some(Color::Yellow),
        Tone::Bad => Some(Color::Red),
    };
    let cell = comfy_table::Cell::new(text);
    match color {
        Some(color) => cell.fg(color),
        None => cell,
    }
}
