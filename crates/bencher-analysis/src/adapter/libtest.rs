//! Rust's own `#[bench]`: one latency per benchmark, the median with the deviation that libtest prints behind it.
//!
//! ```text
//! test parse::small ... bench:       1,234.56 ns/iter (+/- 78.90) = 512 MB/s
//! ```
//!
//! The throughput that some lines end with is passed over: it is the latency said otherwise.

use bencher_types::wire::adapter::Adapter;
use winnow::{Parser, ascii::space0, combinator::opt};

use super::{
    AdapterError,
    gather::Gather,
    scan::{self, Scan, as_displayed, number},
};
use crate::{
    measure::LATENCY,
    metrics::{MetricValue, Metrics},
};

const EXPECTED: &str = "a line such as `test name ... bench:  1,234 ns/iter (+/- 56)`";

pub(super) fn parse(text: &str) -> Result<Metrics, AdapterError> {
    let mut found = Gather::new(Adapter::RustBench, "the name stands between `test` and `... bench:`");
    for line in text.lines() {
        let line = as_displayed(line);
        if let Some((name, value)) = bench_line(&line) {
            found.add(name, &LATENCY, value)?;
        }
    }
    found.finish(EXPECTED, text)
}

fn bench_line(line: &str) -> Option<(&str, MetricValue)> {
    let (name, rest) = line.strip_prefix("test ")?.rsplit_once(" ... bench:")?;
    let (median, deviation) = scan::whole(per_iteration, rest.trim())?;
    Some((name.trim(), MetricValue::around(median, deviation)))
}

fn per_iteration(input: &mut &str) -> Scan<(f64, f64)> {
    let throughput = (" = ", number, space0, "MB/s");
    (number, " ns/iter (+/- ", number, ")", opt(throughput))
        .map(|(median, _, deviation, _, _)| (median, deviation))
        .parse_next(input)
}

#[cfg(test)]
mod tests;
