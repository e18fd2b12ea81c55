//! What a guest does not reach, and who does not reach a guest.

use std::{fs, net::Ipv4Addr};

use super::{
    cable::Guest,
    world::{HOST, HOST_INSIDE, METADATA, NEIGHBOUR, OUTSIDE, SHORT, UID, assert_refused, at, in_world, load},
};

#[test]
fn a_guest_does_not_reach_metadata_neighbours_or_the_host() {
    in_world(|world| async move {
        let metadata = world.outside.serve(METADATA, 80);
        let neighbour = world.neighbour.serve(NEIGHBOUR, 0);
        let own = world.host.serve(Ipv4Addr::UNSPECIFIED, 0);
        // They are there.
        assert!(world.host.ask(metadata).is_ok() && world.host.ask(neighbour).is_ok() && world.host.ask(at(HOST, own)).is_ok());
        let network = world.network();
        let attached = network.attach(UID).await.unwrap();
        let guest = Guest::plug(&attached, UID);
        assert_refused(guest.namespace.ask(metadata));
        assert_refused(guest.namespace.ask(neighbour));
        let wire = Ipv4Addr::from_bits(attached.guest.address.to_bits() - 5);
        for address in [HOST, HOST_INSIDE, wire] {
            assert_refused(guest.namespace.ask(at(address, own)));
        }
        drop(guest);
        attached.detach().await.unwrap();
        world.assert_clean();
    });
}

#[test]
fn metadata_stays_out_of_reach_where_everything_is_allowed() {
    in_world(|world| async move {
        let metadata = world.outside.serve(METADATA, 80);
        let network = world.network_with(|config| config.allow = vec!["0.0.0.0/0".parse().unwrap()]);
        let attached = network.attach(UID).await.unwrap();
        let guest = Guest::plug(&attached, UID);
        assert_refused(guest.namespace.ask(metadata));
    });
}

#[test]
fn two_guests_do_not_reach_each_other() {
    in_world(|world| async move {
        let network = world.network_with(|config| config.allow = vec!["0.0.0.0/0".parse().unwrap()]);
        let first = network.attach(UID).await.unwrap();
        let second = network.attach(UID + 1).await.unwrap();
        let (one, other) = (Guest::plug(&first, UID), Guest::plug(&second, UID + 1));
        let service = other.namespace.serve(Ipv4Addr::UNSPECIFIED, 0);
        assert!(other.namespace.ask(at(other.address, service)).is_ok());
        assert_refused(one.namespace.ask(at(other.address, service)));
    });
}

#[test]
fn neither_the_outside_nor_a_neighbour_reaches_a_guest() {
    in_world(|world| async move {
        let network = world.network_with(|config| config.allow = vec!["192.168.77.0/24".parse().unwrap()]);
        let attached = network.attach(UID).await.unwrap();
        let guest = Guest::plug(&attached, UID);
        let service = guest.namespace.serve(Ipv4Addr::UNSPECIFIED, 0);
        for from in [&world.outside, &world.neighbour] {
            assert!(from.connect(at(guest.address, service), SHORT).is_err());
        }
    });
}

#[test]
fn a_host_that_forwards_for_guests_does_not_forward_for_its_neighbours() {
    in_world(|world| async move {
        let service = world.outside.serve(OUTSIDE, 0);
        // Packets of both sides may be forwarded now, the neighbour's and the outside's.
        let network = world.network_with(|config| config.allow = vec!["192.168.77.0/24".parse().unwrap()]);
        let attached = network.attach(UID).await.unwrap();
        assert!(world.forwards("eth0") && world.forwards("eth1"));
        assert!(world.neighbour.connect(service, SHORT).is_err());
        attached.detach().await.unwrap();
        world.assert_clean();
    });
}

#[test]
fn a_port_of_the_host_that_another_program_forwards_is_still_the_hosts() {
    in_world(|world| async move {
        let service = world.neighbour.serve(NEIGHBOUR, 8080);
        // As container engines publish ports: one of the host, and one of an address that is not its own.
        load(&format!(
            "table ip containers {{\n chain prerouting {{\n type nat hook prerouting priority dstnat\n \
             ip daddr {HOST} tcp dport 8080 dnat to {NEIGHBOUR}\n \
             ip daddr 93.184.216.99 tcp dport 8080 dnat to {NEIGHBOUR}\n }}\n}}\n"
        ));
        let network = world.network();
        let attached = network.attach(UID).await.unwrap();
        let guest = Guest::plug(&attached, UID);
        assert_refused(guest.namespace.ask(at(HOST, service)));
        assert_refused(guest.namespace.ask(at(Ipv4Addr::new(93, 184, 216, 99), service)));
    });
}

#[test]
fn a_guests_wire_has_no_ipv6() {
    in_world(|world| async move {
        let network = world.network();
        let attached = network.attach(UID).await.unwrap();
        let guest = Guest::plug(&attached, UID);
        let addresses = || fs::read_to_string("/proc/thread-self/net/if_inet6").unwrap_or_default();
        let on_host = addresses();
        assert!(!on_host.contains("bencher-vm"), "{on_host}");
        let between = super::world::Namespace::at(&attached.netns_path).run(addresses);
        assert_eq!(between, "");
        drop(guest);
        attached.detach().await.unwrap();
        world.assert_clean();
    });
}

#[test]
fn a_guest_with_another_guests_address_is_not_heard() {
    in_world(|world| async move {
        let service = world.outside.serve(OUTSIDE, 0);
        let network = world.network();
        let attached = network.attach(UID).await.unwrap();
        let guest = Guest::plug(&attached, UID);
        guest.namespace.run(|| {
            super::world::ip(&[
                "address add 10.207.9.9/32 dev eth0".to_owned(),
                format!("route replace default via {} src 10.207.9.9", attached.guest.gateway),
            ]);
        });
        assert!(guest.namespace.connect(service, SHORT).is_err());
    });
}
