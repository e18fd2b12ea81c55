//! One adapter per harness: the text it prints becomes [`Metrics`].
//!
//! Adapters are functions of the text alone. Which one to use, and which iterations to fold, is the run's setting.

mod criterion;
mod excerpt;
mod hyperfine;
mod json;
mod magic;
mod object;

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

/// The adapters that [`parse`] has; the languages' own values stand for [`Adapter::Magic`].
pub const BUILT: &[Adapter] = &[Adapter::Magic, Adapter::Json, Adapter::RustCriterion, Adapter::ShellHyperfine];

/// Why an output gave no metrics.
#[derive(Debug, thiserror::Error)]
pub enum AdapterError {
    #[error("the `{adapter}` adapter is not available on this server: use one of {}", names(BUILT))]
    NotBuilt { adapter: Adapter },
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
    #[error("no adapter understands the output, found {found} ({})", chains(attempts))]
    NoneMatched { found: String, attempts: Vec<AdapterError> },
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
    match adapter {
        Adapter::Magic => magic::parse(average, text),
        Adapter::Json => json::parse(text),
        Adapter::RustCriterion => criterion::parse(text),
        Adapter::ShellHyperfine => hyperfine::parse(average.unwrap_or(Average::Mean), text),
        adapter => Err(AdapterError::NotBuilt { adapter }),
    }
}

fn names(adapters: &[Adapter]) -> String {
    adapters.iter().map(|adapter| format!("`{adapter}`")).collect::<Vec<_>>().join(", ")
}

/// Each error with its sources: an error has one source at most, and here are several.
fn chains(errors: &[AdapterError]) -> String {
    let chain = |error| {
        let mut text = String::new();
        let mut next: Option<&dyn std::error::Error> = Some(error);
        while let Some(error) = next {
            text.push_str(if text.is_empty() { "" } else { ": " });
            text.push_str(&error.to_string());
            next = error.source();
        }
        text
    };
    errors.iter().map(|error| chain(error)).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests;
