//! Guests that mean harm, or do it.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use bencher_runner::sandbox::{Blame, Ended, Exit, Sandbox as _};
use tokio_util::sync::CancellationToken;

use super::harness::{Harness, Tools, eventually};

#[tokio::test]
async fn a_benchmark_that_reboots_its_machine_has_no_result_and_the_blame() {
    let Some(harness) = Harness::new().await else { return };
    let error = harness.run(&harness.shell("reboot -f; sleep 600")).await.unwrap_err();
    assert_eq!(error.blame(), Blame::Image, "{error}");
}

#[tokio::test]
async fn a_kernel_panic_is_an_end_like_any_other() {
    let Some(harness) = Harness::new().await else { return };
    let panic = "mount -t proc proc /proc 2>/dev/null; echo 1 > /proc/sys/kernel/sysrq; echo c > /proc/sysrq-trigger; sleep 600";
    let mut plan = harness.shell(panic);
    plan.timeout = Duration::from_secs(30);
    match harness.run(&plan).await {
        Err(error) => assert_eq!(error.blame(), Blame::Image, "{error}"),
        // A kernel without that trigger.
        Ok(outcome) => assert_eq!(outcome.ended, Ended::TimedOut),
    }
}

#[tokio::test]
async fn a_machine_that_is_powered_off_but_does_not_end_is_ended() {
    let Some(harness) = Harness::new().await else { return };
    let mut plan = harness.shell("poweroff -f; sleep 600");
    plan.timeout = Duration::from_secs(3);
    plan.grace_period = Duration::from_millis(100);
    match harness.run(&plan).await {
        // The processor halts for ever, as Firecracker does it.
        Ok(outcome) => {
            assert_eq!((outcome.exit, outcome.ended), (Exit::Signal(9), Ended::TimedOut));
            assert!(outcome.warnings.iter().any(|warning| warning.contains("did not answer")), "{outcome:?}");
        }
        Err(error) => assert_eq!(error.blame(), Blame::Image, "{error}"),
    }
}

#[tokio::test]
async fn a_fork_bomb_stays_in_its_guest() {
    let Some(harness) = Harness::new().await else { return };
    let mut plan = harness.shell("f() { f | f & }; f; sleep 2; echo survived");
    plan.timeout = Duration::from_secs(20);
    plan.resources.pids = Some(50);
    // Whatever becomes of it, it becomes of it alone, and in time.
    let _ = harness.run(&plan).await;
    assert_eq!(harness.run_shell("echo next").await.exit, Exit::Code(0));
}

#[tokio::test]
async fn a_benchmark_over_the_guests_memory_is_told_as_that() {
    let Some(harness) = Harness::new().await else { return };
    let plan = harness.shell("x=$(head -c 300000000 /dev/zero | tr '\\0' x); echo ${#x}");
    match harness.run(&plan).await {
        Ok(outcome) => assert!(outcome.oom_killed && outcome.exit != Exit::Code(0), "{outcome:?}"),
        // Its kernel may find nobody else to kill.
        Err(error) => assert_eq!(error.blame(), Blame::Image, "{error}"),
    }
}

#[tokio::test]
async fn a_flood_of_the_console_fills_neither_memory_nor_disk() {
    let Some(harness) = Harness::new().await else { return };
    // What a machine takes in any case.
    let quiet = watched(&harness, "true").await;
    let flooded = watched(&harness, "head -c 20000000 /dev/zero | tr '\\0' x > /dev/console; echo done").await;
    let memory = flooded.memory.saturating_sub(quiet.memory);
    assert!(memory < 8 << 20, "the runner grew by {memory} bytes");
    let disk = flooded.disk.saturating_sub(quiet.disk);
    assert!(disk < 4 << 20, "the state folder grew by {disk} bytes");
}

/// The most that was taken while a machine ran, in bytes.
struct Taken {
    /// Of this process, which is the runner here, since it began.
    memory: u64,
    disk: u64,
}

async fn watched(harness: &Harness, script: &str) -> Taken {
    let plan = harness.shell(script);
    let running = harness.run(&plan);
    tokio::pin!(running);
    let mut disk = 0;
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    let outcome = loop {
        tokio::select! {
            outcome = &mut running => break outcome.unwrap(),
            _ = looks.tick() => disk = disk.max(allocated(&harness.config.state_dir)),
        }
    };
    assert_eq!(outcome.exit, Exit::Code(0), "{outcome:?}");
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB")?.trim().parse::<u64>().ok());
    Taken { memory: peak.unwrap() * 1024, disk }
}

