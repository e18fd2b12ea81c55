//! Runs a test in a guest of its own: what this machine's kernel need not have, the guest's has.
//!
//! The guest's root is this machine's file system, read-only, and its one program is this test program, told to run just
//! that test. So what a test calls is the product's code, and the kernel that answers is a real one.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Set in the guest.
const MARK: &str = "BENCHER_TEST_IN_GUEST";
const KERNEL: &str = "/usr/bin/linux.uml";
const SHELL: &str = "/bin/busybox";
/// What the guest's last line says where the test passed.
const PASSED: &str = "guest: the test ended with 0";
/// A disk to set limits for, in bytes.
const DISK: u64 = 32 << 20;

/// Runs the closure in a guest: `in_guest(|| …)` as the only statement of a test, whose name is taken from the closure's.
pub(super) fn in_guest<F: FnOnce()>(test: F) {
    if env::var_os(MARK).is_some() {
        return test();
    }
    let Some(stand_in) = stand_in() else { return };
    let name = std::any::type_name::<F>().trim_end_matches("::{{closure}}");
    let (_, name) = name.split_once("::").expect("a closure has the name of its crate");
    let dir = tempfile::tempdir().unwrap();
    let (init, disk, config) = (dir.path().join("init"), dir.path().join("disk"), dir.path().join("config.json"));
    fs::write(&init, script(&env::current_exe().unwrap(), name)).unwrap();
    fs::set_permissions(&init, fs::Permissions::from_mode(0o755)).unwrap();
    fs::File::create(&disk).and_then(|file| file.set_len(DISK)).unwrap();
    let arguments = format!(
        "console=ttyS0 reboot=k panic=1 quiet loglevel=1 rootfstype=hostfs rootflags=/ root=/dev/root ro init={}",
        init.display()
    );
    let whole = serde_json::json!({
        "boot-source": { "kernel_image_path": KERNEL, "boot_args": arguments },
        "drives": [{ "drive_id": "disk", "path_on_host": disk, "is_root_device": false }],
        "machine-config": { "vcpu_count": 1, "mem_size_mib": 256 },
    });
    fs::write(&config, whole.to_string()).unwrap();
    let mut machine = Command::new(stand_in);
    machine.args(["--no-api", "--log-path"]).arg(dir.path().join("log")).arg("--config-file").arg(config);
    let output = machine.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("test result: ok. 1 passed"), "{name} did not pass in the guest:\n{said}\n{errors}");
    assert!(said.contains(PASSED), "{name} did not end in the guest:\n{said}\n{errors}");
}

/// The guest's first process. It ends the machine, whatever becomes of the test.
fn script(program: &Path, test: &str) -> String {
    let program = program.display();
    let mark = PASSED.trim_end_matches('0');
    format!(
        "#!{SHELL} sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin TMPDIR=/dev/shm {MARK}=1 RUST_BACKTRACE=0
box={SHELL}
$box mount -t proc proc /proc
$box mount -t sysfs sysfs /sys
$box mount -t cgroup2 cgroup2 /sys/fs/cgroup
$box mkdir -p /dev/shm
$box mount -t tmpfs tmpfs /dev/shm
'{program}' --exact '{test}' --nocapture
echo \"{mark}$?\"
$box reboot -f
"
    )
}

/// `None`, and the reason on the test's output, where the machine lacks something; a failure where that is required.
#[expect(clippy::print_stderr, reason = "a skipped test says why on its own output")]
fn stand_in() -> Option<PathBuf> {
    let program = env::current_exe().unwrap();
    let stand_in = program.parent().and_then(Path::parent).unwrap().join("firecracker-stand-in");
    let needed = [
        (stand_in.as_path(), "`cargo build --workspace` makes it"),
        (Path::new(KERNEL), "install the Debian package user-mode-linux"),
        (Path::new(SHELL), "install the Debian package busybox-static"),
    ];
    let missing = needed.into_iter().find(|(path, _)| !path.exists());
    let missing = missing.map(|(path, mend)| format!("{} is missing: {mend}", path.display()));
    let missing = if rustix::process::geteuid().is_root() { missing } else { Some("guests need root".to_owned()) };
    let Some(missing) = missing else { return Some(stand_in) };
    assert!(env::var_os("BENCHER_TEST_REQUIRE").is_none_or(|value| value != "1"), "{missing}");
    eprintln!("skipped: {missing}");
    None
}
