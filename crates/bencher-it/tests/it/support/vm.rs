//! MicroVMs for a world: what they are made of on this machine, a runner that has them, and what must not be left of them.
//!
//! Guests run in the stand-ins for Firecracker and its jailer, with the kernel that these start, unless the environment names
//! others: the runner is told either way by its documented flags and sees no difference.

use std::{
    ffi::OsString,
    fs,
    ops::Range,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use reqwest::Method;
use serde_json::{Value, json};

use super::{RUNNER, Runner, World, binary, child::Child, machine, until};

/// A spec whose jobs run in microVMs.
pub(crate) const VM_SPEC: &str = "vm";

const STAND_IN_KERNEL: &str = "/usr/bin/linux.uml";
const STAND_IN_MODULES: &str = "/usr/lib/uml/modules";
/// The numbers of users that the machines of one world have.
const UIDS: u32 = 100;

/// What microVMs are made of, and under which names those of this world run.
pub(crate) struct MicroVms {
    files: Vec<(&'static str, OsString)>,
    uids: Range<u32>,
    group: String,
}

impl MicroVms {
    /// `None`, said aloud, where this machine lacks something; a failure where it must not.
    #[expect(clippy::print_stdout, reason = "whoever runs the tests has to see that one did nothing")]
    pub(crate) fn find(marker: &str) -> Option<Self> {
        match files() {
            Ok(files) => {
                let number = marker.bytes().fold(7_u32, |number, byte| number.wrapping_mul(31).wrapping_add(byte.into()));
                let first = 1_900_000_000 + (number % 1_000_000) * UIDS;
                Some(Self { files, uids: first..first + UIDS, group: marker.to_owned() })
            }
            Err(missing) => {
                assert!(std::env::var_os("BENCHER_TEST_REQUIRE").is_none(), "this test cannot run: {missing}");
                println!("not run: {missing}");
                None
            }
        }
    }

    /// Flags of `runner up` and `runner run`.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let files = self.files.iter().map(|(flag, file)| [format!("--firecracker-{flag}").into(), file.clone()]);
        let own =
            [("uid-base", self.uids.start.to_string()), ("uid-count", UIDS.to_string()), ("cgroup-parent", self.group.clone())];
        let own = own.map(|(flag, value)| [format!("--firecracker-{flag}").into(), value.into()]);
        files.chain(own).flatten().collect()
    }

    /// Everything there is of a machine of the runner with that data folder and, while it lives, that number.
    pub(crate) fn left(&self, data: &Path, runner: Option<i32>) -> Vec<String> {
        let folder = data.to_str().expect("a test's folder is text");
        let mut left: Vec<String> = jails(data)
            .into_iter()
            .map(|jail| format!("the folder {}", jail.display()))
            .chain(self.processes(folder, runner))
            .collect();
        for parent in machine::control_groups(&self.group) {
            let groups = fs::read_dir(parent).into_iter().flatten().flatten();
            let groups = groups.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            left.extend(groups.map(|group| format!("the control group {}", group.path().display())));
        }
        let mounts = fs::read_to_string("/proc/self/mountinfo").expect("mounts can be listed");
        left.extend(mounts.lines().filter(|line| line.contains(folder)).map(|line| format!("the mount {line}")));
        for device in fs::read_dir("/sys/block").into_iter().flatten().flatten() {
            let file = fs::read_to_string(device.path().join("loop/backing_file")).unwrap_or_default();
            left.extend(file.contains(folder).then(|| format!("the loop device of {file}")));
        }
        left
    }

    /// Processes of a microVM: by their user, or by the folder they are in or speak of.
    fn processes(&self, folder: &str, runner: Option<i32>) -> Vec<String> {
        let numbers = fs::read_dir("/proc").expect("/proc is there").flatten();
        let numbers = numbers.filter_map(|entry| Some((entry.file_name().to_str()?.parse::<i32>().ok()?, entry.path())));
        let of_a_machine = numbers.filter_map(|(number, path)| {
            let link = |name: &str| fs::read_link(path.join(name)).map(|path| path.display().to_string()).unwrap_or_default();
            // What has ended meanwhile has none of these any more.
            let line = String::from_utf8_lossy(&fs::read(path.join("cmdline")).ok()?).replace('\0', " ");
            let is_its_user = self.uids.contains(&fs::metadata(&path).ok()?.uid());
            let is_inside = [link("root"), link("cwd"), line.clone()].iter().any(|text| text.contains(folder));
            (Some(number) != runner && (is_its_user || is_inside)).then(|| format!("the process {number}: {line}"))
        });
        of_a_machine.collect()
    }
}

impl Drop for MicroVms {
    fn drop(&mut self) {
        for parent in machine::control_groups(&self.group) {
            // Nothing to do where a failed test left something in it.
            let _ = fs::remove_dir(parent);
        }
    }
}

/// The folders of a runner's machines.
pub(crate) fn jails(data: &Path) -> Vec<PathBuf> {
    let folders = |of: &Path| fs::read_dir(of).into_iter().flatten().flatten().map(|entry| entry.path()).collect::<Vec<_>>();
    ["vm", "vm-run"]
        .iter()
        .flat_map(|state| folders(&data.join(state).join("jails")))
        .flat_map(|program| folders(&program))
        .collect()
}

/// What `--firecracker-…` names each file with, and the file.
fn files() -> Result<Vec<(&'static str, OsString)>, String> {
    let built = binary("bencher-api").parent().expect("a program is in a folder").to_owned();
    let given = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let file = |variable: &str, usual: PathBuf, mend: &str| {
        let path = given(variable).map_or(usual, PathBuf::from);
        if path.exists() { Ok(path.into_os_string()) } else { Err(format!("{} is missing: {mend}", path.display())) }
    };
    let modules = match given("FIRECRACKER_MODULES") {
        Some(paths) => std::env::split_paths(&paths).collect(),
        None if given("FIRECRACKER_KERNEL").is_some() => Vec::new(),
        None => stand_in_modules()?,
    };
    let mut files = vec![
        ("binary-path", file("FIRECRACKER_BIN", built.join("firecracker-stand-in"), "cargo build --workspace makes it")?),
        ("jailer-path", file("JAILER_BIN", built.join("jailer-stand-in"), "cargo build --workspace makes it")?),
        ("kernel-path", file("FIRECRACKER_KERNEL", STAND_IN_KERNEL.into(), "install the Debian package user-mode-linux")?),
        ("init-path", file("BENCHER_INIT", built.with_file_name("guest").join("bencher-init"), "cargo xtask guest makes it")?),
    ];
    if !modules.is_empty() {
        let modules: Vec<String> = modules.iter().map(|module| module.display().to_string()).collect();
        files.push(("modules", modules.join(",").into()));
    }
    Ok(files)
}

fn stand_in_modules() -> Result<Vec<PathBuf>, String> {
    let version = fs::read_dir(STAND_IN_MODULES).into_iter().flatten().flatten().next();
    let version = version.ok_or_else(|| format!("{STAND_IN_MODULES} is empty: install the Debian package user-mode-linux"))?;
    let folder = version.path().join("kernel/net/vmw_vsock");
    let names = ["vsock", "vmw_vsock_virtio_transport_common", "vmw_vsock_virtio_transport"];
    Ok(names.map(|name| folder.join(format!("{name}.ko"))).into())
}

impl World {
    /// A world whose runner, not started, may be given jobs of [`VM_SPEC`], and what it starts them with.
    pub(crate) async fn start_with_micro_vms() -> Option<(Self, MicroVms)> {
        let world = Self::start().await?;
        let vms = MicroVms::find(&world.marker)?;
        world.create_vm_spec().await;
        Some((world, vms))
    }

    pub(crate) async fn create_vm_spec(&self) {
        let spec = json!({
            "name": VM_SPEC, "slug": VM_SPEC, "os": "linux", "architecture": std::env::consts::ARCH, "sandbox": "firecracker",
            "cpu": 1, "memory": 128_u64 << 20, "disk": 64_u64 << 20,
        });
        self.call(Method::POST, "/v0/specs", spec).await;
        self.give_spec(RUNNER, VM_SPEC).await;
    }

    /// Starts the runner [`RUNNER`] with microVMs and nothing else, and waits until the server knows that it is idle.
    pub(crate) async fn start_vm_runner(&self, vms: &MicroVms) -> Runner {
        self.until_idle(self.spawn_vm_runner(vms)).await
    }

    /// The same, without waiting: it may have something to do before it is idle.
    pub(crate) fn spawn_vm_runner(&self, vms: &MicroVms) -> Runner {
        let data = self.runner_data();
        let child = Child::spawn(&binary("runner"), &self.path().join("runner.log"), |command| {
            command.args(["up", "--host", &self.url, "--runner", RUNNER, "--data-dir"]).arg(&data).args(vms.arguments());
            command.env("BENCHER_RUNNER_KEY", &self.runner_key);
        });
        Runner { child, data }
    }

    /// A job of [`VM_SPEC`] whose benchmark is a script for busybox's shell.
    pub(crate) fn vm_script(&self, image: &str, script: &str) -> Value {
        let mut job = self.script(image, script);
        job["spec"] = json!(VM_SPEC);
        job
    }

    /// A job whose benchmark prints `begun` and never ends. [`World::until_begun`] waits until it has.
    pub(crate) fn vm_endless(&self, image: &str) -> Value {
        self.vm_script(image, &format!("echo begun; echo {0}-{0} > /begun; sync; while :; do sleep 3600; done", self.marker))
    }

    /// Waits until the benchmark of [`World::vm_endless`] runs: what it wrote is on its machine's disk. Nobody can look into a
    /// guest from outside.
    pub(crate) async fn until_begun(&self, runner: &Runner) {
        let written = format!("{0}-{0}", self.marker);
        until("the benchmark has begun in its guest", async || {
            assert!(!runner.child.log().contains("the job failed"), "the benchmark did not run:\n{}", runner.child.log());
            jails(&runner.data)
                .into_iter()
                .any(|jail| {
                    let mut grep = Command::new("grep");
                    let found =
                        grep.args(["-qaF", &written]).arg(jail.join("root/disk")).stderr(std::process::Stdio::null()).status();
                    found.is_ok_and(|status| status.success())
                })
                .then_some(())
        })
        .await;
    }
}
