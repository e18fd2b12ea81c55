//! What makes numbers vary on a machine that works: frequencies, shared cores, clocks, swap.

use super::{Check, SysRoot};

pub(super) fn checks(root: &SysRoot) -> Vec<Check> {
    vec![governor(root), turbo(root), smt(root), clock_source(root), swap(root), virtual_machine(root)]
}

fn governor(root: &SysRoot) -> Check {
    let check = Check::new("frequency scaling", "the governor `performance` on every processor");
    let mut governors: Vec<String> = (0..)
        .map(|cpu| format!("/sys/devices/system/cpu/cpu{cpu}"))
        .take_while(|cpu| root.has(cpu))
        .filter_map(|cpu| root.text(&format!("{cpu}/cpufreq/scaling_governor")))
        .collect();
    governors.sort();
    governors.dedup();
    if governors.is_empty() {
        return check.ok("none to be seen");
    }
    let range = ["min", "max"].map(|end| {
        root.text(&format!("/sys/devices/system/cpu/cpu0/cpufreq/scaling_{end}_freq")).and_then(|khz| khz.parse::<u64>().ok())
    });
    let range = match range {
        [Some(min), Some(max)] => format!(", {} to {} MHz", min / 1000, max / 1000),
        _ => String::new(),
    };
    let found = format!("{}{range}", governors.join(", "));
    if governors == ["performance"] {
        check.ok(found)
    } else {
        check.warn(found, "`cpupower frequency-set -g performance` holds the processors at full speed")
    }
}

fn turbo(root: &SysRoot) -> Check {
    let check = Check::new("turbo", "off: how long it lasts depends on the temperature");
    let on =
        match (root.text("/sys/devices/system/cpu/intel_pstate/no_turbo"), root.text("/sys/devices/system/cpu/cpufreq/boost")) {
            (Some(no_turbo), _) => no_turbo == "0",
            (None, Some(boost)) => boost == "1",
            (None, None) => return check.ok("no switch to be seen"),
        };
    if on {
        check
            .warn("on", "write 1 to /sys/devices/system/cpu/intel_pstate/no_turbo, or 0 to /sys/devices/system/cpu/cpufreq/boost")
    } else {
        check.ok("off")
    }
}

fn smt(root: &SysRoot) -> Check {
    let check = Check::new("SMT", "off: two threads share one core");
    match root.text("/sys/devices/system/cpu/smt/active").as_deref() {
        Some("1") => check.warn("on", "write `off` to /sys/devices/system/cpu/smt/control, or switch it off in the firmware"),
        Some(_) => check.ok("off"),
        None => check.ok("no switch to be seen"),
    }
}

fn clock_source(root: &SysRoot) -> Check {
    let check = Check::new("clock source", "one that is read without the kernel: tsc, kvm-clock, arch_sys_counter");
    match root.text("/sys/devices/system/clocksource/clocksource0/current_clocksource") {
        Some(source) if matches!(source.as_str(), "tsc" | "kvm-clock" | "arch_sys_counter" | "hyperv_clocksource_tsc_page") => {
            check.ok(source)
        }
        Some(source) => check.warn(source, "look in the kernel's log why it does not trust the processor's counter"),
        None => check.warn("unknown", "look whether /sys is mounted"),
    }
}

fn swap(root: &SysRoot) -> Check {
    let check = Check::new("swap", "none, or a swappiness of at most 10");
    let areas = root.text("/proc/swaps").map_or(0, |text| text.lines().skip(1).count());
    let swappiness = root.text("/proc/sys/vm/swappiness").and_then(|text| text.parse::<u32>().ok());
    let found = match swappiness {
        Some(swappiness) if areas > 0 => format!("{areas} areas, swappiness {swappiness}"),
        _ if areas > 0 => format!("{areas} areas"),
        _ => return check.ok("none"),
    };
    if swappiness.is_some_and(|swappiness| swappiness <= 10) {
        check.ok(found)
    } else {
        check.warn(found, "`swapoff -a`, or `sysctl vm.swappiness=10`")
    }
}

fn virtual_machine(root: &SysRoot) -> Check {
    let check = Check::new("machine", "real hardware of its own");
    let cpuinfo = root.text("/proc/cpuinfo").unwrap_or_default();
    let flags = cpuinfo.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
    if flags.split(' ').any(|flag| flag == "hypervisor") {
        check.warn("a virtual machine", "its numbers vary with its neighbours; use real hardware for those that matter")
    } else {
        check.ok("no hypervisor to be seen")
    }
}
