//! hyperfine's JSON export.

use bencher_analysis::{AdapterError, InvalidMetric};
use bencher_types::wire::adapter::{Adapter, Average};

use crate::{fixture, refusal, table};

const VERSIONS: [&str; 3] = ["1.15.0", "1.20.0", "2.0.0"];
/// Exports that every version was asked for.
const EXPORTS: [(&str, &[&str]); 6] = [
    ("commands", &["gzip -kc numbers.txt", "xz -0 -kc numbers.txt"]),
    ("named-no-shell", &["count words", "nothing"]),
    ("parameters", &["gzip -1 -kc numbers.txt", "gzip -6 -kc numbers.txt", "gzip -9 -kc numbers.txt"]),
    ("single-run", &["sleep 0.01"]),
    ("unit-millisecond", &["sleep 0.002"]),
    ("standard-output", &["a \"quoted\" name"]),
];

#[test]
fn every_command_is_found() {
    for version in VERSIONS {
        for (export, names) in EXPORTS {
            for average in [Average::Mean, Average::Median] {
                let path = format!("hyperfine-{version}/{export}.json");
                let table = table(Adapter::ShellHyperfine, Some(average), &path);
                assert_eq!(
                    table.lines().map(|line| line.split(" | ").next().expect("a line has a first column")).collect::<Vec<_>>(),
                    names,
                    "{path}"
                );
            }
        }
    }
}

/// A statistic of the wall-clock time, where either version of the export has it.
fn seconds(run: &serde_json::Value, statistic: &str) -> f64 {
    run.get(statistic).unwrap_or(&run["summary"]["time_wall_clock"][statistic]).as_f64().expect("a number of seconds")
}

#[test]
fn latency_is_in_nanoseconds_of_the_exported_seconds() {
    for version in VERSIONS {
        for (export, _) in EXPORTS {
            let path = format!("hyperfine-{version}/{export}.json");
            let text: serde_json::Value = serde_json::from_str(&fixture(&path)).expect("an export");
            let mut medians: Vec<f64> =
                text["results"].as_array().expect("results").iter().map(|run| seconds(run, "median") * 1e9).collect();
            let table = table(Adapter::ShellHyperfine, Some(Average::Median), &path);
            let mut found: Vec<f64> =
                table.lines().map(|line| line.split(" | ").nth(2).expect("a value").parse().expect("a number")).collect();
            medians.sort_by(f64::total_cmp);
            found.sort_by(f64::total_cmp);
            assert_eq!(found.len(), medians.len());
            // The multiplication rounds; the adapter must not.
            assert!(found.iter().zip(&medians).all(|(a, b)| (a - b).abs() <= b * 1e-15), "{path}: {found:?} {medians:?}");
        }
    }
}

#[test]
fn mean_has_its_deviation_and_median_its_range() {
    let path = "hyperfine-1.15.0/commands.json";
    insta::assert_snapshot!("commands_mean", table(Adapter::ShellHyperfine, None, path));
    insta::assert_snapshot!("commands_median", table(Adapter::ShellHyperfine, Some(Average::Median), path));
    let path = "hyperfine-2.0.0/commands.json";
    insta::assert_snapshot!("commands_mean_2_0_0", table(Adapter::ShellHyperfine, None, path));
    insta::assert_snapshot!("commands_median_2_0_0", table(Adapter::ShellHyperfine, Some(Average::Median), path));
}

#[test]
fn deviation_of_a_command_too_short_to_measure_ends_at_zero() {
    insta::assert_snapshot!(
        "ignored_failure_mean",
        table(Adapter::ShellHyperfine, None, "hyperfine-1.15.0/ignored-failure.json")
    );
}

#[test]
fn wall_clock_counts_whatever_metrics_were_asked_for() {
    insta::assert_snapshot!("memory_only_mean", table(Adapter::ShellHyperfine, None, "hyperfine-2.0.0/memory-only.json"));
    insta::assert_snapshot!("with_shell_mean", table(Adapter::ShellHyperfine, None, "hyperfine-2.0.0/with-shell.json"));
}

#[test]
fn failures_that_hyperfine_ignored_are_measured() {
    insta::assert_snapshot!("ignored_failure_2_0_0", table(Adapter::Shell, None, "hyperfine-2.0.0/ignored-failure.json"));
}

#[test]
fn single_run_stands_alone() {
    insta::assert_snapshot!("single_run_mean", table(Adapter::ShellHyperfine, None, "hyperfine-1.15.0/single-run.json"));
}

#[test]
fn same_command_twice_is_refused_by_name() {
    for version in VERSIONS {
        let error = refusal(Adapter::Magic, &format!("hyperfine-{version}/same-twice.json"));
        let AdapterError::Metric { adapter: Adapter::ShellHyperfine, source: InvalidMetric::Duplicate { benchmark, .. } } = error
        else {
            panic!("{error:?}")
        };
        assert_eq!(benchmark.as_str(), "true");
    }
}
