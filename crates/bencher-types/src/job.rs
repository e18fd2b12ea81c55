//! A job's life: which status may follow which. Pure data and rules; knows no SQL, HTTP or clock.
//!
//! ```text
//! pending ──▶ claimed ──▶ running ──▶ completed ──▶ processed
//!    ▲           │           │            │
//!    └─ release ─┤           ├──▶ failed ◀┘ (results that cannot be processed)
//!                └───────────┴──▶ canceled
//! failed ──▶ completed: a result that was late, not lost, is worth more than a lost heartbeat.
//! pending ─▶ completed: the same for a job that was released and that nobody has claimed again.
//! claimed, running, failed ─▶ pending: a job whose runner failed it is tried again.
//! ```

use serde::{Deserialize, Serialize};

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    /// Waits for a runner.
    Pending,
    /// Handed to a runner that has not yet said that it runs.
    Claimed,
    /// The runner fetches the image or runs the benchmark.
    Running,
    /// Results arrived and wait to be turned into metrics.
    Completed,
    /// Results are in the report.
    Processed,
    /// The job or its processing failed; the reason is stored with it.
    Failed,
    /// Somebody, or its time bound, stopped it.
    Canceled,
}

/// What can happen to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobEvent {
    /// A runner was chosen.
    Claim,
    /// The job was handed out but never received: back to the queue.
    Release,
    /// The runner says that it works on the job.
    Start,
    /// Results arrived.
    Complete,
    /// The runner failed, or was lost.
    Fail,
    /// The same, and the job is to be tried again; or somebody wants that of one that has failed.
    Retry,
    /// A user or a time bound stopped the job, or the runner says that it stopped.
    Cancel,
    /// Results were turned into metrics.
    Process,
    /// Results could not be turned into metrics.
    FailProcessing,
}

/// What an event does. A repeated event is not an error: runners resend until they are acknowledged.
#[must_use = "the caller decides whether to write or only to acknowledge"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    To(JobStatus),
    Unchanged,
}

/// An event that cannot happen to a job in this status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot apply {event:?} to a {from} job")]
pub struct TransitionDenied {
    pub from: JobStatus,
    pub event: JobEvent,
}

impl JobStatus {
    /// Every status, in the order of its number.
    pub const ALL: [Self; 7] =
        [Self::Pending, Self::Claimed, Self::Running, Self::Completed, Self::Processed, Self::Failed, Self::Canceled];

    /// The status after an event, or that nothing changes.
    ///
    /// # Errors
    /// The event cannot happen in this status.
    pub fn apply(self, event: JobEvent) -> Result<Transition, TransitionDenied> {
        use JobEvent as E;
        use JobStatus::{Canceled, Claimed, Completed, Failed, Pending, Processed, Running};
        use Transition::{To, Unchanged};

        match (self, event) {
            (Pending, E::Claim) => Ok(To(Claimed)),
            (Claimed, E::Release) => Ok(To(Pending)),
            (Claimed, E::Start) => Ok(To(Running)),
            // A result also says that the job was started, should that message have been lost; and that a job which was taken back,
            // because nobody seemed to have received it, was received after all.
            (Pending | Claimed | Running | Failed, E::Complete) => Ok(To(Completed)),
            (Claimed | Running, E::Fail) => Ok(To(Failed)),
            (Claimed | Running | Failed, E::Retry) => Ok(To(Pending)),
            (Pending | Claimed | Running, E::Cancel) => Ok(To(Canceled)),
            (Completed, E::Process) => Ok(To(Processed)),
            (Completed, E::FailProcessing) => Ok(To(Failed)),

            (Running, E::Start) => Ok(Unchanged),
            (Pending, E::Retry) => Ok(Unchanged),
            (Completed | Processed, E::Complete) => Ok(Unchanged),
            (Failed, E::Fail | E::FailProcessing) => Ok(Unchanged),
            (Processed, E::Process) => Ok(Unchanged),
            // Canceled is final: a runner usually answers a cancel with a failure, sometimes with a result.
            (Canceled, E::Cancel | E::Fail | E::Complete) => Ok(Unchanged),
            (from, event) => Err(TransitionDenied { from, event }),
        }
    }

    /// The number a status has in the database and in the v0.6 protocol.
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Self::Pending => 0,
            Self::Claimed => 1,
            Self::Running => 2,
            Self::Completed => 3,
            Self::Processed => 4,
            Self::Failed => 5,
            Self::Canceled => 6,
        }
    }

    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.number() == number)
    }

    /// A runner holds the job.
    #[must_use]
    pub const fn is_in_flight(self) -> bool {
        matches!(self, Self::Claimed | Self::Running)
    }

    /// The runner is done with the job: `completed` waits only for the server.
    #[must_use]
    pub const fn has_run(self) -> bool {
        matches!(self, Self::Completed | Self::Processed | Self::Failed | Self::Canceled)
    }

    /// Nothing more is going to happen by itself.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Processed | Self::Failed | Self::Canceled)
    }

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Claimed => "claimed",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Processed => "processed",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }
}

impl std::fmt::Display for JobStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for JobStatus {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a job status: expected one of {}", Self::ALL.map(Self::as_str).join(", ")))
    }
}

#[cfg(test)]
mod tests;
