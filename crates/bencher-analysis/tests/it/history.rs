//! Histories that real tools have written.

use bencher_analysis::history::{asv, github_action_benchmark};
use insta::assert_snapshot;

use crate::{fixture, lines};

#[test]
fn the_past_of_github_action_benchmark_itself() {
    let history = github_action_benchmark::parse(&fixture("github-action-benchmark/data.js")).expect("a history");
    let mut text = String::new();
    for (suite, runs) in &history.suites {
        let last = runs.last().expect("a run");
        text.push_str(&format!("{suite}: {} runs, the last at {}\n{}", runs.len(), last.at, lines(&last.metrics)));
    }
    assert_eq!(history.skipped.count, 0, "{:?}", history.skipped);
    assert_snapshot!(text);
}

#[test]
fn the_results_of_asv_are_those_it_shows() {
    let read = |path: &str| fixture(&format!("asv-0.6.6/results/{path}"));
    let known = asv::benchmarks(&read("benchmarks.json")).expect("benchmarks");
    assert_eq!(asv::machine(&read("box/machine.json")).expect("a machine"), "box");
    let mut text = String::new();
    for commit in ["bb716e02", "46c2d721"] {
        let found = asv::results(&read(&format!("box/{commit}-existing-py_tmp_venv_bin_python.json")), &known).expect("results");
        let run = found.run.expect("a run");
        text.push_str(&format!("{} {} {}\n{}", found.environment, run.at, run.commit.expect("a hash"), lines(&run.metrics)));
        assert_eq!(found.skipped.count, 0);
    }
    assert_snapshot!(text);
}
