use std::time::Duration;

use super::backoff;
use crate::limits;

#[test]
fn tries_become_rarer_but_never_stop() {
    assert_eq!(backoff(0), limits::BILLING_BACKOFF.0);
    assert_eq!(backoff(1), 2 * limits::BILLING_BACKOFF.0);
    assert_eq!(backoff(i64::MAX), limits::BILLING_BACKOFF.1);
    assert_eq!(backoff(-1), limits::BILLING_BACKOFF.1);
}

#[test]
fn an_event_is_told_several_times_before_its_identifier_is_forgotten() {
    let tries = (0..).scan(Duration::ZERO, |passed, tries| {
        *passed += backoff(tries);
        (*passed < limits::BILLING_IDENTIFIER_LIFE).then_some(())
    });
    assert!(tries.count() > 20);
}
