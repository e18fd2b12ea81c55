//! airspeed velocity's `asv run`: one latency per timing benchmark, the median with the spread that asv prints behind it.
//!
//! ```text
//! [12.50%] ··· sort.TimeSort.time_quick                        6.95±0.5μs
//! [18.75%] ··· sort.TimeSort.time_merge                                ok
//! [18.75%] ··· ==== ==========
//!                n
//!              ---- ----------
//!               10   12.2±1μs
//!              ==== ==========
//! ```
//!
//! A benchmark with parameters prints a table and becomes a benchmark per cell, `sort.TimeSort.time_merge(10)`. What failed, was
//! not applicable, or is no time (memory, tracked values) is passed over.

use bencher_types::wire::adapter::Adapter;
use winnow::{Parser, combinator::opt, token::take_while};

use super::{
    AdapterError,
    gather::Gather,
    scan::{self, Scan, as_displayed, nanos, number},
};
use crate::{
    measure::LATENCY,
    metrics::{MetricValue, Metrics},
};

mod table;

use table::{Cell, Table};

const EXPECTED: &str = "a line such as `[50.00%] ··· module.time_name  12.3±0.4μs`";

pub(super) fn parse(text: &str) -> Result<Metrics, AdapterError> {
    let mut found = Gather::new(Adapter::PythonAsv, "the name is the benchmark's module, class and function, and its parameters");
    // The benchmark whose table may follow, and the table.
    let mut announced = String::new();
    let mut table: Option<Table> = None;
    for line in text.lines() {
        let line = as_displayed(line);
        if let Some(status) = status(&line) {
            finish(table.take(), &announced, &mut found)?;
            if table::is_border(status) {
                table = Some(Table::begin(status));
                continue;
            }
            let (name, info) = status.split_once(char::is_whitespace).unwrap_or((status, ""));
            name.clone_into(&mut announced);
            if let Some(value) = time(info.trim()) {
                found.add(name, &LATENCY, value)?;
            }
        } else if let Some(open) = &mut table {
            open.line(&line, &mut |cell| add(&cell, &announced, &mut found))?;
            if open.is_over() {
                table = None;
            }
        }
    }
    finish(table, &announced, &mut found)?;
    found.finish(EXPECTED, text)
}

fn finish(table: Option<Table>, name: &str, found: &mut Gather) -> Result<(), AdapterError> {
    match table {
        Some(mut table) => table.end(&mut |cell| add(&cell, name, found)),
        None => Ok(()),
    }
}

fn add(cell: &Cell<'_>, name: &str, found: &mut Gather) -> Result<(), AdapterError> {
    match time(cell.text) {
        Some(value) => found.add(&format!("{name}({})", cell.parameters()), &LATENCY, value),
        None => Ok(()),
    }
}

/// What a line of progress says behind its percentage and the three dots of a benchmark.
fn status(line: &str) -> Option<&str> {
    let (percentage, rest) = line.strip_prefix('[')?.split_once("%] ")?;
    scan::whole(number, percentage.trim())?;
    // Where the terminal cannot show them, the dots are plain.
    ["\u{b7}\u{b7}\u{b7} ", "... "].into_iter().find_map(|dots| rest.strip_prefix(dots)).map(str::trim_end)
}

/// A time and its spread in one unit: `12.3±0.4μs`.
fn time(text: &str) -> Option<MetricValue> {
    let (value, spread, unit) = scan::whole(spread, text)?;
    let nanos = |number| long(number, unit).or_else(|| nanos(number, unit));
    Some(match spread {
        Some(spread) => MetricValue::around(nanos(value)?, nanos(spread)?),
        None => MetricValue::alone(nanos(value)?),
    })
}

fn spread<'a>(input: &mut &'a str) -> Scan<(f64, Option<f64>, &'a str)> {
    let spread = opt(("\u{b1}", number).map(|(_, spread)| spread));
    (number, spread, take_while(1.., char::is_alphabetic)).parse_next(input)
}

/// The units of asv that no benchmark of seconds needs.
fn long(number: f64, unit: &str) -> Option<f64> {
    const NANOS_PER_SECOND: f64 = 1e9;
    let seconds = match unit {
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86400.0,
        _ => return None,
    };
    Some(number * seconds * NANOS_PER_SECOND)
}

#[cfg(test)]
mod tests;
