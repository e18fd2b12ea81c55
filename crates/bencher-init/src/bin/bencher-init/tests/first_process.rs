//! For tests: runs a part of this program as what it is in a guest, a first process with a single thread, whose machine is
//! a set of namespaces.

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use nix::{
    sched::{CloneFlags, unshare},
    sys::wait::waitpid,
    unistd::{ForkResult, fork},
};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use serde::{Serialize, de::DeserializeOwned};

/// Calls `act` there and `meanwhile` here, each with one end of a connection, and returns what `act` did. `None`, with a word
/// why, where this test cannot run.
#[expect(clippy::print_stderr, reason = "a skipped test says why on its own output")]
pub(crate) fn run<T: Serialize + DeserializeOwned>(
    act: impl FnOnce(UnixStream) -> T,
    meanwhile: impl FnOnce(UnixStream),
) -> Option<T> {
    if !rustix::process::geteuid().is_root() {
        let missing = "this test needs root, for namespaces";
        assert!(std::env::var_os("BENCHER_TEST_REQUIRE").is_none_or(|value| value != "1"), "{missing}");
        eprintln!("not run: {missing}");
        return None;
    }
    let (mut result, writer) = std::io::pipe().unwrap();
    let (inside, outside) = UnixStream::pair().unwrap();
    // SAFETY: the new process only goes on with this test; the C library keeps its locks usable across the call.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            drop((result, outside));
            let said = catch_unwind(AssertUnwindSafe(|| in_namespaces(|| act(inside), writer)));
            leave(i32::from(said.is_err()));
        }
        ForkResult::Parent { child } => {
            drop((writer, inside));
            meanwhile(outside);
            let mut text = String::new();
            result.read_to_string(&mut text).unwrap();
            waitpid(child, None).unwrap();
            let outcome: Result<T, String> = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text:?}"));
            Some(outcome.unwrap_or_else(|panic| panic!("in the first process: {panic}")))
        }
    }
}

fn in_namespaces<T: Serialize>(act: impl FnOnce() -> T, mut writer: std::io::PipeWriter) {
    let all = CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWUTS;
    unshare(all).unwrap();
    // SAFETY: as above; this process has one thread.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                prepare();
                act()
            }));
            let outcome = outcome.map_err(|panic| {
                let text = panic.downcast_ref::<String>().cloned();
                text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
            });
            writer.write_all(&serde_json::to_vec(&outcome).unwrap()).unwrap();
            leave(0);
        }
        ForkResult::Parent { child } => {
            // Of an end of a connection only the one that uses it may be open, or nobody sees it close.
            drop((writer, act));
            waitpid(child, None).unwrap();
        }
    }
}

/// What of the machine must not be touched is hidden, and what whoever started the tests left open is not passed on.
fn prepare() {
    // SAFETY: closes nothing before this process runs another program.
    unsafe { nix::libc::close_range(3, u32::MAX, nix::libc::CLOSE_RANGE_CLOEXEC as i32) };
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).unwrap();
    mount("proc", "/proc", "proc", MountFlags::empty(), None).unwrap();
    if Path::new("/sys/fs/cgroup").exists() {
        mount("tmpfs", "/sys/fs/cgroup", "tmpfs", MountFlags::RDONLY, None).unwrap();
    }
}

/// Ends without what the end of a test program does.
fn leave(code: i32) -> ! {
    // SAFETY: nothing of this copy is needed any more.
    unsafe { nix::libc::_exit(code) }
}

/// A folder that anybody may enter, with a program in it.
pub(crate) fn folder_with(name: &str, text: &[u8], mode: u32) -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let path = dir.path().join(name);
    File::create(&path).unwrap().write_all(text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    dir
}
