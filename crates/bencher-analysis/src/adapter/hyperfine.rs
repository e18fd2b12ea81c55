//! hyperfine's `--export-json`, versions 1 and 2: one latency per command, its wall-clock time.
//!
//! Every number is one that hyperfine itself shows for the command, in nanoseconds instead of seconds:
//! with the mean, `mean ± σ`; with the median, the median and its range from the fastest to the slowest run. The raw times
//! are in the export too, but only the tool's own statistics can be compared with what people saw in their terminal.
//! The standard deviation of very short commands can exceed their mean; the lower value then ends at zero. A single run has no
//! deviation, so its mean stands alone.

use bencher_types::wire::adapter::{Adapter, Average};
use serde::Deserialize;

use super::{
    AdapterError,
    gather::Gather,
    object::{List, Object, read},
};
use crate::{
    decimal,
    measure::LATENCY,
    metrics::{MetricValue, Metrics},
};

const ADAPTER: Adapter = Adapter::ShellHyperfine;
const EXPECTED: &str = "the JSON that `hyperfine --export-json` writes";
/// From the seconds of the export to nanoseconds, as a power of ten.
const SECONDS_TO_NANOS: i32 = 9;

#[derive(Deserialize)]
struct Schema {
    /// Absent before hyperfine 2.0.
    schema_version: Option<u32>,
}

#[derive(Deserialize)]
struct Export<R> {
    results: List<Object<R>>,
}

/// All runs of one command, as hyperfine 1 writes them.
#[derive(Deserialize)]
struct Run1 {
    /// The command, or what `--command-name` calls it.
    command: String,
    mean: f64,
    stddev: Option<f64>,
    median: f64,
    min: f64,
    max: f64,
}

/// All runs of one command, as hyperfine 2 writes them: it measures more than the time.
#[derive(Deserialize)]
struct Run2 {
    command: String,
    /// What `--command-name` calls it.
    name: Option<String>,
    summary: Object<Summary>,
}

#[derive(Deserialize)]
struct Summary {
    /// There whichever metrics were asked for, and always in seconds.
    time_wall_clock: Object<Statistics>,
}

/// Times in seconds.
#[derive(Deserialize)]
struct Statistics {
    mean: f64,
    /// Null for a single run.
    stddev: Option<f64>,
    median: f64,
    min: f64,
    max: f64,
}

/// All runs of one command, whichever version wrote them.
struct Run {
    name: String,
    wall_clock: Statistics,
}

impl From<Run1> for Run {
    fn from(Run1 { command, mean, stddev, median, min, max }: Run1) -> Self {
        Self { name: command, wall_clock: Statistics { mean, stddev, median, min, max } }
    }
}

impl From<Run2> for Run {
    fn from(Run2 { command, name, summary: Object(Summary { time_wall_clock: Object(wall_clock) }) }: Run2) -> Self {
        Self { name: name.unwrap_or(command), wall_clock }
    }
}

pub(super) fn parse(average: Average, text: &str) -> Result<Metrics, AdapterError> {
    let Object(Schema { schema_version }) = read(ADAPTER, EXPECTED, text)?;
    let runs = match schema_version {
        None => runs::<Run1>(text)?,
        Some(2) => runs::<Run2>(text)?,
        Some(other) => return Err(format(format!("schema version {other} where 2 is the newest known"))),
    };
    if runs.is_empty() {
        return Err(format("an export without results".to_owned()));
    }
    let mut found = Gather::new(ADAPTER, "give the command a short name with `--command-name`");
    for Run { name, wall_clock } in runs {
        found.add(&name, &LATENCY, latency(average, &wall_clock))?;
    }
    found.finish(EXPECTED, text)
}

fn runs<'de, R: Deserialize<'de> + Into<Run>>(text: &'de str) -> Result<Vec<Run>, AdapterError> {
    let Object(Export { results: List(results) }) = read::<Object<Export<R>>>(ADAPTER, EXPECTED, text)?;
    Ok(results.into_iter().map(|Object(run)| run.into()).collect())
}

fn format(found: String) -> AdapterError {
    AdapterError::Format { adapter: ADAPTER, expected: EXPECTED, found, source: None }
}

fn latency(average: Average, wall_clock: &Statistics) -> MetricValue {
    let nanos = |seconds| decimal::shift(seconds, SECONDS_TO_NANOS);
    match average {
        Average::Mean => match wall_clock.stddev {
            Some(deviation) => MetricValue::around(nanos(wall_clock.mean), nanos(deviation)),
            None => MetricValue::alone(nanos(wall_clock.mean)),
        },
        Average::Median => MetricValue {
            value: nanos(wall_clock.median),
            lower_value: Some(nanos(wall_clock.min)),
            upper_value: Some(nanos(wall_clock.max)),
        },
    }
}

#[cfg(test)]
mod tests;
