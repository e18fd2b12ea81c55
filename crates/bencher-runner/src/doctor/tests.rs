use std::fs;

use super::{Check, SysRoot, Verdict, machine, micro_vm, steadiness};
use crate::{
    cli::FirecrackerArgs,
    config::firecracker::{Part, Problem, Unusable},
};

/// A machine of files.
struct Machine(tempfile::TempDir);

impl Machine {
    fn with(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        for (path, text) in files {
            let path = dir.path().join(path.trim_start_matches('/'));
            fs::create_dir_all(path.parent().expect("it is below the folder")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        Self(dir)
    }

    fn micro_vms(&self, args: &FirecrackerArgs, needed: bool) -> Vec<Check> {
        let wish = micro_vm::Wish { args, needed, ids: (1000, 10) };
        micro_vm::of_machine(&SysRoot(self.0.path().to_owned()), wish)
    }

    fn check(&self, name: &str) -> Check {
        let root = SysRoot(self.0.path().to_owned());
        let mut checks = machine::checks(&root, true);
        checks.extend(steadiness::checks(&root));
        checks.extend(self.micro_vms(&FirecrackerArgs::default(), false));
        checks.into_iter().find(|check| check.name == name).expect("there is such a check")
    }
}

fn check(name: &str, files: &[(&str, &str)], expected: Verdict, found: &str) {
    let check = Machine::with(files).check(name);
    assert_eq!((check.result, check.found.as_str()), (expected, found), "{check:?}");
    assert_eq!(check.advice.is_some(), expected != Verdict::Ok, "whatever is not well says what to do: {check:?}");
}

#[test]
fn old_kernels_are_refused() {
    let found = |release: &str| format!("Linux {release} on {}", std::env::consts::ARCH);
    for (release, expected) in
        [("6.1.0-18-amd64", Verdict::Ok), ("5.10.0", Verdict::Ok), ("5.9.16", Verdict::Fail), ("6", Verdict::Ok)]
    {
        check("kernel", &[("/proc/sys/kernel/osrelease", release)], expected, &found(release));
    }
}

#[test]
fn memory_that_the_firmware_keeps_is_not_missed() {
    check("memory", &[("/proc/meminfo", "MemTotal:        8056004 kB\nMemFree: 1 kB")], Verdict::Ok, "7.68 GiB");
    check("memory", &[("/proc/meminfo", "MemTotal:        4056004 kB")], Verdict::Warn, "3.87 GiB");
}

#[test]
fn cgroups_of_each_kind_are_recognized() {
    let v2 = "25 1 0:22 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate";
    let v1 = "26 1 0:23 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n27 1 0:24 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory";
    let controllers = ("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids");
    check("cgroups", &[("/proc/self/mountinfo", v2), controllers], Verdict::Ok, "version 2 with cpu, memory, pids");
    check("cgroups", &[("/proc/self/mountinfo", v1)], Verdict::Warn, "version 1 without pids");
    let both = format!("{v1}\n{v2}");
    let hybrid = ("/sys/fs/cgroup/cgroup.controllers", "pids");
    check("cgroups", &[("/proc/self/mountinfo", &both), hybrid], Verdict::Ok, "versions 1 and 2 (hybrid) with cpu, memory, pids");
    check("cgroups", &[("/proc/self/mountinfo", "")], Verdict::Warn, "none");
}

#[test]
fn overlayfs_may_be_a_module() {
    check("overlayfs", &[("/proc/filesystems", "nodev\tproc\nnodev\toverlay\n")], Verdict::Ok, "there");
    let release = ("/proc/sys/kernel/osrelease", "6.1");
    let module = ("/lib/modules/6.1/modules.dep", "kernel/fs/overlayfs/overlay.ko:");
    check("overlayfs", &[release, module], Verdict::Ok, "a module, loaded when it is needed");
    check("overlayfs", &[release], Verdict::Fail, "missing");
}

#[test]
fn missing_namespaces_are_named() {
    let files = ["mnt", "pid", "uts", "net"].map(|name| (format!("/proc/self/ns/{name}"), ""));
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
    check("namespaces", &files, Verdict::Fail, "no ipc");
}

#[test]
fn frequency_scaling_is_well_where_there_is_none_or_all_is_at_full_speed() {
    let cpu = |n: u8| format!("/sys/devices/system/cpu/cpu{n}/cpufreq/scaling_governor");
    let (zero, one) = (cpu(0), cpu(1));
    check("frequency scaling", &[], Verdict::Ok, "none to be seen");
    check("frequency scaling", &[(&zero, "performance\n"), (&one, "performance\n")], Verdict::Ok, "performance");
    let range = [
        ("/sys/devices/system/cpu/cpu0/cpufreq/scaling_min_freq", "800000"),
        ("/sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq", "4200000"),
    ];
    let files = [(zero.as_str(), "powersave"), (one.as_str(), "performance"), range[0], range[1]];
    check("frequency scaling", &files, Verdict::Warn, "performance, powersave, 800 to 4200 MHz");
}

#[test]
fn turbo_is_found_under_both_names() {
    check("turbo", &[("/sys/devices/system/cpu/intel_pstate/no_turbo", "0")], Verdict::Warn, "on");
    check("turbo", &[("/sys/devices/system/cpu/intel_pstate/no_turbo", "1")], Verdict::Ok, "off");
    check("turbo", &[("/sys/devices/system/cpu/cpufreq/boost", "1")], Verdict::Warn, "on");
    check("turbo", &[], Verdict::Ok, "no switch to be seen");
}

#[test]
fn smt_clock_and_swap_are_judged() {
    check("SMT", &[("/sys/devices/system/cpu/smt/active", "1")], Verdict::Warn, "on");
    let clock = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    check("clock source", &[(clock, "tsc")], Verdict::Ok, "tsc");
    check("clock source", &[(clock, "hpet")], Verdict::Warn, "hpet");
    let swaps = ("/proc/swaps", "Filename Type\n/dev/sda2 partition");
    check("swap", &[("/proc/swaps", "Filename Type\n")], Verdict::Ok, "none");
    check("swap", &[swaps, ("/proc/sys/vm/swappiness", "60")], Verdict::Warn, "1 areas, swappiness 60");
    check("swap", &[swaps, ("/proc/sys/vm/swappiness", "10")], Verdict::Ok, "1 areas, swappiness 10");
}

#[test]
fn a_machine_without_anything_is_told_so_and_breaks_nothing() {
    let machine = Machine::with(&[]);
    assert_eq!(machine.check("kernel").result, Verdict::Fail);
    assert_eq!(machine.check("KVM").result, Verdict::Warn, "execution on the host works without it");
}

#[test]
fn what_microvms_need_is_missed_as_much_as_somebody_counts_on_it() {
    let machine = Machine::with(&[("/dev/kvm", "no device")]);
    let kvm = |needed| {
        let checks = machine.micro_vms(&FirecrackerArgs::default(), needed);
        checks.into_iter().find(|check| check.name == "KVM").unwrap()
    };
    assert_eq!((kvm(false).result, kvm(true).result), (Verdict::Warn, Verdict::Fail));
    assert!(kvm(true).found.contains("is no KVM"), "{:?}", kvm(true));
}

#[test]
fn huge_pages_matter_only_where_they_are_wanted() {
    let meminfo = |total: u32| format!("HugePages_Total: {total}\nHugePages_Free: {total}\nHugepagesize:    2048 kB");
    let judged = |total: u32, huge_pages: bool| {
        let machine = Machine::with(&[("/proc/meminfo", &meminfo(total))]);
        let checks = machine.micro_vms(&FirecrackerArgs { huge_pages, ..FirecrackerArgs::default() }, true);
        checks.into_iter().find(|check| check.name == "huge pages").unwrap().result
    };
    assert_eq!((judged(0, false), judged(0, true), judged(512, true)), (Verdict::Ok, Verdict::Fail, Verdict::Ok));
}

#[test]
fn numbers_of_users_that_somebody_has_are_named() {
    let free = [("/etc/passwd", "root:x:0:0::/:/bin/sh\nada:x:999:999::/:/bin/sh"), ("/etc/subuid", "ada:1010:65536")];
    check("user ids", &free, Verdict::Ok, "1000 to 1009, free");
    check("user ids", &[("/etc/group", "video:x:1003:")], Verdict::Warn, "1000 to 1009, taken by video in /etc/group");
    check("user ids", &[("/etc/subgid", "ada:900:200")], Verdict::Warn, "1000 to 1009, taken by ada in /etc/subgid");
}

#[test]
fn controllers_of_both_versions_count() {
    let v1 = ("/proc/cgroups", "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpuset\t3\t1\t1\nblkio\t0\t1\t1");
    check("cgroups for microVMs", &[v1], Verdict::Warn, "no io");
    check("cgroups for microVMs", &[v1, ("/sys/fs/cgroup/cgroup.controllers", "cpu io")], Verdict::Ok, "both");
    check("KSM", &[("/sys/kernel/mm/ksm/run", "1")], Verdict::Warn, "on");
}

#[test]
fn something_has_to_be_able_to_run_jobs() {
    let ok = |name| Check::new(name, "").ok("x");
    let able = [ok("KVM"), ok("microVM")];
    assert_eq!(micro_vm::anything(&able, false).found, "microVMs");
    assert_eq!(micro_vm::anything(&able[..1], true).found, "this machine itself, no microVMs");
    assert_eq!(micro_vm::anything(&able[..1], false).result, Verdict::Warn);
}

#[test]
fn missing_loop_devices_fail_who_runs_benchmarks_on_the_machine_itself() {
    let look = |on_host| {
        let machine = Machine::with(&[]);
        let checks = machine::checks(&SysRoot(machine.0.path().to_owned()), on_host);
        checks.into_iter().find(|check| check.name == "loop devices").expect("there is such a check").result
    };
    assert_eq!((look(true), look(false)), (Verdict::Fail, Verdict::Warn));
    check("loop devices", &[("/dev/loop-control", "")], Verdict::Ok, "there");
}

#[test]
fn what_micro_vms_lack_is_one_short_line() {
    let missing = |what, looked_for: &[&str]| Problem::Missing {
        what,
        looked_for: looked_for.iter().map(Into::into).collect(),
        help: "install it",
    };
    let unusable =
        Unusable(vec![missing(Part::Firecracker, &["/a/firecracker", "/b/firecracker"]), missing(Part::Kernel, &["/k"])]);
    assert_eq!(micro_vm::briefly(&unusable), "the program firecracker is missing; the guest's kernel is not at /k");
}
