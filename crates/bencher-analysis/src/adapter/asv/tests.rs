use proptest::prelude::*;

use super::parse;
use crate::adapter::testing::{check, refuse};

#[test]
fn median_has_its_spread_around_it() {
    let text = "\
· Discovering benchmarks
[ 0.00%] ·· Benchmarking existing-py
[12.50%] ··· work.TimeFib.time_fib_10                                 6.95±50μs
[25.00%] ··· work.time_slow                                             1.5±0.5m
[25.00%] ··· work.time_once                                             705ns
";
    check(
        parse(text),
        &[
            "work.TimeFib.time_fib_10 | latency | 6950 | 0 | 56950",
            "work.time_once | latency | 705 | none | none",
            "work.time_slow | latency | 90000000000 | 60000000000 | 120000000000",
        ],
    );
}

#[test]
fn what_is_no_time_is_passed_over() {
    let text = "\
[50.00%] ··· work.mem_list                                                8.06k
[50.00%] ··· work.time_fails                                             failed
[50.00%] ··· work.track_answer                                               42
[50.00%] ··· work.time_a                                                1.5±0ms
";
    check(parse(text), &["work.time_a | latency | 1500000 | 1500000 | 1500000"]);
}

#[test]
fn table_with_a_column_per_parameter_has_a_benchmark_per_row() {
    let text = "\
[18.75%] ··· work.time_list                                         ok
[18.75%] ··· ==== ===== ==========
              n    s
             ---- ----- ----------
              5    a b   12.2±0μs
              10   a b   10.4±0μs
             ==== ===== ==========

";
    check(
        parse(text),
        &[
            "work.time_list(10, a b) | latency | 10400 | 10400 | 10400",
            "work.time_list(5, a b) | latency | 12200 | 12200 | 12200",
        ],
    );
}

#[test]
fn table_may_have_one_row_and_end_with_the_output() {
    let text = "\
[18.75%] ··· work.time_list                                         ok
[18.75%] ··· ==== ==========
              n
             ---- ----------
              5    12.2±0μs
             ==== ==========
";
    check(parse(text), &["work.time_list(5) | latency | 12200 | 12200 | 12200"]);
}

#[test]
fn table_with_a_column_per_value_has_a_benchmark_per_cell() {
    let text = "\
[55.56%] ··· work.time_three                                     1/6 failed
[55.56%] ··· ======= ========== =========== ========
             --           second / third
             ------- -------------------------------
              first   a b / 3     a b / 4    c / 4
             ======= ========== =========== ========
                1     5.5±3μs    13.5±8μs    failed
                2     8.5±5μs      n/a       1±0s
             ======= ========== =========== ========
             For parameters: 1, 'c', 4

[66.67%] ··· work.time_next                                      1.5±0ms
";
    check(
        parse(text),
        &[
            "work.time_next | latency | 1500000 | 1500000 | 1500000",
            "work.time_three(1, a b, 3) | latency | 5500 | 2500 | 8500",
            "work.time_three(1, a b, 4) | latency | 13500 | 5500 | 21500",
            "work.time_three(2, a b, 3) | latency | 8500 | 3500 | 13500",
            "work.time_three(2, c, 4) | latency | 1000000000 | 1000000000 | 1000000000",
        ],
    );
}

#[test]
fn text_without_times_is_refused() {
    refuse(parse("· Discovering benchmarks"), "expected a line such as `[50.00%] ··· module.time_name  12.3±0.4μs`");
    refuse(parse("[50.00%] ··· a  failed"), "found `[50.00%] ··· a  failed`");
    refuse(parse("[x%] ··· a  1±0ms"), "found `[x%]");
}

#[test]
fn what_cannot_be_stored_is_refused_by_name() {
    let line = "[50.00%] ··· a  1±0ms\n";
    refuse(parse(&line.repeat(2)), "benchmark `a` is there twice with `latency`");
    refuse(parse(&line.replace('1', "nan")), "benchmark `a` has the value NaN");
    refuse(parse(&line.replace('a', &"a".repeat(1025))), "the name is the benchmark's module, class and function");
}

proptest! {
    #[test]
    fn nothing_like_asv_panics(
        pieces in prop::collection::vec(
            "\\[50\\.00%\\] ··· |a |ok|1±2μs|1\\.5ms|=== |--- | |/|\n|\n  === ===\n|\n  --- ---\n|ß|n/a|failed",
            0..60,
        )
    ) {
        let _ = parse(&pieces.concat());
    }
}
