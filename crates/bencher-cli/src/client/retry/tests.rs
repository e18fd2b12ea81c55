use reqwest::Method;

use super::*;
use crate::client::error::Failure;

const POLICY: RetryPolicy = RetryPolicy {
    attempts: 35,
    first: Duration::from_secs(1),
    longest: Duration::from_secs(30),
    patience: Duration::from_secs(900),
};

fn failure(status: u16) -> Box<Failure> {
    Box::new(Failure {
        method: Method::GET,
        url: "http://localhost/v0".parse().unwrap(),
        status,
        message: "no".to_owned(),
        request_id: None,
        retry_after: None,
    })
}

#[test]
fn waits_double_up_to_the_longest() {
    let error = ApiError::Failing { failure: failure(503), attempts: 1 };
    let waits: Vec<_> = (1..=7).map(|attempt| POLICY.wait_after(attempt, &error).unwrap().as_secs()).collect();
    assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
    assert_eq!(POLICY.wait_after(34, &error), Some(Duration::from_secs(30)));
}

#[test]
fn the_last_attempt_is_not_repeated() {
    let error = ApiError::Failing { failure: failure(500), attempts: 35 };
    assert_eq!(POLICY.wait_after(35, &error), None);
    assert_eq!(RetryPolicy { attempts: 1, ..POLICY }.wait_after(1, &error), None);
}

#[test]
fn a_question_that_finds_a_defect_is_asked_a_few_times_and_what_is_to_be_stored_often() {
    let attempts = |status, method: Method| {
        let failure = Box::new(Failure { method, ..*failure(status) });
        let error = ApiError::Failing { failure, attempts: 1 };
        (1..).find(|attempt| POLICY.wait_after(*attempt, &error).is_none()).unwrap()
    };
    assert_eq!(attempts(500, Method::GET), limits::FEW_ATTEMPTS);
    assert_eq!(attempts(500, Method::POST), 35);
    assert_eq!([502, 503, 504].map(|status| attempts(status, Method::GET)), [35; 3]);
}

#[test]
fn a_refusal_is_not_repeated() {
    assert_eq!(POLICY.wait_after(1, &ApiError::Refused(failure(404))), None);
    assert_eq!(POLICY.wait_after(1, &ApiError::Refused(failure(429))), None);
}

#[test]
fn a_log_is_told_of_the_first_attempt_and_then_every_half_minute() {
    let mut news = News::default();
    let waits = [1, 2, 4, 8, 16, 30, 30].map(Duration::from_secs);
    assert_eq!(waits.map(|wait| news.is(wait)), [true, false, false, false, false, true, true]);
    let mut news = News::default();
    assert_eq!([10; 7].map(|wait| news.is(Duration::from_secs(wait))), [true, false, false, true, false, false, true]);
}

fn asked(status: u16, secs: u64) -> Box<Failure> {
    Box::new(Failure { retry_after: Some(Duration::from_secs(secs)), ..*failure(status) })
}

#[test]
fn a_server_that_says_when_is_asked_again_then() {
    let busy = ApiError::Failing { failure: asked(503, 45), attempts: 1 };
    assert_eq!(POLICY.wait_after(1, &busy), Some(Duration::from_secs(45)));
    let soon = ApiError::Failing { failure: asked(503, 1), attempts: 1 };
    assert_eq!(POLICY.wait_after(5, &soon), Some(Duration::from_secs(16)), "never faster than without");
}

#[test]
fn too_much_at_once_is_repeated_only_when_told_when() {
    assert_eq!(POLICY.wait_after(1, &ApiError::Refused(asked(429, 7))), Some(Duration::from_secs(7)));
    assert_eq!(POLICY.wait_after(1, &ApiError::Refused(failure(429))), None);
    assert_eq!(POLICY.wait_after(1, &ApiError::Refused(asked(429, 86_400))), None, "nobody waits a day");
}

#[test]
fn retry_after_is_seconds_or_a_time() {
    let now: DateTime = "2015-10-21T07:27:30Z".parse().unwrap();
    assert_eq!(retry_after("120", now), Some(Duration::from_secs(120)));
    assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:00 GMT", now), Some(Duration::from_secs(30)));
    assert_eq!(retry_after("Wed, 21 Oct 2015 07:20:00 GMT", now), Some(Duration::ZERO));
    assert_eq!(retry_after("soon", now), None);
}

#[test]
fn github_says_in_its_own_way_when_to_come_back() {
    let now = DateTime::from_micros(1_000_000_000).unwrap();
    let asked = |status: u16, headers: &[(&str, &str)]| {
        let header = |name: &str| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        super::asked(StatusCode::from_u16(status).unwrap(), header, now).map(|wait| wait.as_secs())
    };
    assert_eq!(asked(403, &[("retry-after", "7")]), Some(7));
    assert_eq!(asked(403, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1030")]), Some(30));
    assert_eq!(asked(429, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "900")]), Some(0));
    assert_eq!(asked(403, &[("x-ratelimit-remaining", "12"), ("x-ratelimit-reset", "1030")]), None);
    assert_eq!(asked(404, &[("retry-after", "7")]), None);
}

#[test]
fn a_refusal_is_repeated_only_where_it_says_when() {
    let refused = |status: u16, seconds: Option<u64>| {
        let retry_after = seconds.map(Duration::from_secs);
        ApiError::Refused(Box::new(Failure { retry_after, ..*failure(status) }))
    };
    assert_eq!(POLICY.wait_after(1, &refused(403, None)), None);
    assert_eq!(POLICY.wait_after(1, &refused(403, Some(9))), Some(Duration::from_secs(9)));
    assert_eq!(RetryPolicy { patience: Duration::from_secs(5), ..POLICY }.wait_after(1, &refused(403, Some(9))), None);
}
