//! The container's configuration, as the OCI runtime specification writes it.

use std::{fs, path::Path};

use oci_spec::{
    OciSpecError,
    runtime::{
        Capability, LinuxBuilder, LinuxCapabilitiesBuilder, LinuxNamespaceBuilder, LinuxNamespaceType, Mount, MountBuilder,
        PosixRlimitBuilder, PosixRlimitType, Process, ProcessBuilder, RootBuilder, Spec, SpecBuilder, UserBuilder,
    },
};
use rustix::process::{Resource, getrlimit};

use super::mounts::MERGED;
use crate::sandbox::{ExecutionPlan, InfrastructureError, Network, user::Account};

/// The name of the machine as the benchmark sees it: the same everywhere, so that output does not differ by it.
const HOSTNAME: &str = "bencher";

/// What root in a container may do: manage files and users of its own tree and signal its own processes. It makes no
/// device nodes, mounts nothing, traces no process that has more rights, and sends no raw packets.
const CAPABILITIES: [Capability; 9] = [
    Capability::Chown,
    Capability::DacOverride,
    Capability::Fowner,
    Capability::Fsetid,
    Capability::Kill,
    Capability::NetBindService,
    Capability::Setgid,
    Capability::Setpcap,
    Capability::Setuid,
];

/// Files of the kernel that tell about, or reach, the whole host.
const MASKED: [&str; 9] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/sys/firmware",
];

const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// Open files of one process. Many programs allocate by it, so it is generous but not the host's.
const OPEN_FILES: u64 = 65_536;

/// Smallest size of `/dev/shm` in bytes, what container engines give.
const MIN_SHM: u64 = 64 * 1024 * 1024;

/// Where the host runs out of memory, the benchmark goes before the runner.
const OOM_SCORE: i32 = 500;

/// What is not in the plan.
#[derive(Clone, Copy, Debug)]
pub(super) struct Surroundings<'a> {
    pub(super) account: &'a Account,
    /// The file of the PID namespace to join.
    pub(super) pid_namespace: &'a str,
}

/// Writes `config.json` and the files it mounts into `dir`.
pub(super) fn write(dir: &Path, plan: &ExecutionPlan, around: Surroundings<'_>) -> Result<(), InfrastructureError> {
    let hosts = dir.join("hosts");
    let text = format!("127.0.0.1\tlocalhost {HOSTNAME}\n::1\tlocalhost {HOSTNAME}\n");
    fs::write(&hosts, text).map_err(InfrastructureError::io("write", &hosts))?;
    let spec = spec(dir, plan, around).map_err(InfrastructureError::Bundle)?;
    spec.save(dir.join("config.json")).map_err(InfrastructureError::Bundle)
}

fn spec(dir: &Path, plan: &ExecutionPlan, around: Surroundings<'_>) -> Result<Spec, OciSpecError> {
    let mut namespaces = vec![LinuxNamespaceBuilder::default().typ(LinuxNamespaceType::Pid).path(around.pid_namespace).build()?];
    let mut own = vec![LinuxNamespaceType::Mount, LinuxNamespaceType::Ipc, LinuxNamespaceType::Uts];
    if plan.network == Network::None {
        own.push(LinuxNamespaceType::Network);
    }
    for typ in own {
        namespaces.push(LinuxNamespaceBuilder::default().typ(typ).build()?);
    }
    let strings = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
    let linux = LinuxBuilder::default()
        .namespaces(namespaces)
        .masked_paths(strings(&MASKED))
        .readonly_paths(strings(&READ_ONLY))
        .build()?;
    SpecBuilder::default()
        .version("1.0.2")
        .hostname(HOSTNAME)
        .root(RootBuilder::default().path(dir.join(MERGED)).readonly(false).build()?)
        .process(process(plan, around.account)?)
        .mounts(mounts(dir, plan)?)
        .linux(linux)
        .build()
}

fn process(plan: &ExecutionPlan, account: &Account) -> Result<Process, OciSpecError> {
    let user = UserBuilder::default().uid(account.uid).gid(account.gid).additional_gids(account.additional_gids.clone());
    let all = CAPABILITIES.into_iter().collect::<oci_spec::runtime::Capabilities>();
    let held = if account.uid == 0 { all.clone() } else { oci_spec::runtime::Capabilities::new() };
    let capabilities = LinuxCapabilitiesBuilder::default()
        .bounding(all)
        .effective(held.clone())
        .permitted(held)
        .inheritable(oci_spec::runtime::Capabilities::new())
        .ambient(oci_spec::runtime::Capabilities::new());
    let limit = |typ, value: u64| PosixRlimitBuilder::default().typ(typ).soft(value).hard(value).build();
    let mut env: Vec<String> = plan.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if !plan.env.iter().any(|(name, _)| name == "HOME") {
        env.push(format!("HOME={}", account.home));
    }
    ProcessBuilder::default()
        .terminal(false)
        .user(user.build()?)
        .args(plan.args.clone())
        .env(env)
        .cwd(plan.working_dir.as_str())
        .capabilities(capabilities.build()?)
        .rlimits(vec![
            limit(PosixRlimitType::RlimitNofile, open_files())?,
            // A core file would be written where the host's core pattern says, which may be outside.
            limit(PosixRlimitType::RlimitCore, 0)?,
        ])
        .no_new_privileges(true)
        .oom_score_adj(OOM_SCORE)
        .build()
}

/// Only the runner itself can have a smaller bound than we would give; it cannot be raised for the container.
fn open_files() -> u64 {
    getrlimit(Resource::Nofile).maximum.map_or(OPEN_FILES, |maximum| maximum.min(OPEN_FILES))
}

fn mounts(dir: &Path, plan: &ExecutionPlan) -> Result<Vec<Mount>, OciSpecError> {
    let mount = |destination: &str, typ: &str, source: &str, options: &[&str]| {
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        MountBuilder::default().destination(destination).typ(typ).source(source).options(options).build()
    };
    // Half of the memory, like the kernel's own default. Its pages count as the benchmark's memory.
    let shm = plan.resources.memory_bytes.map_or(MIN_SHM, |bytes| (bytes / 2).max(MIN_SHM));
    let shm = format!("size={shm}");
    let mut mounts = vec![
        mount("/proc", "proc", "proc", &["nosuid", "noexec", "nodev"])?,
        mount("/dev", "tmpfs", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"])?,
        mount("/dev/pts", "devpts", "devpts", &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"])?,
        mount("/dev/shm", "tmpfs", "shm", &["nosuid", "noexec", "nodev", "mode=1777", &shm])?,
        mount("/dev/mqueue", "mqueue", "mqueue", &["nosuid", "noexec", "nodev"])?,
        mount("/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev", "ro"])?,
    ];
    let bind = ["bind", "ro", "nosuid", "nodev"];
    match plan.network {
        Network::None => mounts.push(mount("/etc/hosts", "bind", &dir.join("hosts").to_string_lossy(), &bind)?),
        Network::Host => {
            for file in ["/etc/hosts", "/etc/resolv.conf"] {
                if Path::new(file).exists() {
                    mounts.push(mount(file, "bind", file, &bind)?);
                }
            }
        }
    }
    Ok(mounts)
}
