//! Is a report as the demo's benchmark must produce it? Pure: JSON in, complaint out.

use anyhow::{Result, bail, ensure};
use serde_json::Value;

/// Checks that every benchmark is there, once, with a positive latency. What is there beyond that is no mistake.
pub(crate) fn check(report: &Value, benchmarks: &[&str]) -> Result<()> {
    let Some([results]) = report["results"].as_array().map(Vec::as_slice) else {
        bail!("the report has not one iteration: {}", report["results"]);
    };
    for name in benchmarks {
        let of_name = |result: &&Value| result["benchmark"]["name"] == *name;
        let found: Vec<&Value> = results.as_array().into_iter().flatten().filter(of_name).collect();
        let [result] = found.as_slice() else {
            bail!("the report has {} results of `{name}`: expected one", found.len());
        };
        let latency = latency(result);
        ensure!(latency.is_some_and(|latency| latency > 0.0), "`{name}` has no positive latency: {result}");
    }
    Ok(())
}

fn latency(result: &Value) -> Option<f64> {
    let mut measures = result["measures"].as_array()?.iter();
    measures.find(|measure| measure["measure"]["slug"] == "latency")?["metric"]["value"].as_f64()
}

#[cfg(test)]
mod tests;
