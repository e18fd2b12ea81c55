use bencher_types::wire::adapter::Average;
use proptest::prelude::*;

use super::parse;
use crate::adapter::testing::{check, refuse};

#[test]
fn time_per_operation_is_the_latency() {
    let text = "\
goos: linux
pkg: example.com/shop
cpu: fast
BenchmarkFib10-2   \t   10000\t      2558 ns/op
BenchmarkSub/n=5_and_more-2 \t  894830\t  184.2 ns/op\t 347.49 MB/s\t  5.000 depth/op\t  0 B/op\t  0 allocs/op
PASS
ok  \texample.com/shop\t2.255s
";
    check(
        parse(Average::Mean, text),
        &["BenchmarkFib10-2 | latency | 2558 | none | none", "BenchmarkSub/n=5_and_more-2 | latency | 184.2 | none | none"],
    );
}

#[test]
fn several_runs_are_one_benchmark() {
    let text = "BenchmarkA\t1\t10 ns/op\nBenchmarkA\t1\t60 ns/op\nBenchmarkA\t1\t20 ns/op\n";
    check(parse(Average::Mean, text), &["BenchmarkA | latency | 30 | 10 | 60"]);
    check(parse(Average::Median, text), &["BenchmarkA | latency | 20 | 10 | 60"]);
}

#[test]
fn package_tells_two_benchmarks_of_one_name_apart() {
    let text = "\
pkg: example.com/a
BenchmarkX\t1\t10 ns/op
BenchmarkY\t1\t11 ns/op
pkg: example.com/b
BenchmarkX\t1\t12 ns/op
";
    check(
        parse(Average::Mean, text),
        &[
            "BenchmarkY | latency | 11 | none | none",
            "example.com/a.BenchmarkX | latency | 10 | none | none",
            "example.com/b.BenchmarkX | latency | 12 | none | none",
        ],
    );
}

#[test]
fn package_that_comes_again_is_the_same() {
    let text = "BenchmarkX\t1\t1 ns/op\npkg: a\nBenchmarkX\t1\t10 ns/op\npkg: b\nBenchmarkX\t1\t12 ns/op\npkg: a\nBenchmarkX\t1\t20 ns/op\n";
    check(
        parse(Average::Mean, text),
        &[
            "BenchmarkX | latency | 1 | none | none",
            "a.BenchmarkX | latency | 15 | 10 | 20",
            "b.BenchmarkX | latency | 12 | none | none",
        ],
    );
}

#[test]
fn what_a_benchmark_prints_may_come_before_its_result() {
    let text = "BenchmarkA\nBenchmarkA-8   \thello\nworld\n   100\t   12.5 ns/op\n   100\t 99 ns/op\n--- BENCH: BenchmarkA-8\n";
    check(parse(Average::Mean, text), &["BenchmarkA-8 | latency | 12.5 | none | none"]);
}

#[test]
fn lines_without_a_time_are_passed_over() {
    let text = "BenchmarkA\t1\t10 widgets/op\nBenchmarkB\t1\t5 ns/op\t10 widgets/op\n";
    check(parse(Average::Mean, text), &["BenchmarkB | latency | 5 | none | none"]);
    refuse(parse(Average::Mean, "PASS"), "expected a line such as `BenchmarkName-8   100   12345 ns/op`, found `PASS`");
    refuse(parse(Average::Mean, "BenchmarkA 1 fast ns/op"), "found `BenchmarkA");
    refuse(parse(Average::Mean, "1 5 ns/op"), "found `1 5");
}

#[test]
fn what_cannot_be_stored_is_refused_by_name() {
    refuse(parse(Average::Mean, "BenchmarkA\t1\tNaN ns/op"), "benchmark `BenchmarkA` has the value NaN");
    refuse(parse(Average::Mean, "BenchmarkA\t1\t+inf ns/op"), "benchmark `BenchmarkA` has the value inf");
    refuse(parse(Average::Mean, &format!("Benchmark{}\t1\t1 ns/op", "a".repeat(1024))), "begins with `Benchmark`");
}

proptest! {
    #[test]
    fn nothing_like_go_panics(
        pieces in prop::collection::vec("pkg: a|Benchmark[AB]?| |\t|[0-9.]{1,5}|ns/op|B/op|\n|ß|NaN", 0..40)
    ) {
        let _ = parse(Average::Mean, &pieces.concat());
        let _ = parse(Average::Median, &pieces.concat());
    }
}
