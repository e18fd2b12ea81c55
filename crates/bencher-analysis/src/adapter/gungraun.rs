//! Gungraun (once Iai-Callgrind): what Valgrind's tools counted, one value per count and benchmark. It prints text, or JSON with
//! `--output-format=json`.
//!
//! Callgrind and Cachegrind count much the same: where a benchmark ran under both, the first has what both have.

mod json;
mod stdout;

pub(super) use json::parse as parse_json;
pub(super) use stdout::parse as parse_stdout;

use super::AdapterError;
use crate::{
    measure::valgrind::{CACHES, Count, DRD, HEAP, HELGRIND, MEMCHECK},
    metrics::Metrics,
};

const NAME_HINT: &str = "the name is the benchmark's module, function, id and arguments";

/// Whichever of the two the text is. Where it is neither, it is told what it begins like.
pub(super) fn parse(text: &str) -> Result<Metrics, AdapterError> {
    type Parse = fn(&str) -> Result<Metrics, AdapterError>;
    let formats: [Parse; 2] =
        if text.trim_start().starts_with('{') { [parse_json, parse_stdout] } else { [parse_stdout, parse_json] };
    let [likely, other] = formats;
    match likely(text) {
        Err(unlike @ AdapterError::Format { .. }) => other(text).map_err(|error| match error {
            AdapterError::Format { .. } => unlike,
            // It was that format, then, and this is wrong with it.
            refused => refused,
        }),
        result => result,
    }
}

/// What a tool counts, by its name in any case. Tools that have no counts of their own have none here.
fn counts_of(tool: &str) -> Option<&'static [Count]> {
    let tools = [
        ("callgrind", CACHES),
        ("cachegrind", CACHES),
        ("dhat", HEAP),
        ("memcheck", MEMCHECK),
        ("helgrind", HELGRIND),
        ("drd", DRD),
    ];
    tools.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(tool)).map(|(_, counts)| counts)
}
