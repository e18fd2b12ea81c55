//! Dart's benchmark_harness: one latency per benchmark, its run time.
//!
//! ```text
//! Template(RunTime): 0.1568472448997197 us.
//! ```

use bencher_types::wire::adapter::Adapter;
use winnow::Parser;

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

const EXPECTED: &str = "a line such as `Name(RunTime): 12.34 us.`";
/// From the microseconds that are printed to nanoseconds, as a power of ten.
const MICROS_TO_NANOS: i32 = 3;

pub(super) fn parse(text: &str) -> Result<Metrics, AdapterError> {
    let mut found = Gather::new(Adapter::DartBenchmarkHarness, "the name is what the benchmark's class was given");
    for line in text.lines() {
        let line = as_displayed(line);
        if let Some((name, rest)) = line.rsplit_once("(RunTime): ")
            && let Some(micros) = scan::whole(micros, rest.trim())
        {
            found.add(name.trim(), &LATENCY, MetricValue::alone(decimal::shift(micros, MICROS_TO_NANOS)))?;
        }
    }
    found.finish(EXPECTED, text)
}

fn micros(input: &mut &str) -> Scan<f64> {
    (number, " us.").map(|(micros, _)| micros).parse_next(input)
}

#[cfg(test)]
mod tests;
