use super::*;

#[test]
fn only_this_machine_is_spoken_to_without_encryption_unless_asked_for() {
    for host in ["localhost", "localhost:5000", "127.0.0.1:5000", "127.1.2.3", "[::1]:5000"] {
        assert_eq!(protocol(Scheme::Usual, host), "http", "{host}");
        assert_eq!(protocol(Scheme::Https, host), "https", "{host}");
    }
    for host in ["quay.io", "localhost.example.com", "10.0.0.1:5000", "[2001:db8::1]:5000"] {
        assert_eq!(protocol(Scheme::Usual, host), "https", "{host}");
        assert_eq!(protocol(Scheme::Http, host), "http", "{host}");
    }
}
