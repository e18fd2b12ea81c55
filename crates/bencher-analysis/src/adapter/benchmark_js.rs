//! Benchmark.js, one printed cycle per benchmark: its throughput, with the relative margin of error around it.
//!
//! ```text
//! RegExp#test x 4,161,532 ops/sec ±0.99% (59 runs sampled)
//! ```

use bencher_types::wire::adapter::Adapter;
use winnow::{Parser, ascii::digit1, combinator::alt};

use super::{
    AdapterError,
    gather::Gather,
    scan::{self, Scan, as_displayed, number},
};
use crate::{
    measure::THROUGHPUT,
    metrics::{MetricValue, Metrics},
};

const EXPECTED: &str = "a line such as `name x 1,234 ops/sec ±0.99% (59 runs sampled)`";

pub(super) fn parse(text: &str) -> Result<Metrics, AdapterError> {
    let mut found = Gather::new(Adapter::JsBenchmark, "the name stands before ` x `; give it to `suite.add`");
    for line in text.lines() {
        let line = as_displayed(line);
        // The name may have an ` x ` of its own.
        if let Some((name, rest)) = line.rsplit_once(" x ")
            && let Some((per_second, margin)) = scan::whole(cycle, rest.trim())
        {
            let margin = per_second * margin / 100.0;
            found.add(name.trim(), &THROUGHPUT, MetricValue::around(per_second, margin))?;
        }
    }
    found.finish(EXPECTED, text)
}

/// Operations per second and the margin in percent.
fn cycle(input: &mut &str) -> Scan<(f64, f64)> {
    // Older versions print the margin in ASCII where they do not know what the terminal can show.
    (number, " ops/sec ", alt(("\u{b1}", "+-")), number, "% (", digit1, alt((" runs", " run")), " sampled)")
        .map(|(per_second, _, _, margin, ..)| (per_second, margin))
        .parse_next(input)
}

#[cfg(test)]
mod tests;
