//! A runner that is killed in the middle, and a host without a `/` of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use bencher_runner::sandbox::{Exit, Sandbox as _, host::HostSandbox};
use tokio_util::sync::CancellationToken;

use super::harness::{Harness, config, eventually, plan, processes_with, text};

/// Tells a process of this test program to be the helper, and in which folder.
const HELPER: &str = "BENCHER_SANDBOX_HELPER";
const SCRIPT: &str = "BENCHER_SANDBOX_SCRIPT";
const CGROUP_PARENT: &str = "BENCHER_SANDBOX_CGROUP_PARENT";

impl Harness {
    fn helper(&self, command: &mut Command, dir: &Path, script: &str) {
        command.env(HELPER, dir).env(SCRIPT, script).env(CGROUP_PARENT, &self.cgroup_parent).stdin(Stdio::null());
    }
}

const HELPER_TEST: [&str; 3] = ["--exact", "sandbox::leftovers::helper_process", "--nocapture"];

/// Not a test of its own: the process that the tests below start, and one of them kills.
#[tokio::test]
async fn helper_process() {
    let Some(dir) = std::env::var_os(HELPER).map(PathBuf::from) else { return };
    let script = std::env::var(SCRIPT).unwrap();
    let sandbox = HostSandbox::open(config(&dir, &std::env::var(CGROUP_PARENT).unwrap())).await.unwrap();
    let mut plan = plan(&dir.join("image"), &["sh", "-c", &script]);
    plan.resources.pids = Some(100);
    plan.resources.disk_bytes = Some(32 * 1024 * 1024);
    let outcome = sandbox.run(&plan, CancellationToken::new()).await.unwrap();
    assert_eq!((outcome.exit, text(&outcome.stdout.bytes)), (Exit::Code(0), "from the image\n".to_owned()), "{outcome:?}");
}

#[tokio::test]
async fn a_killed_runner_leaves_no_process_and_the_next_start_removes_the_rest() {
    let Some(harness) = Harness::new().await else { return };
    let marker = "8640021";
    let dir = harness.dir.path().join("other");
    fs::create_dir(&dir).unwrap();
    std::os::unix::fs::symlink(harness.image(), dir.join("image")).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    harness.helper(command.args(HELPER_TEST), &dir, &format!("setsid sleep {marker} & sleep {marker}"));
    let mut helper = command.stdout(Stdio::null()).spawn().unwrap();
    let running = || processes_with(marker).iter().filter(|line| line.starts_with("sleep")).count();
    eventually("the benchmark of the helper runs", || running() == 2).await;
    helper.kill().unwrap();
    helper.wait().unwrap();
    eventually("the benchmark dies with its runner", || running() == 0).await;
    let iterations = || {
        let names = fs::read_dir(dir.join("state")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("iteration-")).count()
    };
    assert_eq!(iterations(), 1);
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(dir.to_str().unwrap()), "a mount outlived the runner: {mounts}");

    let sandbox = HostSandbox::open(config(&dir, &harness.cgroup_parent)).await.unwrap();
    assert_eq!(iterations(), 0);
    let outcome = sandbox.run(&plan(&harness.image(), &["true"]), CancellationToken::new()).await.unwrap();
    assert_eq!(outcome.exit, Exit::Code(0));
}

#[tokio::test]
async fn host_execution_works_in_a_chroot() {
    let Some(harness) = Harness::new().await else { return };
    let (jail, dir) = (harness.dir.path().join("jail"), harness.dir.path().join("jail/data"));
    fs::create_dir_all(&dir).unwrap();
    fs::rename(harness.image(), dir.join("image")).unwrap();
    let program = std::env::current_exe().unwrap();
    fs::copy(&program, jail.join("helper")).unwrap();
    // The chroot's own root is an ordinary folder, no mount: that is the point.
    let script = "set -e; jail=$1; shift; mount --make-rprivate / || exit 42; \
                  for name in usr bin sbin lib lib64 etc dev proc sys; do \
                    if [ -L /$name ]; then cp -P /$name $jail/; elif [ -d /$name ]; then mkdir $jail/$name; mount --rbind /$name $jail/$name; fi; \
                  done; mkdir $jail/tmp; exec chroot $jail /helper \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "unchanged", "sh", "-c", script, "sh"]).arg(&jail).args(HELPER_TEST);
    harness.helper(&mut command, Path::new("/data"), "cat /data/input");
    let output = command.output().unwrap();
    if output.status.code() == Some(42) {
        // This very program runs in a chroot, so every test here is this one.
        return;
    }
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(fs::read_dir(dir.join("state")).unwrap().count(), 1);
}
