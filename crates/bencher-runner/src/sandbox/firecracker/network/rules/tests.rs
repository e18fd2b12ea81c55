use super::*;

fn reaches(address: &str, allow: &[&str]) -> bool {
    let allow: Vec<Ipv4Net> = allow.iter().map(|net| net.parse().unwrap()).collect();
    is_reachable(address.parse().unwrap(), &allow)
}

#[test]
fn the_outside_is_reachable_and_the_inside_is_not() {
    for outside in ["1.1.1.1", "93.184.216.34", "172.15.0.1", "100.128.0.1", "223.255.255.255"] {
        assert!(reaches(outside, &[]), "{outside}");
    }
    for inside in ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "198.18.0.1", "192.0.2.1"] {
        assert!(!reaches(inside, &[]), "{inside}");
    }
}

#[test]
fn what_is_allowed_opens_private_networks_and_nothing_else() {
    assert!(reaches("10.20.0.9", &["10.20.0.0/16"]));
    assert!(!reaches("10.21.0.9", &["10.20.0.0/16"]));
    for never in ["169.254.169.254", "168.63.129.16", "100.100.100.200", "127.0.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255"] {
        assert!(!reaches(never, &["0.0.0.0/0"]), "{never}");
    }
}

#[test]
fn a_guests_table_is_as_reviewed() {
    let pool = Pool::new("10.207.0.0/16".parse().unwrap()).unwrap();
    let rates = Rates { bytes_per_second: 125_000_000, packets_per_second: 100_000, connections: 2048 };
    let (allow, nameservers) = (["10.20.0.0/16".parse().unwrap()], [Ipv4Addr::new(10, 1, 1, 1)]);
    let policy = Policy { pool, allow: &allow, nameservers: &nameservers, rates };
    insta::assert_snapshot!("guest_table", guest_table(pool.range(3), &policy));
}

#[test]
fn the_guard_of_forwarding_names_its_interfaces() {
    let script = forwarding_table(&["eth0".to_owned(), "enp3s0.7".to_owned()]);
    assert!(script.contains(r#"iifname { "eth0", "enp3s0.7" } oifname != "bencher-vm*" drop"#), "{script}");
}

#[test]
fn the_lowest_rates_still_let_one_packet_through() {
    let pool = Pool::new("10.207.0.0/16".parse().unwrap()).unwrap();
    let rates = Rates { bytes_per_second: 1, packets_per_second: 1, connections: 1 };
    let script = guest_table(pool.range(0), &Policy { pool, allow: &[], nameservers: &[], rates });
    assert!(script.contains("limit rate over 2/second burst 1 packets"), "{script}");
    assert!(script.contains("limit rate over 2 bytes/second burst 131072 bytes"), "{script}");
}
