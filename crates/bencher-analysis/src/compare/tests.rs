use proptest::prelude::*;

use super::{Better, Design, Options, Samples, Verdict, compare, multiple, rank, sign_flip};

fn judged(old: &[f64], new: &[f64], design: Design, better: Better) -> Verdict {
    compare(&[Samples { old, new, design, better }], &Options::default())[0].verdict
}

/// Ten measurements around a mean, half a percent apart at most.
fn around(mean: f64) -> Vec<f64> {
    [0.0, 3.0, -2.0, 1.0, -4.0, 2.0, -1.0, 4.0, -3.0, 0.5].iter().map(|share| mean * (1.0 + share / 1000.0)).collect()
}

#[test]
fn slower_is_a_regression_and_faster_an_improvement() {
    for design in [Design::Paired, Design::Unpaired] {
        let verdicts = |new: f64| {
            let new: Vec<f64> = around(new).into_iter().rev().collect();
            [Better::Lower, Better::Higher].map(|better| judged(&around(100.0), &new, design, better))
        };
        assert_eq!(verdicts(105.0), [Verdict::Regression, Verdict::Improvement], "{design:?}");
        assert_eq!(verdicts(95.0), [Verdict::Improvement, Verdict::Regression], "{design:?}");
        assert_eq!(verdicts(100.0), [Verdict::Equivalent; 2], "{design:?}");
    }
}

#[test]
fn pairs_see_what_the_noise_of_the_machine_hides() {
    let machine = [1.0, 1.3, 0.9, 1.5, 1.1, 0.8, 1.4, 1.2, 0.95, 1.25];
    let times = |mean: f64, own: f64| -> Vec<f64> {
        machine.iter().enumerate().map(|(number, noise)| mean * noise * if number % 2 == 0 { 1.0 } else { own }).collect()
    };
    let (old, new) = (times(100.0, 1.0), times(105.0, 1.002));
    assert_eq!(judged(&old, &new, Design::Paired, Better::Lower), Verdict::Regression);
    assert_eq!(judged(&old, &new, Design::Unpaired, Better::Lower), Verdict::Inconclusive);
}

#[test]
fn few_measurements_prove_nothing() {
    assert_eq!(judged(&[], &[], Design::Paired, Better::Lower), Verdict::Inconclusive);
    assert_eq!(judged(&[100.0], &[200.0], Design::Paired, Better::Lower), Verdict::Inconclusive);
    // Of five pairs the least p-value is 2 in 32.
    let (old, new) = (&around(100.0)[..5], &around(120.0)[..5]);
    assert_eq!(judged(old, new, Design::Paired, Better::Lower), Verdict::Inconclusive);
}

#[test]
fn what_never_varies_is_told_apart_too() {
    assert_eq!(judged(&[7.0; 10], &[7.0; 10], Design::Paired, Better::Lower), Verdict::Equivalent);
    assert_eq!(judged(&[7.0; 10], &[8.0; 10], Design::Paired, Better::Lower), Verdict::Regression);
    assert_eq!(judged(&[7.0; 10], &[8.0; 10], Design::Unpaired, Better::Lower), Verdict::Regression);
}

#[test]
fn zero_has_no_ratio() {
    let compared = compare(
        &[Samples { old: &[0.0; 10], new: &[1.0; 10], design: Design::Paired, better: Better::Lower }],
        &Options::default(),
    );
    assert_eq!((compared[0].ratio, compared[0].interval, compared[0].p_value), (None, None, None));
    assert_eq!((compared[0].old.mean, compared[0].verdict), (Some(0.0), Verdict::Inconclusive));
}

#[test]
fn sides_of_unlike_length_are_no_pairs() {
    let (old, new) = (around(100.0), around(105.0));
    let compared =
        compare(&[Samples { old: &old, new: &new[..9], design: Design::Paired, better: Better::Lower }], &Options::default());
    assert_eq!((compared[0].design, compared[0].verdict), (Design::Unpaired, Verdict::Regression));
}

