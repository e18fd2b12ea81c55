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

use bencher_types::{BenchmarkName, ResourceName, wire::adapter::Adapter};

use super::{AdapterError, excerpt};
use crate::{
    decimal,
    measure::LATENCY,
    metrics::{MetricValue, Metrics},
};

const ADAPTER: Adapter = Adapter::RustCriterion;
const EXPECTED: &str = "a line such as `name  time:   [1.0 ns 1.1 ns 1.2 ns]`";
const UNITS: &str = "ps, ns, µs, ms and s";

pub(super) fn parse(text: &str) -> Result<Metrics, AdapterError> {
    let mut metrics = Metrics::default();
    let mut previous = Cow::Borrowed("");
    for line in text.lines() {
        let line = as_displayed(line);
        if let Some((name, estimate)) = time_line(&line) {
            let name = if name.is_empty() { previous.trim() } else { name };
            let (name, value) = benchmark(name, estimate)?;
            let measure = ResourceName::new(LATENCY.slug).expect("the slug of a built-in measure is a name");
            metrics.insert(&name, measure, value).map_err(|source| AdapterError::Metric { adapter: ADAPTER, source })?;
        }
        previous = line;
    }
    if metrics.is_empty() {
        let found = excerpt::beginning(text);
        return Err(AdapterError::Format { adapter: ADAPTER, expected: EXPECTED, found, source: None });
    }
    Ok(metrics)
}

/// What stays to be seen of a line: on a terminal, criterion colors it and writes it over its progress.
fn as_displayed(line: &str) -> Cow<'_, str> {
    let line = line.trim_end_matches('\r');
    let line = line.rsplit_once('\r').map_or(line, |(_, last)| last);
    if !line.contains('\x1b') {
        return Cow::Borrowed(line);
    }
    let mut displayed = String::with_capacity(line.len());
    let mut pieces = line.split("\x1b[");
    displayed.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        // A control sequence has parameters and ends at the first letter.
        let end = piece.find(|c: char| ('@'..='~').contains(&c)).map_or(piece.len(), |end| end + 1);
        displayed.push_str(&piece[end..]);
    }
    Cow::Owned(displayed)
}

/// The name in front of `time:`, empty where it stands on the line before, and the low, middle and high estimate, each a
/// number and its unit. `None` for any other line; the change since last time looks alike but has percentages and a
/// verdict behind them.
fn time_line(line: &str) -> Option<(&str, [(f64, &str); 3])> {
    // The name comes first and may say anything, so the last one counts.
    let (name, rest) = line.rsplit_once("time:")?;
    let inside = rest.trim().strip_prefix('[')?.strip_suffix(']')?;
    let mut words = inside.split_whitespace();
    let mut quantity = || Some((words.next()?.parse().ok()?, words.next()?));
    let estimate = [quantity()?, quantity()?, quantity()?];
    words.next().is_none().then_some((name.trim(), estimate))
}

fn benchmark(name: &str, estimate: [(f64, &str); 3]) -> Result<(BenchmarkName, MetricValue), AdapterError> {
    let name = BenchmarkName::new(name).map_err(|source| AdapterError::Name {
        adapter: ADAPTER,
        hint: "the benchmark's name stands before `time:` or on the line above",
        source,
    })?;
    let nanos = |(number, unit)| {
        let exponent = nanos_exponent(unit).ok_or_else(|| AdapterError::Unit {
            adapter: ADAPTER,
            expected: UNITS,
            unit: excerpt::beginning(unit),
            benchmark: name.to_string(),
        })?;
        Ok(decimal::shift(number, exponent))
    };
    let [low, middle, high] = estimate;
    let value = MetricValue { value: nanos(middle)?, lower_value: Some(nanos(low)?), upper_value: Some(nanos(high)?) };
    Ok((name, value))
}

/// The unit in nanoseconds, as a power of ten.
fn nanos_exponent(unit: &str) -> Option<i32> {
    match unit {
        "ps" => Some(-3),
        "ns" => Some(0),
        // The micro sign, the Greek letter that looks like it, and what is left of either in ASCII.
        "\u{b5}s" | "\u{3bc}s" | "us" => Some(3),
        "ms" => Some(6),
        "s" => Some(9),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
