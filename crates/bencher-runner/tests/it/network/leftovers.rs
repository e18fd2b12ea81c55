//! What is left after an end that was not foreseen: nothing, after the next start.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write as _},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use bencher_runner::sandbox::{
    InfrastructureError,
    firecracker::network::{Network, NetworkConfig, NetworkError},
};

use super::{
    cable::Guest,
    world::{HOST, OUTSIDE, UID, World, in_world, load},
};

/// Tells the copy of this test's process that is killed where to work.
const VICTIM: &str = "BENCHER_TEST_NETWORK_VICTIM";

#[test]
fn a_dropped_network_is_gone() {
    in_world(|world| async move {
        let attached = world.network().attach(UID).await.unwrap();
        assert_eq!(world.interfaces().len(), 1);
        drop(attached);
        world.assert_clean();
    });
}

#[test]
fn a_sweep_where_no_guest_ever_had_a_network_creates_nothing() {
    in_world(|world| async move {
        assert_eq!(world.network().sweep().await.unwrap(), 0);
        assert!(!world.config().state_dir.exists());
        assert_eq!(world.tables(), Vec::<String>::new());
    });
}

#[test]
fn a_sweep_leaves_the_guests_of_a_living_runner_alone() {
    in_world(|world| async move {
        let service = world.outside.serve(OUTSIDE, 0);
        let attached = world.network().attach(UID).await.unwrap();
        let guest = Guest::plug(&attached, UID);
        let other_runner = world.network();
        assert_eq!(other_runner.sweep().await.unwrap(), 0);
        assert_eq!(guest.namespace.ask(service).unwrap(), HOST.to_string());
        drop(guest);
        attached.detach().await.unwrap();
        world.assert_clean();
    });
}

#[test]
fn what_a_killed_runner_left_is_swept() {
    in_world(|world| async move {
        kill(victim(&world));
        assert_eq!(world.interfaces().len(), 2);
        assert!(world.forwards("eth0"));
        assert_eq!(world.network().sweep().await.unwrap(), 2);
        world.assert_clean();
    });
}

#[test]
fn what_a_killed_runner_left_does_not_hinder_the_next_guest() {
    in_world(|world| async move {
        kill(victim(&world));
        // The next range would be a new one; an owner with a small pool meets the old one again.
        fs::write(world.config().state_dir.join("next"), "0").unwrap();
        let service = world.outside.serve(OUTSIDE, 0);
        let network = world.network();
        let attached = network.attach(UID).await.unwrap();
        assert!(attached.netns_path.ends_with("vm0.netns"), "{:?}", attached.netns_path);
        let guest = Guest::plug(&attached, UID);
        assert_eq!(guest.namespace.ask(service).unwrap(), HOST.to_string());
        drop(guest);
        attached.detach().await.unwrap();
        assert_eq!(network.sweep().await.unwrap(), 1);
        world.assert_clean();
    });
}

#[test]
fn a_range_that_a_route_of_the_host_leads_into_is_passed_over() {
    in_world(|world| async move {
        super::world::ip(&["route add blackhole 10.207.0.4/32".to_owned()]);
        let attached = world.network().attach(UID).await.unwrap();
        assert_eq!(attached.guest.address.to_string(), "10.207.0.14");
        attached.detach().await.unwrap();
        world.assert_clean();
    });
}

#[test]
fn a_pool_that_is_used_up_says_so() {
    in_world(|world| async move {
        let network = world.network_with(|config| config.pool = "10.9.0.0/29".parse().unwrap());
        let attached = network.attach(UID).await.unwrap();
        let error = network.attach(UID + 1).await.unwrap_err();
        assert!(matches!(error, InfrastructureError::Network(NetworkError::NoFreeRange { ranges: 1, .. })), "{error}");
        attached.detach().await.unwrap();
        network.attach(UID + 1).await.unwrap().detach().await.unwrap();
        world.assert_clean();
    });
}

#[test]
fn another_firewall_that_drops_what_it_does_not_know_is_told_to_the_operator() {
    in_world(|world| async move {
        load("table ip filter {\n chain FORWARD {\n type filter hook forward priority 0; policy drop;\n }\n}\n");
        let attached = world.network().attach(UID).await.unwrap();
        let told = attached.warnings.iter().any(|warning| warning.contains("`ip filter FORWARD`"));
        assert!(told, "{:?}", attached.warnings);
    });
}

/// The copy of this process that is killed: it attaches two guests and waits for its end.
#[test]
fn victim_of_the_tests_above() {
    let Some(state_dir) = std::env::var_os(VICTIM).map(PathBuf::from) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let network = Network::open(NetworkConfig { state_dir, ..NetworkConfig::default() }).unwrap();
        let _attached = [network.attach(UID).await.unwrap(), network.attach(UID + 1).await.unwrap()];
        std::io::stdout().write_all(b"\nattached\n").unwrap();
        let _ = std::io::stdin().read(&mut [0]);
    });
}

fn victim(world: &World) -> Child {
    let arguments = ["--exact", "network::leftovers::victim_of_the_tests_above", "--nocapture"];
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(arguments).env(VICTIM, world.config().state_dir).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "attached"), "the victim ended before it was killed");
    child
}

fn kill(mut victim: Child) {
    victim.kill().unwrap();
    victim.wait().unwrap();
}
