//! Version 2 of cgroups as a real kernel has it: what is written takes effect, and what was made goes away.
//!
//! Each test boots a guest, for the machine the tests run on may have version 1 alone.

use std::{
    io::Write as _,
    os::unix::process::ExitStatusExt as _,
    process::{Child, Command, Stdio},
    time::Instant,
};

use super::{guest::in_guest, *};

const ROOT: &str = "/sys/fs/cgroup";
const MIB: u64 = 1 << 20;
/// The guest's disk.
const DISK: (u32, u32) = (98, 0);
/// More processors than the guest has, so that its quota is set.
const HOST_CPUS: usize = 8;
const LONG: Duration = Duration::from_secs(100);

const LIMITS: Resources = Resources { cpus: Some(2), memory_bytes: Some(32 * MIB), disk_bytes: None, pids: Some(16) };

fn host() -> CgroupHost {
    CgroupHost::detect(&fs::read_to_string("/proc/self/mountinfo").unwrap(), "bencher")
}

fn group(host: &CgroupHost, name: &str) -> JobCgroup {
    let group = host.create(name, &LIMITS, HOST_CPUS);
    assert_eq!(group.warnings, Vec::<String>::new());
    group
}

fn folder(name: &str) -> PathBuf {
    Path::new(ROOT).join("bencher").join(name)
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap().trim().to_owned()
}

/// The number after a word in one of the files with several.
fn number(path: &Path, key: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap();
    let value = text.split_whitespace().skip_while(|word| *word != key).nth(1);
    value.unwrap_or_else(|| panic!("no {key} in {text}")).parse().unwrap()
}

/// A shell in the group, which does nothing before it is in there.
fn member(group: &mut JobCgroup, script: &str) -> Child {
    let mut shell = Command::new("/bin/busybox");
    let mut child = shell.args(["sh", "-c", &format!("read go; {script}")]).stdin(Stdio::piped()).spawn().unwrap();
    group.add(i32::try_from(child.id()).unwrap());
    assert_eq!(group.warnings, Vec::<String>::new());
    child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    child
}

fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < LONG, "never came: {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

fn close(group: JobCgroup) {
    wait(group.close());
}

fn wait(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future);
}

#[test]
fn every_limit_is_in_the_kernels_own_words() {
    in_guest(|| {
        let host = host();
        assert_eq!(host.shortcomings(true), Vec::<String>::new());
        let mut made = group(&host, "one");
        let (major, minor) = DISK;
        host.limit_io(&mut made, "one", IoLimit { major, minor, bytes_per_second: MIB });
        assert_eq!(made.warnings, Vec::<String>::new());
        let enabled = text(&Path::new(ROOT).join("bencher/cgroup.subtree_control"));
        assert!(Controller::ALL.iter().all(|controller| enabled.contains(controller.name())), "{enabled}");
        let found = ["cpu.max", "memory.max", "memory.oom.group", "pids.max", "io.max"];
        let found = found.map(|file| text(&folder("one").join(file)));
        let io = format!("{major}:{minor} rbps={MIB} wbps={MIB} riops=max wiops=max");
        assert_eq!(found, ["200000 100000", "33554432", "1", "16", io.as_str()]);
        let swap = folder("one").join("memory.swap.max");
        assert!(!swap.exists() || text(&swap) == "0");
        assert!(!made.oom_killed());
        close(made);
        assert!(!folder("one").exists());
    });
}

#[test]
fn a_group_over_its_memory_dies_as_a_whole() {
    in_guest(|| {
        let mut made = group(&host(), "one");
        let mut bystander = member(&mut made, "while :; do sleep 600; done");
        let mut glutton = member(&mut made, "x=$(head -c 100000000 /dev/zero | tr '\\0' x); echo ${#x}; sleep 600");
        for child in [&mut glutton, &mut bystander] {
            assert_eq!(child.wait().unwrap().signal(), Some(9));
        }
        assert!(made.oom_killed());
        assert!(number(&folder("one").join("memory.events"), "oom_group_kill") >= 1);
        close(made);
        assert!(!folder("one").exists());
    });
}

#[test]
fn a_fork_bomb_meets_its_bound_and_is_removed() {
    in_guest(|| {
        let mut made = group(&host(), "one");
        let mut bomb = member(&mut made, "f() { sleep 600 & f | f & }; f; wait");
        let pids = folder("one").join("pids.events");
        eventually("a fork that is refused", || number(&pids, "max") > 0);
        assert!(text(&folder("one").join("pids.current")).parse::<u64>().unwrap() <= 16);
        close(made);
        assert!(!folder("one").exists());
        bomb.wait().unwrap();
    });
}

