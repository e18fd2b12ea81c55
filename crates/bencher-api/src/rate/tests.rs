use super::*;
use crate::config::rate_limiting::{ProjectRates, RunnerRates};

const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

fn one_per_minute() -> Option<Rate> {
    Some(Rate { minute: Some(1), hour: None, day: None })
}

fn rates() -> Rates {
    let public = PublicRates {
        requests: one_per_minute(),
        registry: one_per_minute(),
        attempts: one_per_minute(),
        runs: one_per_minute(),
    };
    let user = UserRates {
        requests: one_per_minute(),
        registry: one_per_minute(),
        attempts: one_per_minute(),
        credentials: one_per_minute(),
        organizations: one_per_minute(),
        invites: one_per_minute(),
        runs: one_per_minute(),
    };
    Rates::new(&RateLimiting {
        public: Some(public),
        user: Some(user),
        project: Some(ProjectRates { requests: one_per_minute(), registry: one_per_minute(), runs: one_per_minute() }),
        runner: Some(RunnerRates { requests: one_per_minute() }),
        ..RateLimiting::default()
    })
}

#[test]
fn each_subject_has_a_count_of_each_thing() {
    let rates = rates();
    let email = Email::new("ada@example.com").unwrap();
    let user = Subject::User(UserUuid::random());
    let counted = [
        (Subject::Address(HOME), Counter::Requests),
        (Subject::Address(HOME), Counter::Registry),
        (Subject::Address(HOME), Counter::Attempts),
        (Subject::Address(HOME), Counter::Runs),
        (Subject::Account(&email), Counter::Attempts),
        (user, Counter::Requests),
        (user, Counter::Registry),
        (user, Counter::Credentials),
        (user, Counter::Organizations),
        (user, Counter::Invites),
        (user, Counter::Runs),
        (Subject::Project(ProjectUuid::random()), Counter::Requests),
        (Subject::Project(ProjectUuid::random()), Counter::Registry),
        (Subject::Runner(RunnerUuid::random()), Counter::Requests),
    ];
    for (subject, counter) in counted {
        assert_eq!(rates.charge(subject, counter), Ok(()), "{subject:?} {counter:?}");
    }
    for (subject, counter) in counted {
        let limited = rates.charge(subject, counter).unwrap_err();
        assert!((1..=60).contains(&limited.retry_after_secs()), "{limited}");
    }
}

#[test]
fn a_refusal_says_what_and_when() {
    let limited = Limited { subject: "this user", counter: Counter::Runs, retry_after: Duration::from_millis(1500) };
    assert_eq!(limited.to_string(), "too many runs from this user: try again in 2 s");
    let now = Limited { retry_after: Duration::ZERO, ..limited };
    assert_eq!(now.retry_after_secs(), 1);
}

#[test]
fn an_ipv6_network_is_one_source_and_a_mapped_address_is_its_ipv4() {
    let key = |address: &str| address_key(address.parse().unwrap());
    assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:1"));
    assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
    assert_eq!(key("192.0.2.1"), key("::ffff:192.0.2.1"));
    assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
}

#[test]
fn accounts_are_told_apart_without_regard_to_case() {
    let rates = rates();
    let [lower, upper] = ["ada@example.com", "Ada@Example.com"].map(|email| Email::new(email).unwrap());
    rates.charge(Subject::Account(&lower), Counter::Attempts).unwrap();
    rates.charge(Subject::Account(&upper), Counter::Attempts).unwrap_err();
}

#[test]
fn nothing_is_limited_where_limits_are_off() {
    let rates = Rates::new(&RateLimiting { enabled: Some(false), ..RateLimiting::default() });
    for _ in 0..100_000 {
        rates.charge(Subject::Address(HOME), Counter::Attempts).unwrap();
    }
}

#[test]
fn the_defaults_are_the_contracts() {
    let rates = Rates::new(&RateLimiting::default());
    let user = Subject::User(UserUuid::random());
    for (subject, counter, number) in [
        (Subject::Address(HOME), Counter::Attempts, 32),
        (Subject::Address(HOME), Counter::Runs, 64),
        (user, Counter::Credentials, 4),
        (user, Counter::Organizations, 2),
        (user, Counter::Invites, 8),
        (user, Counter::Runs, 64),
        (Subject::Runner(RunnerUuid::random()), Counter::Requests, 16),
    ] {
        for _ in 0..number {
            rates.charge(subject, counter).unwrap();
        }
        rates.charge(subject, counter).unwrap_err();
    }
}

#[test]
fn what_another_server_counted_counts_here_too() {
    let (one, other) = (Rates::new(&RateLimiting::default()).shared(), Rates::new(&RateLimiting::default()).shared());
    let user = Subject::User(UserUuid::random());
    for _ in 0..60 {
        one.charge(user, Counter::Runs).unwrap();
    }
    // The other has counted some of its own meanwhile: together they are more than the 64 that are allowed per minute.
    for _ in 0..10 {
        other.charge(user, Counter::Runs).unwrap();
    }
    for text in one.take_for_others() {
        other.charge_for_others(&text);
    }
    other.charge(user, Counter::Runs).unwrap_err();
    for text in other.take_for_others() {
        one.charge_for_others(&text);
    }
    one.charge(user, Counter::Runs).unwrap_err();
    assert!(one.take_for_others().is_empty(), "what others counted is not told again");
    assert!(Rates::new(&RateLimiting::default()).take_for_others().is_empty());
}
