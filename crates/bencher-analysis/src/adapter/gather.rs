//! What the adapters of one harness share: values are taken one by one, and what is refused is told in the harness's name.

use bencher_types::{BenchmarkName, ResourceName, wire::adapter::Adapter};

use super::{AdapterError, excerpt};
use crate::{
    measure::BuiltInMeasure,
    metrics::{MetricValue, Metrics},
};

/// The metrics that an adapter has found so far.
pub(super) struct Gather {
    adapter: Adapter,
    /// Where the harness has its names from, for who must change one.
    name_hint: &'static str,
    metrics: Metrics,
}

impl Gather {
    pub(super) fn new(adapter: Adapter, name_hint: &'static str) -> Self {
        Self { adapter, name_hint, metrics: Metrics::default() }
    }

    /// Takes a value under the benchmark's name as the harness printed it.
    pub(super) fn add(&mut self, name: &str, measure: &BuiltInMeasure, value: MetricValue) -> Result<(), AdapterError> {
        let name = BenchmarkName::new(name).map_err(|source| AdapterError::Name {
            adapter: self.adapter,
            hint: self.name_hint,
            source,
        })?;
        let measure = ResourceName::new(measure.slug).expect("the slug of a built-in measure is a name");
        self.metrics.insert(&name, measure, value).map_err(|source| AdapterError::Metric { adapter: self.adapter, source })
    }

    /// Everything that was taken. Nothing at all is not what the harness prints.
    pub(super) fn finish(self, expected: &'static str, text: &str) -> Result<Metrics, AdapterError> {
        if self.metrics.is_empty() {
            let found = excerpt::beginning(text);
            return Err(AdapterError::Format { adapter: self.adapter, expected, found, source: None });
        }
        Ok(self.metrics)
    }
}

/// The error for a unit of time that the adapter does not know.
pub(super) fn unknown_unit(adapter: Adapter, expected: &'static str, unit: &str, benchmark: &str) -> AdapterError {
    AdapterError::Unit { adapter, expected, unit: excerpt::beginning(unit), benchmark: excerpt::cut(benchmark) }
}
