//! One adapter per harness: the text it prints becomes [`Metrics`].
//!
//! Adapters are functions of the text alone. Which one to use, and which iterations to fold, is the run's setting.

mod asv;
mod benchmark_js;
mod catch2;
mod console_time;
mod criterion;
mod dart;
mod dot_net;
mod excerpt;
mod gather;
mod go;
mod google;
mod gungraun;
mod hyperfine;
mod iai;
mod jmh;
mod json;
mod libtest;
mod magic;
mod object;
mod pytest;
mod repeats;
mod ruby;
mod scan;
#[cfg(test)]
mod testing;
mod vitest;

use bencher_types::{
    InvalidName,
    wire::adapter::{Adapter, Average},
};

use crate::{
    limits::MAX_OUTPUT_BYTES,
    metrics::{InvalidMetric, Metrics},
};

pub use excerpt::InvalidJson;
pub use json::to_bmf;
pub use magic::ORDER;

/// Why an output gave no metrics.
#[derive(Debug, thiserror::Error)]
pub enum AdapterError {
    #[error(
        "the `{adapter}` adapter reads at most {MAX_OUTPUT_BYTES} bytes of output, found {found}: name the results file, not the log"
    )]
    TooLarge { adapter: Adapter, found: usize },
    #[error("the `{adapter}` adapter expected {expected}, found {found}")]
    Format {
        adapter: Adapter,
        expected: &'static str,
        /// A short excerpt of the output, or what is missing.
        found: String,
        #[source]
        source: Option<InvalidJson>,
    },
    #[error("the `{adapter}` adapter found a name that cannot be taken: {hint}")]
    Name {
        adapter: Adapter,
        hint: &'static str,
        #[source]
        source: InvalidName,
    },
    #[error("the `{adapter}` adapter found a metric that cannot be taken")]
    Metric {
        adapter: Adapter,
        #[source]
        source: InvalidMetric,
    },
    #[error("the `{adapter}` adapter knows the time units {expected}, found {unit} for benchmark `{benchmark}`")]
    Unit { adapter: Adapter, expected: &'static str, unit: String, benchmark: String },
    #[error(
        "no adapter understands the output, found {found}: name the harness's own adapter to be told what it expects, one of {}",
        names(attempts)
    )]
    NoneMatched {
        found: String,
        /// What each of them said, in the order they were tried.
        attempts: Vec<AdapterError>,
    },
}

/// The adapter that a value of the wire stands for: a language is whatever harness its output turns out to be from.
#[must_use]
pub const fn normalize(adapter: Adapter) -> Adapter {
    match adapter {
        Adapter::Magic
        | Adapter::Rust
        | Adapter::Cpp
        | Adapter::Go
        | Adapter::Java
        | Adapter::CSharp
        | Adapter::Js
        | Adapter::Python
        | Adapter::Ruby
        | Adapter::Shell
        | Adapter::Dart => Adapter::Magic,
        harness => harness,
    }
}

/// The metrics in what a harness printed.
///
/// `average` chooses between the averages that a harness reports; without it, the mean. Harnesses that report one
/// estimate only are not affected. An empty result is an error, except for a BMF object without any benchmark, which says
/// explicitly that there is nothing.
///
/// # Errors
/// The adapter is not built, or the text is not what the harness prints, or holds what cannot be stored.
pub fn parse(adapter: Adapter, average: Option<Average>, text: &str) -> Result<Metrics, AdapterError> {
    let adapter = normalize(adapter);
    if text.len() > MAX_OUTPUT_BYTES {
        return Err(AdapterError::TooLarge { adapter, found: text.len() });
    }
    let average_or_mean = average.unwrap_or(Average::Mean);
    match adapter {
        Adapter::Json => json::parse(text),
        Adapter::RustBench => libtest::parse(text),
        Adapter::RustCriterion => criterion::parse(text),
        Adapter::RustIai => iai::parse(text),
        Adapter::RustGungraun => gungraun::parse(text),
        Adapter::RustGungraunStdout => gungraun::parse_stdout(text),
        Adapter::RustGungraunJson => gungraun::parse_json(text),
        Adapter::CppGoogle => google::parse(average_or_mean, text),
        Adapter::CppCatch2 => catch2::parse(text),
        Adapter::GoBench => go::parse(average_or_mean, text),
        Adapter::JavaJmh => jmh::parse(text),
        Adapter::CSharpDotNet => dot_net::parse(average_or_mean, text),
        Adapter::JsBenchmark => benchmark_js::parse(text),
        Adapter::JsTime => console_time::parse(text),
        Adapter::JsVitest => vitest::parse(average_or_mean, text),
        Adapter::PythonAsv => asv::parse(text),
        Adapter::PythonPytest => pytest::parse(average_or_mean, text),
        Adapter::RubyBenchmark => ruby::parse(text),
        Adapter::ShellHyperfine => hyperfine::parse(average_or_mean, text),
        Adapter::DartBenchmarkHarness => dart::parse(text),
        // The languages stand for magic, see `normalize`.
        Adapter::Magic
        | Adapter::Rust
        | Adapter::Cpp
        | Adapter::Go
        | Adapter::Java
        | Adapter::CSharp
        | Adapter::Js
        | Adapter::Python
        | Adapter::Ruby
        | Adapter::Shell
        | Adapter::Dart => magic::parse(average, text),
    }
}

impl AdapterError {
    /// The adapter that says so.
    #[must_use]
    pub const fn adapter(&self) -> Adapter {
        match self {
            Self::TooLarge { adapter, .. }
            | Self::Format { adapter, .. }
            | Self::Name { adapter, .. }
            | Self::Metric { adapter, .. }
            | Self::Unit { adapter, .. } => *adapter,
            Self::NoneMatched { .. } => Adapter::Magic,
        }
    }
}

fn names(attempts: &[AdapterError]) -> String {
    attempts.iter().map(|error| format!("`{}`", error.adapter())).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
