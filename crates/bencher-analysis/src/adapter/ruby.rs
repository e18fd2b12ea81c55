//! Ruby's Benchmark module (`bm`, `bmbm`, `benchmark`): one latency per label, the real time.
//!
//! ```text
//!               user     system      total        real
//! for:      1.010000   0.000000   1.010000 (  1.015688)
//! ```
//!
//! The rehearsal of `bmbm` does not count.

use bencher_types::wire::adapter::Adapter;
use winnow::{
    Parser,
    ascii::{space0, space1},
};

use super::{
    AdapterError,
    gather::Gather,
    scan::{self, Scan, as_displayed, number},
};
use crate::{
    decimal,
    measure::LATENCY,
    metrics::{MetricValue, Metrics},
};

const EXPECTED: &str = "lines such as `label  1.010000   0.000000   1.010000 (  1.015688)`";
/// From the seconds that are printed to nanoseconds, as a power of ten.
const SECONDS_TO_NANOS: i32 = 9;

pub(super) fn parse(text: &str) -> Result<Metrics, AdapterError> {
    let mut found = Gather::new(Adapter::RubyBenchmark, "give each `report` a label");
    let mut rehearsing = false;
    for line in text.lines() {
        let line = as_displayed(line);
        if line.starts_with("Rehearsal ---") {
            rehearsing = true;
        } else if line.starts_with("---") && line.ends_with("sec") {
            rehearsing = false;
        } else if let Some((label, real)) = report_line(&line)
            && !rehearsing
        {
            found.add(label, &LATENCY, MetricValue::alone(decimal::shift(real, SECONDS_TO_NANOS)))?;
        }
    }
    found.finish(EXPECTED, text)
}

/// The label, and the real time in seconds. The label may say anything, so the columns are found from their end.
fn report_line(line: &str) -> Option<(&str, f64)> {
    let (rest, real) = line.trim_end().strip_suffix(')')?.rsplit_once('(')?;
    let real = scan::whole(padded, real)?;
    let total = before_last_word(rest)?;
    let system = before_last_word(total)?;
    let label = before_last_word(system)?;
    scan::whole(columns, rest[label.len()..].trim())?;
    Some((label.trim(), real))
}

fn padded(input: &mut &str) -> Scan<f64> {
    (space0, number).map(|(_, number)| number).parse_next(input)
}

/// User, system and total time.
fn columns(input: &mut &str) -> Scan<()> {
    (number, space1, number, space1, number).void().parse_next(input)
}

/// The text before its last word.
fn before_last_word(text: &str) -> Option<&str> {
    let text = text.trim_end();
    if text.is_empty() {
        return None;
    }
    Some(text.rfind(char::is_whitespace).map_or("", |at| &text[..at]))
}

#[cfg(test)]
mod tests;