/// Bytes on the disk of a folder that changes meanwhile. What has more than one name counts for nothing.
fn allocated(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.filter_map(|entry| {
        let metadata = entry.metadata().ok()?;
        let size = if metadata.nlink() == 1 { metadata.blocks() * 512 } else { 0 };
        Some(if metadata.is_dir() { allocated(&entry.path()) } else { size })
    });
    sizes.sum()
}

#[tokio::test]
async fn a_full_disk_of_the_guest_is_the_benchmarks_own_affair() {
    let Some(harness) = Harness::new().await else { return };
    let outcome = harness.run_shell("dd if=/dev/zero of=/fill bs=1000000 count=100; echo after").await;
    let said = super::harness::text(&outcome.stderr.bytes);
    assert!(said.contains("No space left"), "{said}");
}

#[tokio::test]
async fn a_full_disk_of_the_host_is_told_and_leaves_nothing() {
    if Tools::get().is_none() {
        return;
    }
    let small = tempfile::Builder::new().prefix("vm-test-small-").tempdir().unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=64m", "tmpfs"]).arg(small.path()).status();
    let Some(harness) = Harness::with(|config| config.state_dir = small.path().join("state")).await else { return };
    assert!(mounted.unwrap().success());
    let filled = fs::write(small.path().join("fill"), vec![1; 64 << 20]).unwrap_err();
    assert_eq!(filled.kind(), std::io::ErrorKind::StorageFull);
    let error = harness.run(&harness.shell("true")).await.unwrap_err();
    assert_eq!(error.blame(), Blame::Infrastructure);
    fs::remove_file(small.path().join("fill")).unwrap();
    assert_eq!(harness.run_shell("true").await.exit, Exit::Code(0));
    drop(harness);
    // Lazily: other tests may have copied this mount with the rest of the tree.
    assert!(Command::new("umount").arg("-l").arg(small.path()).status().unwrap().success());
}

#[tokio::test]
async fn a_firecracker_that_dies_is_not_the_benchmarks_fault() {
    let Some(harness) = Harness::new().await else { return };
    let plan = harness.shell("sleep 600");
    let running = harness.sandbox.run(&plan, CancellationToken::new());
    let config = &harness.config;
    let users: Vec<String> = (config.uid_base..config.uid_base + config.uid_count).map(|uid| uid.to_string()).collect();
    let users = users.join(",");
    let killing = async {
        let machines = || Command::new("pgrep").args(["-f", "api-sock", "-u", &users]).output().unwrap();
        eventually("the machine runs", || machines().status.success()).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        let pids = String::from_utf8(machines().stdout).unwrap();
        for pid in pids.lines() {
            let _ = Command::new("kill").args(["-9", pid]).status();
        }
    };
    let (outcome, ()) = tokio::join!(running, killing);
    assert_eq!(outcome.unwrap_err().blame(), Blame::Infrastructure);
    harness.assert_clean();
}

#[tokio::test]
async fn a_machine_whose_spec_has_no_network_cannot_see_that_of_the_host() {
    let Some(harness) = Harness::new().await else { return };
    let cancel = CancellationToken::new();
    let plan = harness.shell("sleep 600");
    let running = harness.sandbox.run(&plan, cancel.clone());
    let users = harness.config.uid_base..harness.config.uid_base + harness.config.uid_count;
    let networks = || -> Vec<PathBuf> {
        let processes = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
        let of_guests = processes.filter(|path| fs::metadata(path).is_ok_and(|metadata| users.contains(&metadata.uid())));
        of_guests.filter_map(|path| fs::read_link(path.join("ns/net")).ok()).collect()
    };
    let looking = async {
        eventually("the machine runs", || !networks().is_empty()).await;
        let found = networks();
        cancel.cancel();
        found
    };
    let (outcome, found) = tokio::join!(running, looking);
    drop(outcome);
    harness.assert_clean();
    let own = fs::read_link("/proc/self/ns/net").unwrap();
    assert!(!found.is_empty() && !found.contains(&own), "{found:?}");
}

#[tokio::test]
async fn a_guest_that_never_greets_is_given_up_and_its_last_words_are_told() {
    let silent = |config: &mut bencher_runner::sandbox::firecracker::FirecrackerConfig| {
        config.boot_timeout = Duration::from_secs(8);
        // Without its drive the guest's first process cannot even say hello.
        config.boot_args = Some("bencher.config=/dev/none".to_owned());
    };
    let Some(harness) = Harness::with(silent).await else { return };
    let error = harness.run(&harness.shell("true")).await.unwrap_err();
    assert_eq!(error.blame(), Blame::Infrastructure);
}
