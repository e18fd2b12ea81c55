//! What this machine has and what is on it: needed programs and rights, processes, mounts, leftovers.

use std::{fs, path::Path};

use nix::unistd::Uid;

/// `None`, said aloud, where this machine cannot run benchmarks on the host. Fails where it has to.
#[expect(clippy::print_stdout, reason = "whoever runs the tests has to see that one did nothing")]
pub(crate) fn require() -> Option<()> {
    let root = (!Uid::effective().is_root()).then_some("it needs root");
    let crun = (!Path::new("/usr/bin/crun").exists()).then_some("it needs /usr/bin/crun (Debian: crun)");
    let busybox = (!Path::new(super::image::BUSYBOX).exists()).then_some("it needs a static busybox (Debian: busybox-static)");
    let Some(missing) = root.or(crun).or(busybox) else { return Some(()) };
    assert!(std::env::var_os("BENCHER_TEST_REQUIRE").is_none(), "this test cannot run: {missing}");
    println!("not run: {missing}");
    None
}

/// The numbers of the processes with this in their command line.
pub(crate) fn processes_with(marker: &str) -> Vec<i32> {
    let entries = fs::read_dir("/proc").expect("/proc is there").flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers
        .filter(|number: &i32| {
            // A process that has ended meanwhile has no command line any more.
            let line = fs::read(format!("/proc/{number}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).split('\0').any(|word| word == marker)
        })
        .collect()
}

/// Nothing is left of any iteration: no process, no mount, no folder, no control group.
pub(crate) fn assert_clean(data: &Path, marker: &str) {
    assert_eq!(processes_with(marker), [0; 0], "processes of a benchmark are left");
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("mounts can be listed");
    let folder = data.to_str().expect("a test's folder is text");
    let left: Vec<&str> = mounts.lines().filter(|line| line.contains(folder)).collect();
    assert!(left.is_empty(), "mounts are left: {left:#?}");
    let iterations = iterations(data);
    assert!(iterations.is_empty(), "folders of iterations are left: {iterations:?}");
}

/// The folders of iterations in a runner's data.
pub(crate) fn iterations(data: &Path) -> Vec<String> {
    let names = fs::read_dir(data.join("sandbox")).into_iter().flatten().flatten();
    names.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| name.starts_with("iteration-")).collect()
}

/// The control groups of this name, in any hierarchy.
pub(crate) fn control_groups(name: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new("/sys/fs/cgroup").to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if entry.file_name().to_string_lossy().contains(name) {
                    found.push(entry.path().display().to_string());
                }
                folders.push(entry.path());
            }
        }
    }
    found
}
