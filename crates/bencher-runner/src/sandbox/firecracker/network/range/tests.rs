use super::*;

fn pool(text: &str) -> Result<Pool, NetworkError> {
    Pool::new(text.parse().unwrap())
}

#[test]
fn ranges_of_a_pool_never_overlap() {
    let pool = pool("10.207.0.0/16").unwrap();
    assert_eq!(pool.ranges(), 8192);
    for index in 0..pool.ranges() {
        let range = pool.range(index);
        assert!(pool.net().contains(&range.net()));
        assert_eq!(u32::from(range.net().network()) - u32::from(pool.net().network()), index * 8);
        assert!(range.interface().len() <= 15, "the kernel takes no longer name");
    }
}

#[test]
fn every_address_of_a_range_is_a_host_of_its_network() {
    let range = pool("192.168.4.0/22").unwrap().range(127);
    assert_eq!(range.net().to_string(), "192.168.7.248/29");
    assert_eq!(range.host().to_string(), "192.168.7.249");
    assert_eq!(range.namespace().to_string(), "192.168.7.250");
    assert_eq!(range.guest_net().to_string(), "192.168.7.252/30");
    assert_eq!(range.gateway().to_string(), "192.168.7.253");
    assert_eq!(range.guest().to_string(), "192.168.7.254");
    assert_eq!(range.mac(), "06:00:c0:a8:07:fe");
}

#[test]
fn the_smallest_pool_has_one_range() {
    let pool = pool("10.1.2.8/29").unwrap();
    assert_eq!((pool.ranges(), pool.range(5).index), (1, 0));
}

#[test]
fn the_largest_pool_is_not_used_beyond_what_names_have_room_for() {
    assert_eq!(pool("10.0.0.0/8").unwrap().ranges(), limits::MAX_RANGES);
}

#[test]
fn a_public_pool_is_refused() {
    for text in ["8.8.0.0/16", "172.32.0.0/16", "100.0.0.0/8"] {
        assert!(matches!(pool(text), Err(NetworkError::PublicPool { .. })), "{text}");
    }
}

#[test]
fn a_pool_too_small_for_one_guest_is_refused() {
    assert!(matches!(pool("10.0.0.0/30"), Err(NetworkError::PoolSize { .. })));
    assert!(matches!(pool("0.0.0.0/0"), Err(NetworkError::PoolSize { .. })));
}
