//! Jobs as the API shows them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use url::Url;

use super::{
    adapter::{Average, Fold},
    channel::IterationOutput,
    spec::Spec,
};
use crate::{DateTime, Digest, ImageRef, JobStatus, JobUuid, ProjectUuid, ReportUuid, RunnerUuid, Timeout};

#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonJob)]
pub struct Job {
    pub uuid: JobUuid,
    pub status: JobStatus,
    pub spec: Spec,
    pub config: Option<JobConfig>,
    pub runner: Option<RunnerUuid>,
    pub claimed: Option<DateTime>,
    pub started: Option<DateTime>,
    pub completed: Option<DateTime>,
    pub created: DateTime,
    pub modified: DateTime,
    pub output: Option<JobOutput>,
    /// The report the job's results go to.
    pub report: Option<ReportUuid>,
    /// How often the job was handed to a runner.
    pub attempt: Option<u32>,
    /// Why the job waits, failed, or could not be processed, for a person to read.
    pub message: Option<String>,
}

/// What a runner needs to know to run a job.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonJobConfig)]
pub struct JobConfig {
    /// Where the image is pulled from.
    pub registry: Url,
    /// Also the name of the repository the image is pulled from.
    pub project: ProjectUuid,
    pub digest: Digest,
    pub image: Option<ImageRef>,
    pub entrypoint: Option<Vec<String>>,
    pub cmd: Option<Vec<String>>,
    pub env: Option<BTreeMap<String, String>>,
    /// How long one iteration may take.
    pub timeout: Timeout,
    pub file_paths: Option<Vec<String>>,
    pub build_time: Option<bool>,
    pub file_size: Option<bool>,
    pub average: Option<Average>,
    /// How many times the benchmark runs; once when absent.
    pub iter: Option<u32>,
    /// How many times the benchmark runs before that, with results that do not count; none when absent.
    pub warmup_runs: Option<u32>,
    /// Whether all runs share one microVM. Without it, and when absent, each has its own.
    pub reuse_vm: Option<bool>,
    pub fold: Option<Fold>,
    pub allow_failure: Option<bool>,
    pub backdate: Option<DateTime>,
}

impl JobConfig {
    /// How many times the benchmark runs in all, those before the first that counts among them.
    #[must_use]
    pub fn runs(&self) -> u32 {
        self.iter.unwrap_or(1).max(1).saturating_add(self.warmup_runs.unwrap_or_default())
    }
}

/// What a job's runner delivered.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonJobOutput)]
pub struct JobOutput {
    pub results: Vec<IterationOutput>,
    /// What the warm-up runs printed and wrote: kept to be looked at, never measured.
    pub warmups: Option<Vec<IterationOutput>>,
    pub error: Option<String>,
}
