//! The measures that come with the product, in one table: what a project's measure is called and its units when an
//! adapter, or the runner itself, first reports it.

pub(crate) mod valgrind;

/// A measure every project may have without defining it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltInMeasure {
    /// What people read.
    pub name: &'static str,
    /// What the metrics and URLs say.
    pub slug: &'static str,
    /// The units as people read them; values are in the one in parentheses.
    pub units: &'static str,
}

/// How long one run of a benchmark took.
pub const LATENCY: BuiltInMeasure = BuiltInMeasure { name: "Latency", slug: "latency", units: "nanoseconds (ns)" };
/// How much was done in a second.
pub const THROUGHPUT: BuiltInMeasure =
    BuiltInMeasure { name: "Throughput", slug: "throughput", units: "operations / second (ops/s)" };
/// How long the command took that was run with `build_time`.
pub const BUILD_TIME: BuiltInMeasure = BuiltInMeasure { name: "Build Time", slug: "build-time", units: "seconds (s)" };
/// How big the files are that were named with `file_size`.
pub const FILE_SIZE: BuiltInMeasure = BuiltInMeasure { name: "File Size", slug: "file-size", units: "bytes (B)" };

/// What a .NET benchmark allocated, per operation.
pub const ALLOCATED: BuiltInMeasure = BuiltInMeasure { name: "Allocated", slug: "allocated", units: "bytes (B)" };
/// How often the .NET runtime collected its first generation, over all operations.
pub const GEN0_COLLECTS: BuiltInMeasure = BuiltInMeasure { name: "Gen0 Collects", slug: "gen0-collects", units: "collections" };
/// The same of the second generation.
pub const GEN1_COLLECTS: BuiltInMeasure = BuiltInMeasure { name: "Gen1 Collects", slug: "gen1-collects", units: "collections" };
/// The same of the third generation.
pub const GEN2_COLLECTS: BuiltInMeasure = BuiltInMeasure { name: "Gen2 Collects", slug: "gen2-collects", units: "collections" };
/// Over how many operations the collections were counted.
pub const TOTAL_OPERATIONS: BuiltInMeasure =
    BuiltInMeasure { name: "Total Operations", slug: "total-operations", units: "operations" };

/// Those that no table of a tool has. The last five are what `bencher noise` says of a machine.
const PLAIN: &[BuiltInMeasure] = &[
    LATENCY,
    THROUGHPUT,
    BUILD_TIME,
    FILE_SIZE,
    ALLOCATED,
    GEN0_COLLECTS,
    GEN1_COLLECTS,
    GEN2_COLLECTS,
    TOTAL_OPERATIONS,
    BuiltInMeasure { name: "Compute Jitter", slug: "compute-jitter", units: "percent (%)" },
    BuiltInMeasure { name: "Cache Jitter", slug: "cache-jitter", units: "percent (%)" },
    BuiltInMeasure { name: "IO Jitter", slug: "io-jitter", units: "percent (%)" },
    BuiltInMeasure { name: "CPU Steal", slug: "cpu-steal", units: "percent (%)" },
    BuiltInMeasure { name: "Noise Score", slug: "noise-score", units: "score" },
];

/// Every built-in measure, those that two tools share more than once.
pub fn all() -> impl Iterator<Item = &'static BuiltInMeasure> {
    use valgrind::{CACHES, DRD, HEAP, HELGRIND, IAI, MEMCHECK};
    let counts = [IAI, CACHES, HEAP, MEMCHECK, HELGRIND, DRD].into_iter().flatten();
    PLAIN.iter().chain(counts.map(|count| &count.measure))
}

/// The built-in measure of this slug or name.
#[must_use]
pub fn built_in(slug_or_name: &str) -> Option<&'static BuiltInMeasure> {
    all().find(|measure| measure.slug == slug_or_name || measure.name == slug_or_name)
}

#[cfg(test)]
mod tests;
