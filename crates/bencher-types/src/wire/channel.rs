//! Messages of the runner channel (`GET /v0/runners/{runner}/channel`): one JSON object per text frame, tagged by `event`.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::{job::JobConfig, live::OutputPiece, spec::Spec};
use crate::{DateTime, JobFailure, JobUuid, Jwt, Timeout};

/// Runner to server.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
#[schema(as = JsonFromRunner)]
pub enum FromRunner {
    /// The runner is idle and wants a job.
    Ready {
        /// Seconds to wait for a job before `no_job`; 1 to 900, 30 when absent.
        poll_timeout: Option<u32>,
        /// What the runner is. Makes a v0.6 server offer updates, so ours sends it only with `product`.
        runner: Option<RunnerMetadata>,
    },
    /// The runner works on its job.
    Running { job: Option<JobUuid> },
    /// The runner is alive and works on its job.
    Heartbeat { job: Option<JobUuid> },
    /// What the job has printed since. Only of a job that is `live`, and never acknowledged. Ours.
    Output { job: JobUuid, pieces: Vec<OutputPiece> },
    /// The job's results.
    Completed {
        job: JobUuid,
        results: Vec<IterationOutput>,
        /// What the warm-up runs left, where the job asked for some.
        warmups: Option<Vec<IterationOutput>>,
    },
    /// The job failed; what there is of results comes along.
    Failed {
        job: JobUuid,
        #[serde(default)]
        results: Vec<IterationOutput>,
        warmups: Option<Vec<IterationOutput>>,
        error: String,
        /// Whose business the failure is; the server judges by the error where it is not said. Ours.
        #[serde(default, deserialize_with = "JobFailure::lenient")]
        failure: Option<JobFailure>,
    },
    /// The runner stopped the job because it was told to; what there is of results comes along.
    Canceled {
        job: JobUuid,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        results: Vec<IterationOutput>,
        warmups: Option<Vec<IterationOutput>>,
    },
}

impl FromRunner {
    /// Of a job that was stopped before there was anything to deliver.
    #[must_use]
    pub const fn canceled(job: JobUuid) -> Self {
        Self::Canceled { job, results: Vec::new(), warmups: None }
    }
}

/// Server to runner.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
#[schema(as = JsonToRunner)]
pub enum ToRunner {
    /// A message was stored; always names the job.
    Ack { job: Option<JobUuid> },
    /// Work.
    Job(Box<ClaimedJob>),
    /// There was no work within the poll's time.
    NoJob,
    /// Stop the job.
    Cancel,
    /// A newer runner can be fetched.
    Update { version: String, url: String, checksum: String },
}

/// Body of `POST /v0/runners/{runner}/jobs`, with which a runner that holds no connection asks for work.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonJobPoll)]
pub struct JobPoll {
    /// Seconds to wait for a job; 1 to 900, 30 when absent.
    pub poll_timeout: Option<u32>,
    /// What the runner is.
    pub runner: Option<RunnerMetadata>,
}

/// What a runner is.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonRunnerMetadata)]
pub struct RunnerMetadata {
    pub os: String,
    pub arch: String,
    pub version: String,
    pub channel: Option<String>,
    pub checksum: Option<String>,
    /// Names this product, where the runner is ours.
    pub product: Option<String>,
}

impl RunnerMetadata {
    /// What a runner of this product is, on such a machine.
    #[must_use]
    pub fn ours(os: &str, arch: &str, version: &str) -> Self {
        Self {
            os: os.to_owned(),
            arch: arch.to_owned(),
            version: version.to_owned(),
            channel: None,
            checksum: None,
            product: Some("bencher".to_owned()),
        }
    }
}

/// A job as the runner that claimed it gets it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonClaimedJob)]
pub struct ClaimedJob {
    pub uuid: JobUuid,
    pub spec: Spec,
    pub config: JobConfig,
    /// Pulls the job's image, and nothing else, from the registry.
    pub oci_token: Jwt,
    /// How long one iteration may take.
    pub timeout: Timeout,
    pub created: DateTime,
}

/// What one iteration printed and wrote.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonIterationOutput)]
pub struct IterationOutput {
    pub exit_code: i32,
    pub stdout: Option<String>,
    pub stderr: Option<String>,
    /// Files by path.
    pub output: Option<BTreeMap<String, String>>,
    /// How long the parts of the iteration took, as far as the runner knows.
    pub timings: Option<Timings>,
    /// Files that the image names as artifacts: kept beside the results, and never read for metrics. Ours.
    pub artifacts: Option<Vec<Artifact>>,
}

/// A file that is kept for people, its bytes as they were.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonArtifact)]
pub struct Artifact {
    /// Where it was in the image.
    pub path: String,
    /// What the image calls it.
    pub name: Option<String>,
    /// Its content, where that is text.
    pub text: Option<String>,
    /// Its content, where that is no text.
    pub base64: Option<String>,
}

impl Artifact {
    #[must_use]
    pub fn new(path: String, name: Option<String>, bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self { path, name, text: Some(text.to_owned()), base64: None },
            Err(_) => Self { path, name, text: None, base64: Some(STANDARD.encode(bytes)) },
        }
    }

    /// Its content.
    ///
    /// # Errors
    /// It is not what base 64 looks like.
    pub fn bytes(&self) -> Result<Vec<u8>, base64::DecodeError> {
        match (&self.text, &self.base64) {
            (Some(text), _) => Ok(text.clone().into_bytes()),
            (None, Some(base64)) => STANDARD.decode(base64),
            (None, None) => Ok(Vec::new()),
        }
    }
}

/// How long the parts of an iteration took, in nanoseconds. What a sandbox does not have is absent.
#[skip_serializing_none]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonTimings)]
pub struct Timings {
    /// Making the iteration's own disk from the image.
    pub clone_ns: Option<u64>,
    /// From the start of the microVM until its first process began.
    pub boot_ns: Option<u64>,
    /// From there until the benchmark could be started.
    pub init_ready_ns: Option<u64>,
    /// From the start of the benchmark's process to its end.
    pub run_ns: Option<u64>,
    /// Taking output and files out of the sandbox.
    pub collect_ns: Option<u64>,
    /// Until nothing of the iteration was left on the machine.
    pub teardown_ns: Option<u64>,
}
