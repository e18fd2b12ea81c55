mod guest;
mod vm;

use super::*;

/// A made-up hierarchy: a folder in place of the kernel's.
fn line(mount: &Path, kind: &str, options: &str) -> String {
    format!("30 25 0:26 / {} rw,relatime - {kind} {kind} {options}\n", mount.display())
}

fn read(path: PathBuf) -> String {
    fs::read_to_string(path).unwrap()
}

const RESOURCES: Resources = Resources { cpus: Some(2), memory_bytes: Some(1_000_000), disk_bytes: None, pids: Some(10) };

#[test]
fn a_host_without_controllers_says_so_and_runs() {
    let host = CgroupHost::detect("22 27 0:21 / /proc rw,relatime - proc proc rw\n", "bencher");
    assert_eq!((host.shortcomings(false).len(), host.shortcomings(true).len()), (3, 4));
    let group = host.create("one", &RESOURCES, 8);
    assert_eq!(group.warnings.len(), 3);
    assert!(!group.oom_killed());
}

#[test]
fn version_one_and_two_are_used_side_by_side() {
    let dir = tempfile::tempdir().unwrap();
    let (memory, unified) = (dir.path().join("memory"), dir.path().join("unified"));
    for folder in [&memory, &unified] {
        fs::create_dir_all(folder.join("bencher/one")).unwrap();
    }
    fs::write(unified.join("cgroup.controllers"), "hugetlb pids\n").unwrap();
    for (folder, files) in [
        (memory.join("bencher/one"), ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.oom_control"].as_slice()),
        (unified.clone(), &["cgroup.subtree_control"]),
        (unified.join("bencher"), &["cgroup.subtree_control"]),
        (unified.join("bencher/one"), &["pids.max"]),
    ] {
        for file in files {
            fs::write(folder.join(file), "").unwrap();
        }
    }
    let mounts = line(&memory, "cgroup", "rw,memory") + &line(&unified, "cgroup2", "rw");
    let host = CgroupHost::detect(&mounts, "bencher");
    assert_eq!(host.shortcomings(false), ["the host has no cpu cgroup controller: that limit is not applied"]);
    let group = host.create("one", &Resources { cpus: None, ..RESOURCES }, 8);
    assert_eq!(group.warnings, Vec::<String>::new());
    assert_eq!(read(memory.join("bencher/one/memory.memsw.limit_in_bytes")), "1000000");
    assert_eq!(read(unified.join("bencher/cgroup.subtree_control")), "+pids");
    assert_eq!(read(unified.join("bencher/one/pids.max")), "10");
    assert!(!group.oom_killed());
    fs::write(memory.join("bencher/one/memory.oom_control"), "under_oom 0\noom_kill 1\n").unwrap();
    assert!(group.oom_killed());
}

#[test]
fn version_two_forbids_swap_and_kills_all_or_none() {
    let dir = tempfile::tempdir().unwrap();
    let group = dir.path().join("bencher/one");
    fs::create_dir_all(&group).unwrap();
    fs::write(dir.path().join("cgroup.controllers"), "cpu memory pids").unwrap();
    for folder in [dir.path().to_owned(), dir.path().join("bencher")] {
        fs::write(folder.join("cgroup.subtree_control"), "cpu memory pids").unwrap();
    }
    for file in ["cpu.max", "memory.max", "memory.swap.max", "memory.oom.group", "pids.max"] {
        fs::write(group.join(file), "").unwrap();
    }
    fs::write(group.join("memory.events"), "oom 1\noom_kill 2\n").unwrap();
    let host = CgroupHost::detect(&line(dir.path(), "cgroup2", "rw,nsdelegate"), "bencher");
    let made = host.create("one", &RESOURCES, 8);
    assert_eq!(made.warnings, Vec::<String>::new());
    let found = ["cpu.max", "memory.max", "memory.swap.max", "memory.oom.group", "pids.max"].map(|file| read(group.join(file)));
    assert_eq!(found, ["200000 100000", "1000000", "0", "1", "10"]);
    assert!(made.oom_killed());
}

#[test]
fn a_host_with_no_more_cpus_than_asked_for_is_not_throttled() {
    let host = CgroupHost::detect("", "bencher");
    let made = host.create("one", &Resources { cpus: Some(8), ..Resources::default() }, 8);
    assert_eq!(made.warnings, Vec::<String>::new());
}
