//! `mock`: made-up results. Pure but for the seed.

use std::collections::BTreeMap;

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};

use crate::{cli::tools::Mock, error::CliError, exit::Exit, output::Out};

/// How far a value may lie from its power of ten, as a factor up and down.
const SPREAD: f64 = 0.1;

pub(super) fn mock(out: Out, args: &Mock) -> Result<Exit, CliError> {
    let mut random = args.seed.map_or_else(StdRng::from_os_rng, StdRng::seed_from_u64);
    if args.fail || (args.flaky && random.random()) {
        out.talk("error: this mock was asked to fail");
        return Ok(Exit::Failed);
    }
    out.json(&results(args, &mut random))?;
    Ok(Exit::Ok)
}

fn results(args: &Mock, random: &mut StdRng) -> Value {
    let about = 10_f64.powi(args.pow);
    let benchmarks: BTreeMap<String, Value> = (0..args.count)
        .map(|number| {
            let measures: BTreeMap<&str, Value> = args
                .measure
                .iter()
                .map(|measure| {
                    let value = about * random.random_range(1.0 - SPREAD..1.0 + SPREAD);
                    let off = value * random.random_range(0.0..SPREAD);
                    (measure.as_str(), json!({ "value": value, "lower_value": value - off, "upper_value": value + off }))
                })
                .collect();
            (format!("bencher::mock_{number}"), json!(measures))
        })
        .collect();
    json!(benchmarks)
}

#[cfg(test)]
mod tests;
