use super::registry_url;

#[test]
fn only_registries_on_this_machine_are_spoken_to_in_the_clear() {
    for (host, url) in [
        ("localhost:6610", "http://localhost:6610/"),
        ("127.0.0.1:5000", "http://127.0.0.1:5000/"),
        ("[::1]:5000", "http://[::1]:5000/"),
        ("registry.example.com", "https://registry.example.com/"),
        ("10.0.0.1:5000", "https://10.0.0.1:5000/"),
    ] {
        assert_eq!(registry_url(host).expect("a registry").as_str(), url);
    }
}
