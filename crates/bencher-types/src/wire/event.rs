//! What a stream of server-sent events says: the `data` of each event, by its name.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::runner::RunnerState;
use crate::{DateTime, JobStatus, JobUuid, ReportUuid, RunnerUuid};

/// The media type of a stream.
pub const EVENT_STREAM: &str = "text/event-stream";
/// The header with the id of the last event that a client has seen.
pub const LAST_EVENT_ID_HEADER: &str = "last-event-id";

/// The first event of a stream that begins now.
pub const OPEN: &str = "open";
/// The first event of a stream that cannot go on where the client was cut off: whatever it follows may have changed.
pub const RESET: &str = "reset";
/// The event that comes with a [`JobChanged`].
pub const JOB: &str = "job";
/// The event that comes with a [`JobPrinted`](super::live::JobPrinted).
pub const OUTPUT: &str = "output";
/// The event that comes with a [`ReportChanged`].
pub const REPORT: &str = "report";
/// The event that comes with a [`RunnerChanged`].
pub const RUNNER: &str = "runner";

/// A job has another status, or was handed out again.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonJobChanged)]
pub struct JobChanged {
    pub job: JobUuid,
    pub status: JobStatus,
    /// How often the job was handed to a runner.
    pub attempt: u32,
    pub report: Option<ReportUuid>,
    pub time: DateTime,
}

/// A report was filed, or what a job measured is in it now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonReportChanged)]
pub struct ReportChanged {
    pub report: ReportUuid,
    pub time: DateTime,
}

/// A runner was registered, does something else than before, or was changed by an admin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonRunnerChanged)]
pub struct RunnerChanged {
    pub runner: RunnerUuid,
    pub state: RunnerState,
    pub time: DateTime,
}
