//! What a sandbox is made of: the kernel and what it offers, processors and memory.

use super::{Check, SysRoot};

const GIB: u64 = 1 << 30;
/// Memory in bytes below which benchmarks and page cache are in each other's way.
const MIN_MEMORY: u64 = 8 * GIB;
/// What the firmware and the kernel keep for themselves does not count as missing, in parts of the minimum.
const RESERVED_PART: u64 = 16;
/// Processors below which housekeeping and benchmark share one.
const MIN_CPUS: usize = 4;
/// The oldest kernel with all that both sandboxes use.
const MIN_KERNEL: (u32, u32) = (5, 10);

/// `on_host` is whether the owner lets benchmarks run on the machine itself.
pub(super) fn checks(root: &SysRoot, on_host: bool) -> Vec<Check> {
    vec![user(), kernel(root), cpus(), memory(root), namespaces(root), cgroups(root), overlay(root), loop_devices(root, on_host)]
}

fn user() -> Check {
    let check = Check::new("user", "root, for execution on the host");
    if rustix::process::geteuid().is_root() {
        check.ok("root")
    } else {
        check.fail(format!("user {}", rustix::process::geteuid().as_raw()), "run the runner as root, best by its systemd unit")
    }
}

fn kernel(root: &SysRoot) -> Check {
    let check = Check::new("kernel", "Linux 5.10 or newer; 6.1 or newer recommended");
    let Some(release) = root.text("/proc/sys/kernel/osrelease") else {
        return check.fail("not Linux", "run the runner on Linux");
    };
    let found = format!("Linux {release} on {}", std::env::consts::ARCH);
    let mut numbers = release.split(['.', '-', '+']).map_while(|number| number.parse::<u32>().ok());
    let version = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    if version >= MIN_KERNEL { check.ok(found) } else { check.fail(found, "install a newer kernel") }
}

fn cpus() -> Check {
    let check = Check::new("processors", "4 or more; 8 or more recommended");
    let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    if count >= MIN_CPUS {
        check.ok(count.to_string())
    } else {
        check.warn(count.to_string(), "benchmarks share their processor with the system; give the machine more, or expect noise")
    }
}

fn memory(root: &SysRoot) -> Check {
    let check = Check::new("memory", "8 GiB or more; 16 GiB or more recommended");
    let meminfo = root.text("/proc/meminfo").unwrap_or_default();
    let kib = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    let Some(bytes) = kib.map(|kib| kib * 1024) else {
        return check.warn("unknown", "look whether /proc/meminfo can be read");
    };
    let found = crate::verbs::size(bytes);
    if bytes >= MIN_MEMORY - MIN_MEMORY / RESERVED_PART {
        check.ok(found)
    } else {
        check.warn(found, "only specs with little memory fit on this machine")
    }
}

fn namespaces(root: &SysRoot) -> Check {
    const NEEDED: [&str; 5] = ["mnt", "pid", "ipc", "uts", "net"];
    let check = Check::new("namespaces", "mnt, pid, ipc, uts and net");
    let missing: Vec<&str> = NEEDED.into_iter().filter(|name| !root.has(&format!("/proc/self/ns/{name}"))).collect();
    if missing.is_empty() {
        check.ok("all")
    } else {
        check.fail(format!("no {}", missing.join(", ")), "use a kernel with CONFIG_NAMESPACES and all kinds of them")
    }
}

fn cgroups(root: &SysRoot) -> Check {
    const WANTED: [&str; 3] = ["cpu", "memory", "pids"];
    let check = Check::new("cgroups", "the controllers cpu, memory and pids");
    let mounts = root.text("/proc/self/mountinfo").unwrap_or_default();
    let (mut v1, mut v2) = (Vec::new(), None);
    for line in mounts.lines() {
        let Some((left, right)) = line.split_once(" - ") else { continue };
        let Some(mount) = left.split(' ').nth(4) else { continue };
        let mut right = right.split(' ');
        match (right.next(), right.nth(1)) {
            (Some("cgroup2"), _) => v2 = Some(root.text(&format!("{mount}/cgroup.controllers")).unwrap_or_default()),
            (Some("cgroup"), Some(options)) => v1.extend(options.split(',').map(str::to_owned)),
            _ => {}
        }
    }
    let version = match (v1.is_empty(), &v2) {
        (true, None) => return check.warn("none", "mount /sys/fs/cgroup: without it, no limit of a spec can be applied"),
        (true, Some(_)) => "version 2",
        (false, None) => "version 1",
        (false, Some(_)) => "versions 1 and 2 (hybrid)",
    };
    let of_v2 = v2.unwrap_or_default();
    let has =
        |name: &str| v1.iter().any(|controller| controller == name) || of_v2.split(' ').any(|controller| controller == name);
    let (there, missing): (Vec<&str>, Vec<&str>) = WANTED.into_iter().partition(|name| has(name));
    if missing.is_empty() {
        check.ok(format!("{version} with {}", there.join(", ")))
    } else {
        let found = format!("{version} without {}", missing.join(", "));
        check.warn(found, "enable the missing controllers: until then, those limits of a spec are not applied")
    }
}

fn overlay(root: &SysRoot) -> Check {
    let check = Check::new("overlayfs", "there, for each iteration's throw-away file system");
    let filesystems = root.text("/proc/filesystems").unwrap_or_default();
    if filesystems.lines().any(|line| line.split_whitespace().last() == Some("overlay")) {
        return check.ok("there");
    }
    let release = root.text("/proc/sys/kernel/osrelease").unwrap_or_default();
    let modules = ["modules.dep", "modules.builtin"].map(|list| root.text(&format!("/lib/modules/{release}/{list}")));
    if modules.into_iter().flatten().any(|list| list.contains("/overlay.ko")) {
        check.ok("a module, loaded when it is needed")
    } else {
        check.fail("missing", "run `modprobe overlay`, or use a kernel with CONFIG_OVERLAY_FS")
    }
}

fn loop_devices(root: &SysRoot, on_host: bool) -> Check {
    let check =
        Check::new("loop devices", "there, for execution on the host: images and the disks of benchmarks are mounted by them");
    let advice = "run `modprobe loop`: until then, nothing runs on this machine itself";
    match (root.has("/dev/loop-control"), on_host) {
        (true, _) => check.ok("there"),
        (false, true) => check.fail("missing", advice),
        (false, false) => check.warn("missing", advice),
    }
}
