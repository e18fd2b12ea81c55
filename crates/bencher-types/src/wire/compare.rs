//! Two reports side by side: for each measure whether it got worse, how sure that is and what could have been missed.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::{
    dimension::{Benchmark, Branch, Measure, Testbed},
    project::Project,
};
use crate::{DateTime, Iterations, ReportUuid};

/// What two reports have in common, compared.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonReportComparison)]
pub struct ReportComparison {
    pub project: Project,
    pub old: ComparedReport,
    pub new: ComparedReport,
    /// Of the intervals; one less this is the largest adjusted p-value of a verdict.
    pub confidence: f64,
    /// The share of the old value within which a change does not matter.
    pub margin: f64,
    /// By benchmark, then by measure.
    pub results: Vec<Compared>,
    /// Measures that only the old report has.
    pub only_old: Vec<Uncompared>,
    /// Measures that only the new report has.
    pub only_new: Vec<Uncompared>,
}

/// One of the two reports.
#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonComparedReport)]
pub struct ComparedReport {
    pub uuid: ReportUuid,
    /// Those that are compared; absent where all of them are.
    pub iterations: Option<Iterations>,
    pub branch: Branch,
    pub testbed: Testbed,
    pub start_time: DateTime,
}

/// One benchmark's measure of both reports.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonCompared)]
pub struct Compared {
    pub benchmark: Benchmark,
    pub measure: Measure,
    #[serde(flatten)]
    pub comparison: Comparison,
}

/// One benchmark's measure of one report.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonUncompared)]
pub struct Uncompared {
    pub benchmark: Benchmark,
    pub measure: Measure,
}

/// Old and new measurements of the same, compared.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonComparison)]
pub struct Comparison {
    pub design: Design,
    pub better: Better,
    pub old: Summary,
    pub new: Summary,
    /// New of old, the geometric mean over pairs; absent where a measurement is not positive.
    pub ratio: Option<f64>,
    /// The bootstrap's interval of the ratio (BCa); absent where a side has fewer than two measurements.
    pub interval: Option<Interval>,
    /// How probable a ratio as far from 1 were if nothing had changed: sign-flip permutation of pairs, Mann–Whitney otherwise.
    pub p_value: Option<f64>,
    /// The same with all that is compared at once in mind (Benjamini–Hochberg): the share of false ones among what is at most this.
    pub adjusted_p_value: Option<f64>,
    /// The least change, as a share of the old value, that this many measurements with this spread would have shown in 80 of 100
    /// cases.
    pub detectable: Option<f64>,
    pub verdict: Verdict,
}

/// What was measured on one side.
#[skip_serializing_none]
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonComparisonSummary)]
pub struct Summary {
    pub count: usize,
    pub mean: Option<f64>,
    /// Of a sample (n − 1); zero where all are equal, absent of fewer than two.
    pub deviation: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonComparisonInterval)]
pub struct Interval {
    pub lower: f64,
    pub upper: f64,
}

/// Which way a measure gets better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// Times, sizes and counts of work.
    Lower,
    /// Throughput.
    Higher,
}

/// How what is compared belongs together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Design {
    /// The first old with the first new, and so on; both have as many, from the same places of what is compared.
    Paired,
    /// Two sets that were measured for themselves.
    Unpaired,
}

/// What can be said of one benchmark's measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Worse, surely, and by more than the margin.
    Regression,
    /// Better, surely, and by more than the margin.
    Improvement,
    /// Surely within the margin.
    Equivalent,
    /// Neither can be said with these measurements.
    Inconclusive,
}
