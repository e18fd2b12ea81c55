//! An image, a sandbox, and the proof at the end that nothing is left of either's use.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::Duration,
};

use bencher_runner::sandbox::{
    ExecutionPlan, IterationOutcome, Resources, Sandbox, SandboxError,
    command::ImageCommand,
    host::{HostConfig, HostSandbox},
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

const BUSYBOX: &str = "/bin/busybox";
const MKE2FS: &str = "/sbin/mke2fs";

/// Long enough for any machine; a test that needs it has failed.
pub(super) const LONG: Duration = Duration::from_secs(60);

pub(super) struct Harness {
    pub(super) dir: TempDir,
    pub(super) sandbox: HostSandbox,
    pub(super) cgroup_parent: String,
    image: OnceLock<PathBuf>,
}

/// What host execution needs and this machine lacks.
fn missing_requirement() -> Option<String> {
    let crun = ["/usr/bin/crun", "/usr/local/bin/crun"];
    if !rustix::process::geteuid().is_root() {
        return Some("these tests need root".to_owned());
    }
    if !Path::new(BUSYBOX).exists() {
        return Some(format!("{BUSYBOX} is missing: install the Debian package busybox-static"));
    }
    if !Path::new(MKE2FS).exists() {
        return Some(format!("{MKE2FS} is missing: install the Debian package e2fsprogs"));
    }
    if !crun.iter().any(|path| Path::new(path).exists()) {
        return Some("crun is missing: install the Debian package crun".to_owned());
    }
    None
}

impl Harness {
    /// `None`, and the reason on the test's output, where the machine lacks something; a failure where that is required.
    #[expect(clippy::print_stderr, reason = "a skipped test says why on its own output")]
    pub(super) async fn new() -> Option<Self> {
        if let Some(missing) = missing_requirement() {
            assert!(std::env::var_os("BENCHER_TEST_REQUIRE").is_none_or(|value| value != "1"), "{missing}");
            eprintln!("skipped: {missing}");
            return None;
        }
        let dir = tempfile::Builder::new().prefix("sandbox-test-").tempdir().unwrap();
        make_tree(&dir.path().join("tree"));
        let cgroup_parent = dir.path().file_name().unwrap().to_str().unwrap().to_owned();
        let sandbox = HostSandbox::open(config(dir.path(), &cgroup_parent)).await.unwrap();
        Some(Self { dir, sandbox, cgroup_parent, image: OnceLock::new() })
    }

    /// What the image is made of. Changes count until the image is asked for.
    pub(super) fn tree(&self) -> PathBuf {
        self.dir.path().join("tree")
    }

    pub(super) fn image(&self) -> PathBuf {
        self.image.get_or_init(|| make_image(&self.tree(), &self.dir.path().join("image.ext4"), &[])).clone()
    }

    pub(super) fn state_dir(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    pub(super) fn shell(&self, script: &str) -> ExecutionPlan {
        plan(&self.image(), &["sh", "-c", script])
    }

    pub(super) async fn run(&self, plan: &ExecutionPlan) -> Result<IterationOutcome, SandboxError> {
        let outcome = self.sandbox.run(plan, CancellationToken::new()).await;
        self.assert_clean().await;
        outcome
    }

    pub(super) async fn run_shell(&self, script: &str) -> IterationOutcome {
        self.run(&self.shell(script)).await.unwrap()
    }

    /// No folder, mount, loop device or cgroup of an iteration is left.
    pub(super) async fn assert_clean(&self) {
        let folders: Vec<_> = fs::read_dir(self.state_dir()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(folders, ["lock"], "in the state folder");
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!mounts.contains(self.dir.path().to_str().unwrap()), "mounts left: {mounts}");
        // The kernel unmounts what a namespace held after the last process in it is gone.
        eventually("the loop devices are free again", || loop_devices_of(self.dir.path()).is_empty()).await;
        for parent in self.cgroup_parents() {
            let groups = fs::read_dir(&parent).unwrap().filter(|entry| entry.as_ref().unwrap().file_type().unwrap().is_dir());
            assert_eq!(groups.count(), 0, "cgroups left in {}", parent.display());
        }
    }

    fn cgroup_parents(&self) -> Vec<PathBuf> {
        let roots = fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten().map(|entry| entry.path());
        let roots = roots.chain([PathBuf::from("/sys/fs/cgroup")]);
        roots.map(|root| root.join(&self.cgroup_parent)).filter(|path| path.is_dir()).collect()
    }
}

impl Drop for Harness {
    fn drop(&mut self) {
        for parent in self.cgroup_parents() {
            let _ = fs::remove_dir(parent);
        }
    }
}

pub(super) fn config(dir: &Path, cgroup_parent: &str) -> HostConfig {
    HostConfig { cgroup_parent: cgroup_parent.to_owned(), ..HostConfig::new(dir.join("state")) }
}

pub(super) fn plan(image: &Path, args: &[&str]) -> ExecutionPlan {
    let command = ImageCommand {
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        env: vec![("PATH".to_owned(), "/bin".to_owned())],
        working_dir: "/work".to_owned(),
        user: None,
    };
    ExecutionPlan { resources: Resources::default(), ..ExecutionPlan::new(image.to_owned(), command, LONG) }
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Processes of this machine whose command line holds `marker`, but for this one.
pub(super) fn processes_with(marker: &str) -> Vec<String> {
    let lines = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let line = fs::read(entry.path().join("cmdline")).ok()?;
        (pid != std::process::id()).then(|| String::from_utf8_lossy(&line).replace('\0', " "))
    });
    lines.filter(|line| line.contains(marker)).collect()
}

/// Waits for a condition without a fixed pause; the pauses are only there to leave the processor to others.
pub(super) async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LONG, waiting).await.unwrap_or_else(|_| panic!("still waiting: {what}"));
}

