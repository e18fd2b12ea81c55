use super::*;

#[test]
fn a_first_configuration_names_no_address_that_nobody_can_call() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bencher.json");
    let mut config = Config::load(None, &path).unwrap();
    assert_eq!(config.console.url.as_str(), "http://localhost:6610/");
    assert_eq!(config.registry_url().as_str(), "http://localhost:6610/");
    // Told on the command line to listen elsewhere.
    config.server.bind_address = "127.0.0.1:7000".parse().unwrap();
    assert_eq!(config.registry_url().as_str(), "http://localhost:7000/");
}

#[test]
fn a_first_configuration_is_read_again_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bencher.json");
    let first = Config::load(None, &path).unwrap();
    let second = Config::load(None, &path).unwrap();
    assert_eq!(first.security.secret_key.expose(), second.security.secret_key.expose());
}
