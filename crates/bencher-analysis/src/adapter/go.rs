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

/// What each benchmark ran, and where.
#[derive(Default)]
struct Runs {
    packages: Vec<String>,
    /// By name and then by the package's place: most names are in one package only.
    times: BTreeMap<String, BTreeMap<usize, Vec<f64>>>,
}

pub(super) fn parse(average: Average, text: &str) -> Result<Metrics, AdapterError> {
    let runs = runs(text)?;
    let mut found = Gather::new(ADAPTER, "the name is the word that begins with `Benchmark`");
    for (name, packages) in &runs.times {
        for (&package, times) in packages {
            let value = summary(average, times);
            if packages.len() == 1 || runs.packages[package].is_empty() {
                found.add(name, &LATENCY, value)?;
            } else {
                found.add(&format!("{}.{name}", runs.packages[package]), &LATENCY, value)?;
            }
        }
    }
    found.finish(EXPECTED, text)
}

fn runs(text: &str) -> Result<Runs, AdapterError> {
    // Without a package's name, Go ran what it was given and nothing else.
    let mut runs = Runs { packages: vec![String::new()], ..Runs::default() };
    let mut places = BTreeMap::new();
    let mut package = 0;
    let mut benchmarks = 0;
    // Go prints the name before the benchmark runs: what that prints itself may come between the name and its result.
    let mut announced = String::new();
    for line in text.lines() {
        let line = as_displayed(line);
        if let Some(named) = line.strip_prefix("pkg: ") {
            // A package that comes again is the same: its place, not its name, is looked up for every line.
            package = *places.entry(named.trim().to_owned()).or_insert_with_key(|named| {
                runs.packages.push(named.clone());
                runs.packages.len() - 1
            });
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
        let of_name = runs.times.entry(std::mem::take(&mut announced)).or_default();
        let times = of_name.entry(package).or_default();
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
