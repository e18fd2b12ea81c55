//! Go's `go test -bench`: one latency per benchmark, its `ns/op`.
//!
//! ```text
//! pkg: example.com/shop
//! BenchmarkSort/n=10-8    100000     11850 ns/op    56 B/op    2 allocs/op
//! ```
//!
//! The name is kept as it is printed, the number of CPUs at its end included. A benchmark that ran several times (`-count`) is
//! one benchmark: the average of its runs, from the fastest to the slowest. Two packages' benchmarks of one name get their
//! package in front, `example.com/shop.BenchmarkSort-8`.

use std::collections::BTreeMap;

use bencher_types::wire::adapter::{Adapter, Average};
use winnow::{
    Parser,
    ascii::{digit1, space1},
    combinator::repeat,
    token::take_while,
};

use super::{
    AdapterError,
    gather::Gather,
    repeats::summary,
    scan::{self, Scan, as_displayed, number},
};
use crate::{
    limits::MAX_METRICS,
    measure::LATENCY,
    metrics::{InvalidMetric, Metrics},
};

const ADAPTER: Adapter = Adapter::GoBench;
const EXPECTED: &str = "a line such as `BenchmarkName-8   100   12345 ns/op`";

/// The runs of each benchmark, by name and then package: most names are in one package only.
type Runs = BTreeMap<String, BTreeMap<String, Vec<f64>>>;

pub(super) fn parse(average: Average, text: &str) -> Result<Metrics, AdapterError> {
    let runs = runs(text)?;
    let mut found = Gather::new(ADAPTER, "the name is the word that begins with `Benchmark`");
    for (name, packages) in &runs {
        for (package, times) in packages {
            let value = summary(average, times);
            if packages.len() == 1 {
                found.add(name, &LATENCY, value)?;
            } else {
                found.add(&format!("{package}.{name}"), &LATENCY, value)?;
            }
        }
    }
    found.finish(EXPECTED, text)
}

fn runs(text: &str) -> Result<Runs, AdapterError> {
    let mut runs = Runs::new();
    let mut benchmarks = 0;
    let mut package = String::new();
    // Go prints the name before the benchmark runs: what that prints itself may come between the name and its result.
    let mut announced = String::new();
    for line in text.lines() {
        let line = as_displayed(line);
        if let Some(named) = line.strip_prefix("pkg: ") {
            named.trim().clone_into(&mut package);
            continue;
        }
        let rest = match name_of(&line) {
            Some((name, rest)) => {
                name.clone_into(&mut announced);
                rest
            }
            None => line.as_ref(),
        };
        let Some(time) = scan::whole(result, rest.trim()) else { continue };
        if announced.is_empty() {
            continue;
        }
        let of_name = runs.entry(std::mem::take(&mut announced)).or_default();
        let times = of_name.entry(package.clone()).or_default();
        if times.is_empty() {
            benchmarks += 1;
            if benchmarks > MAX_METRICS {
                return Err(AdapterError::Metric { adapter: ADAPTER, source: InvalidMetric::TooMany });
            }
        }
        times.push(time);
    }
    Ok(runs)
}

/// The benchmark's name at the line's beginning, and what follows.
fn name_of(line: &str) -> Option<(&str, &str)> {
    line.starts_with("Benchmark").then(|| line.split_at(line.find(char::is_whitespace).unwrap_or(line.len())))
}

/// How often it ran, then pairs of a value and its unit, of which the time must be one.
fn result(input: &mut &str) -> Scan<f64> {
    let unit = take_while(1.., |c: char| !c.is_whitespace());
    let pair = (space1, number, space1, unit).map(|(_, value, _, unit): (_, _, _, &str)| (value, unit));
    let pairs = repeat(1.., pair).fold(|| None, |time, (value, unit)| if unit == "ns/op" { Some(value) } else { time });
    (digit1, pairs).verify_map(|(_, time)| time).parse_next(input)
}

#[cfg(test)]
mod tests;
