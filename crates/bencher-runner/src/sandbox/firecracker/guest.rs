//! What one guest is given: its share of the machine, its kernel's command line and its configuration. Pure.

use bencher_init::{
    boot,
    config::{Bounds, FileContents as GuestFileContents, GuestConfig, GuestNetwork, Resource, Rlimit, Token},
};

use super::{api::MachineConfig, error::MachineError, limits};
use crate::sandbox::{ExecutionPlan, FileContents, Resources};

/// The name of the machine as the benchmark sees it: the same everywhere, so that output does not differ by it.
const HOSTNAME: &str = "bencher";
/// The image's disk and the configuration, in the order in which the drives are made known.
const ROOT_DEVICE: &str = "/dev/vda";
const CONFIG_DEVICE: &str = "/dev/vdb";
/// Open files of one process. Many programs allocate by it, so it is generous but no more.
const OPEN_FILES: u64 = 65_536;
const MIB: u64 = 1024 * 1024;

/// Every reset ends the machine (`reboot=k`), a panic is one, and what the i8042 controller is not asked for takes no time to
/// be looked for. Its keyboard stays: Ctrl-Alt-Del comes from there.
const BOOT_ARGS: &str = "console=ttyS0 reboot=k panic=1 quiet loglevel=1 i8042.noaux i8042.nomux i8042.nopnp i8042.dumbkbd";

/// The virtual hardware for a plan.
pub(super) fn machine_config(resources: &Resources, huge_pages: bool) -> Result<MachineConfig, MachineError> {
    let asked = resources.cpus.unwrap_or(1).max(1);
    if asked > limits::MAX_VCPUS {
        return Err(MachineError::TooManyCpus { asked });
    }
    let mib = resources.memory_bytes.map_or(limits::DEFAULT_MEMORY_MIB, |bytes| bytes / MIB);
    if mib < limits::MIN_MEMORY_MIB {
        return Err(MachineError::TooLittleMemory { mib });
    }
    let mem_size_mib = if huge_pages { mib & !1 } else { mib };
    let huge_pages = huge_pages.then_some("2M");
    Ok(MachineConfig { vcpu_count: asked, mem_size_mib, smt: false, track_dirty_pages: false, huge_pages })
}

/// What the control group of the machine's process is limited to.
pub(super) fn host_limits(machine: &MachineConfig) -> Resources {
    // Memory in huge pages is reserved from their pool and not counted here, but the limit holds for the rest all the same.
    let guest = if machine.huge_pages.is_some() { 0 } else { machine.mem_size_mib * MIB };
    Resources {
        cpus: Some(machine.vcpu_count + limits::EMULATION_CPUS),
        memory_bytes: Some(guest + limits::MEMORY_OVERHEAD),
        disk_bytes: None,
        pids: Some(limits::MAX_PROCESSES),
    }
}

/// The kernel's command line.
pub(super) fn boot_args(extra: Option<&str>) -> String {
    let extra = extra.map(|extra| format!(" {extra}")).unwrap_or_default();
    format!("{BOOT_ARGS} {}{ROOT_DEVICE} {}{CONFIG_DEVICE}{extra}", boot::ROOT, boot::CONFIG)
}

/// What the guest's first process reads from the configuration drive.
pub(super) fn config(plan: &ExecutionPlan, token: Token, network: Option<GuestNetwork>) -> GuestConfig {
    let limit = |resource, value| Rlimit { resource, soft: value, hard: value };
    GuestConfig {
        version: bencher_init::PROTOCOL_VERSION,
        token,
        hostname: HOSTNAME.to_owned(),
        args: plan.args.clone(),
        env: plan.env.clone(),
        working_dir: plan.working_dir.clone(),
        user: plan.user.clone(),
        rlimits: vec![limit(Resource::Nofile, OPEN_FILES), limit(Resource::Core, 0)],
        max_pids: plan.resources.pids,
        bounds: Bounds {
            max_output_size: plan.output.max_output_size,
            max_files_size: plan.output.max_files_size,
            max_file_count: u32::try_from(plan.output.max_file_count).unwrap_or(u32::MAX),
            max_symlinks: plan.output.max_symlinks,
        },
        file_paths: plan.file_paths.clone(),
        file_contents: match plan.file_contents {
            FileContents::Read => GuestFileContents::Read,
            FileContents::SizeOnly => GuestFileContents::SizeOnly,
        },
        grace_period_ms: u64::try_from(plan.grace_period.as_millis()).unwrap_or(u64::MAX),
        live: plan.live.is_some(),
        network,
    }
}

#[cfg(test)]
mod tests;
