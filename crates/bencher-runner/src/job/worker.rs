//! Runs a server's jobs on this machine: the phases of a job, one after the other.

use bencher_types::{JobFailure, wire::channel::ClaimedJob};
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::{
    admit::Abilities,
    image::{ImageSource, OpenError},
    outcome::JobOutcome,
    phase::Claimed,
    progress::Progress,
    sandboxes::{Sandboxes, SandboxesError},
};
use crate::{chain::chain, config::JobPolicy, daemon::Execute, data_dir::DataDir, live::Live};

/// Why this machine cannot run jobs.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    #[error(transparent)]
    Images(#[from] OpenError),
    #[error(transparent)]
    Sandboxes(#[from] SandboxesError),
}

/// What jobs are run with.
pub struct Worker {
    policy: JobPolicy,
    abilities: Abilities,
    images: ImageSource,
    sandboxes: Sandboxes,
}

impl Worker {
    /// Opens image cache and sandbox, and clears away what a killed runner left in them.
    ///
    /// # Errors
    /// The cache cannot be used, or a sandbox that was asked for expressly.
    pub async fn open(policy: &JobPolicy, data: &DataDir) -> Result<Self, WorkerError> {
        let images = ImageSource::open(&data.images(), policy.image_cache_bytes)?;
        let sandboxes = Sandboxes::open(policy, data).await?;
        let abilities = Abilities::of_this_machine(sandboxes.host.is_some(), sandboxes.micro_vms.is_some());
        Ok(Self { policy: policy.clone(), abilities, images, sandboxes })
    }
}

impl Execute for Worker {
    async fn execute(&self, job: ClaimedJob, cancel: CancellationToken, progress: Progress, live: Option<Live>) -> JobOutcome {
        let claimed = match Claimed::admit(job, self.abilities) {
            Ok(claimed) => claimed,
            Err(refusal) => return JobOutcome::failed(JobFailure::Infrastructure, chain(&refusal)),
        };
        let in_micro_vm = claimed.spec().sandbox.is_some();
        let prepared = match claimed.prepare(&self.images, &self.policy, &cancel).await {
            Ok(prepared) => prepared.heard_by(live),
            Err(outcome) => return outcome,
        };
        info!(iterations = prepared.iterations(), "the image is ready; running the benchmark");
        let max_bytes = self.policy.max_message_size;
        let ran = match (&self.sandboxes, in_micro_vm) {
            (Sandboxes { micro_vms: Some(sandbox), .. }, true) => prepared.run(sandbox, max_bytes, &cancel, &progress).await,
            (Sandboxes { host: Some(sandbox), .. }, false) => prepared.run(sandbox, max_bytes, &cancel, &progress).await,
            _ => return JobOutcome::failed(JobFailure::Infrastructure, "this runner has no sandbox to run the job in"),
        };
        ran.outcome()
    }
}
