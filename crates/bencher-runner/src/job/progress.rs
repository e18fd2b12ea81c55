//! How far a job has come, for whoever looks.

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// What is done for a job now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// Its image is fetched and unpacked.
    #[default]
    Preparing,
    /// Its benchmark runs, and what comes of it does not count yet.
    WarmingUp {
        /// Counted from 1.
        warmup: u32,
        warmups: u32,
    },
    /// Its benchmark runs.
    Running {
        /// Counted from 1.
        iteration: u32,
        iterations: u32,
    },
}

/// The end that a job tells its progress to.
#[derive(Clone, Debug)]
pub struct Progress(watch::Sender<Step>);

impl Progress {
    #[must_use]
    pub fn new() -> (Self, watch::Receiver<Step>) {
        let (sender, receiver) = watch::channel(Step::default());
        (Self(sender), receiver)
    }

    pub fn tell(&self, step: Step) {
        self.0.send_replace(step);
    }
}
