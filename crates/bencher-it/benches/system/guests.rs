//! What guests are made of here: the real Firecracker where the environment names it, else its stand-in.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use bencher_runner::sandbox::{
    ExecutionPlan, Resources,
    command::ImageCommand,
    firecracker::{FirecrackerConfig, FirecrackerSandbox},
};

use crate::processes::{built, given};

const STAND_IN_KERNEL: &str = "/usr/bin/linux.uml";
const STAND_IN_MODULES: &str = "/usr/lib/uml/modules";
/// User ids of the guests of one measuring process: apart from those of runners, and of tests.
const UID_BASE: u32 = 1_800_000_000;
const UIDS: u32 = 10;
/// Where the cgroups are made.
pub(crate) const CGROUP: &str = "bencher-bench";

/// Memory of a guest in MiB.
pub(crate) const MEMORY_MIB: u64 = 512;
/// Bytes of a guest's disk, most of which is never stored.
pub(crate) const DISK: u64 = 8 << 30;

/// The files that guests are made of.
#[derive(Clone, Debug)]
pub(crate) struct Tools {
    firecracker: PathBuf,
    jailer: PathBuf,
    kernel: PathBuf,
    modules: Vec<PathBuf>,
    init: PathBuf,
}

impl Tools {
    pub(crate) fn find() -> Result<Self> {
        ensure!(nix::unistd::geteuid().is_root(), "guests need root");
        let file = |variable: &str, default: PathBuf| {
            let path = given(variable).map_or(default, PathBuf::from);
            ensure!(path.exists(), "{} is missing: {variable} can name another", path.display());
            Ok(path)
        };
        let modules = match given("FIRECRACKER_MODULES") {
            Some(paths) => std::env::split_paths(&paths).collect(),
            None if given("FIRECRACKER_KERNEL").is_some() => Vec::new(),
            None => stand_in_modules()?,
        };
        Ok(Self {
            firecracker: file("FIRECRACKER_BIN", built("firecracker-stand-in")?)?,
            jailer: file("JAILER_BIN", built("jailer-stand-in")?)?,
            kernel: file("FIRECRACKER_KERNEL", STAND_IN_KERNEL.into())?,
            modules,
            init: file("BENCHER_INIT", built("bencher-init")?)?,
        })
    }

    fn is_real(&self) -> bool {
        !self.firecracker.ends_with("firecracker-stand-in")
    }

    /// What the figures of guests are figures of.
    pub(crate) fn description(&self) -> &'static str {
        if self.is_real() {
            "Guests: Firecracker and jailer of this machine."
        } else {
            "Guests: the stand-in for Firecracker, whose guest is a real kernel that runs as a process (User Mode Linux). It \
             has no virtual processor: integer code runs at the speed of the host, while every system call, page fault and \
             exchange of processes goes through the host's kernel several times. Its boot and its memory are its own, not \
             Firecracker's. So these figures show what the runner, the disk and the guest's first process take, and nothing \
             of how near a benchmark in Firecracker comes to bare metal; with FIRECRACKER_BIN, JAILER_BIN and \
             FIRECRACKER_KERNEL on a machine with KVM the same command shows that."
        }
    }

    /// A sandbox with this folder.
    pub(crate) async fn open(&self, state: &Path) -> Result<Guests> {
        let Self { firecracker, jailer, kernel, modules, init } = self.clone();
        let mut config = FirecrackerConfig::new(state.to_owned(), firecracker, kernel, init);
        config.jailer = Some(jailer);
        config.modules = modules;
        config.uid_base = UID_BASE + std::process::id() * UIDS;
        config.uid_count = UIDS;
        config.cgroup_parent = CGROUP.to_owned();
        let users = config.uid_base..config.uid_base + UIDS;
        Ok(Guests { sandbox: FirecrackerSandbox::open(config).await?, users })
    }

    /// The same for a runner, as its flags.
    pub(crate) fn flags(&self) -> Vec<String> {
        let mut flags = Vec::new();
        let files = [("binary", &self.firecracker), ("jailer", &self.jailer), ("kernel", &self.kernel), ("init", &self.init)];
        for (name, file) in files {
            flags.extend([format!("--firecracker-{name}-path"), file.display().to_string()]);
        }
        if !self.modules.is_empty() {
            let modules: Vec<_> = self.modules.iter().map(|module| module.display().to_string()).collect();
            flags.extend(["--firecracker-modules".to_owned(), modules.join(",")]);
        }
        flags.extend(["--firecracker-cgroup-parent".to_owned(), CGROUP.to_owned()]);
        flags
    }
}

fn stand_in_modules() -> Result<Vec<PathBuf>> {
    let version = fs::read_dir(STAND_IN_MODULES).into_iter().flatten().flatten().next();
    let version = version.with_context(|| format!("{STAND_IN_MODULES} is empty: install user-mode-linux"))?;
    let folder = version.path().join("kernel/net/vmw_vsock");
    let names = ["vsock", "vmw_vsock_virtio_transport_common", "vmw_vsock_virtio_transport"];
    Ok(names.map(|name| folder.join(format!("{name}.ko"))).into())
}

/// A place for guests.
pub(crate) struct Guests {
    pub(crate) sandbox: FirecrackerSandbox,
    /// Whoever of these has a process is a guest's.
    pub(crate) users: std::ops::Range<u32>,
}

impl Drop for Guests {
    fn drop(&mut self) {
        let hierarchies = fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten().map(|entry| entry.path());
        for hierarchy in hierarchies.chain([PathBuf::from("/sys/fs/cgroup")]) {
            // Only where it is empty; another measurement may still use it.
            let _ = fs::remove_dir(hierarchy.join(CGROUP));
        }
    }
}

/// The same plan for every place: one processor, and a benchmark that may take a minute.
pub(crate) fn plan(rootfs: PathBuf, args: &[&str]) -> ExecutionPlan {
    let command = ImageCommand {
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        env: vec![("PATH".to_owned(), "/bin".to_owned())],
        working_dir: "/".to_owned(),
        user: None,
    };
    let resources = Resources { cpus: Some(1), memory_bytes: Some(MEMORY_MIB << 20), disk_bytes: Some(DISK), pids: Some(1024) };
    ExecutionPlan { resources, ..ExecutionPlan::new(rootfs, command, std::time::Duration::from_mins(1)) }
}
