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
use crate::{DateTime, Digest, ImageRef, JobFailure, JobStatus, JobUuid, Label, ProjectUuid, ReportUuid, RunnerUuid, Timeout};

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
    /// Whose business it is that the job has no results.
    pub failure: Option<JobFailure>,
    /// What can be done about it.
    pub what_to_do: Option<String>,
    /// How often the job is still tried again by itself, where its runner fails.
    pub retries: Option<u32>,
    /// What a runner must have to get the job.
    pub required_labels: Option<Vec<Label>>,
    /// Whether what it prints can be read while it runs. Only where one job is looked at.
    pub live: Option<bool>,
    /// Where a pending job stands. Only where one job is looked at.
    pub queue: Option<Queued>,
    /// Every time that the job was handed to a runner, the first first. Only where one job is looked at.
    pub attempts: Option<Vec<JobAttempt>>,
}

/// One time that a job was handed to a runner.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonJobAttempt)]
pub struct JobAttempt {
    /// From 1.
    pub attempt: u32,
    pub runner: RunnerUuid,
    pub claimed: DateTime,
    /// Absent while it is under way.
    pub ended: Option<DateTime>,
    /// The status it gave the job, `released` where the runner never received it, `superseded` where a later one was under way.
    pub outcome: Option<String>,
    pub failure: Option<JobFailure>,
    pub message: Option<String>,
}

/// Where a job stands that waits for a runner.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonJobQueue)]
pub struct Queued {
    /// How many jobs of the spec come before it, and itself, if no other job comes; absent where it is far behind.
    pub position: Option<u32>,
    /// How many jobs of the spec wait.
    pub waiting: u32,
    pub reason: WaitReason,
}

/// What a job waits for. The job's message says the same in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WaitReason {
    /// No runner serves the spec.
    NoRunner,
    /// No runner of the spec has the labels that the job requires.
    Labels,
    /// The runners that could are for other organizations.
    Scope,
    /// The runners that could are drained, locked or quarantined.
    Closed,
    /// The runners that could are not connected.
    Offline,
    /// As many jobs of the organization run as its tier allows.
    OrganizationLimit,
    /// As many jobs of the project run as its owner allows.
    ProjectLimit,
    /// Another job from the same address is under way.
    SourceLimit,
    /// The runners that could are at work on other jobs.
    Busy,
    /// A runner is about to take it.
    Next,
}

/// What a job requires of its runner, as it is stored and compared: sorted, each once.
#[must_use]
pub fn sorted_labels(labels: &[Label]) -> Vec<Label> {
    let sorted: std::collections::BTreeSet<&Label> = labels.iter().collect();
    sorted.into_iter().cloned().collect()
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
    /// Files that are kept beside the results, as the image asks for. Ours.
    pub artifacts: Option<Vec<WantedArtifact>>,
    pub build_time: Option<bool>,
    pub file_size: Option<bool>,
    pub average: Option<Average>,
    /// How many times the benchmark runs; once when absent.
    pub iter: Option<u32>,
    /// How many times the benchmark runs before that, with results that do not count; none when absent.
    pub warmup_runs: Option<u32>,
    /// Whether all runs share one microVM. Without it, and when absent, each has its own.
    pub reuse_vm: Option<bool>,
    /// Whether the runner tells what the benchmark prints while it runs. Ours.
    pub live: Option<bool>,
    pub fold: Option<Fold>,
    pub allow_failure: Option<bool>,
    pub backdate: Option<DateTime>,
}

/// Files that are kept beside the results.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonWantedArtifact)]
pub struct WantedArtifact {
    /// An absolute path in the image, or a pattern for several.
    pub path: String,
    pub name: Option<String>,
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
