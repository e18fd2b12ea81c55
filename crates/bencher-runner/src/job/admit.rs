//! Which jobs this runner takes on. Pure; every refusal says what would have to change.

use bencher_types::wire::spec::{Architecture, OperatingSystem, Sandbox, Spec};

/// What this machine is and what its owner allows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Abilities {
    pub(crate) os: &'static str,
    pub(crate) architecture: &'static str,
    /// Jobs without a sandbox may run on the host.
    pub(crate) allow_no_sandbox: bool,
    /// Jobs run in microVMs.
    pub(crate) micro_vms: bool,
}

impl Abilities {
    pub(crate) const fn of_this_machine(allow_no_sandbox: bool, micro_vms: bool) -> Self {
        Self { os: std::env::consts::OS, architecture: std::env::consts::ARCH, allow_no_sandbox, micro_vms }
    }
}

/// Why a job is not run here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the job's spec is for {wanted} and this runner is on {found}; give the runner specs of its own operating system")]
    OperatingSystem { wanted: OperatingSystem, found: &'static str },
    #[error("the job's spec is for {wanted} and this runner is {found}; give the runner specs of its own architecture")]
    Architecture { wanted: Architecture, found: &'static str },
    #[error(
        "the job's spec has no sandbox, and this runner runs nothing directly on its host: use a spec with a sandbox, or start the \
         runner with --danger-allow-no-sandbox if every benchmark it gets is trusted"
    )]
    NoSandbox,
    #[error(
        "the job's spec asks for the sandbox `{0}`, and this runner cannot start microVMs: its log said at its start what is missing, \
         and `runner doctor` says what to do"
    )]
    NoMicroVm(Sandbox),
}

/// Whether a job of this spec runs here.
pub(crate) fn admit(spec: &Spec, abilities: Abilities) -> Result<(), Refusal> {
    if spec.os.as_str() != abilities.os {
        return Err(Refusal::OperatingSystem { wanted: spec.os, found: abilities.os });
    }
    if spec.architecture.as_str() != abilities.architecture {
        return Err(Refusal::Architecture { wanted: spec.architecture, found: abilities.architecture });
    }
    match spec.sandbox {
        Some(sandbox @ Sandbox::Firecracker) if !abilities.micro_vms => Err(Refusal::NoMicroVm(sandbox)),
        Some(Sandbox::Firecracker) => Ok(()),
        None if !abilities.allow_no_sandbox => Err(Refusal::NoSandbox),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
