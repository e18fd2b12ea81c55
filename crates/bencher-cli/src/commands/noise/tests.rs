use std::time::Duration;

use super::{Noise, jitter, steal::CpuTimes};

#[test]
fn jitter_is_how_far_the_95th_percentile_lies_above_the_median() {
    assert!(jitter(vec![Duration::from_millis(5); 100]).abs() < 1e-9);
    let samples = (1..=101).map(|n| Duration::from_millis(if n <= 90 { 100 } else { 150 })).collect();
    assert!((jitter(samples) - 50.0).abs() < 1e-9);
    assert!(jitter(Vec::new()).abs() < 1e-9);
}

#[test]
fn the_score_leaves_out_what_is_not_known() {
    let known = Noise { compute: 3.0, cache: 3.0, io: 3.0, steal: Some(3.0) };
    assert!((known.score() - 3.0).abs() < 1e-9);
    assert!((Noise { steal: None, ..known }.score() - 3.0).abs() < 1e-9);
    assert!((Noise { steal: Some(0.0), ..known }.score() - 27_f64.sqrt() / 2.0).abs() < 1e-9);
}

#[test]
fn stolen_time_is_a_share_of_the_time_between_two_looks() {
    let before = CpuTimes::parse("cpu  100 0 100 700 0 0 0 100 50 0\ncpu0 1 2 3\n").unwrap();
    let after = CpuTimes::parse("cpu  200 0 100 1500 0 0 0 200 90 0\n").unwrap();
    assert!((before.stolen_until(after).unwrap() - 10.0).abs() < 1e-9);
    assert_eq!(before.stolen_until(before), None);
    assert_eq!(CpuTimes::parse("cpu  1 2 3\n"), None);
    assert_eq!(CpuTimes::parse(""), None);
}
