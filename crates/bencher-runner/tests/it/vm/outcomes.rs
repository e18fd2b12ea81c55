//! What benchmarks do in the ordinary way, and what becomes of it.

use std::time::Duration;

use bencher_runner::sandbox::{
    Blame, Ended, Exit, FileContents, Network, Sandbox as _, SkipReason,
    firecracker::{
        FirecrackerConfig,
        network::{self, NetworkConfig},
    },
};
use tokio_util::sync::CancellationToken;

use super::harness::{Harness, plan, text};

#[tokio::test]
async fn a_benchmark_runs_in_a_kernel_of_its_own_and_its_results_come_back() {
    let Some(harness) = Harness::new().await else { return };
    let mut plan = harness.shell(
        "cat /data/input; echo oops >&2; hostname; id -u; pwd; echo $SECRET; mkdir -p /out; printf 'a\\377b' > /out/one; \
         printf two > two; test -e /proc/self/status && test -c /dev/null && test -d /dev/shm && exit 3",
    );
    plan.env.push(("SECRET".to_owned(), "s3cret".to_owned()));
    plan.file_paths = ["/out/one", "tw*", "none"].map(str::to_owned).into();
    let outcome = harness.run(&plan).await.unwrap();
    assert_eq!((outcome.exit, outcome.ended), (Exit::Code(3), Ended::Exited), "{outcome:?}");
    assert_eq!(text(&outcome.stdout.bytes), "from the image\nbencher\n0\n/work\ns3cret\n");
    assert_eq!(text(&outcome.stderr.bytes), "oops\n");
    assert_eq!(&outcome.files["/out/one"].bytes[..], b"a\xffb");
    assert_eq!(&outcome.files["two"].bytes[..], b"two");
    assert_eq!(outcome.skipped_files.len(), 1);
    assert_eq!((outcome.skipped_files[0].path.as_str(), &outcome.skipped_files[0].reason), ("none", &SkipReason::Missing));
    let phases = outcome.phases.unwrap();
    for (name, phase) in [("boot", phases.boot), ("run", phases.run), ("collect", phases.collect), ("teardown", phases.teardown)]
    {
        assert!(!phase.is_zero(), "{name}: {phases:?}");
    }
    assert_eq!(phases.run, outcome.wall);
}

#[tokio::test]
async fn every_iteration_begins_with_the_image_as_it_was() {
    let Some(harness) = Harness::new().await else { return };
    for _ in 0..2 {
        let outcome = harness.run_shell("cat /data/input; echo changed > /data/input; cat /data/input").await;
        assert_eq!(text(&outcome.stdout.bytes), "from the image\nchanged\n");
    }
}

#[tokio::test]
async fn signals_and_users_are_told_as_they_are() {
    let Some(harness) = Harness::new().await else { return };
    let mut plan = harness.shell("id -un; echo $HOME; kill -SEGV $$");
    plan.user = Some("bench".to_owned());
    let outcome = harness.run(&plan).await.unwrap();
    assert_eq!(outcome.exit, Exit::Signal(11));
    assert_eq!(text(&outcome.stdout.bytes), "bench\n/home/bench\n");
}

#[tokio::test]
async fn without_a_network_there_is_only_the_loopback() {
    let Some(harness) = Harness::new().await else { return };
    let outcome = harness.run_shell("ls /sys/class/net").await;
    assert_eq!(text(&outcome.stdout.bytes), "lo\n");
}

#[tokio::test]
async fn a_network_is_there_for_those_who_ask_and_gone_after_them() {
    let with_network = |config: &mut FirecrackerConfig| {
        let state_dir = config.lock_dir.with_file_name("network");
        config.network = Some(NetworkConfig { state_dir, nameservers: vec![[9, 9, 9, 9].into()], ..NetworkConfig::default() });
    };
    let Some(harness) = Harness::with(with_network).await else { return };
    let mut plan = harness.shell("ls /sys/class/net | tr '\\n' ' '; ip route; cat /etc/resolv.conf");
    assert_eq!(text(&harness.run(&plan).await.unwrap().stdout.bytes).split(' ').next(), Some("lo"));
    plan.network = Network::Host;
    let outcome = harness.run(&plan).await.unwrap();
    let said = text(&outcome.stdout.bytes);
    assert!(said.starts_with("eth0 lo ") && said.contains("default via ") && said.contains("nameserver 9.9.9.9"), "{said}");
    let networks = network::Network::open(harness.config.network.clone().unwrap()).unwrap();
    assert_eq!(networks.sweep().await.unwrap(), 0, "a network is left");
}

