//! asv's tables of results by parameters. Knows where a cell is, not what it says.
//!
//! ```text
//! ==== ==========        ==== ========= ==========
//!  n                     --           what
//! ---- ----------        ---- --------------------
//!  5    12.2±0μs          n     fib       sleep
//!  10   10.4±0μs         ==== ========= ==========
//! ==== ==========         10   14.5±0μs  19.2±0ms
//!                        ==== ========= ==========
//! ```
//!
//! On the left every parameter has a column and the results have the last. On the right the last parameters, `a / b` where they are
//! several, have a column per value. Which of the two it is shows only after the head, so the first lines are kept.

/// A result and the parameters it belongs to.
pub(super) struct Cell<'a> {
    /// The cells of the row in front of the results.
    row: &'a [&'a str],
    /// The values above the column; none where the results have one column.
    column: &'a str,
    pub(super) text: &'a str,
}

impl Cell<'_> {
    /// The values of all parameters in their order.
    pub(super) fn parameters(&self) -> String {
        let mut values = self.row.join(", ");
        if !self.column.is_empty() {
            if !values.is_empty() {
                values.push_str(", ");
            }
            values.push_str(&self.column.replace(" / ", ", "));
        }
        values
    }
}

/// A column's first character and the one behind its last.
type Span = (usize, usize);

/// The table while its lines come in.
pub(super) enum Table {
    Head {
        /// How many columns the border above has.
        columns: usize,
        /// At most [`HEAD_LINES`].
        lines: Vec<String>,
    },
    Rows {
        spans: Vec<Span>,
        /// How many of the columns are parameters.
        parameters: usize,
        /// The values above the columns behind them.
        values: Vec<String>,
    },
    Over,
}

/// After so many lines it is known which of the two kinds a table is.
const HEAD_LINES: usize = 4;

impl Table {
    /// `border` is the table's first line, without what stands before it.
    pub(super) fn begin(border: &str) -> Self {
        Self::Head { columns: spans(border, '=').len(), lines: Vec::new() }
    }

    pub(super) const fn is_over(&self) -> bool {
        matches!(self, Self::Over)
    }

    /// Takes the next line and hands out the cells that are complete now.
    pub(super) fn line<E>(&mut self, line: &str, cell: &mut impl FnMut(Cell<'_>) -> Result<(), E>) -> Result<(), E> {
        match self {
            Self::Over => Ok(()),
            Self::Rows { .. } if line.trim().is_empty() || is_border(line) => {
                *self = Self::Over;
                Ok(())
            }
            Self::Rows { spans, parameters, values } => row(line, spans, *parameters, values, cell),
            Self::Head { lines, .. } if lines.len() < HEAD_LINES && !line.trim().is_empty() => {
                lines.push(line.to_owned());
                // Rows at once, or a border that may belong to either kind.
                if lines.len() == HEAD_LINES && !is_border(line) { self.plain(cell) } else { Ok(()) }
            }
            Self::Head { .. } if line.trim().is_empty() => {
                self.end(cell)?;
                *self = Self::Over;
                Ok(())
            }
            Self::Head { .. } => {
                self.crossed();
                self.line(line, cell)
            }
        }
    }

    /// Nothing follows: hands out what was kept.
    pub(super) fn end<E>(&mut self, cell: &mut impl FnMut(Cell<'_>) -> Result<(), E>) -> Result<(), E> {
        if matches!(self, Self::Head { .. }) { self.plain(cell) } else { Ok(()) }
    }

    /// The kind with a column per parameter: what was kept is its head, a rule and rows.
    fn plain<E>(&mut self, cell: &mut impl FnMut(Cell<'_>) -> Result<(), E>) -> Result<(), E> {
        let Self::Head { columns, lines } = std::mem::replace(self, Self::Over) else { return Ok(()) };
        let spans = lines.get(1).map_or_else(Vec::new, |rule| spans(rule, '-'));
        if spans.is_empty() || spans.len() != columns {
            return Ok(());
        }
        *self = Self::Rows { parameters: columns - 1, values: vec![String::new()], spans };
        for line in &lines[2..] {
            self.line(line, cell)?;
        }
        Ok(())
    }

    /// The kind with a column per value of the last parameters: what was kept is its head of two lines and two rules.
    fn crossed(&mut self) {
        let Self::Head { columns, lines } = std::mem::replace(self, Self::Over) else { return };
        let [_, rule, head, border] = lines.as_slice() else { return };
        let spans_of_columns = spans(border, '=');
        // All columns of results are under one piece of the rule.
        let Some(parameters) = spans(rule, '-').len().checked_sub(1) else { return };
        if spans_of_columns.len() != columns || parameters >= columns {
            return;
        }
        let values = cells(head, &spans_of_columns).skip(parameters).map(str::to_owned).collect();
        *self = Self::Rows { spans: spans_of_columns, parameters, values };
    }
}

/// Whether a line is the upper or lower end of a table, or the end of its head.
pub(super) fn is_border(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && line.chars().all(|c| matches!(c, '=' | ' '))
}

fn row<E>(
    line: &str,
    spans: &[Span],
    parameters: usize,
    values: &[String],
    cell: &mut impl FnMut(Cell<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let cells: Vec<&str> = cells(line, spans).collect();
    let Some((row, results)) = cells.split_at_checked(parameters) else { return Ok(()) };
    for (column, text) in values.iter().zip(results) {
        cell(Cell { row, column, text })?;
    }
    Ok(())
}

/// The runs of a character in a line.
fn spans(line: &str, of: char) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for (at, c) in line.chars().enumerate() {
        match spans.last_mut() {
            _ if c != of => {}
            Some((_, end)) if *end == at => *end = at + 1,
            _ => spans.push((at, at + 1)),
        }
    }
    spans
}

/// What a line has in each column, as far as the line goes.
fn cells<'a>(line: &'a str, spans: &'a [Span]) -> impl Iterator<Item = &'a str> {
    let mut rest = line.char_indices().map(|(at, _)| at).enumerate().peekable();
    spans.iter().map_while(move |&(start, end)| {
        while rest.next_if(|&(index, _)| index < start).is_some() {}
        let &(_, from) = rest.peek()?;
        while rest.next_if(|&(index, _)| index < end).is_some() {}
        let to = rest.peek().map_or(line.len(), |&(_, to)| to);
        Some(line[from..to].trim())
    })
}
