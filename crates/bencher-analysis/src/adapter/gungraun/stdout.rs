//! Gungraun's text.
//!
//! ```text
//! sort::group::quick short:(10)
//!   ======= CALLGRIND =======================================================
//!   Instructions:                        1839|1839                 (No change)
//! ```
//!
//! A value stands before that of the run it is compared with. Without a line that names a tool, Callgrind alone ran. Where a
//! benchmark had several processes or threads (`## pid: …`), their total counts. Comparisons of two benchmarks are passed over.

use std::collections::BTreeSet;

use bencher_types::wire::adapter::Adapter;
use winnow::{Parser, token::rest};

use super::{NAME_HINT, counts_of};
use crate::{
    adapter::{
        AdapterError,
        gather::Gather,
        scan::{self, Scan, as_displayed, number},
    },
    measure::valgrind::{CACHES, Count},
    metrics::{MetricValue, Metrics},
};

const EXPECTED: &str = "a benchmark's name and below it lines such as `  Instructions:  1839|1839  (No change)`";

/// What the counts that follow are of.
#[derive(Clone, Copy)]
enum Of {
    /// The benchmark, under a tool.
    Whole(&'static [Count]),
    /// One of its processes or threads.
    Part(&'static [Count]),
    /// Something else: a comparison, or a tool without counts.
    Nothing,
}

pub(in crate::adapter) fn parse(text: &str) -> Result<Metrics, AdapterError> {
    let mut found = Gather::new(Adapter::RustGungraunStdout, NAME_HINT);
    let mut name = String::new();
    let mut of = Of::Nothing;
    // What this benchmark has already, from a tool before.
    let mut taken = BTreeSet::new();
    for line in text.lines() {
        let line = as_displayed(line);
        let Some(inner) = line.strip_prefix("  ") else {
            if !line.trim().is_empty() {
                line.trim().clone_into(&mut name);
                of = Of::Whole(CACHES);
                taken.clear();
            }
            continue;
        };
        if let Some(next) = heading(inner, of) {
            of = next;
        } else if let Of::Whole(counts) = of
            && let Some((count, value)) = count_line(counts, inner)
            && taken.insert(count.measure.slug)
        {
            found.add(&name, &count.measure, MetricValue::alone(value))?;
        }
    }
    found.finish(EXPECTED, text)
}

/// What a line within a benchmark says of those that follow, if it does.
fn heading(line: &str, of: Of) -> Option<Of> {
    if let Some(rest) = line.strip_prefix("======= ") {
        let tool = rest.split(' ').next().unwrap_or_default();
        return Some(counts_of(tool).map_or(Of::Nothing, Of::Whole));
    }
    if line.starts_with("Comparison with ") {
        return Some(Of::Nothing);
    }
    let segment = line.strip_prefix("## ")?;
    Some(match of {
        Of::Whole(counts) | Of::Part(counts) if segment.trim() == "Total" => Of::Whole(counts),
        Of::Whole(counts) | Of::Part(counts) => Of::Part(counts),
        Of::Nothing => Of::Nothing,
    })
}

fn count_line(counts: &'static [Count], line: &str) -> Option<(&'static Count, f64)> {
    let (label, value) = line.split_once(':')?;
    let count = counts.iter().find(|count| count.label == label)?;
    Some((count, scan::whole(new_value, value.trim())?))
}

/// The value of this run. Behind the bar are the value it is compared with and how far it is from that.
fn new_value(input: &mut &str) -> Scan<f64> {
    (number, "|", rest).map(|(value, ..)| value).parse_next(input)
}

#[cfg(test)]
mod tests;
