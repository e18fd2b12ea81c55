//! A runner that is killed in the middle, and a host without a `/` of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use bencher_runner::sandbox::{Exit, Sandbox as _, host::HostSandbox};
use tokio_util::sync::CancellationToken;

use super::harness::{Harness, config, eventually, loop_devices_of, plan, processes_with, text};

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
    let sandbox = HostSandbox::open(config(&dir, &std::env::var(CGROUP_PARENT).unwrap())).await;
    let sandbox = sandbox.unwrap_or_else(|error| panic!("{error}"));
    let mut plan = plan(&dir.join("image"), &["sh", "-c", &script]);
    plan.resources.pids = Some(100);
    plan.resources.disk_bytes = Some(32 * 1024 * 1024);
    let outcome = sandbox.run(&plan, CancellationToken::new()).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((outcome.exit, text(&outcome.stdout.bytes)), (Exit::Code(0), "from the image\n".to_owned()), "{outcome:?}");
}

/// Starts the helper, kills it once `reached` says so, and sees that nothing of it is left.
async fn kill_when(harness: &Harness, name: &str, marker: &str, reached: impl Fn(&Path) -> bool) {
    let dir = harness.dir.path().join(name);
    fs::create_dir(&dir).unwrap();
    std::os::unix::fs::symlink(harness.image(), dir.join("image")).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    harness.helper(command.args(HELPER_TEST), &dir, &format!("setsid sleep {marker} & sleep {marker}"));
    let mut helper = command.stdout(Stdio::null()).spawn().unwrap();
    eventually(name, || reached(&dir)).await;
    helper.kill().unwrap();
    helper.wait().unwrap();
    let running = || processes_with(marker).iter().filter(|line| line.starts_with("sleep")).count();
    eventually("the benchmark dies with its runner", || running() == 0).await;
    eventually("the loop devices go with the runner", || loop_devices_of(harness.dir.path()).is_empty()).await;
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(dir.to_str().unwrap()), "a mount outlived the runner: {mounts}");

    let sandbox = HostSandbox::open(config(&dir, &harness.cgroup_parent)).await.unwrap();
    assert_eq!(iterations(&dir).len(), 0);
    let outcome = sandbox.run(&plan(&harness.image(), &["true"]), CancellationToken::new()).await.unwrap();
    assert_eq!(outcome.exit, Exit::Code(0));
}

fn iterations(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir.join("state")).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("iteration-")).collect()
}

#[tokio::test]
async fn a_runner_killed_while_it_sets_up_leaves_nothing() {
    let Some(harness) = Harness::new().await else { return };
    let attached = |what: &str| loop_devices_of(harness.dir.path()).iter().any(|line| line.contains(what));
    let made = |dir: &Path, name: &str| iterations(dir).iter().any(|folder| folder.join(name).exists());
    kill_when(&harness, "folder", "8640031", |dir| !iterations(dir).is_empty()).await;
    kill_when(&harness, "image", "8640032", |_| attached("image.ext4")).await;
    kill_when(&harness, "disk", "8640033", |dir| made(dir, "scratch.ext4") || attached("scratch.ext4")).await;
    kill_when(&harness, "attached", "8640034", |_| attached("scratch.ext4")).await;
    kill_when(&harness, "container", "8640035", |dir| made(dir, "runtime")).await;
}

#[tokio::test]
async fn a_killed_runner_leaves_no_process_and_the_next_start_removes_the_rest() {
    let Some(harness) = Harness::new().await else { return };
    let marker = "8640021";
    let running = || processes_with(marker).iter().filter(|line| line.starts_with("sleep")).count();
    kill_when(&harness, "benchmark", marker, |_| running() == 2).await;
}

#[tokio::test]
async fn what_was_starting_a_container_when_its_runner_was_killed_ends_with_the_next_start() {
    let Some(harness) = Harness::new().await else { return };
    let dir = harness.dir.path().join("starting");
    // As crun lays it out: its `start` waits until somebody reads, and the container's process is dead.
    let container = dir.join("state/iteration-dead/runtime/iteration-dead");
    fs::create_dir_all(&container).unwrap();
    let fifo = container.join("exec.fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let mut start = Command::new("sh").args(["-c", "exec 3>\"$1\"", "start"]).arg(&fifo).spawn().unwrap();
    // Blocked in a call of the kernel, which for a shell that opens a FIFO is that one.
    let state = || fs::read_to_string(format!("/proc/{}/stat", start.id())).unwrap();
    eventually("it waits", || state().contains("(sh) S")).await;
    HostSandbox::open(config(&dir, &harness.cgroup_parent)).await.unwrap();
    eventually("it ends", || start.try_wait().unwrap().is_some()).await;
    assert_eq!(iterations(&dir).len(), 0);
}

/// Runs the helper where `/dev` holds only what a container usually gets, and what else the script makes.
fn in_a_container(harness: &Harness, name: &str, script: &str) -> Output {
    let dir = harness.dir.path().join(name);
    fs::create_dir(&dir).unwrap();
    std::os::unix::fs::symlink(harness.image(), dir.join("image")).unwrap();
    let script = format!(
        "set -e; dir=$1; shift; mkdir $dir/dev; mount -t tmpfs none $dir/dev; \
         for node in null:3 zero:5 full:7 random:8 urandom:9; do mknod -m 666 $dir/dev/${{node%:*}} c 1 ${{node#*:}}; done; \
         mknod -m 666 $dir/dev/tty c 5 0; {script}; mount --move $dir/dev /dev; exec \"$@\""
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &script, "sh"]).arg(&dir).arg(std::env::current_exe().unwrap()).args(HELPER_TEST);
    harness.helper(&mut command, &dir, "cat /data/input");
    command.output().unwrap()
}

const LOOP_CONTROL: &str = "mknod -m 600 $dir/dev/loop-control c 10 237";

#[tokio::test]
async fn host_execution_works_where_no_loop_device_has_a_node() {
    let Some(harness) = Harness::new().await else { return };
    let output = in_a_container(&harness, "nodes", LOOP_CONTROL);
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    harness.assert_clean().await;
}

#[tokio::test]
async fn a_machine_without_loop_devices_is_told_what_to_do() {
    let Some(harness) = Harness::new().await else { return };
    let output = in_a_container(&harness, "none", "true");
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(said.contains("this machine has no loop devices") && said.contains("modprobe loop"), "{said}");

    // A state folder in which device nodes do not work: the last resort is gone, too.
    let no_nodes = format!("{LOOP_CONTROL}; mkdir $dir/state; mount -t tmpfs -o nodev none $dir/state");
    let output = in_a_container(&harness, "no-nodes", &no_nodes);
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(said.contains("all loop devices this container has are in use"), "{said}");
    harness.assert_clean().await;
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
