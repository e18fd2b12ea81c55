use reqwest::Method;

use super::*;
use crate::client::error::Failure;

const POLICY: RetryPolicy = RetryPolicy { attempts: 35, first: Duration::from_secs(1), longest: Duration::from_secs(30) };

fn failure(status: u16) -> Box<Failure> {
    Box::new(Failure {
        method: Method::GET,
        url: "http://localhost/v0".parse().unwrap(),
        status,
        message: "no".to_owned(),
        request_id: None,
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
