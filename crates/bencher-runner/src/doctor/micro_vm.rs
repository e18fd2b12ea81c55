//! What microVMs need: virtualization, programs, a kernel, memory, numbers for users, and what a network is made of.

use std::{os::fd::FromRawFd as _, path::Path};

use super::{Check, SysRoot, Verdict};
use crate::{
    cli::{FirecrackerArgs, SandboxLogLevel},
    config::firecracker::{MicroVms, Places, Problem, Unusable, Versions},
    install::{
        elf,
        version::{TESTED_FIRECRACKER, TESTED_KERNELS},
    },
};

const EXPECTED_PROGRAMS: &str = "Firecracker 1.16.1 or a later 1.x, jailer, kernel and first process, for microVMs";
/// The version of KVM's interface that every kernel of the last fifteen years has.
const KVM_API_VERSION: i32 = 12;
/// Pages of 2 MiB for the smallest useful guest.
const MIN_HUGE_PAGES: u64 = 128;

/// What is expected of this machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish<'a> {
    pub(super) args: &'a FirecrackerArgs,
    /// Somebody counts on microVMs here.
    pub(super) needed: bool,
    /// First of the users' numbers, and how many.
    pub(super) ids: (u32, u32),
}

impl Wish<'_> {
    /// What is missing is as bad as somebody counts on it.
    fn missing(self, check: Check, found: impl Into<String>, advice: &'static str) -> Check {
        if self.needed { check.fail(found, advice) } else { check.warn(found, advice) }
    }
}

pub(super) async fn checks(root: &SysRoot, wish: Wish<'_>) -> Vec<Check> {
    let mut checks = of_machine(root, wish);
    checks.extend(programs(wish).await);
    checks
}

/// What the machine itself has.
pub(super) fn of_machine(root: &SysRoot, wish: Wish<'_>) -> Vec<Check> {
    vec![
        kvm(root, wish),
        controllers(root),
        huge_pages(root, wish),
        user_ids(root, wish),
        merging(root),
        tap(root),
        firewall(root),
    ]
}

fn kvm(root: &SysRoot, wish: Wish<'_>) -> Check {
    let check = Check::new("KVM", "/dev/kvm that makes virtual machines, for microVMs (not needed for execution on the host)");
    let path = root.path("/dev/kvm");
    if !path.exists() {
        let advice = "switch virtualization on in the firmware, load kvm_intel or kvm_amd; a virtual machine needs a nested one";
        return wish.missing(check, "missing", advice);
    }
    let device = match std::fs::File::options().read(true).write(true).open(&path) {
        Ok(device) => device,
        Err(error) => {
            let advice = "run the runner as root or as a member of the group `kvm`";
            return wish.missing(check, format!("there, but {error}"), advice);
        }
    };
    match try_kvm(&device) {
        Ok(()) => check.ok("usable"),
        Err(problem) => wish.missing(check, problem, "look into the kernel's log; another hypervisor may hold the processor"),
    }
}

mod ioctl {
    const KVM: u8 = 0xae;
    nix::ioctl_write_int_bad!(get_api_version, nix::request_code_none!(KVM, 0x00));
    nix::ioctl_write_int_bad!(create_vm, nix::request_code_none!(KVM, 0x01));
}

/// Makes a virtual machine without memory or processor, and lets go of it.
fn try_kvm(device: &std::fs::File) -> Result<(), String> {
    use std::os::fd::AsRawFd as _;
    // SAFETY: the request takes no pointer, and the descriptor is open for the time of the call.
    let version = unsafe { ioctl::get_api_version(device.as_raw_fd(), 0) };
    match version {
        Ok(KVM_API_VERSION) => {}
        Ok(other) => return Err(format!("speaks version {other} of its interface, not {KVM_API_VERSION}")),
        Err(error) => return Err(format!("is no KVM: {}", error.desc())),
    }
    // SAFETY: as above; 0 is the machine type of this architecture.
    let machine = unsafe { ioctl::create_vm(device.as_raw_fd(), 0) };
    let machine = machine.map_err(|error| format!("makes no virtual machine: {}", error.desc()))?;
    // SAFETY: the kernel has just made this descriptor for us, and nobody else has it.
    drop(unsafe { std::os::fd::OwnedFd::from_raw_fd(machine) });
    Ok(())
}

