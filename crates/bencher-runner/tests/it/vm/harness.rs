//! A disk image, a sandbox, and the proof at the end that nothing is left of either's use.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, symlink},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use bencher_runner::sandbox::{
    ExecutionPlan, IterationOutcome, Resources, Sandbox, SandboxError,
    command::ImageCommand,
    firecracker::{FirecrackerConfig, FirecrackerSandbox},
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

const BUSYBOX: &str = "/bin/busybox";
const STAND_IN_KERNEL: &str = "/usr/bin/linux.uml";
const STAND_IN_MODULES: &str = "/usr/lib/uml/modules";

/// User ids of one test.
const IDS: u32 = 100;

/// Long enough for any machine; a test that needs it has failed.
pub(super) const LONG: Duration = Duration::from_secs(120);

/// What microVMs are made of on this machine.
#[derive(Clone, Debug)]
pub(super) struct Tools {
    firecracker: PathBuf,
    jailer: PathBuf,
    kernel: PathBuf,
    modules: Vec<PathBuf>,
    init: PathBuf,
}

pub(super) struct Harness {
    pub(super) dir: TempDir,
    pub(super) sandbox: FirecrackerSandbox,
    pub(super) config: FirecrackerConfig,
}

impl Tools {
    fn find() -> Result<Self, String> {
        let given = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let program = std::env::current_exe().unwrap();
        let built = program.parent().and_then(Path::parent).unwrap();
        let file = |variable: &str, default: PathBuf, mend: &str| {
            let path = given(variable).map_or(default, PathBuf::from);
            if path.exists() { Ok(path) } else { Err(format!("{} is missing: {mend}", path.display())) }
        };
        if !rustix::process::geteuid().is_root() {
            return Err("these tests need root".to_owned());
        }
        for (path, package) in [(BUSYBOX, "busybox-static"), ("/sbin/mke2fs", "e2fsprogs")] {
            if !Path::new(path).exists() {
                return Err(format!("{path} is missing: install the Debian package {package}"));
            }
        }
        let build = "cargo build --workspace makes it";
        Ok(Self {
            firecracker: file("FIRECRACKER_BIN", built.join("firecracker-stand-in"), build)?,
            jailer: file("JAILER_BIN", built.join("jailer-stand-in"), build)?,
            kernel: file("FIRECRACKER_KERNEL", STAND_IN_KERNEL.into(), "install the Debian package user-mode-linux")?,
            modules: match given("FIRECRACKER_MODULES") {
                Some(paths) => std::env::split_paths(&paths).collect(),
                None if given("FIRECRACKER_KERNEL").is_some() => Vec::new(),
                None => stand_in_modules()?,
            },
            init: file("BENCHER_INIT", built.parent().unwrap().join("guest/bencher-init"), "cargo xtask guest makes it")?,
        })
    }

    /// `None`, and the reason on the test's output, where the machine lacks something; a failure where that is required.
    #[expect(clippy::print_stderr, reason = "a skipped test says why on its own output")]
    pub(super) fn get() -> Option<Self> {
        match Self::find() {
            Ok(tools) => Some(tools),
            Err(missing) => {
                assert!(std::env::var_os("BENCHER_TEST_REQUIRE").is_none_or(|value| value != "1"), "{missing}");
                eprintln!("skipped: {missing}");
                None
            }
        }
    }

    /// A configuration whose state, ids and groups are all of this test alone.
    pub(super) fn config(&self, dir: &Path) -> FirecrackerConfig {
        let Self { firecracker, jailer, kernel, modules, init } = self.clone();
        let mut config = FirecrackerConfig::new(dir.join("state"), firecracker, kernel, init);
        config.jailer = Some(jailer);
        config.modules = modules;
        config.lock_dir = dir.join("ids");
        config.cgroup_parent = dir.file_name().unwrap().to_str().unwrap().to_owned();
        // The ids themselves are those of the whole machine, as other tests run at the same time.
        config.uid_base = 1_900_000_000 + number_of(dir) * IDS;
        config.uid_count = IDS;
        config
    }
}

fn stand_in_modules() -> Result<Vec<PathBuf>, String> {
    let version = fs::read_dir(STAND_IN_MODULES).into_iter().flatten().flatten().next();
    let version = version.ok_or_else(|| format!("{STAND_IN_MODULES} is empty: install the Debian package user-mode-linux"))?;
    let folder = version.path().join("kernel/net/vmw_vsock");
    let names = ["vsock", "vmw_vsock_virtio_transport_common", "vmw_vsock_virtio_transport"];
    Ok(names.map(|name| folder.join(format!("{name}.ko"))).into())
}

impl Harness {
    pub(super) async fn new() -> Option<Self> {
        Self::with(|_| {}).await
    }

