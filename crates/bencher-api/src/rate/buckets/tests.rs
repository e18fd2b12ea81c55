use std::sync::Arc;

use governor::clock::FakeRelativeClock;

use super::*;

fn buckets(minute: u32, hour: u32, day: u32) -> (Buckets<FakeRelativeClock>, FakeRelativeClock) {
    let clock = FakeRelativeClock::default();
    (Buckets::new(PerWindow { minute, hour, day }, clock.clone()), clock)
}

#[test]
fn a_burst_is_allowed_and_then_a_steady_rate() {
    let (buckets, clock) = buckets(4, 100, 1000);
    for _ in 0..4 {
        buckets.charge(1).unwrap();
    }
    assert_eq!(buckets.charge(1).unwrap_err(), Duration::from_secs(15));
    clock.advance(Duration::from_secs(15));
    buckets.charge(1).unwrap();
    assert!(buckets.charge(1).is_err());
}

#[test]
fn one_key_does_not_use_up_what_another_may() {
    let (buckets, _clock) = buckets(1, 10, 10);
    buckets.charge(1).unwrap();
    assert!(buckets.charge(1).is_err());
    buckets.charge(2).unwrap();
}

#[test]
fn the_longest_window_that_is_used_up_says_when_to_come_back() {
    let (buckets, clock) = buckets(10, 10, 2);
    buckets.charge(1).unwrap();
    buckets.charge(1).unwrap();
    assert_eq!(buckets.charge(1).unwrap_err(), Duration::from_secs(12 * 60 * 60));
    clock.advance(Duration::from_secs(12 * 60 * 60));
    buckets.charge(1).unwrap();
}

#[test]
fn a_rate_of_zero_allows_nothing() {
    let (buckets, _clock) = buckets(10, 0, 10);
    assert_eq!(buckets.charge(1).unwrap_err(), HOUR);
}

#[test]
fn who_has_been_idle_is_forgotten() {
    let (buckets, clock) = buckets(1, 2, 3);
    buckets.charge(1).unwrap();
    buckets.charge(2).unwrap();
    assert_eq!(buckets.keys(), 2);
    clock.advance(DAY);
    buckets.charge(2).unwrap();
    buckets.sweep();
    assert_eq!(buckets.keys(), 1, "only the one that did something lately");
    assert!(buckets.charge(2).is_err(), "and it is still counted");
}

#[test]
fn the_number_of_keys_is_bounded() {
    let (buckets, clock) = buckets(10_000, 10_000, 10_000);
    let bound = limits::MAX_RATE_KEYS + usize::try_from(limits::SHARED_RATE_KEYS).unwrap() + 1024;
    for key in 0..u128::try_from(bound).unwrap() * 2 {
        buckets.charge(key << 64).ok();
    }
    assert!(buckets.keys() <= bound, "{} keys", buckets.keys());
    assert!(buckets.crowded.load(Ordering::Relaxed));
    clock.advance(DAY);
    buckets.sweep();
    assert_eq!(buckets.keys(), 0);
    assert!(!buckets.crowded.load(Ordering::Relaxed), "everybody has buckets of their own again");
}

#[test]
fn no_more_than_the_rate_passes_however_many_ask_at_once() {
    let (buckets, _clock) = buckets(100, 1000, 1000);
    let buckets = Arc::new(buckets);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let buckets = buckets.clone();
            std::thread::spawn(move || (0..100).filter(|_| buckets.charge(7).is_ok()).count())
        })
        .collect();
    let passed: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!(passed, 100);
}
