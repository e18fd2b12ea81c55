//! Where jobs run on this machine: in microVMs, directly on it, in both or in neither. What is missing is said once, at the
//! start.

use std::path::Path;

use tracing::{error, info, warn};

use crate::{
    cli::{FirecrackerArgs, SandboxLogLevel},
    config::{
        JobPolicy,
        firecracker::{MicroVms, Places, Unusable},
    },
    data_dir::DataDir,
    sandbox::{
        InfrastructureError,
        host::{HostConfig, HostSandbox},
    },
};

/// Why there is nowhere to run what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum SandboxesError {
    #[error("host execution, which --danger-allow-no-sandbox asks for, is not possible")]
    Host(#[source] InfrastructureError),
    #[error("no microVM can be started")]
    Unusable(#[from] Unusable),
    #[error("no microVM can be started")]
    MicroVm(#[source] InfrastructureError),
}

impl SandboxesError {
    /// Whether it stays until a person changes the machine or starts the runner otherwise.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        match self {
            Self::Host(problem) | Self::MicroVm(problem) => problem.is_lasting(),
            Self::Unusable(_) => true,
        }
    }
}

/// What there is.
pub(crate) struct Sandboxes {
    pub(crate) host: Option<HostSandbox>,
}

impl Sandboxes {
    /// Opens what the policy allows and the machine has.
    ///
    /// # Errors
    /// What was asked for expressly is not possible: host execution, or microVMs with files that somebody named.
    pub(crate) async fn open(policy: &JobPolicy, data: &DataDir) -> Result<Self, SandboxesError> {
        let host = match policy.allow_no_sandbox {
            true => {
                let sandbox = open_host(&data.sandbox()).await?;
                warn!("jobs without a sandbox run directly on this machine: every benchmark it gets must be trusted");
                Some(sandbox)
            }
            false => None,
        };
        match micro_vms(&policy.firecracker, policy.sandbox_log_level).await {
            Ok(_) => {}
            Err(problem) if policy.firecracker.is_given() => return Err(problem),
            Err(problem) => {
                let problem = crate::chain::chain(&problem);
                if host.is_some() {
                    info!(problem, "jobs whose spec has a sandbox will be refused");
                } else {
                    error!(
                        problem,
                        "this runner will refuse every job: it can start no microVM, and --danger-allow-no-sandbox was not given"
                    );
                }
            }
        }
        Ok(Self { host })
    }
}

pub(crate) async fn open_host(state: &Path) -> Result<HostSandbox, SandboxesError> {
    let sandbox = HostSandbox::open(HostConfig::new(state.to_owned())).await.map_err(SandboxesError::Host)?;
    for shortcoming in sandbox.shortcomings() {
        warn!(shortcoming, "not every limit can be applied on this machine");
    }
    Ok(sandbox)
}

/// What microVMs are made with on this machine.
async fn micro_vms(args: &FirecrackerArgs, log_level: SandboxLogLevel) -> Result<MicroVms, SandboxesError> {
    let micro_vms = MicroVms::find(args, log_level, &Places::usual())?;
    let versions = micro_vms.check().await?;
    info!(version = %versions.firecracker, kernel = %micro_vms.kernel.display(), "found what microVMs are made with");
    Ok(micro_vms)
}
