//! The adapter for who did not choose one: the first harness that recognizes the output has it.

use bencher_types::wire::adapter::{Adapter, Average};

use super::{AdapterError, excerpt};
use crate::metrics::Metrics;

/// The adapters in the order they are tried, which the API fixes: JSON, then the languages by name, the harnesses of a language by
/// their number.
pub const ORDER: &[Adapter] = &[
    Adapter::Json,
    Adapter::CSharpDotNet,
    Adapter::CppGoogle,
    Adapter::CppCatch2,
    Adapter::DartBenchmarkHarness,
    Adapter::GoBench,
    Adapter::JavaJmh,
    Adapter::JsBenchmark,
    Adapter::JsTime,
    Adapter::JsVitest,
    Adapter::PythonAsv,
    Adapter::PythonPytest,
    Adapter::RubyBenchmark,
    Adapter::RustBench,
    Adapter::RustCriterion,
    Adapter::RustIai,
    Adapter::RustGungraunStdout,
    Adapter::RustGungraunJson,
    Adapter::ShellHyperfine,
];

pub(super) fn parse(average: Option<Average>, text: &str) -> Result<Metrics, AdapterError> {
    let mut attempts = Vec::with_capacity(ORDER.len());
    for &adapter in ORDER {
        match super::parse(adapter, average, text) {
            Ok(metrics) => return Ok(metrics),
            Err(error) => attempts.push(error),
        }
    }
    // An adapter that knew the format and stumbled over its content says more than that the others did not know it.
    match attempts.iter().position(|error| !matches!(error, AdapterError::Format { .. })) {
        Some(known) => Err(attempts.swap_remove(known)),
        None => Err(AdapterError::NoneMatched { found: excerpt::beginning(text), attempts }),
    }
}
