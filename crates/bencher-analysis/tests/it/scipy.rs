//! Limits, intervals and p-values are those of SciPy (`tools/statistics-reference.py` made the fixture).

use bencher_analysis::{
    compare::{Better, Design, Options, Samples, compare},
    threshold,
};
use bencher_types::wire::threshold::{Model, ModelTest};
use serde::Deserialize;

#[derive(Deserialize)]
struct Reference {
    thresholds: Vec<Threshold>,
    comparisons: Vec<Compared>,
}

#[derive(Deserialize)]
struct Threshold {
    test: ModelTest,
    boundary: f64,
    history: Vec<f64>,
    limits: [f64; 3],
}

#[derive(Deserialize)]
struct Compared {
    design: Design,
    old: Vec<f64>,
    new: Vec<f64>,
    ratio: f64,
    interval: [f64; 2],
    p_value: f64,
}

fn reference() -> Reference {
    serde_json::from_str(&crate::fixture("statistics/scipy.json")).expect("the fixture is JSON of this shape")
}

#[track_caller]
fn near(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!((found - expected).abs() <= tolerance, "{what}: expected {expected}, found {found}");
}

#[test]
fn limits_are_those_of_scipy() {
    let thresholds = reference().thresholds;
    assert!(thresholds.len() > 100);
    for Threshold { test, boundary, history, limits } in thresholds {
        let model = Model {
            test,
            min_sample_size: None,
            max_sample_size: None,
            window: None,
            lower_boundary: Some(boundary),
            upper_boundary: Some(boundary),
            since_change_point: None,
        };
        let newest_first: Vec<f64> = history.iter().rev().copied().collect();
        let found = threshold::check(&model, &newest_first, history[0]).boundary;
        let what = format!("{} at {boundary} of {history:?}", test.as_str());
        for (found, expected) in [found.baseline, found.lower_limit, found.upper_limit].into_iter().zip(limits) {
            near(found.unwrap_or_else(|| panic!("{what}: no limit")), expected, expected.abs() * 1e-9, &what);
        }
    }
}

#[test]
fn ratios_intervals_and_p_values_are_those_of_scipy() {
    for Compared { design, old, new, ratio, interval, p_value } in reference().comparisons {
        let samples = Samples { old: &old, new: &new, design, better: Better::Lower };
        let [found] = <[_; 1]>::try_from(compare(&[samples], &Options::default())).unwrap();
        let what = format!("{design:?} of {} and {}", old.len(), new.len());
        near(found.ratio.expect("a ratio"), ratio, 1e-12, &what);
        // Both draw at random, ours 10,000 times: the ends differ by a few hundredths of the length.
        let tolerance = (interval[1] - interval[0]) * 0.04;
        let ours = found.interval.expect("an interval");
        near(ours.lower, interval[0], tolerance, &what);
        near(ours.upper, interval[1], tolerance, &what);
        // Forty pairs have more signs than can be gone through.
        let drawn = design == Design::Paired && old.len() > 14;
        near(found.p_value.expect("a p-value"), p_value, if drawn { 0.01 } else { p_value * 1e-9 }, &what);
    }
}
