//! How much one harness output may hold. The text comes from a benchmark, so from anybody.

/// The longest output an adapter reads, in bytes. JSON exports with every raw sample reach tens of megabytes; more than
/// this is a log, not a result.
pub const MAX_OUTPUT_BYTES: usize = 64 * 1024 * 1024;

/// The most metrics (benchmarks times their measures) of one output. Each becomes a row and is checked against its
/// thresholds, and no suite known to us has a tenth of it.
pub const MAX_METRICS: usize = 65_536;

/// The longest piece of an output that an error repeats, in characters. Enough to recognize the line by.
pub(crate) const MAX_EXCERPT_CHARS: usize = 120;
