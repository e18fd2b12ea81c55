//! The jailer's stand-in: what a jail is, and why there is none.

use std::{
    fs,
    os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use tempfile::TempDir;

use crate::support::{FIRECRACKER, JAILER, eventually, has_guests, is_root, processes_of, request};

/// Users that no machine has.
const UID: u32 = 1_999_000_001;
const GID: u32 = 1_999_000_002;

fn jailer(base: &Path, id: &str) -> Command {
    let mut command = Command::new(JAILER);
    command.args(["--exec-file", FIRECRACKER, "--id", id, "--uid", &UID.to_string(), "--gid", &GID.to_string()]);
    command.arg("--chroot-base-dir").arg(base).stdin(Stdio::null());
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

struct Jailed {
    base: TempDir,
    root: PathBuf,
    child: Child,
}

impl Jailed {
    fn start(arguments: &[&str]) -> Self {
        let base = tempfile::tempdir().unwrap();
        let root = base.path().join("firecracker-stand-in/jail-1/root");
        let mut command = jailer(base.path(), "jail-1");
        command.args(arguments).env("LD_SECRET", "not for the jail").stdout(Stdio::null());
        let child = command.spawn().unwrap();
        Self { base, root, child }
    }

    fn wait_for_socket(&self) {
        eventually("the socket in the jail", || self.root.join("run/firecracker.socket").exists());
    }
}

impl Drop for Jailed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn an_id_has_letters_digits_and_dashes() {
    let base = tempfile::tempdir().unwrap();
    let output = jailer(base.path(), "a_b").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("Invalid instance ID: Invalid char (_) at position 1"), "{}", said(&output));
    let output = jailer(base.path(), &"a".repeat(65)).output().unwrap();
    assert!(said(&output).contains("Invalid instance ID: Invalid len (65)"), "{}", said(&output));
    assert_eq!(fs::read_dir(base.path()).unwrap().count(), 0, "nothing was made");
}

#[test]
fn a_jail_is_owned_by_its_user_and_holds_what_the_program_needs() {
    if !is_root() || !has_guests() {
        return;
    }
    let jailed = Jailed::start(&["--resource-limit", "no-file=512", "--resource-limit", "fsize=1000000"]);
    jailed.wait_for_socket();
    let inside = |name: &str| fs::symlink_metadata(jailed.root.join(name)).unwrap();
    for name in ["", "dev", "dev/net", "run"] {
        let folder = inside(name);
        assert_eq!((folder.uid(), folder.gid(), folder.permissions().mode() & 0o777), (UID, GID, 0o700), "{name:?}");
    }
    for (name, numbers) in [("dev/kvm", (10, 232)), ("dev/net/tun", (10, 200)), ("dev/urandom", (1, 9))] {
        let device = inside(name);
        assert!(device.file_type().is_char_device() && device.uid() == UID, "{name}");
        assert_eq!((nix::sys::stat::major(device.rdev()), nix::sys::stat::minor(device.rdev())), numbers, "{name}");
    }
    let pid = fs::read_to_string(jailed.root.join("firecracker-stand-in.pid")).unwrap();
    assert_eq!(pid, jailed.child.id().to_string(), "the jailer became the program");

    let process = PathBuf::from(format!("/proc/{pid}"));
    let status = fs::read_to_string(process.join("status")).unwrap();
    assert!(status.contains(&format!("Uid:\t{UID}\t{UID}\t{UID}\t{UID}")), "{status}");
    assert!(status.contains(&format!("Gid:\t{GID}\t{GID}\t{GID}\t{GID}")), "{status}");
    assert!(fs::read(process.join("environ")).unwrap().is_empty());
    let limits = fs::read_to_string(process.join("limits")).unwrap();
    let limit = |name: &str| limits.lines().find(|line| line.starts_with(name)).unwrap().split_whitespace().nth(3).unwrap();
    assert_eq!((limit("Max open files"), limit("Max file size")), ("512", "1000000"));
    let answer = request(&jailed.root.join("run/firecracker.socket"), "GET", "/", None);
    assert!(answer.body.contains("\"id\":\"jail-1\""), "{}", answer.body);
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(jailed.base.path().to_str().unwrap()), "mounts of the jail are seen outside");
}

#[test]
fn an_id_cannot_be_used_twice() {
    if !is_root() || !has_guests() {
        return;
    }
    let mut jailed = Jailed::start(&[]);
    jailed.wait_for_socket();
    jailed.child.kill().unwrap();
    jailed.child.wait().unwrap();
    let output = jailer(jailed.base.path(), "jail-1").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let expected = "Failed to create /dev/net/tun via mknod inside the jail: File exists";
    assert!(said(&output).contains(expected), "{}", said(&output));
}

#[test]
fn a_jail_can_be_removed_after_its_process() {
    if !is_root() || !has_guests() {
        return;
    }
    let mut jailed = Jailed::start(&[]);
    jailed.wait_for_socket();
    jailed.child.kill().unwrap();
    jailed.child.wait().unwrap();
    eventually("the end of every process", || processes_of(&jailed.root).is_empty());
    eventually("the removal", || fs::remove_dir_all(&jailed.root).is_ok());
}

#[test]
fn with_a_process_namespace_the_jailer_returns_at_once() {
    if !is_root() || !has_guests() {
        return;
    }
    let mut jailed = Jailed::start(&["--new-pid-ns"]);
    assert_eq!(jailed.child.wait().unwrap().code(), Some(0));
    jailed.wait_for_socket();
    let pid: i32 = fs::read_to_string(jailed.root.join("firecracker-stand-in.pid")).unwrap().parse().unwrap();
    let pid = nix::unistd::Pid::from_raw(pid);
    // As the first process of its namespace it hears only the signal that nobody can ignore.
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    let answer = request(&jailed.root.join("run/firecracker.socket"), "GET", "/version", None);
    assert_eq!(answer.status, 200);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
}

#[test]
fn a_controller_that_is_not_there_is_told_before_anything_runs() {
    if !is_root() || !has_guests() {
        return;
    }
    let base = tempfile::tempdir().unwrap();
    let output = jailer(base.path(), "jail-1").args(["--cgroup-version", "1", "--cgroup", "nosuch.limit=1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = said(&output);
    assert!(said.contains("Controller nosuch is unavailable") || said.contains("Hierarchy not found"), "{said}");
}
