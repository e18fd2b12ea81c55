use super::*;

fn refused(change: impl FnOnce(&mut NetworkConfig)) -> String {
    let mut config = NetworkConfig::default();
    change(&mut config);
    Network::open(config).unwrap_err().to_string()
}

#[test]
fn the_defaults_are_accepted_and_nothing_is_created() {
    let dir = tempfile::tempdir().unwrap();
    let state_dir = dir.path().join("network");
    Network::open(NetworkConfig { state_dir: state_dir.clone(), ..NetworkConfig::default() }).unwrap();
    assert!(!state_dir.exists());
}

#[test]
fn metadata_this_host_and_other_guests_cannot_be_allowed() {
    for net in ["169.254.169.254/32", "127.0.0.0/8", "10.207.3.0/24", "168.63.129.16/32"] {
        let error = refused(|config| config.allow = vec![net.parse().unwrap()]);
        assert!(error.contains("never within their reach"), "{error}");
    }
}

#[test]
fn a_name_server_on_the_loopback_is_refused() {
    let error = refused(|config| config.nameservers = vec![Ipv4Addr::new(127, 0, 0, 53)]);
    assert!(error.contains("127.0.0.53 cannot be a guest's name server"), "{error}");
}

#[test]
fn a_rate_of_nothing_is_refused() {
    let error = refused(|config| config.rates.connections = 0);
    assert!(error.contains("a rate of 0"), "{error}");
}

#[test]
fn firecrackers_buckets_fill_to_the_rate() {
    let rates = Rates { bytes_per_second: 125_000_000, packets_per_second: 250, connections: 1 };
    let limiter = serde_json::to_value(rates.limiter()).unwrap();
    let expected = serde_json::json!({
        "bandwidth": { "size": 12_500_000, "refill_time": 100 },
        "ops": { "size": 25, "refill_time": 100 },
    });
    assert_eq!(limiter, expected);
}
