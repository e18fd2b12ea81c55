//! What a benchmark sees of the host, and what the host keeps of a benchmark.

use std::fs;

use bencher_runner::sandbox::{Exit, Network};

use super::harness::{Harness, text};

#[tokio::test]
async fn without_network_there_is_only_loopback_and_it_is_up() {
    let Some(harness) = Harness::new().await else { return };
    let outcome = harness.run_shell("ls /sys/class/net; ip addr show lo; cat /etc/hosts; readlink /proc/self/ns/net").await;
    let found = text(&outcome.stdout.bytes);
    assert!(found.starts_with("lo\n") && found.contains("127.0.0.1/8") && found.contains("localhost"), "{found}");
    let ours = fs::read_link("/proc/self/ns/net").unwrap().to_str().unwrap().to_owned();
    assert!(!found.contains(&ours));
}

#[tokio::test]
async fn with_network_the_hosts_is_used() {
    let Some(harness) = Harness::new().await else { return };
    let mut plan = harness.shell("busybox readlink /proc/self/ns/net");
    plan.network = Network::Host;
    let outcome = harness.run(&plan).await.unwrap();
    let ours = fs::read_link("/proc/self/ns/net").unwrap();
    assert_eq!(text(&outcome.stdout.bytes).trim(), ours.to_str().unwrap(), "{outcome:?}");
}

#[tokio::test]
async fn what_a_benchmark_writes_never_reaches_the_image() {
    let Some(harness) = Harness::new().await else { return };
    let before = fs::read(harness.image()).unwrap();
    let script = "cat /data/input; echo x > /data/input; rm /bin/ls; echo y > /tmp/new; mkdir /etc/d; chmod 777 /data";
    let outcome = harness.run_shell(script).await;
    assert_eq!((outcome.exit, text(&outcome.stdout.bytes)), (Exit::Code(0), "from the image\n".to_owned()), "{outcome:?}");
    assert!(fs::read(harness.image()).unwrap() == before, "the image has changed");
    // The next iteration starts from the image again.
    assert_eq!(text(&harness.run_shell("cat /data/input; ls /tmp").await.stdout.bytes), "from the image\n");
}

#[tokio::test]
async fn the_host_is_out_of_sight() {
    let Some(harness) = Harness::new().await else { return };
    let script = "hostname; ls /proc/1/root/ 2>/dev/null; cat /proc/1/environ 2>/dev/null; kill -9 1; \
                  echo x > /proc/sys/kernel/hostname; busybox mount -t tmpfs none /data; busybox mknod /tmp/d b 7 0; \
                  grep -E 'NoNewPrivs|Seccomp:' /proc/self/status; busybox ps | busybox wc -l; ls /dev";
    let outcome = harness.run_shell(script).await;
    let found = text(&outcome.stdout.bytes);
    let expected = "bencher\nNoNewPrivs:\t1\nSeccomp:\t0\n5\n";
    assert!(found.starts_with(expected), "{found}\n{}", text(&outcome.stderr.bytes));
    let devices: Vec<&str> = found[expected.len()..].lines().collect();
    for needed in ["full", "null", "ptmx", "pts", "random", "shm", "tty", "urandom", "zero"] {
        assert!(devices.contains(&needed), "{devices:?}");
    }
    assert!(!devices.iter().any(|name| name.starts_with("loop") || name.starts_with("vd") || *name == "mem"), "{devices:?}");
    let errors = text(&outcome.stderr.bytes);
    for refused in ["/proc/sys/kernel/hostname", "mount:", "mknod:"] {
        assert!(errors.contains(refused), "{errors}");
    }
}

#[tokio::test]
async fn a_state_folder_has_one_owner() {
    let Some(harness) = Harness::new().await else { return };
    let second = bencher_runner::sandbox::host::HostSandbox::open(super::harness::config(harness.dir.path(), "unused")).await;
    assert!(second.unwrap_err().to_string().starts_with("another runner uses the state folder"));
}
