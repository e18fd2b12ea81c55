//! Runs a server's jobs on this machine: the phases of a job, one after the other.

use bencher_types::wire::channel::ClaimedJob;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{
    admit::Abilities,
    image::{ImageSource, OpenError},
    outcome::JobOutcome,
    phase::Claimed,
    progress::Progress,
};
use crate::{
    chain::chain,
    config::JobPolicy,
    daemon::Execute,
    data_dir::DataDir,
    sandbox::{
        InfrastructureError,
        host::{HostConfig, HostSandbox},
    },
};

/// Why this machine cannot run jobs.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    #[error(transparent)]
    Images(#[from] OpenError),
    #[error("host execution, which --danger-allow-no-sandbox asks for, is not possible")]
    Sandbox(#[source] InfrastructureError),
}

/// What jobs are run with.
pub struct Worker {
    policy: JobPolicy,
    abilities: Abilities,
    images: ImageSource,
    /// Absent where the owner allows no host execution.
    sandbox: Option<HostSandbox>,
}

impl Worker {
    /// Opens image cache and sandbox, and clears away what a killed runner left in them.
    ///
    /// # Errors
    /// Either cannot be used.
    pub async fn open(policy: &JobPolicy, data: &DataDir) -> Result<Self, WorkerError> {
        let images = ImageSource::open(&data.images(), policy.image_cache_bytes)?;
        let sandbox = if policy.allow_no_sandbox {
            let sandbox = HostSandbox::open(HostConfig::new(data.sandbox())).await.map_err(WorkerError::Sandbox)?;
            warn!("jobs without a sandbox run directly on this machine: every benchmark it gets must be trusted");
            for shortcoming in sandbox.shortcomings() {
                warn!(shortcoming, "not every limit can be applied on this machine");
            }
            Some(sandbox)
        } else {
            warn!("this runner will refuse every job: it cannot run microVMs yet, and --danger-allow-no-sandbox was not given");
            None
        };
        let abilities = Abilities::of_this_machine(sandbox.is_some());
        Ok(Self { policy: policy.clone(), abilities, images, sandbox })
    }
}

impl Execute for Worker {
    async fn execute(&self, job: ClaimedJob, cancel: CancellationToken, progress: Progress) -> JobOutcome {
        let claimed = match Claimed::admit(job, self.abilities) {
            Ok(claimed) => claimed,
            Err(refusal) => return JobOutcome::failed(chain(&refusal)),
        };
        let Some(sandbox) = &self.sandbox else {
            return JobOutcome::failed("this runner has no sandbox to run the job in");
        };
        let prepared = match claimed.prepare(&self.images, &self.policy, &cancel).await {
            Ok(prepared) => prepared,
            Err(outcome) => return outcome,
        };
        info!(iterations = prepared.iterations(), "the image is ready; running the benchmark");
        prepared.run(sandbox, self.policy.max_message_size, &cancel, &progress).await.outcome()
    }
}
