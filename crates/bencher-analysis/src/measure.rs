//! The measures that come with the product, in one table: what a project's measure is called and its units when an
//! adapter, or the runner itself, first reports it.

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

/// Every built-in measure.
pub const BUILT_IN: &[BuiltInMeasure] = &[LATENCY, THROUGHPUT, BUILD_TIME, FILE_SIZE];

/// The built-in measure of this slug or name.
#[must_use]
pub fn built_in(slug_or_name: &str) -> Option<&'static BuiltInMeasure> {
    BUILT_IN.iter().find(|measure| measure.slug == slug_or_name || measure.name == slug_or_name)
}

#[cfg(test)]
mod tests;
