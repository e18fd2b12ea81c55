//! Catch2's benchmarks as its console reporter prints them: one latency per benchmark, the mean with one standard deviation around
//! it.
//!
//! ```text
//! benchmark name                       samples       iterations    estimated
//!                                      mean          low mean      high mean
//!                                      std dev       low std dev   high std dev
//! -------------------------------------------------------------------------------
//! a name that is so long that it does
//! not fit                                         20            43     5.3191 ms
//!                                          303.55 ns    300.167 ns    309.163 ns
//!                                         9.78623 ns    5.31071 ns    14.4281 ns
//! ```
//!
//! Long names are wrapped at a space, and become one line with a space again. With `--benchmark-no-analysis` there is one line per
//! benchmark, which ends with the mean, and no deviation.

use bencher_types::wire::adapter::Adapter;
use winnow::{
    Parser,
    ascii::{digit1, space0, space1},
};

use super::{
    AdapterError,
    gather::{Gather, unknown_unit},
    scan::{self, Scan, as_displayed, nanos, quantity},
};
use crate::{
    measure::LATENCY,
    metrics::{MetricValue, Metrics},
};

const ADAPTER: Adapter = Adapter::CppCatch2;
const EXPECTED: &str = "a table that begins with `benchmark name   samples   iterations`";

/// What the lines that follow belong to.
enum Place {
    Outside,
    /// Between the table's first line and the rule below its head.
    Head {
        analysis: bool,
    },
    /// In the table, with the pieces of a name whose numbers have not come yet.
    Table {
        analysis: bool,
        name: String,
    },
    /// The name's numbers of samples were there; the means follow.
    Means {
        name: String,
    },
    /// The deviations follow.
    Deviations {
        name: String,
        mean: f64,
    },
}

pub(super) fn parse(text: &str) -> Result<Metrics, AdapterError> {
    let mut found = Gather::new(ADAPTER, "the name is what `BENCHMARK` was given");
    let mut place = Place::Outside;
    for line in text.lines() {
        let line = as_displayed(line);
        let line = line.trim_end();
        place = match head(line) {
            Some(analysis) => Place::Head { analysis },
            None => next(place, line, &mut found)?,
        };
    }
    found.finish(EXPECTED, text)
}

fn next(place: Place, line: &str, found: &mut Gather) -> Result<Place, AdapterError> {
    let rule = line.len() > 3 && line.bytes().all(|byte| byte == b'-');
    Ok(match place {
        Place::Outside => Place::Outside,
        Place::Head { analysis } if rule => Place::Table { analysis, name: String::new() },
        Place::Head { analysis } => Place::Head { analysis },
        // The next test case, or the end of all.
        Place::Table { .. } if rule || line.starts_with("===") => Place::Outside,
        Place::Table { analysis, .. } if line.is_empty() => Place::Table { analysis, name: String::new() },
        Place::Table { analysis, mut name } => {
            let (piece, counts) = match counts(line) {
                Some((piece, last)) => (piece, Some(last)),
                None => (line.trim(), None),
            };
            if !name.is_empty() && !piece.is_empty() {
                name.push(' ');
            }
            name.push_str(piece);
            match counts {
                None => Place::Table { analysis, name },
                Some(_) if analysis => Place::Means { name },
                Some((mean, unit)) => {
                    found.add(&name, &LATENCY, MetricValue::alone(time(mean, unit, &name)?))?;
                    Place::Table { analysis, name: String::new() }
                }
            }
        }
        Place::Means { name } => match scan::whole(three, line) {
            Some((mean, unit)) => {
                let mean = time(mean, unit, &name)?;
                Place::Deviations { name, mean }
            }
            None => Place::Outside,
        },
        Place::Deviations { name, mean } => match scan::whole(three, line) {
            Some((deviation, unit)) => {
                let deviation = time(deviation, unit, &name)?;
                found.add(&name, &LATENCY, MetricValue::around(mean, deviation))?;
                Place::Table { analysis: true, name: String::new() }
            }
            None => Place::Outside,
        },
    })
}

/// Whether the line begins a table, and then whether the table has an analysis.
fn head(line: &str) -> Option<bool> {
    let columns: Vec<&str> = line.strip_prefix("benchmark name ")?.split_whitespace().collect();
    match columns.as_slice() {
        ["samples", "iterations", "estimated"] => Some(true),
        ["samples", "iterations", "mean"] => Some(false),
        _ => None,
    }
}

/// The piece of the name in front of the numbers of samples and iterations, and the time behind them.
fn counts(line: &str) -> Option<(&str, (f64, &str))> {
    // The name comes first and may have numbers of its own, so the columns are found from the end.
    let mut start = line.len();
    for _ in 0..4 {
        let before = line[..start].trim_end();
        start = before.char_indices().rev().take_while(|(_, c)| !c.is_whitespace()).last()?.0;
    }
    let last = scan::whole((digit1, space1, digit1, space1, quantity).map(|(.., last)| last), &line[start..])?;
    Some((line[..start].trim(), last))
}

/// The first of three times.
fn three<'a>(input: &mut &'a str) -> Scan<(f64, &'a str)> {
    (space0, quantity, space1, quantity, space1, quantity, space0).map(|(_, first, ..)| first).parse_next(input)
}

fn time(number: f64, unit: &str, name: &str) -> Result<f64, AdapterError> {
    nanos(number, unit).ok_or_else(|| unknown_unit(ADAPTER, scan::UNITS, unit, name))
}

#[cfg(test)]
mod tests;
