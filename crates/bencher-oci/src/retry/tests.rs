use super::*;

fn limits() -> TransferLimits {
    TransferLimits { attempts: 4, total_attempts: 6, ..TransferLimits::default() }
}

#[test]
fn pauses_grow_and_end() {
    let limits = limits();
    let mut backoff = Backoff::new(&limits);
    let pauses: Vec<_> = std::iter::from_fn(|| backoff.next(None)).collect();
    assert_eq!(pauses.len(), 3);
    for (n, pause) in pauses.iter().enumerate() {
        let ceiling = limits.backoff_min * (1 << n);
        assert!(*pause <= ceiling && *pause >= ceiling / 2, "{pause:?} is not in the upper half of {ceiling:?}");
    }
}

#[test]
fn progress_earns_new_attempts_but_not_for_ever() {
    let limits = limits();
    let mut backoff = Backoff::new(&limits);
    let pauses = std::iter::from_fn(|| {
        backoff.progressed();
        backoff.next(None)
    });
    assert_eq!(pauses.count(), 5);
}

#[test]
fn a_wish_of_the_registry_is_respected_within_reason() {
    let limits = limits();
    assert_eq!(Backoff::new(&limits).next(Some(Duration::from_secs(30))), Some(Duration::from_secs(30)));
    assert_eq!(Backoff::new(&limits).next(Some(Duration::from_secs(3600))), None);
}
