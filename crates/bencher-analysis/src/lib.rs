//! Harness output text in, metrics out; metrics and their history in, limits out: pure functions.
//!
//! Knows no I/O, no clock, no storage and no project: which branch, testbed or threshold a metric belongs to is decided
//! by the caller. The text is foreign input; nothing in here may panic on it or keep more than a short excerpt of it.

pub mod adapter;
pub mod change_point;
pub mod compare;
mod decimal;
mod fold;
pub mod history;
pub mod limits;
pub mod measure;
mod metrics;
mod statistics;
mod suffix;
pub mod threshold;

pub use adapter::{AdapterError, parse};
pub use fold::fold;
pub use metrics::{BenchmarkMetrics, InvalidMetric, MetricValue, Metrics};
pub use suffix::{Alerts, split_ignore_suffix};
