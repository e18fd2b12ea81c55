//! Body of `POST /v0/run`: results that were measured already, or a job that is to measure them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::{
    adapter::{Adapter, Average, Fold},
    threshold::Model,
};
use crate::{DateTime, GitHash, ImageRef, Label, NameId, ReportIdempotencyKey, ResourceId, Timeout};

/// The most `entrypoint` or `cmd` arguments of a job.
pub const MAX_ARGS: usize = 64;
/// The most environment variables of a job.
pub const MAX_ENV: usize = 255;
/// The most files a job may be asked for.
pub const MAX_FILE_PATHS: usize = 255;
/// The most labels that a job may require, and that a runner may have.
pub const MAX_LABELS: usize = 32;
/// How often a job may be tried again by itself.
pub const MAX_RETRIES: u32 = 5;

#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonNewRun)]
pub struct NewRun {
    pub project: Option<ResourceId>,
    pub idempotency_key: Option<ReportIdempotencyKey>,
    pub branch: Option<NameId>,
    pub hash: Option<GitHash>,
    pub start_point: Option<UpdateStartPoint>,
    pub testbed: Option<NameId>,
    pub spec_reset: Option<bool>,
    pub thresholds: Option<ReportThresholds>,
    pub start_time: DateTime,
    pub end_time: DateTime,
    /// Harness output, one text per iteration or file.
    #[serde(default)]
    pub results: Vec<String>,
    pub settings: Option<ReportSettings>,
    pub context: Option<BTreeMap<String, String>>,
    pub job: Option<NewRunJob>,
}

/// Body of `POST /v0/projects/{project}/reports`: results that were measured already.
#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonNewReport)]
pub struct NewReport {
    pub idempotency_key: Option<ReportIdempotencyKey>,
    pub branch: NameId,
    pub hash: Option<GitHash>,
    pub start_point: Option<UpdateStartPoint>,
    pub testbed: NameId,
    pub thresholds: Option<ReportThresholds>,
    pub start_time: DateTime,
    pub end_time: DateTime,
    /// Harness output, one text per iteration or file.
    pub results: Vec<String>,
    pub settings: Option<ReportSettings>,
}

/// Where a new branch, or a branch that is reset, takes its history from.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonUpdateStartPoint)]
pub struct UpdateStartPoint {
    pub branch: Option<NameId>,
    pub hash: Option<GitHash>,
    pub max_versions: Option<u32>,
    pub clone_thresholds: Option<bool>,
    pub reset: Option<bool>,
}

/// The thresholds a run's results are to be checked against, by measure.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonReportThresholds)]
pub struct ReportThresholds {
    pub models: Option<BTreeMap<String, Model>>,
    pub reset: Option<bool>,
}

#[skip_serializing_none]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonReportSettings)]
pub struct ReportSettings {
    pub adapter: Option<Adapter>,
    pub average: Option<Average>,
    pub fold: Option<Fold>,
}

/// A job that is to measure the results.
#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonNewRunJob)]
pub struct NewRunJob {
    pub image: ImageRef,
    pub spec: Option<ResourceId>,
    #[schema(max_items = 64)]
    pub entrypoint: Option<Vec<String>>,
    #[schema(max_items = 64)]
    pub cmd: Option<Vec<String>>,
    pub env: Option<BTreeMap<String, String>>,
    /// How long one iteration may take.
    pub timeout: Option<Timeout>,
    #[schema(max_items = 255)]
    pub file_paths: Option<Vec<String>>,
    pub build_time: Option<bool>,
    pub file_size: Option<bool>,
    /// How many times the benchmark runs; once when absent.
    pub iter: Option<u32>,
    /// How many times the benchmark runs before that, with results that do not count; none when absent.
    pub warmup_runs: Option<u32>,
    /// Whether all runs share one microVM. Without it, and when absent, each has its own.
    pub reuse_vm: Option<bool>,
    /// Whether what the benchmark prints can be read while it runs, which disturbs what is measured; not when absent. Ours.
    pub live: Option<bool>,
    pub allow_failure: Option<bool>,
    pub backdate: Option<DateTime>,
    /// How often the job is tried again where its runner, and not the benchmark, fails; never when absent. Ours.
    #[schema(maximum = 5)]
    pub retries: Option<u32>,
    /// What a runner must have to get the job, beside the spec. Ours.
    #[schema(max_items = 32)]
    pub required_labels: Option<Vec<Label>>,
}
