//! criterion.rs on a terminal or in a log: one latency per benchmark, from the three numbers behind `time:`.
//!
//! ```text
//! fib 20                  time:   [17.947 µs 18.179 µs 18.443 µs]
//!
//! a name that is too long to stand on the same line
//!                         time:   [148.76 ns 151.74 ns 154.96 ns]
//! ```
//!
//! The three are criterion's estimate between the ends of its confidence interval. It prints no other average, so the
//! report's `average` changes nothing. Everything else (progress, throughput, change since last time, outliers, whatever the
//! benchmark itself says) is passed over.

use std::borrow::Cow;

use bencher_types::wire::adapter::Adapter;
use winnow::{Parser, ascii::space1};

use super::{
    AdapterError,
    gather::{Gather, unknown_unit},
    scan::{self, Scan, as_displayed, nanos},
};
use crate::{
    measure::LATENCY,
    metrics::{MetricValue, Metrics},
};

const ADAPTER: Adapter = Adapter::RustCriterion;
const EXPECTED: &str = "a line such as `name  time:   [1.0 ns 1.1 ns 1.2 ns]`";

pub(super) fn parse(text: &str) -> Result<Metrics, AdapterError> {
    let mut found = Gather::new(ADAPTER, "the benchmark's name stands before `time:` or on the line above");
    let mut previous = Cow::Borrowed("");
    for line in text.lines() {
        let line = as_displayed(line);
        if let Some((name, estimate)) = time_line(&line) {
            let name = if name.is_empty() { previous.trim() } else { name };
            found.add(name, &LATENCY, latency(name, estimate)?)?;
        }
        previous = line;
    }
    found.finish(EXPECTED, text)
}

/// The name in front of `time:`, empty where it stands on the line before, and the low, middle and high estimate, each a
/// number and its unit. `None` for any other line; the change since last time looks alike but has percentages and a
/// verdict behind them.
fn time_line(line: &str) -> Option<(&str, [(f64, &str); 3])> {
    // The name comes first and may say anything, so the last one counts.
    let (name, rest) = line.rsplit_once("time:")?;
    let inside = rest.trim().strip_prefix('[')?.strip_suffix(']')?;
    Some((name.trim(), scan::whole(estimate, inside.trim())?))
}

fn estimate<'a>(input: &mut &'a str) -> Scan<[(f64, &'a str); 3]> {
    (scan::quantity, space1, scan::quantity, space1, scan::quantity)
        .map(|(low, _, middle, _, high)| [low, middle, high])
        .parse_next(input)
}

fn latency(name: &str, estimate: [(f64, &str); 3]) -> Result<MetricValue, AdapterError> {
    let nanos = |(number, unit)| nanos(number, unit).ok_or_else(|| unknown_unit(ADAPTER, scan::UNITS, unit, name));
    let [low, middle, high] = estimate;
    Ok(MetricValue { value: nanos(middle)?, lower_value: Some(nanos(low)?), upper_value: Some(nanos(high)?) })
}

#[cfg(test)]
mod tests;