    pub(super) async fn with(change: impl FnOnce(&mut FirecrackerConfig)) -> Option<Self> {
        let tools = Tools::get()?;
        let dir = tempfile::Builder::new().prefix("vm-test-").tempdir().unwrap();
        make_disk(dir.path());
        let mut config = tools.config(dir.path());
        change(&mut config);
        let sandbox = FirecrackerSandbox::open(config.clone()).await.unwrap();
        Some(Self { dir, sandbox, config })
    }

    pub(super) fn shell(&self, script: &str) -> ExecutionPlan {
        plan(&self.dir.path().join("disk.ext4"), &["sh", "-c", script])
    }

    pub(super) async fn run(&self, plan: &ExecutionPlan) -> Result<IterationOutcome, SandboxError> {
        let outcome = self.sandbox.run(plan, CancellationToken::new()).await;
        self.assert_clean();
        outcome
    }

    pub(super) async fn run_shell(&self, script: &str) -> IterationOutcome {
        self.run(&self.shell(script)).await.unwrap()
    }

    /// No process, folder or cgroup of a machine is left.
    pub(super) fn assert_clean(&self) {
        assert_eq!(processes_of(&self.config), Vec::<String>::new());
        for program in fs::read_dir(self.config.state_dir.join("jails")).into_iter().flatten().flatten() {
            let left: Vec<_> = fs::read_dir(program.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            assert!(left.is_empty(), "in the folder of jails: {left:?}");
        }
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!mounts.contains(self.dir.path().to_str().unwrap()), "mounts left: {mounts}");
        for parent in self.cgroup_parents() {
            let groups = fs::read_dir(&parent).unwrap().filter(|entry| entry.as_ref().unwrap().file_type().unwrap().is_dir());
            assert_eq!(groups.count(), 0, "cgroups left in {}", parent.display());
        }
    }

    fn cgroup_parents(&self) -> Vec<PathBuf> {
        let roots = fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten().map(|entry| entry.path());
        let roots = roots.chain([PathBuf::from("/sys/fs/cgroup")]);
        roots.map(|root| root.join(&self.config.cgroup_parent)).filter(|path| path.is_dir()).collect()
    }
}

impl Drop for Harness {
    fn drop(&mut self) {
        for parent in self.cgroup_parents() {
            let _ = fs::remove_dir(parent);
        }
    }
}

pub(super) fn plan(disk: &Path, args: &[&str]) -> ExecutionPlan {
    let command = ImageCommand {
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        env: vec![("PATH".to_owned(), "/bin".to_owned())],
        working_dir: "/work".to_owned(),
        user: None,
    };
    let resources = Resources { cpus: Some(1), memory_bytes: Some(128 << 20), disk_bytes: None, pids: Some(100) };
    ExecutionPlan { resources, ..ExecutionPlan::new(disk.to_owned(), command, LONG) }
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A number for a folder, the same in every process.
fn number_of(dir: &Path) -> u32 {
    let text = dir.to_str().unwrap().bytes();
    text.fold(7_u32, |number, byte| number.wrapping_mul(31).wrapping_add(byte.into())) % 1_000_000
}

/// Processes of microVMs with that configuration: by their user, or by the folder they are in.
pub(super) fn processes_of(config: &FirecrackerConfig) -> Vec<String> {
    let dir = config.state_dir.to_str().unwrap();
    let users = config.uid_base..config.uid_base + config.uid_count;
    let lines = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let link = |name: &str| fs::read_link(entry.path().join(name)).map(|path| path.display().to_string()).unwrap_or_default();
        let line = String::from_utf8_lossy(&fs::read(entry.path().join("cmdline")).ok()?).replace('\0', " ");
        let inside = [link("root"), link("cwd"), line.clone()].iter().any(|text| text.contains(dir))
            || users.contains(&fs::metadata(entry.path()).ok()?.uid());
        (pid != std::process::id() && inside).then_some(line)
    });
    lines.collect()
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

/// `DIR/disk.ext4`, a small image with a shell.
pub(super) fn make_disk(dir: &Path) {
    let tree = dir.join("tree");
    for folder in ["bin", "etc", "data"] {
        fs::create_dir_all(tree.join(folder)).unwrap();
    }
    fs::copy(BUSYBOX, tree.join("bin/busybox")).unwrap();
    let names =
        "sh cat ls id env kill sleep true ip dd yes head mkdir touch rm hostname setsid grep reboot poweroff nproc tr mount";
    for name in names.split(' ') {
        symlink("busybox", tree.join("bin").join(name)).unwrap();
    }
    fs::write(tree.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\nbench:x:1234:1234::/home/bench:/bin/sh\n").unwrap();
    fs::write(tree.join("etc/group"), "root:x:0:\nbench:x:1234:\n").unwrap();
    fs::write(tree.join("data/input"), "from the image\n").unwrap();
    let disk = dir.join("disk.ext4");
    let mut make = Command::new("/sbin/mke2fs");
    make.args(["-q", "-t", "ext4", "-E", "root_owner=0:0", "-d"]).arg(&tree).arg(&disk).arg("48M");
    assert!(make.status().unwrap().success());
    fs::remove_dir_all(tree).unwrap();
}
