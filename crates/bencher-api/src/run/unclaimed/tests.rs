use bencher_types::wire::run::NewRunJob;
use serde_json::json;

use super::bound;

fn check(iter: Option<u32>, timeout: Option<u32>, expected: Option<u32>) {
    let job = json!({ "image": "shop:v1", "iter": iter, "timeout": timeout });
    let mut job: NewRunJob = serde_json::from_value(job).unwrap();
    let bounded = bound(&mut job).ok().map(|()| job.timeout.unwrap().get());
    assert_eq!(bounded, expected, "{iter:?} {timeout:?}");
}

#[test]
fn all_iterations_share_one_minute() {
    check(None, None, Some(60));
    check(None, Some(3600), Some(60));
    check(None, Some(5), Some(5));
    check(Some(7), None, Some(8));
    check(Some(60), Some(60), Some(1));
    check(Some(61), Some(1), None);
    // What is run before them takes its part.
    let job = json!({ "image": "shop:v1", "iter": 4, "warmup_runs": 6 });
    let mut job: NewRunJob = serde_json::from_value(job).unwrap();
    assert!(bound(&mut job).is_ok() && job.timeout.unwrap().get() == 6);
    job.warmup_runs = Some(u32::MAX);
    assert!(bound(&mut job).is_err());
    // Refused later, with its own words.
    check(Some(0), None, Some(60));
}
