//! The harnesses of which one or a few outputs are kept: everything that is found in each.

use bencher_analysis::{AdapterError, InvalidMetric, parse};
use bencher_types::wire::adapter::{Adapter, Average};

use crate::{fixture, refusal, table};

macro_rules! average {
    () => {
        None
    };
    ($average:ident) => {
        Some(Average::$average)
    };
}

/// A snapshot of everything an adapter finds in a fixture, with the average of its choice or one that is named.
macro_rules! found {
    ($($test:ident: $adapter:ident $(by $average:ident)? in $path:literal;)+) => {$(
        #[test]
        fn $test() {
            insta::assert_snapshot!(stringify!($test), table(Adapter::$adapter, average!($($average)?), $path));
        }
    )+};
}

found! {
    libtest_benches: RustBench in "libtest-1.95.0/bench.txt";
    iai_first_run: RustIai in "iai-0.1.1/first-run.txt";
    iai_second_run: RustIai in "iai-0.1.1/second-run.txt";
    gungraun_first_run: RustGungraun in "gungraun-0.20.0/first-run.txt";
    gungraun_compared: RustGungraunStdout in "gungraun-0.20.0/compared.txt";
    gungraun_compared_0_17_2: RustGungraun in "gungraun-0.17.2/compared.txt";
    gungraun_json_0_17_2: RustGungraun in "gungraun-0.17.2/summaries.json";
    gungraun_json: RustGungraunJson in "gungraun-0.20.0/summaries.json";
    google_iterations: CppGoogle in "google-benchmark-1.7.1/iterations.json";
    google_repetitions: CppGoogle in "google-benchmark-1.7.1/repetitions.json";
    google_repetitions_median: CppGoogle by Median in "google-benchmark-1.7.1/repetitions.json";
    google_aggregates: CppGoogle in "google-benchmark-1.7.1/aggregates-only.json";
    catch2_analysis: CppCatch2 in "catch2-2.13.10/analysis.txt";
    catch2_no_analysis: CppCatch2 in "catch2-2.13.10/no-analysis.txt";
    go_packages: GoBench in "go-1.19.8/packages.txt";
    go_count: GoBench in "go-1.19.8/count.txt";
    go_count_median: GoBench by Median in "go-1.19.8/count.txt";
    benchmark_js_cycles: JsBenchmark in "benchmark.js-2.1.4/cycles.txt";
    console_time: JsTime in "node-20.20.2/console-time.txt";
    vitest_mean: JsVitest in "vitest-4.1.12/results.json";
    vitest_median: JsVitest by Median in "vitest-4.1.12/results.json";
    asv_run: PythonAsv in "asv-0.6.6/run.txt";
    asv_quick: PythonAsv in "asv-0.6.6/quick.txt";
    pytest_mean: PythonPytest in "pytest-benchmark-5.3.1/results.json";
    pytest_median: PythonPytest by Median in "pytest-benchmark-5.3.1/results.json";
    ruby_bm: RubyBenchmark in "ruby-3.1.2/bm.txt";
    ruby_bmbm: RubyBenchmark in "ruby-3.1.2/bmbm.txt";
    ruby_benchmark: RubyBenchmark in "ruby-3.1.2/benchmark.txt";
    documented_jmh: JavaJmh in "documented/jmh.json";
    documented_dot_net: CSharpDotNet in "documented/benchmark-dot-net.json";
    documented_dot_net_median: CSharpDotNet by Median in "documented/benchmark-dot-net.json";
    documented_dart: DartBenchmarkHarness in "documented/dart.txt";
}

#[test]
fn gungrauns_parts_are_left_out_of_what_they_add_up_to() {
    let [first, intermediate] =
        ["compared", "intermediate"].map(|run| table(Adapter::RustGungraunStdout, None, &format!("gungraun-0.20.0/{run}.txt")));
    let names =
        |table: &str| table.lines().map(|line| line.rsplitn(4, " | ").last().unwrap_or_default().to_owned()).collect::<Vec<_>>();
    assert_eq!(names(&first), names(&intermediate));
}

#[test]
fn gungrauns_json_has_all_that_its_text_has() {
    let measures =
        |table: &str| table.lines().map(|line| line.rsplitn(4, " | ").last().unwrap_or_default().to_owned()).collect::<Vec<_>>();
    for version in ["0.17.2", "0.20.0"] {
        let json = measures(&table(Adapter::RustGungraunJson, None, &format!("gungraun-{version}/summaries.json")));
        let text = measures(&table(Adapter::RustGungraunStdout, None, &format!("gungraun-{version}/compared.txt")));
        assert!(text.iter().all(|measure| json.contains(measure)), "{version}: {json:#?}");
    }
}

#[test]
fn benchmark_without_a_label_is_refused() {
    let error = refusal(Adapter::RubyBenchmark, "ruby-3.1.2/no-label.txt");
    assert!(matches!(error, AdapterError::Name { hint: "give each `report` a label", .. }), "{error:?}");
}

#[test]
fn same_output_twice_is_refused_but_where_runs_are_averaged() {
    for (adapter, path) in [
        (Adapter::RustBench, "libtest-1.95.0/bench.txt"),
        (Adapter::RustIai, "iai-0.1.1/first-run.txt"),
        (Adapter::RustGungraun, "gungraun-0.20.0/first-run.txt"),
        (Adapter::RustGungraun, "gungraun-0.20.0/summaries.json"),
        (Adapter::CppCatch2, "catch2-2.13.10/analysis.txt"),
        (Adapter::JsBenchmark, "benchmark.js-2.1.4/cycles.txt"),
        (Adapter::JsTime, "node-20.20.2/console-time.txt"),
        (Adapter::PythonAsv, "asv-0.6.6/run.txt"),
        (Adapter::RubyBenchmark, "ruby-3.1.2/bmbm.txt"),
        (Adapter::DartBenchmarkHarness, "documented/dart.txt"),
    ] {
        let twice = fixture(path).repeat(2);
        match parse(adapter, None, &twice) {
            Err(AdapterError::Metric { source: InvalidMetric::Duplicate { .. }, .. }) => {}
            other => panic!("{adapter}: {other:?}"),
        }
    }
    let go = fixture("go-1.19.8/packages.txt");
    let once = parse(Adapter::GoBench, None, &go).expect("the fixture");
    assert_eq!(parse(Adapter::GoBench, None, &go.repeat(2)).expect("two runs of it").count(), once.count());
}

#[test]
fn truncated_json_is_refused_wherever_it_ends() {
    for (adapter, path) in [
        (Adapter::CppGoogle, "google-benchmark-1.7.1/iterations.json"),
        (Adapter::JsVitest, "vitest-4.1.12/results.json"),
        (Adapter::PythonPytest, "pytest-benchmark-5.3.1/results.json"),
        (Adapter::JavaJmh, "documented/jmh.json"),
        (Adapter::CSharpDotNet, "documented/benchmark-dot-net.json"),
    ] {
        let text = fixture(path);
        let text = text.trim_end();
        for end in (0..text.len()).step_by(97) {
            let cut = &text[..text.floor_char_boundary(end)];
            let refused = parse(adapter, None, cut).expect_err("half of an export");
            assert!(matches!(refused, AdapterError::Format { .. }), "{adapter} cut at {end}: {refused:?}");
        }
    }
}