/// Loop devices with a file below `dir`, and that file.
pub(super) fn loop_devices_of(dir: &Path) -> Vec<String> {
    let devices = fs::read_dir("/sys/block").unwrap().flatten().filter_map(|entry| {
        let file = fs::read_to_string(entry.path().join("loop/backing_file")).ok()?;
        file.starts_with(dir.to_str().unwrap()).then(|| format!("{}: {file}", entry.file_name().display()))
    });
    devices.collect()
}

/// An image by another program than the one that makes the runner's.
pub(super) fn make_image(tree: &Path, image: &Path, options: &[&str]) -> PathBuf {
    let mut command = Command::new(MKE2FS);
    command.args(["-q", "-F", "-t", "ext4", "-O", "^has_journal"]).args(options).arg("-d").arg(tree).arg(image).arg("16M");
    assert!(command.status().unwrap().success(), "{command:?}");
    image.to_owned()
}

fn make_tree(root: &Path) {
    for folder in ["bin", "etc", "data"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    fs::copy(BUSYBOX, root.join("bin/busybox")).unwrap();
    for name in "sh cat ls id env kill sleep true ip dd yes head ln mkfifo mkdir touch rm hostname setsid grep chmod".split(' ') {
        symlink("busybox", root.join("bin").join(name)).unwrap();
    }
    fs::write(root.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\nbench:x:1234:1234::/home/bench:/bin/sh\n").unwrap();
    fs::write(root.join("etc/group"), "root:x:0:\nbench:x:1234:\nextra:x:77:bench\n").unwrap();
    fs::write(root.join("data/input"), "from the image\n").unwrap();
    for (name, content) in [("bad-interpreter", "#!/bin/none\n"), ("not-a-program", "hello\n")] {
        fs::write(root.join("bin").join(name), content).unwrap();
        fs::set_permissions(root.join("bin").join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::write(root.join("bin/plain-file"), "no x bit").unwrap();
}