/// One check of everything together, then each part that says more.
async fn programs(wish: Wish<'_>) -> Vec<Check> {
    let all = Check::new("microVM", EXPECTED_PROGRAMS);
    let advice = "`runner install-deps` installs Firecracker, jailer and kernel; bencher-init belongs beside `runner`";
    let found = match MicroVms::find(wish.args, SandboxLogLevel::Warning, &Places::usual()) {
        Ok(found) => found,
        Err(problem) => return vec![wish.missing(all, briefly(&problem), advice)],
    };
    match found.check().await {
        Ok(versions) => {
            let mut checks = vec![all.ok("all there")];
            checks.extend([firecracker(&found, versions), jailer(&found, versions), kernel(&found.kernel)]);
            checks
        }
        Err(problem) => vec![wish.missing(all, briefly(&problem), advice)],
    }
}

/// What is wrong, in one line of a table: where everything was looked for, and how to mend each, the runner says at its start.
pub(super) fn briefly(unusable: &Unusable) -> String {
    let problems = unusable.0.iter().map(|problem| match problem {
        Problem::Missing { what, looked_for, .. } => match looked_for.as_slice() {
            [named] => format!("{what} is not at {}", named.display()),
            _ => format!("{what} is missing"),
        },
        problem => crate::chain::chain(problem),
    });
    problems.collect::<Vec<_>>().join("; ")
}

fn firecracker(found: &MicroVms, versions: Versions) -> Check {
    let check = Check::new("firecracker", "a release that was tested with this runner");
    let text = format!("{} ({})", versions.firecracker, found.firecracker.display());
    if versions.firecracker.is_of_series(TESTED_FIRECRACKER) {
        check.ok(text)
    } else {
        check.warn(text, "it is expected to work; if it does not, install 1.16.1")
    }
}

fn jailer(found: &MicroVms, versions: Versions) -> Check {
    let check = Check::new("jailer", "of the same release, so that what gets out of a microVM is in a jail");
    match (&found.jailer, versions.jailer) {
        (Some(path), Some(version)) => check.ok(format!("{version} ({})", path.display())),
        _ => {
            check.warn("none, by configuration", "take `no_jailer` out of the configuration before benchmarks of others run here")
        }
    }
}

fn kernel(path: &Path) -> Check {
    let check = Check::new("guest kernel", "a kernel of a series that Firecracker's makers test: 5.10 or 6.1");
    let read = elf::kernel(path).and_then(|elf| Ok((elf, elf::kernel_version(path)?)));
    let (elf, version) = match read {
        Ok(read) => read,
        Err(error) => return check.warn(crate::chain::chain(&error), "install another with `runner install-deps`"),
    };
    let entry = if elf.has_pvh_entry { "PVH entry" } else { "64-bit entry" };
    let named = version.map_or_else(|| "of unknown version".to_owned(), |version| version.to_string());
    let found = format!("{named}, {entry} ({})", path.display());
    if elf.has_interpreter {
        check.warn(found, "this file is a program for this machine and no kernel for a virtual one")
    } else if version.is_some_and(|version| TESTED_KERNELS.iter().any(|tested| tested.is_of_series(version))) {
        check.ok(found)
    } else {
        check.warn(found, "it may work; if it does not, install one of these series with `runner install-deps`")
    }
}