#[test]
fn a_group_over_its_quota_waits_for_the_next_period() {
    in_guest(|| {
        let mut made = group(&host(), "one");
        // The guest has one processor, and quotas are of whole ones: a tenth is the test's, in the file the product wrote.
        write(&folder("one").join("cpu.max"), "10000 100000").unwrap();
        let mut busy = member(&mut made, "while :; do :; done");
        eventually("a throttled period", || number(&folder("one").join("cpu.stat"), "nr_throttled") > 3);
        close(made);
        assert_eq!(busy.wait().unwrap().signal(), Some(9));
    });
}

#[test]
fn a_group_reads_its_disk_no_faster_than_its_limit() {
    in_guest(|| {
        let host = host();
        let mut made = group(&host, "one");
        let (major, minor) = DISK;
        host.limit_io(&mut made, "one", IoLimit { major, minor, bytes_per_second: MIB });
        let began = Instant::now();
        let mut reader = member(&mut made, "exec dd if=/dev/ubda of=/dev/null bs=65536 count=48 2>/dev/null");
        assert!(reader.wait().unwrap().success());
        // Three mebibytes at one a second. What may come at once in the beginning is a fraction of a second's worth.
        assert!(began.elapsed() > Duration::from_millis(1500), "{:?}", began.elapsed());
        close(made);
        assert!(!folder("one").exists());
    });
}

#[test]
fn a_group_goes_with_all_that_lives_in_it_and_below_it() {
    in_guest(|| {
        let mut made = group(&host(), "one");
        let mut above = member(&mut made, "while :; do sleep 600; done");
        let mut below = member(&mut made, "while :; do sleep 600; done");
        let nested = folder("one").join("nested/deeper");
        fs::create_dir_all(&nested).unwrap();
        write(&nested.join("cgroup.procs"), &below.id().to_string()).unwrap();
        close(made);
        assert!(!folder("one").exists());
        for child in [&mut above, &mut below] {
            assert_eq!(child.wait().unwrap().signal(), Some(9));
        }
    });
}

#[test]
fn what_an_earlier_runner_left_is_removed_by_its_name() {
    in_guest(|| {
        let host = host();
        let mut left = group(&host, "left");
        let mut child = member(&mut left, "while :; do sleep 600; done");
        // As with a runner that was killed: nobody removes it.
        std::mem::forget(left);
        let others = group(&host, "others");
        wait(host.remove_leftover("left"));
        assert!(!folder("left").exists() && folder("others").exists());
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        wait(host.remove_leftover("never"));
        drop(others);
        assert!(!folder("others").exists());
    });
}

/// A part of the hierarchy, as a container or a service with delegation has it, with these controllers; and its line of
/// `mountinfo`.
fn delegated(controllers: &str) -> (PathBuf, String) {
    let (part, mount) = (Path::new(ROOT).join("part"), PathBuf::from("/dev/shm/part"));
    fs::create_dir(&part).unwrap();
    fs::create_dir(&mount).unwrap();
    write(&Path::new(ROOT).join("cgroup.subtree_control"), controllers).unwrap();
    let mut bind = Command::new("/bin/busybox");
    assert!(bind.args(["mount", "--bind"]).args([&part, &mount]).status().unwrap().success());
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let line = mounts.lines().find(|line| line.contains("/dev/shm/part")).unwrap().to_owned();
    (mount, line)
}

#[test]
fn below_a_delegated_part_its_controllers_are_used_and_the_missing_ones_told() {
    in_guest(|| {
        let (mount, line) = delegated("+pids");
        let host = CgroupHost::detect(&line, "bencher");
        let missing =
            ["cpu", "memory", "io"].map(|name| format!("the host has no {name} cgroup controller: that limit is not applied"));
        assert_eq!(host.shortcomings(true), missing);
        let mut made = host.create("one", &LIMITS, HOST_CPUS);
        let warnings = std::mem::take(&mut made.warnings);
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        let mut child = member(&mut made, "while :; do sleep 600; done");
        assert_eq!(text(&mount.join("bencher/one/pids.max")), "16");
        assert!(text(&mount.join("bencher/one/pids.current")).parse::<u64>().unwrap() >= 1);
        close(made);
        assert!(!mount.join("bencher/one").exists());
        assert_eq!(child.wait().unwrap().signal(), Some(9));
    });
}

#[test]
fn a_controller_that_cannot_be_enabled_is_told_at_the_start_and_of_each_run() {
    in_guest(|| {
        let (mount, line) = delegated("+memory +pids");
        // As in a container whose processes are at the top of what it was given.
        write(&mount.join("cgroup.procs"), &std::process::id().to_string()).unwrap();
        let host = CgroupHost::detect(&line, "bencher");
        let told = host.shortcomings(false);
        assert!(told.iter().any(|text| text.starts_with("the memory cgroup controller cannot be used (+memory to ")), "{told:?}");
        let made = host.create("one", &LIMITS, HOST_CPUS);
        assert!(made.warnings.iter().any(|text| text.starts_with("no memory limit: +memory to ")), "{:?}", made.warnings);
        close(made);
        assert!(!mount.join("bencher/one").exists());
    });
}
