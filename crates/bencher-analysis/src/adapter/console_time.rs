//! JavaScript's `console.time` and `console.timeEnd`: one latency per label.
//!
//! ```text
//! parse: 1.234ms
//! slow parse: 1:02.345 (m:ss.mmm)
//! ```
//!
//! What `console.timeLog` prints in between looks the same unless it has something to add; a label that is there twice is refused.

use bencher_types::wire::adapter::Adapter;
use winnow::{Parser, ascii::digit1, combinator::alt};

use super::{
    AdapterError,
    gather::Gather,
    scan::{self, Scan, as_displayed, nanos, number, quantity},
};
use crate::{
    decimal,
    measure::LATENCY,
    metrics::{MetricValue, Metrics},
};

const EXPECTED: &str = "a line such as `label: 1.234ms`";
/// From seconds to nanoseconds, as a power of ten.
const SECONDS_TO_NANOS: i32 = 9;

pub(super) fn parse(text: &str) -> Result<Metrics, AdapterError> {
    let mut found = Gather::new(Adapter::JsTime, "the label is what `console.time` was given");
    for line in text.lines() {
        let line = as_displayed(line);
        if let Some((label, rest)) = line.rsplit_once(": ")
            && let Some(nanos) = scan::whole(alt((hours, minutes, short)), rest.trim())
        {
            found.add(label.trim(), &LATENCY, MetricValue::alone(nanos))?;
        }
    }
    found.finish(EXPECTED, text)
}

fn short(input: &mut &str) -> Scan<f64> {
    // Below a microsecond there is nothing: the console counts in milliseconds.
    quantity.verify_map(|(number, unit)| if matches!(unit, "ms" | "s") { nanos(number, unit) } else { None }).parse_next(input)
}

fn minutes(input: &mut &str) -> Scan<f64> {
    (digit1.parse_to::<f64>(), ":", number, " (m:ss.mmm)")
        .map(|(minutes, _, seconds, _)| decimal::shift(minutes * 60.0 + seconds, SECONDS_TO_NANOS))
        .parse_next(input)
}

fn hours(input: &mut &str) -> Scan<f64> {
    (digit1.parse_to::<f64>(), ":", digit1.parse_to::<f64>(), ":", number, " (h:mm:ss.mmm)")
        .map(|(hours, _, minutes, _, seconds, _)| decimal::shift((hours * 60.0 + minutes) * 60.0 + seconds, SECONDS_TO_NANOS))
        .parse_next(input)
}

#[cfg(test)]
mod tests;