fn controllers(root: &SysRoot) -> Check {
    let check =
        Check::new("cgroups for microVMs", "the controllers cpuset and io (blkio) besides, to keep microVMs to their share");
    let v1 = root.text("/proc/cgroups").unwrap_or_default();
    let v2 = root.text("/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
    let enabled = |names: &[&str]| {
        let in_v1 = v1.lines().any(|line| {
            let mut columns = line.split_whitespace();
            // Name, hierarchy, number, whether it is enabled; hierarchy 0 is none of the first version.
            columns.next().is_some_and(|name| names.contains(&name)) && columns.next() != Some("0") && columns.nth(1) == Some("1")
        });
        in_v1 || v2.split(' ').any(|name| names.contains(&name))
    };
    let missing: Vec<&str> = [("cpuset", &["cpuset"][..]), ("io", &["io", "blkio"])]
        .iter()
        .filter_map(|(name, names)| (!enabled(names)).then_some(*name))
        .collect();
    if missing.is_empty() {
        check.ok("both")
    } else {
        check.warn(
            format!("no {}", missing.join(", no ")),
            "enable them in the kernel or for this group: until then, these limits are not applied",
        )
    }
}

fn huge_pages(root: &SysRoot, wish: Wish<'_>) -> Check {
    let check = Check::new("huge pages", "enough free pages of 2 MiB where huge_pages is set; else none are needed");
    let meminfo = root.text("/proc/meminfo").unwrap_or_default();
    let value = |name: &str| {
        meminfo
            .lines()
            .find_map(|line| line.strip_prefix(name)?.trim_start_matches(':').split_whitespace().next()?.parse::<u64>().ok())
    };
    let (total, free, kib) =
        (value("HugePages_Total").unwrap_or(0), value("HugePages_Free").unwrap_or(0), value("Hugepagesize").unwrap_or(0));
    let found = format!("{free} of {total} free, of {kib} KiB each");
    match wish.args.huge_pages {
        false => check.ok(if total == 0 { "none, none wanted".to_owned() } else { found }),
        true if kib != 2048 => check.fail(found, "boot with default_hugepagesz=2M, or leave huge_pages out"),
        true if free < MIN_HUGE_PAGES => check.fail(
            found,
            "`sysctl vm.nr_hugepages=N`, one for each 2 MiB of the largest spec; at boot, before memory is in pieces",
        ),
        true => check.ok(found),
    }
}

fn user_ids(root: &SysRoot, wish: Wish<'_>) -> Check {
    let check = Check::new("user ids", "numbers for the users of microVMs that nobody else has");
    let (base, count) = wish.ids;
    let range = u64::from(base)..u64::from(base) + u64::from(count);
    let mut taken = Vec::new();
    for (file, column) in [("/etc/passwd", 2), ("/etc/passwd", 3), ("/etc/group", 2)] {
        for line in root.text(file).unwrap_or_default().lines() {
            let mut columns = line.split(':');
            let name = columns.next().unwrap_or_default();
            if columns.nth(column - 1).and_then(|id| id.parse().ok()).is_some_and(|id: u64| range.contains(&id)) {
                taken.push(format!("{name} in {file}"));
            }
        }
    }
    for file in ["/etc/subuid", "/etc/subgid"] {
        for line in root.text(file).unwrap_or_default().lines() {
            let columns: Vec<&str> = line.split(':').collect();
            if let [name, first, many] = columns.as_slice()
                && let (Ok(first), Ok(many)) = (first.parse::<u64>(), many.parse::<u64>())
                && first < range.end
                && range.start < first.saturating_add(many)
            {
                taken.push(format!("{name} in {file}"));
            }
        }
    }
    taken.dedup();
    let span = format!("{base} to {}", range.end - 1);
    if taken.is_empty() {
        check.ok(format!("{span}, free"))
    } else {
        let advice = "choose another range with uid_base and uid_count in [firecracker]";
        wish.missing(check, format!("{span}, taken by {}", taken.join(", ")), advice)
    }
}

fn merging(root: &SysRoot) -> Check {
    let check = Check::new("KSM", "off: merging pages takes time, and tells one guest of another's memory");
    match root.text("/sys/kernel/mm/ksm/run").as_deref() {
        Some("1") => check.warn("on", "write 2 to /sys/kernel/mm/ksm/run, which takes merged pages apart, too"),
        Some(_) => check.ok("off"),
        None => check.ok("no switch to be seen"),
    }
}

fn tap(root: &SysRoot) -> Check {
    let check = Check::new("tun", "/dev/net/tun, for microVMs whose spec has a network");
    if root.has("/dev/net/tun") {
        check.ok("there")
    } else {
        check.warn("missing", "run `modprobe tun`: until then, only specs without a network run in microVMs")
    }
}

fn firewall(root: &SysRoot) -> Check {
    let check = Check::new("nftables", "in the kernel and as the program `nft`, for microVMs whose spec has a network");
    let release = root.text("/proc/sys/kernel/osrelease").unwrap_or_default();
    let lists = ["modules.dep", "modules.builtin"].map(|list| root.text(&format!("/lib/modules/{release}/{list}")));
    let in_kernel = root.has("/sys/module/nf_tables") || lists.into_iter().flatten().any(|list| list.contains("/nf_tables.ko"));
    match (in_kernel, super::programs::find("nft")) {
        (true, Some(path)) => check.ok(path.display().to_string()),
        (true, None) => check
            .warn("no program `nft`", "install the package `nftables`: until then, only specs without a network run in microVMs"),
        (false, _) => check.warn(
            "not to be seen in the kernel",
            "run `modprobe nf_tables`, or use a kernel with CONFIG_NF_TABLES, for specs with a network in microVMs",
        ),
    }
}

/// Whether a runner on this machine could run anything at all.
pub(super) fn anything(checks: &[Check], host_allowed: bool) -> Check {
    let check = Check::new("sandbox", "microVMs, or the owner's word to run jobs on this machine itself");
    let well = |name: &str| checks.iter().any(|check| check.name == name && check.result == Verdict::Ok);
    let micro_vms = well("KVM") && well("microVM");
    match (micro_vms, host_allowed) {
        (true, true) => check.ok("microVMs, and this machine itself"),
        (true, false) => check.ok("microVMs"),
        (false, true) => check.ok("this machine itself, no microVMs"),
        (false, false) => check.warn(
            "none yet: jobs would be refused",
            "see `KVM` and `microVM` above; or run jobs on this machine itself with --danger-allow-no-sandbox, if all are trusted",
        ),
    }
}
