//! Where jobs run on this machine: in microVMs, directly on it, in both or in neither. What is missing is said once, at the
//! start.

use std::path::{Path, PathBuf};

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
        firecracker::{FirecrackerConfig, FirecrackerSandbox, LogLevel},
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
    pub(crate) micro_vms: Option<FirecrackerSandbox>,
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
        let micro_vms = match open_micro_vms(&policy.firecracker, policy.sandbox_log_level, data.micro_vms()).await {
            Ok(sandbox) => Some(sandbox),
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
                None
            }
        };
        Ok(Self { host, micro_vms })
    }
}

pub(crate) async fn open_host(state: &Path) -> Result<HostSandbox, SandboxesError> {
    let sandbox = HostSandbox::open(HostConfig::new(state.to_owned())).await.map_err(SandboxesError::Host)?;
    for shortcoming in sandbox.shortcomings() {
        warn!(shortcoming, "not every limit can be applied on this machine");
    }
    Ok(sandbox)
}

/// Opens microVMs with what is found on this machine.
pub(crate) async fn open_micro_vms(
    args: &FirecrackerArgs,
    log_level: SandboxLogLevel,
    state: PathBuf,
) -> Result<FirecrackerSandbox, SandboxesError> {
    let found = MicroVms::find(args, log_level, &Places::usual())?;
    let versions = found.check().await?;
    info!(version = %versions.firecracker, kernel = %found.kernel.display(), "found what microVMs are made with");
    if found.jailer.is_none() {
        warn!("microVMs are started without their jailer: what gets out of one is on this machine");
    }
    let sandbox = FirecrackerSandbox::open(config(found, state)).await.map_err(SandboxesError::MicroVm)?;
    for shortcoming in sandbox.shortcomings() {
        warn!(shortcoming, "not everything that microVMs should have is there on this machine");
    }
    Ok(sandbox)
}

fn config(found: MicroVms, state: PathBuf) -> FirecrackerConfig {
    let usual = FirecrackerConfig::new(state, found.firecracker, found.kernel, found.init);
    FirecrackerConfig {
        jailer: found.jailer,
        modules: found.modules,
        uid_base: found.uid_base.unwrap_or(usual.uid_base),
        uid_count: found.uid_count.unwrap_or(usual.uid_count),
        cgroup_parent: found.cgroup_parent.unwrap_or_else(|| usual.cgroup_parent.clone()),
        io_bytes_per_second: found.io_bytes_per_second,
        huge_pages: found.huge_pages,
        boot_args: found.boot_args,
        network: found.network,
        log_level: match found.log_level {
            SandboxLogLevel::Off | SandboxLogLevel::Error => LogLevel::Error,
            SandboxLogLevel::Warning => LogLevel::Warn,
            SandboxLogLevel::Info => LogLevel::Info,
            SandboxLogLevel::Debug | SandboxLogLevel::Trace => LogLevel::Debug,
        },
        ..usual
    }
}
