use std::{
    net::{TcpListener, TcpStream, UdpSocket},
    process::Command,
};

use super::*;
use crate::tests::first_process;

fn network(interface: &str) -> GuestNetwork {
    GuestNetwork {
        interface: interface.to_owned(),
        address: Ipv4Addr::new(10, 77, 0, 2),
        prefix: 30,
        gateway: Ipv4Addr::new(10, 77, 0, 1),
        nameservers: Vec::new(),
    }
}

#[test]
fn lo_is_up_and_nothing_else_is_reachable() {
    let seen = first_process::run(
        |_| {
            assert!(TcpListener::bind("127.0.0.1:0").unwrap().local_addr().and_then(TcpStream::connect).is_err());
            up(None).unwrap();
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let outside = UdpSocket::bind("0.0.0.0:0").unwrap().connect("10.77.0.1:9");
            outside.unwrap_err().to_string()
        },
        drop,
    );
    assert!(seen.is_none_or(|error| error.starts_with("Network is unreachable")));
}

#[test]
fn an_interface_gets_its_address_and_the_way_out() {
    let seen = first_process::run(
        |_| {
            let made = Command::new("ip").args(["link", "add", "eth0", "type", "veth", "peer", "name", "far"]).status();
            if !made.is_ok_and(|status| status.success()) {
                return "this machine has no `ip`, or its kernel no veth".to_owned();
            }
            up(Some(&network("eth0"))).unwrap();
            // An address of the outside is reached from the one we were given.
            let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
            socket.connect("192.0.2.1:9").unwrap();
            socket.local_addr().unwrap().ip().to_string()
        },
        drop,
    );
    let Some(seen) = seen else { return };
    assert!(seen == "10.77.0.2" || seen.starts_with("this machine"), "{seen}");
}

#[test]
fn the_resolver_s_file_replaces_a_link_that_leads_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("resolv.conf");
    std::os::unix::fs::symlink("/run/gone/resolv.conf", &path).unwrap();
    let nameservers = vec!["192.0.2.53".parse().unwrap(), "2001:db8::53".parse().unwrap()];
    write_resolver(&path, &GuestNetwork { nameservers, ..network("eth0") }).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "nameserver 192.0.2.53\nnameserver 2001:db8::53\n");
}
