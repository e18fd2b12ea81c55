//! What a guest reaches.

use std::net::{IpAddr, Ipv4Addr};

use super::{
    cable::{Guest, open_as},
    world::{HOST, LONG, NEIGHBOUR, OUTSIDE, UID, assert_refused, at, in_world},
};

#[test]
fn a_guest_reaches_the_outside_as_the_host() {
    in_world(|world| async move {
        let service = world.outside.serve(OUTSIDE, 0);
        let network = world.network();
        let attached = network.attach(UID).await.unwrap();
        let guest = Guest::plug(&attached, UID);
        assert_eq!(guest.namespace.ask(service).unwrap(), HOST.to_string());
        drop(guest);
        attached.detach().await.unwrap();
        world.assert_clean();
    });
}

#[test]
fn two_guests_have_a_network_at_once_and_the_first_to_go_takes_nothing_from_the_other() {
    in_world(|world| async move {
        let service = world.outside.serve(OUTSIDE, 0);
        let network = world.network();
        let first = network.attach(UID).await.unwrap();
        let second = network.attach(UID + 1).await.unwrap();
        assert_ne!(first.guest.address, second.guest.address);
        assert_ne!(first.mac, second.mac);
        let (one, other) = (Guest::plug(&first, UID), Guest::plug(&second, UID + 1));
        assert_eq!(one.namespace.ask(service).unwrap(), HOST.to_string());
        assert_eq!(other.namespace.ask(service).unwrap(), HOST.to_string());
        drop(one);
        first.detach().await.unwrap();
        assert!(world.forwards("eth0"));
        assert_eq!(other.namespace.ask(service).unwrap(), HOST.to_string());
        drop(other);
        second.detach().await.unwrap();
        world.assert_clean();
    });
}

#[test]
fn what_the_owner_allows_is_reached_and_nothing_else_of_it() {
    in_world(|world| async move {
        let service = world.neighbour.serve(NEIGHBOUR, 0);
        let own = world.host.serve(Ipv4Addr::UNSPECIFIED, 0);
        let network = world.network_with(|config| config.allow = vec!["192.168.0.0/16".parse().unwrap()]);
        let attached = network.attach(UID).await.unwrap();
        let guest = Guest::plug(&attached, UID);
        assert!(guest.namespace.ask(service).is_ok());
        assert_refused(guest.namespace.ask(at(super::world::HOST_INSIDE, own)));
        drop(guest);
        attached.detach().await.unwrap();
        world.assert_clean();
    });
}

#[test]
fn a_name_server_of_the_owner_is_reached_on_its_port_only() {
    in_world(|world| async move {
        let (dns, other) = (world.neighbour.serve(NEIGHBOUR, 53), world.neighbour.serve(NEIGHBOUR, 0));
        let network = world.network_with(|config| config.nameservers = vec![NEIGHBOUR]);
        let attached = network.attach(UID).await.unwrap();
        assert_eq!(attached.guest.nameservers, [IpAddr::from(NEIGHBOUR)]);
        let guest = Guest::plug(&attached, UID);
        assert!(guest.namespace.ask(dns).is_ok());
        assert_refused(guest.namespace.ask(other));
        drop(guest);
        attached.detach().await.unwrap();
        world.assert_clean();
    });
}

#[test]
fn the_hosts_own_name_server_is_reached_where_the_owner_names_it() {
    in_world(|world| async move {
        let dns = world.host.serve(Ipv4Addr::UNSPECIFIED, 53);
        let other = world.host.serve(Ipv4Addr::UNSPECIFIED, 0);
        let network = world.network_with(|config| config.nameservers = vec![HOST]);
        let attached = network.attach(UID).await.unwrap();
        let guest = Guest::plug(&attached, UID);
        assert!(guest.namespace.ask(at(HOST, dns)).is_ok());
        assert_refused(guest.namespace.ask(at(HOST, other)));
    });
}

#[test]
fn only_the_user_of_the_machine_monitor_may_open_the_tap() {
    in_world(|world| async move {
        let network = world.network();
        let attached = network.attach(UID).await.unwrap();
        let denied = open_as(&attached.netns_path, &attached.tap_name, UID + 1).unwrap_err();
        assert_eq!(denied.kind(), std::io::ErrorKind::PermissionDenied);
        drop(open_as(&attached.netns_path, &attached.tap_name, UID).unwrap());
        attached.detach().await.unwrap();
        world.assert_clean();
    });
}

#[test]
fn a_host_that_forwards_already_stays_as_it_is() {
    in_world(|world| async move {
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
        let service = world.outside.serve(OUTSIDE, 0);
        let network = world.network();
        let attached = network.attach(UID).await.unwrap();
        let guest = Guest::plug(&attached, UID);
        assert!(guest.namespace.ask(service).is_ok());
        // What the host did for others before, it still does.
        assert!(world.neighbour.connect(service, LONG).is_ok());
        drop(guest);
        attached.detach().await.unwrap();
        assert!(world.forwards("eth0") && world.forwards("eth1"));
    });
}