#[test]
fn a_change_within_the_margin_does_not_matter() {
    let (old, new) = (around(100.0), around(101.5));
    let verdict = |margin: f64| {
        let samples = Samples { old: &old, new: &new, design: Design::Unpaired, better: Better::Lower };
        compare(&[samples], &Options::new(0.95, margin).unwrap())[0].verdict
    };
    assert_eq!([verdict(0.0), verdict(0.01), verdict(0.05)], [Verdict::Regression, Verdict::Regression, Verdict::Equivalent]);
    // Surely slower, by about the margin: whether it matters is not said.
    assert_eq!(verdict(0.0155), Verdict::Inconclusive);
}

#[test]
fn among_many_one_small_p_value_is_no_surprise() {
    let adjusted = multiple::adjust(&[Some(0.01), None, Some(0.04), Some(0.03), Some(0.005)]);
    assert_eq!(adjusted, [Some(0.02), None, Some(0.04), Some(0.04), Some(0.02)]);
    assert_eq!(multiple::adjust(&[]), []);
}

#[test]
fn exact_p_values_are_those_of_printed_tables() {
    // n = m = 3, all above: 2 of 20 orders. n = 4, m = 5, U = 1: 2 · 2 of 126.
    assert_eq!(rank::p_value(&[4.0, 5.0, 6.0], &[1.0, 2.0, 3.0]), Some(0.1));
    let p = rank::p_value(&[1.0, 2.0, 3.0, 5.0], &[4.0, 6.0, 7.0, 8.0, 9.0]).unwrap();
    assert!((p - 4.0 / 126.0).abs() < 1e-12, "{p}");
    assert_eq!(rank::p_value(&[1.0; 9], &[1.0; 9]), Some(1.0));
    assert_eq!(sign_flip::p_value(&[0.1; 6]), 2.0 / 64.0);
    assert_eq!(sign_flip::p_value(&[0.0; 6]), 1.0);
}

#[test]
fn options_out_of_range_are_refused_with_what_was_expected() {
    let refused = |confidence, margin| Options::new(confidence, margin).unwrap_err().to_string();
    assert_eq!(refused(1.0, 0.0), "the confidence is 1: expected at least 0.5 and below 1, such as 0.95");
    assert_eq!(refused(0.95, 5.0), "the margin is 5: expected at least 0 and below 1, such as 0.01 for one percent");
}

proptest! {
    // Each case draws some hundred thousand times.
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn old_and_new_in_exchange_have_the_inverse_ratio_and_the_same_p_value(
        old in prop::collection::vec(1.0..1.2_f64, 2..12), new in prop::collection::vec(1.0..1.2_f64, 2..12), paired: bool,
    ) {
        let design = if paired { Design::Paired } else { Design::Unpaired };
        let forward = compare(&[Samples { old: &old, new: &new, design, better: Better::Lower }], &Options::default());
        let back = compare(&[Samples { old: &new, new: &old, design, better: Better::Lower }], &Options::default());
        prop_assert!((forward[0].ratio.unwrap() * back[0].ratio.unwrap() - 1.0).abs() < 1e-9);
        prop_assert!((forward[0].p_value.unwrap() - back[0].p_value.unwrap()).abs() < 1e-9);
    }

    #[test]
    fn whatever_was_measured_the_figures_are_in_their_ranges(
        old in prop::collection::vec(any::<f64>(), 0..9), new in prop::collection::vec(any::<f64>(), 0..9), paired: bool,
    ) {
        let design = if paired { Design::Paired } else { Design::Unpaired };
        let old: Vec<f64> = old.into_iter().filter(|value| value.is_finite()).collect();
        let new: Vec<f64> = new.into_iter().map(f64::abs).filter(|value| value.is_finite()).collect();
        let compared = compare(&[Samples { old: &old, new: &new, design, better: Better::Lower }], &Options::default());
        prop_assert!(compared[0].p_value.is_none_or(|p| (0.0..=1.0).contains(&p)));
        if let Some(interval) = compared[0].interval {
            prop_assert!(interval.lower <= interval.upper);
        }
    }
}
