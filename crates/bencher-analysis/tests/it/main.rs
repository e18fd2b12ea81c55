//! The adapters on what real tools printed (`tests/fixtures`).

use std::{fmt::Write, path::PathBuf};

use bencher_analysis::{AdapterError, Metrics, adapter::to_bmf, parse};
use bencher_types::wire::adapter::{Adapter, Average};

mod corpus;
mod criterion;
mod harnesses;
mod history;
mod hyperfine;
mod otava;
mod scipy;

fn fixture(path: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What an adapter finds in a fixture, one line per value. Magic must find the same, and the metrics must survive BMF.
fn table(adapter: Adapter, average: Option<Average>, path: &str) -> String {
    let text = fixture(path);
    let metrics = parse(adapter, average, &text).unwrap_or_else(|error| panic!("{path}: {error:?}"));
    assert_eq!(parse(Adapter::Magic, average, &text).expect("magic"), metrics, "{path}");
    assert_eq!(parse(Adapter::Json, None, &to_bmf(&metrics)).expect("our own BMF"), metrics, "{path}");
    lines(&metrics)
}

fn lines(metrics: &Metrics) -> String {
    let mut lines = String::new();
    for (name, benchmark) in metrics.iter() {
        for (measure, value) in &benchmark.measures {
            let bound = |bound: Option<f64>| bound.map_or("none".to_owned(), |bound| bound.to_string());
            let (lower, upper) = (bound(value.lower_value), bound(value.upper_value));
            writeln!(lines, "{name} | {measure} | {} | {lower} | {upper}", value.value).expect("writing to a string");
        }
    }
    lines
}

fn refusal(adapter: Adapter, path: &str) -> AdapterError {
    parse(adapter, None, &fixture(path)).expect_err("a refusal")
}
