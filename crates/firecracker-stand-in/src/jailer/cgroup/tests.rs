use super::*;

const MOUNTS: &str = "proc /proc proc rw 0 0\n\
    cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0\n\
    cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0\n\
    cgroup2 /no/such/unified cgroup2 rw,relatime 0 0\n";

fn said(error: JailError) -> String {
    error.to_string()
}

#[test]
fn a_controller_of_version_one_is_found_by_the_options_of_its_mount() {
    assert_eq!(hierarchy(MOUNTS, Version::One, "cpu").unwrap(), Path::new("/sys/fs/cgroup/cpu,cpuacct"));
    assert_eq!(hierarchy(MOUNTS, Version::One, "memory").unwrap(), Path::new("/sys/fs/cgroup/memory"));
}

#[test]
fn a_controller_that_is_not_there_is_named() {
    assert_eq!(said(hierarchy(MOUNTS, Version::One, "io").unwrap_err()), "Controller io is unavailable");
    assert_eq!(said(hierarchy(MOUNTS, Version::Two, "cpu").unwrap_err()), "Controller cpu is unavailable");
    assert_eq!(said(hierarchy("", Version::Two, "cpu").unwrap_err()), "Hierarchy not found: unified");
}

#[test]
fn a_setting_is_a_file_of_a_controller_and_a_value() {
    let setting = Setting::parse("memory.limit_in_bytes=1000").unwrap();
    assert_eq!((setting.controller.as_str(), setting.value.as_str()), ("memory", "1000"));
    for bad in ["memory.max", "memory.max=", "memory.max=1=2"] {
        assert_eq!(said(Setting::parse(bad).unwrap_err()), format!("Invalid format for cgroups: {bad}"));
    }
    assert_eq!(said(Setting::parse("tasks=1").unwrap_err()), "Cgroup invalid file: tasks");
}

#[test]
fn a_limit_of_processes_leaves_room_for_the_guests() {
    assert_eq!(Setting::parse("pids.max=16").unwrap().value, "272");
    assert_eq!(Setting::parse("pids.max=max").unwrap().value, "max");
}

#[test]
fn a_parent_stays_below_the_hierarchy() {
    assert!(checked_parent(Path::new("bencher/jails")).is_ok());
    for bad in ["/bencher", "../bencher", "./bencher", "a/../../b"] {
        assert!(checked_parent(Path::new(bad)).is_err(), "{bad}");
    }
}
