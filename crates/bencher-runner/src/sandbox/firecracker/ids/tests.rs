use super::*;

const BASE: u32 = 5000;

#[test]
fn two_pools_of_one_host_never_give_the_same_id() {
    let dir = tempfile::tempdir().unwrap();
    let pool = || IdPool::open(dir.path().join("ids"), BASE, 4).unwrap();
    let (one, other) = (pool(), pool());
    let leases = [one.lease(), other.lease(), one.lease(), other.lease()].map(Result::unwrap);
    let mut ids = leases.iter().map(|lease| lease.uid).collect::<Vec<_>>();
    ids.sort_unstable();
    assert_eq!(ids, [5000, 5001, 5002, 5003]);
    let error = one.lease().unwrap_err().to_string();
    assert!(error.contains("all 4 user ids"), "{error}");
    drop(leases);
    assert!(other.lease().is_ok());
}

#[test]
fn a_range_with_root_or_without_end_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for (base, count) in [(0, 10), (10, 0), (u32::MAX - 5, 100)] {
        let error = IdPool::open(dir.path().to_owned(), base, count).unwrap_err().to_string();
        assert!(error.contains("do not make a range"), "{error}");
    }
}

#[test]
fn names_are_what_the_jailer_takes() {
    let (one, other) = (new_name(), new_name());
    assert_ne!(one, other);
    assert!(one.len() <= 64 && one.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{one}");
}