#[tokio::test]
async fn a_runner_without_networks_says_so() {
    let Some(harness) = Harness::new().await else { return };
    let mut plan = harness.shell("true");
    plan.network = Network::Host;
    let error = harness.run(&plan).await.unwrap_err().to_string();
    assert_eq!(error, "this runner gives microVMs no network, and the job's spec asks for one");
}

#[tokio::test]
async fn what_is_wrong_with_the_image_is_blamed_on_the_image() {
    let Some(harness) = Harness::new().await else { return };
    let disk = harness.dir.path().join("disk.ext4");
    let error = harness.run(&plan(&disk, &["no-such-command"])).await.unwrap_err();
    assert_eq!(error.blame(), Blame::Image);
    assert_eq!(error.to_string(), "command `no-such-command` not found in the image; looked in /bin");
    let mut nobody = harness.shell("true");
    nobody.user = Some("ghost".to_owned());
    let error = harness.run(&nobody).await.unwrap_err();
    assert_eq!(error.to_string(), "the image has no user `ghost` in /etc/passwd");
}

#[tokio::test]
async fn a_benchmark_over_its_time_is_ended_and_its_output_until_then_is_kept() {
    let Some(harness) = Harness::new().await else { return };
    let mut plan = harness.shell("trap 'echo stopping; exit 7' TERM; echo begun; while :; do sleep 0.1; done");
    plan.timeout = Duration::from_millis(500);
    plan.grace_period = Duration::from_secs(20);
    let outcome = harness.run(&plan).await.unwrap();
    assert_eq!((outcome.exit, outcome.ended), (Exit::Code(7), Ended::TimedOut), "{outcome:?}");
    assert_eq!(text(&outcome.stdout.bytes), "begun\nstopping\n");
}

#[tokio::test]
async fn a_benchmark_that_ignores_the_signal_is_killed() {
    let Some(harness) = Harness::new().await else { return };
    let mut plan = harness.shell("trap '' TERM; echo begun; while :; do sleep 0.1; done");
    plan.timeout = Duration::from_millis(500);
    plan.grace_period = Duration::from_millis(200);
    let outcome = harness.run(&plan).await.unwrap();
    assert_eq!((outcome.exit, outcome.ended), (Exit::Signal(9), Ended::TimedOut), "{outcome:?}");
    assert_eq!(text(&outcome.stdout.bytes), "begun\n");
}

#[tokio::test]
async fn a_cancel_is_heard_in_every_phase() {
    let Some(harness) = Harness::new().await else { return };
    // Before, while the machine is made, while it boots, and while the benchmark runs.
    for pause in [0, 20, 300, 10_000] {
        let cancel = CancellationToken::new();
        let plan = harness.shell("echo begun; sleep 600");
        let run = harness.sandbox.run(&plan, cancel.clone());
        let canceling = async {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            cancel.cancel();
        };
        let (outcome, ()) = tokio::join!(run, canceling);
        let outcome = outcome.unwrap();
        assert_eq!(outcome.ended, Ended::Canceled, "after {pause} ms");
        harness.assert_clean();
    }
}

#[tokio::test]
async fn output_beyond_the_bound_is_counted_and_does_not_block() {
    let Some(harness) = Harness::new().await else { return };
    let mut plan = harness.shell("head -c 52428800 /dev/zero; echo done >&2");
    plan.output.max_output_size = 1024 * 1024;
    let outcome = harness.run(&plan).await.unwrap();
    assert_eq!((outcome.stdout.bytes.len(), outcome.stdout.total), (1024 * 1024, 52_428_800), "{outcome:?}");
    assert_eq!(text(&outcome.stderr.bytes), "done\n");
}

#[tokio::test]
async fn sizes_alone_can_be_asked_for() {
    let Some(harness) = Harness::new().await else { return };
    let mut plan = harness.shell("head -c 1000000 /dev/zero > large");
    plan.file_paths = vec!["large".to_owned()];
    plan.file_contents = FileContents::SizeOnly;
    plan.output.max_output_size = 10;
    let outcome = harness.run(&plan).await.unwrap();
    assert_eq!((outcome.files["large"].size, outcome.files["large"].bytes.len()), (1_000_000, 0));
}

#[tokio::test]
async fn a_bare_machine_works_and_says_what_it_lacks() {
    let Some(harness) = Harness::with(|config| config.jailer = None).await else { return };
    assert!(harness.sandbox.shortcomings().iter().any(|line| line.contains("no jailer")));
    assert_eq!(text(&harness.run_shell("echo bare").await.stdout.bytes), "bare\n");
}
