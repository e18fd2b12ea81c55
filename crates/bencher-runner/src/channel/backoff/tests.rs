use std::time::Duration;

use super::{Backoff, Problem};

#[test]
fn waits_double_up_to_their_bound() {
    let mut backoff = Backoff::default();
    let waits: Vec<u128> = (0..9).map(|_| backoff.after(Problem::Unreachable).as_millis()).collect();
    assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
}

#[test]
fn a_refusal_waits_much_longer_than_a_lost_network() {
    let mut backoff = Backoff::default();
    assert_eq!(backoff.after(Problem::Refused), Duration::from_secs(15));
    assert_eq!(backoff.after(Problem::Unreachable), Duration::from_millis(500), "the two are counted apart");
    let longest = (0..100).map(|_| backoff.after(Problem::Refused)).max();
    assert_eq!(longest, Some(Duration::from_secs(900)));
}

#[test]
fn a_success_starts_over() {
    let mut backoff = Backoff::default();
    backoff.after(Problem::Unreachable);
    backoff.after(Problem::Unreachable);
    backoff.succeeded();
    assert_eq!(backoff.after(Problem::Unreachable), Duration::from_millis(500));
}
