use bencher_types::wire::adapter::Adapter;
use rand::{SeedableRng as _, rngs::StdRng};

use super::results;
use crate::cli::tools::Mock;

fn args(measures: &[&str], pow: i32) -> Mock {
    let measure = measures.iter().map(|name| (*name).to_owned()).collect();
    Mock { seed: None, count: 3, measure, pow, fail: false, flaky: false }
}

#[test]
fn the_same_seed_makes_the_same_results_and_another_one_others() {
    let of = |seed| results(&args(&["latency"], 1), &mut StdRng::seed_from_u64(seed));
    assert_eq!(of(7), of(7));
    assert_ne!(of(7), of(8));
}

#[test]
fn results_are_what_the_json_adapter_reads() {
    let text = results(&args(&["latency", "throughput"], 3), &mut StdRng::seed_from_u64(1)).to_string();
    let metrics = bencher_analysis::parse(Adapter::Json, None, &text).unwrap();
    let values: Vec<f64> =
        metrics.iter().flat_map(|(_, benchmark)| benchmark.measures.values().map(|value| value.value)).collect();
    assert_eq!(values.len(), 6);
    assert!(values.iter().all(|value| (900.0..=1100.0).contains(value)), "{values:?}");
}
