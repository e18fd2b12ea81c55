//! The end of a benchmark's name that says "track this one, but raise no alerts for it".

use bencher_types::BenchmarkName;

/// Whether a benchmark may raise alerts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Alerts {
    #[default]
    Raised,
    /// The metrics are stored and drawn as any others, and no alert comes of them.
    Suppressed,
}

/// One per naming style, so that the suffix fits the names of any language. The first is the shortest: with it a name
/// that carried any of them stays within its bound.
const SUFFIXES: [&str; 3] = ["BencherIgnore", "_bencher_ignore", "-bencher-ignore"];

/// The suffix to write where one is needed again.
pub(crate) const IGNORE_SUFFIX: &str = SUFFIXES[0];

/// The name a benchmark is stored under, and whether it may raise alerts.
///
/// The suffix is no part of the identity: a benchmark that is ignored for a while keeps its history. It is case-sensitive
/// and taken off once. A name that is nothing but the suffix keeps it, having no other.
#[must_use]
pub fn split_ignore_suffix(name: &BenchmarkName) -> (BenchmarkName, Alerts) {
    let Some(base) = SUFFIXES.iter().find_map(|suffix| name.as_str().strip_suffix(suffix)) else {
        return (name.clone(), Alerts::Raised);
    };
    let base = BenchmarkName::new(base).unwrap_or_else(|_| name.clone());
    (base, Alerts::Suppressed)
}

#[cfg(test)]
mod tests;
