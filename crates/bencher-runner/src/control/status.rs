//! What a runner says of itself.

use std::fmt;

use bencher_types::{DateTime, JobUuid};
use serde::{Deserialize, Serialize};

use crate::job::progress::Step;

/// What the runner does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It has no connection to its server.
    Connecting,
    /// It waits for a job.
    Idle,
    /// It has a job.
    Running,
    /// It brings a result to the server.
    Delivering,
    /// It takes no further job and ends when what it has is done.
    Draining,
}

/// The job that a runner has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobStatus {
    pub uuid: JobUuid,
    pub claimed: DateTime,
    #[serde(flatten)]
    pub step: Step,
    /// Whether it was asked to stop.
    pub canceling: bool,
}

/// A runner at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    pub state: State,
    pub connected: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobStatus>,
    pub server: String,
    pub runner: String,
    pub version: String,
    pub pid: u32,
    pub started: DateTime,
    /// When the server last gave a sign of life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_contact: Option<DateTime>,
    /// Why there is no connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Results that wait for the server.
    pub spooled_results: usize,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connecting => "connecting",
            Self::Idle => "idle",
            Self::Running => "running",
            Self::Delivering => "delivering",
            Self::Draining => "draining",
        })
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, ", self.uuid)?;
        match self.step {
            Step::Preparing => f.write_str("preparing its image")?,
            Step::WarmingUp { warmup, warmups } => write!(f, "warm-up run {warmup} of {warmups}")?,
            Step::Running { iteration, iterations } => write!(f, "iteration {iteration} of {iterations}")?,
        }
        f.write_str(if self.canceling { ", canceling" } else { "" })
    }
}

/// One line, as systemd and a terminal show it.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.state)?;
        if let Some(job) = &self.job {
            write!(f, ": job {job}")?;
        }
        if self.spooled_results > 0 {
            write!(f, "; undelivered results: {}", self.spooled_results)?;
        }
        if !self.connected && self.state != State::Connecting {
            f.write_str("; not connected")?;
        }
        match &self.problem {
            Some(problem) if !self.connected => write!(f, " ({problem})"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
