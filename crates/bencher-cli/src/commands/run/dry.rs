//! `--dry-run`: what would be sent, and what the server is going to understand of it.

use bencher_analysis::{MetricValue, Metrics, measure::built_in};
use bencher_types::wire::run::NewRun;

use super::RunError;
use crate::{
    cli::Format,
    error::CliError,
    output::{
        Out,
        table::{Cell, table},
        units::{Unit, digits},
    },
};

/// Prints the metrics of a local run to people, and the request to machines and where there are no results yet.
pub(super) fn show(out: Out, body: &NewRun) -> Result<(), CliError> {
    if out.format == Format::Json || body.job.is_some() {
        return out.json(&serde_json::to_value(body).unwrap_or_default());
    }
    let settings = body.settings.unwrap_or_default();
    let read = |text: &String| bencher_analysis::parse(settings.adapter.unwrap_or_default(), settings.average, text);
    let mut iterations = body
        .results
        .iter()
        .map(read)
        .collect::<Result<Vec<Metrics>, _>>()
        .map_err(|source| RunError::NotUnderstood { source })?;
    if let Some(fold) = settings.fold {
        iterations = vec![bencher_analysis::fold(fold, &iterations)];
    }
    for (index, metrics) in iterations.iter().enumerate() {
        if iterations.len() > 1 {
            out.data(&format!("iteration {index}\n"))?;
        }
        out.data(&metrics_table(out, metrics))?;
    }
    Ok(())
}

fn metrics_table(out: Out, metrics: &Metrics) -> String {
    let rows = metrics.iter().flat_map(|(benchmark, found)| {
        found.measures.iter().map(move |(measure, value)| {
            let text = |number| match built_in(measure.as_str()) {
                Some(known) => Unit::new(known.units).format(number),
                None => digits(number),
            };
            let MetricValue { value, lower_value, upper_value } = *value;
            vec![
                Cell::new(benchmark),
                Cell::new(measure),
                Cell::new(text(value)),
                Cell::maybe(lower_value.map(text)),
                Cell::maybe(upper_value.map(text)),
            ]
        })
    });
    table(out, &["BENCHMARK", "MEASURE", "VALUE", "LOWER", "UPPER"].map(str::to_owned), rows)
}
