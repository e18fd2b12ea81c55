use bencher_types::RunnerKey;

use super::{ConnectError, Endpoint, Event, Loss, Problem, StatusCode, error_message, read};

fn endpoint(host: &str) -> Result<Endpoint, super::EndpointError> {
    // The client needs a provider of cryptography even for plain connections.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Endpoint::new(&host.parse().expect("a URL"), "my-runner".parse().expect("a slug"), &RunnerKey::generate())
}

#[test]
fn the_channels_address_follows_from_the_hosts() {
    for (host, channel) in [
        ("http://localhost:6610", "ws://localhost:6610/v0/runners/my-runner/channel"),
        ("https://bench.example.com/", "wss://bench.example.com/v0/runners/my-runner/channel"),
        ("https://example.com/bencher", "wss://example.com/bencher/v0/runners/my-runner/channel"),
    ] {
        assert_eq!(endpoint(host).expect("a host").channel_url.as_str(), channel);
    }
    assert!(endpoint("ftp://example.com").is_err());
}

#[test]
fn a_wrong_key_is_explained_and_not_retried_soon() {
    let refused = |status| ConnectError::Refused {
        runner: "my-runner".parse().expect("a slug"),
        status,
        message: error_message(br#"{"message": "no such\nkey"}"#),
    };
    let error = refused(StatusCode::UNAUTHORIZED);
    assert_eq!(error.to_string(), "the server refused runner `my-runner` with status 401 Unauthorized: no such key");
    assert_eq!(error.problem(), Problem::Refused);
    assert!(error.hint().is_some_and(|hint| hint.contains("bencher runner key")));
    assert_eq!(refused(StatusCode::NOT_FOUND).problem(), Problem::Refused);
    assert_eq!(refused(StatusCode::BAD_GATEWAY).problem(), Problem::Unreachable, "a proxy without its server");
}

#[test]
fn a_job_that_cannot_be_read_still_names_itself() {
    let event = read(r#"{"event": "job", "uuid": "5c2e8b0e-5f0c-4a51-9a8b-8a1f7f5b0001", "timeout": -1}"#);
    assert!(matches!(&event, Event::UnreadableJob { problem, .. } if !problem.is_empty()), "{event:?}");
}

#[test]
fn unknown_messages_are_passed_over_and_garbage_ends_the_connection() {
    assert!(matches!(read(r#"{"event": "weather"}"#), Event::Alive));
    assert!(matches!(read("{"), Event::Lost(Loss::NotAMessage(_))));
    assert!(matches!(read("[1]"), Event::Lost(Loss::NotAMessage(_))));
    assert!(matches!(read(r#"{"event": "job"}"#), Event::Lost(Loss::NotAMessage(_))));
}
