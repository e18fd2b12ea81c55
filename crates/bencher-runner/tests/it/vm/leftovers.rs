//! A runner that is killed in the middle, and what the next one makes of it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use bencher_runner::sandbox::{Exit, Sandbox as _, firecracker::FirecrackerSandbox};
use tokio_util::sync::CancellationToken;

use super::harness::{Harness, Tools, eventually, make_disk, plan, processes_of};

/// Tells a process of this test program to be the runner that is killed, and in which folder.
const HELPER: &str = "BENCHER_VM_HELPER";
const HELPER_TEST: [&str; 3] = ["--exact", "vm::leftovers::helper_process", "--nocapture"];

/// Not a test of its own: the process that the test below starts and kills.
#[tokio::test]
async fn helper_process() {
    let Some(dir) = std::env::var_os(HELPER).map(PathBuf::from) else { return };
    let tools = Tools::get().unwrap();
    let sandbox = FirecrackerSandbox::open(tools.config(&dir)).await.unwrap();
    let plan = plan(&dir.join("disk.ext4"), &["sleep", "600"]);
    let _ = sandbox.run(&plan, CancellationToken::new()).await;
}

fn machines(dir: &Path) -> Vec<PathBuf> {
    let programs = fs::read_dir(dir.join("state/jails")).into_iter().flatten().flatten();
    programs.flat_map(|program| fs::read_dir(program.path()).into_iter().flatten().flatten()).map(|entry| entry.path()).collect()
}

#[tokio::test]
async fn a_killed_runner_leaves_no_process_and_the_next_start_removes_the_rest() {
    let Some(harness) = Harness::new().await else { return };
    let dir = harness.dir.path().join("victim");
    fs::create_dir(&dir).unwrap();
    make_disk(&dir);
    // As soon as there is a folder; once the process answers; while the guest boots; while the benchmark runs.
    let phases: [&dyn Fn() -> bool; 4] = [
        &|| !machines(&dir).is_empty(),
        &|| machines(&dir).iter().any(|machine| machine.join("root/api.sock").exists()),
        &|| machines(&dir).iter().any(|machine| machine.join("root/v.sock").exists()),
        &|| machines(&dir).iter().any(|machine| machine.join("root/v.sock").exists()),
    ];
    for (index, reached) in phases.into_iter().enumerate() {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(HELPER_TEST).env(HELPER, &dir).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut runner = command.spawn().unwrap();
        eventually("the runner gets that far", reached).await;
        if index == 3 {
            tokio::time::sleep(Duration::from_secs(4)).await;
        }
        runner.kill().unwrap();
        runner.wait().unwrap();
        let config = Tools::get().unwrap().config(&dir);
        eventually("the machine dies with its runner", || processes_of(&config).is_empty()).await;
        assert_eq!(machines(&dir).len(), 1, "in phase {index}");
        let sandbox = FirecrackerSandbox::open(config.clone()).await.unwrap();
        assert_eq!(machines(&dir), Vec::<PathBuf>::new(), "in phase {index}");
        for root in fs::read_dir("/sys/fs/cgroup").unwrap().flatten() {
            let groups = fs::read_dir(root.path().join(&config.cgroup_parent)).into_iter().flatten().flatten();
            let groups: Vec<_> = groups.filter(|entry| entry.file_type().unwrap().is_dir()).collect();
            assert!(groups.is_empty(), "{groups:?}");
            let _ = fs::remove_dir(root.path().join(&config.cgroup_parent));
        }
        if index == 3 {
            let outcome = sandbox.run(&plan(&dir.join("disk.ext4"), &["true"]), CancellationToken::new()).await.unwrap();
            assert_eq!(outcome.exit, Exit::Code(0));
        }
        drop(sandbox);
    }
    for root in fs::read_dir("/sys/fs/cgroup").unwrap().flatten() {
        let _ = fs::remove_dir(root.path().join("victim"));
    }
    harness.assert_clean();
}
