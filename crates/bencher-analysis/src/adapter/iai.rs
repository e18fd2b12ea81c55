//! Iai: what Cachegrind counted, one value per count and benchmark.
//!
//! ```text
//! parse_small
//!   Instructions:                1735 (No change)
//!   L1 Accesses:                 2364 (+0.042%)
//! ```

use bencher_types::wire::adapter::Adapter;
use winnow::{
    Parser,
    ascii::{digit1, space1},
    combinator::opt,
    token::rest,
};

use super::{
    AdapterError,
    gather::Gather,
    scan::{self, Scan, as_displayed},
};
use crate::{
    measure::valgrind::{Count, IAI},
    metrics::{MetricValue, Metrics},
};

const EXPECTED: &str = "a benchmark's name and below it lines such as `  L1 Accesses:  2364`";

pub(super) fn parse(text: &str) -> Result<Metrics, AdapterError> {
    let mut found = Gather::new(Adapter::RustIai, "the name stands on the line above `Instructions:`");
    let mut name = String::new();
    for line in text.lines() {
        let line = as_displayed(line);
        match count_line(&line) {
            Some((count, value)) => found.add(&name, &count.measure, MetricValue::alone(value))?,
            None if !line.trim().is_empty() => line.trim().clone_into(&mut name),
            None => {}
        }
    }
    found.finish(EXPECTED, text)
}

fn count_line(line: &str) -> Option<(&'static Count, f64)> {
    let (label, value) = line.strip_prefix("  ")?.split_once(':')?;
    let count = IAI.iter().find(|count| count.label == label)?;
    Some((count, scan::whole(counted, value.trim_start())?))
}

/// The number, and perhaps how it changed since last time.
fn counted(input: &mut &str) -> Scan<f64> {
    (digit1.parse_to(), opt((space1, "(", rest))).map(|(value, _)| value).parse_next(input)
}

#[cfg(test)]
mod tests;
