use proptest::prelude::*;

use super::parse;

fn check(text: &str, expected: &[(&str, f64, f64, f64)]) {
    let metrics = parse(text).unwrap();
    let found = metrics.iter().map(|(name, benchmark)| {
        let (measure, value) = benchmark.measures.iter().next().unwrap();
        assert_eq!((measure.as_str(), benchmark.measures.len()), ("latency", 1));
        (name.as_str(), value.lower_value.unwrap(), value.value, value.upper_value.unwrap())
    });
    assert_eq!(found.collect::<Vec<_>>(), expected);
}

fn refuse(text: &str, expected: &str) {
    let error = parse(text).unwrap_err();
    let shown = super::super::testing::chain(&error);
    assert!(shown.contains(expected), "{shown}");
    assert!(shown.len() < 2000, "an error of {} bytes", shown.len());
}

#[test]
fn name_stands_on_the_same_line_or_above() {
    check("fib 20                  time:   [17.947 µs 18.179 µs 18.443 µs]", &[("fib 20", 17947.0, 18179.0, 18443.0)]);
    check(
        "exactly_24_bytes_long_xy\n                        time:   [12.665 ns 12.786 ns 12.989 ns]\r\n",
        &[("exactly_24_bytes_long_xy", 12.665, 12.786, 12.989)],
    );
}

#[test]
fn every_unit_becomes_nanoseconds_exactly() {
    check("a time:   [828.66 ps 863.48 ps 898.20 ps]", &[("a", 0.82866, 0.86348, 0.8982)]);
    check("a time:   [1.1 ns 1.2 ns 1.3 ns]", &[("a", 1.1, 1.2, 1.3)]);
    check("a time:   [26.029 µs 26.029 μs 26.029 us]", &[("a", 26029.0, 26029.0, 26029.0)]);
    check("a time:   [9.9999 ms 1.0001 s 2.2 s]", &[("a", 9_999_900.0, 1_000_100_000.0, 2.2e9)]);
}

#[test]
fn change_since_last_time_is_passed_over() {
    let text = "\
sum/bytes/1024          time:   [143.90 ns 147.31 ns 153.32 ns]
                        thrpt:  [6.2200 GiB/s 6.4739 GiB/s 6.6272 GiB/s]
                 change:
                        time:   [+4.7839% +10.311% +15.910%] (p = 0.00 < 0.05)
                        thrpt:  [-13.726% -9.3476% -4.5655%]
                        Performance has regressed.
";
    check(text, &[("sum/bytes/1024", 143.9, 147.31, 153.32)]);
}

#[test]
fn name_may_look_like_a_result() {
    check("time: [1 s] time:  time:   [1 ns 2 ns 3 ns]", &[("time: [1 s] time:", 1.0, 2.0, 3.0)]);
}

#[test]
fn color_and_overwritten_progress_are_not_part_of_the_name() {
    let text = "Benchmarking a: Analyzing\r\x1b[2K\x1b[32ma\x1b[0m      time:   [\x1b[2m1.0 ns\x1b[0m \x1b[1m2.0 ns\x1b[0m \x1b[2m3.0 ns\x1b[0m]\n";
    check(text, &[("a", 1.0, 2.0, 3.0)]);
}

#[test]
fn time_without_a_name_is_refused() {
    refuse("\n   time:   [1 ns 2 ns 3 ns]", "the benchmark's name stands before `time:` or on the line above");
}

#[test]
fn text_without_times_is_refused() {
    refuse("running 0 tests\n", "expected a line such as `name  time:   [1.0 ns 1.1 ns 1.2 ns]`, found `running 0 tests`");
    refuse("", "found no output");
    refuse("a time: [fast faster fastest]", "found `a time: [fast");
}

#[test]
fn unknown_units_are_refused() {
    refuse(
        "a  time:   [1 cycles 2 cycles 3 cycles]",
        "knows the time units ps, ns, µs, ms and s, found `cycles` for benchmark `a`",
    );
    refuse(&format!("a  time: [1 {0} 2 {0} 3 {0}]", "x".repeat(1 << 20)), "found `xxx");
}

#[test]
fn times_that_are_not_finite_are_refused() {
    refuse("a  time:   [NaN ns NaN ns NaN ns]", "benchmark `a` has the value NaN");
    refuse("a  time:   [1 ns 2 ns inf s]", "benchmark `a` has the upper value inf");
}

#[test]
fn same_name_twice_is_refused() {
    let line = "a  time:   [1 ns 2 ns 3 ns]\n";
    refuse(&line.repeat(2), "benchmark `a` is there twice with `latency`");
}

proptest! {
    #[test]
    fn nothing_panics(text in "\\PC*") {
        let _ = parse(&text);
    }

    #[test]
    fn nothing_like_criterion_panics(
        pieces in prop::collection::vec("time:|\\[|\\]| |\\n|\\r|\x1b\\[?|2K|32m|[0-9]{1,4}(\\.[0-9]{0,2})?|ns|µs|s|%|a|ß|NaN|1e308|-", 0..40)
    ) {
        let _ = parse(&pieces.concat());
    }

    #[test]
    fn printed_times_come_back(name in "[a-z/_]{1,40}", value in 0.01..1000.0_f64) {
        let printed = format!("{value:.4}");
        let text = format!("{name}\n   time:   [{printed} ns {printed} ns {printed} ns]\n");
        let metrics = parse(&text).unwrap();
        prop_assert_eq!(metrics.iter().next().unwrap().1.measures.values().next().unwrap().value, printed.parse::<f64>().unwrap());
    }
}
