//! How much a guest may send.

use std::{
    net::UdpSocket,
    time::{Duration, Instant},
};

use super::{
    cable::Guest,
    world::{LONG, OUTSIDE, SHORT, UID, in_world, output},
};

#[test]
fn a_flood_of_packets_is_cut_by_the_kernel() {
    in_world(|world| async move {
        let network = world.network_with(|config| config.rates.packets_per_second = 1);
        let attached = network.attach(UID).await.unwrap();
        let guest = Guest::plug(&attached, UID);
        guest.namespace.run(|| {
            let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
            for _ in 0..500 {
                let _ = socket.send_to(b"x", (OUTSIDE, 9));
            }
        });
        wait_for("packets over the rate", || over_rate() > 0);
        drop(guest);
        attached.detach().await.unwrap();
        world.assert_clean();
    });
}

#[test]
fn a_guest_has_no_more_connections_than_it_may() {
    in_world(|world| async move {
        let service = world.outside.serve(OUTSIDE, 0);
        let network = world.network_with(|config| config.rates.connections = 2);
        let attached = network.attach(UID).await.unwrap();
        let guest = Guest::plug(&attached, UID);
        let held = [guest.namespace.connect(service, LONG).unwrap(), guest.namespace.connect(service, LONG).unwrap()];
        assert!(guest.namespace.connect(service, SHORT).is_err());
        assert!(over_rate() > 0);
        drop((held, guest));
        attached.detach().await.unwrap();
        world.assert_clean();
    });
}

/// Packets the rules for the only guest have dropped.
fn over_rate() -> u64 {
    let listed = output("nft", &["list", "counters"]);
    let after = listed.split("counter over_rate {").nth(1).unwrap();
    after.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < LONG, "no {what} after {LONG:?}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}
