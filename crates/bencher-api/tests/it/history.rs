//! What a metric is checked against: the same as when each series is looked through by itself.

use bencher_analysis::threshold;
use bencher_types::wire::threshold::Model;
use serde_json::{Value, json};

use crate::{
    filing::{run, shop, text},
    support::on_each_database,
};

/// A metric as the test remembers it.
#[derive(Clone, Copy)]
struct Filed {
    branch: usize,
    testbed: usize,
    benchmark: usize,
    version: u64,
    start: u64,
    iteration: usize,
    value: f64,
}

const BRANCHES: [&str; 2] = ["main", "dev"];
const TESTBEDS: [&str; 2] = ["box", "rack"];
const BENCHMARKS: usize = 3;

/// Numbers that look random and are the same each time (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    /// Of very different sizes, with all the digits that a number has.
    fn value(&mut self) -> f64 {
        let size = i32::try_from(self.below(40)).unwrap() - 20;
        (1.0 + f64::from(u32::try_from(self.below(1 << 30)).unwrap()) / f64::from(1 << 30)) * 10_f64.powi(size)
    }
}

/// The history of a value, the newest first, found without any index: of later versions and times, of its own report, and of earlier
/// ones.
fn history(filed: &[Filed], of: &Filed, own: &[Filed], began: Option<u64>, window: Option<u64>) -> Vec<f64> {
    let is_of_series = |other: &&Filed| {
        let is_own_branch = other.branch == of.branch;
        let is_inherited = other.branch == 0 && of.branch == 1 && began.is_some_and(|began| other.version <= began);
        other.testbed == of.testbed
            && other.benchmark == of.benchmark
            && (is_own_branch || is_inherited)
            && window.is_none_or(|window| other.start + window >= of.start)
    };
    let mut series: Vec<&Filed> = filed.iter().chain(own).filter(is_of_series).collect();
    series.sort_by_key(|one| std::cmp::Reverse((one.version, one.start, one.iteration)));
    series.into_iter().map(|one| one.value).collect()
}

#[tokio::test]
async fn limits_are_those_of_each_series_alone() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        let models = [
            json!({ "test": "t_test", "max_sample_size": 5, "lower_boundary": 0.9, "upper_boundary": 0.99 }),
            json!({ "test": "iqr", "min_sample_size": 3, "upper_boundary": 1.5, "window": 40 }),
        ];
        let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
        let (mut filed, mut began): (Vec<Filed>, Option<u64>) = (Vec::new(), None);
        for report in 0..60_u64 {
            let branch = if report < 12 { 0 } else { usize::try_from(numbers.below(2)).unwrap() };
            let testbed = usize::try_from(numbers.below(2)).unwrap();
            // Never two at once; now and then the clock is back by some.
            let start = 1000 + report * 4 - numbers.below(3) * 41;
            let commit = report - numbers.below(3).min(report);
            let iterations: Vec<Vec<f64>> =
                (0..=numbers.below(2)).map(|_| (0..BENCHMARKS).map(|_| numbers.value()).collect()).collect();
            let sent: Vec<Value> = iterations
                .iter()
                .map(|values| {
                    let of = |(number, value): (usize, &f64)| (format!("b{number}"), json!({ "latency": { "value": value } }));
                    Value::Object(values.iter().enumerate().map(of).collect())
                })
                .collect();
            let model = &models[branch];
            let time = format!("2026-01-01T{:02}:{:02}:{:02}Z", start / 3600, start / 60 % 60, start % 60);
            let mut more = json!({
                "branch": BRANCHES[branch], "testbed": TESTBEDS[testbed], "hash": format!("{commit:040x}"),
                "start_time": time, "end_time": time, "settings": { "adapter": "json" },
                "thresholds": { "models": { "latency": model } },
            });
            let is_first = branch == 1 && began.is_none();
            if is_first {
                more["start_point"] = json!({ "branch": "main" });
            }
            let answer = server.create("/v0/run", &bob, run(&sent, more)).await;
            let version = answer["branch"]["head"]["version"]["number"].as_u64().unwrap();
            if is_first {
                let inherited = filed.iter().filter(|one| one.branch == 0).map(|one| one.version);
                began = inherited.max();
            }
            let model: Model = serde_json::from_value(model.clone()).unwrap();
            let window = model.window.map(|window| u64::from(window.get()));
            for benchmark in 0..BENCHMARKS {
                let mut own: Vec<Filed> = Vec::new();
                for (iteration, values) in iterations.iter().enumerate() {
                    let value = values[benchmark];
                    let one = Filed { branch, testbed, benchmark, version, start, iteration, value };
                    let expected = threshold::check(&model, &history(&filed, &one, &own, began, window), value).boundary;
                    let result = &answer["results"][iteration][benchmark];
                    assert_eq!(text(&result["benchmark"], "name"), format!("b{benchmark}"));
                    let found = &result["measures"][0]["boundary"];
                    for (limit, expected) in [
                        ("baseline", expected.baseline),
                        ("lower_limit", expected.lower_limit),
                        ("upper_limit", expected.upper_limit),
                    ] {
                        // To the last digit that JSON is read to.
                        let found = found[limit].as_f64();
                        let is_same = match (found, expected) {
                            (Some(found), Some(expected)) => (found - expected).abs() <= expected.abs() * 1e-15,
                            (found, expected) => found == expected,
                        };
                        assert!(is_same, "{limit} of b{benchmark} in report {report}: {found:?}, expected {expected:?}");
                    }
                    own.push(one);
                }
                filed.extend(own);
            }
        }
    })
    .await;
}
