//! The adapter for who did not choose one: the first harness that recognizes the output has it.

use bencher_types::wire::adapter::Average;

use super::{AdapterError, criterion, excerpt, hyperfine, json};
use crate::metrics::Metrics;

/// Tries the adapters in the order the API fixes: JSON, then the languages by name (so Rust before shell).
pub(super) fn parse(average: Option<Average>, text: &str) -> Result<Metrics, AdapterError> {
    let adapters: [&dyn Fn() -> Result<Metrics, AdapterError>; 3] =
        [&|| json::parse(text), &|| criterion::parse(text), &|| hyperfine::parse(average.unwrap_or(Average::Mean), text)];
    let mut attempts = Vec::with_capacity(adapters.len());
    for adapter in adapters {
        match adapter() {
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
