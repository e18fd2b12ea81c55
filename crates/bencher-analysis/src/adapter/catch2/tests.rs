use proptest::prelude::*;

use super::parse;
use crate::adapter::testing::{check, refuse};

const HEAD: &str = "\
benchmark name                       samples       iterations    estimated
                                     mean          low mean      high mean
                                     std dev       low std dev   high std dev
-------------------------------------------------------------------------------
";

fn table(rows: &str) -> String {
    format!("-----\nFibonacci\n-----\nfib.cpp:7\n.....\n\n{HEAD}{rows}\n=====\nAll tests passed\n")
}

#[test]
fn mean_has_its_deviation_around_it() {
    let rows = "\
Fibonacci 10                                    20            43     5.3191 ms 
                                         303.55 ns    300.167 ns    309.163 ns 
                                        9.75 ns    5.31071 ns    14.4281 ns 
                                                                               
slow                                            20             1    287.382 ms 
                                        3.25 ms    335.606 us    8.76455 ms 
                                        8.5 ms    1.08426 us    12.8755 ms 
";
    check(parse(&table(rows)), &["Fibonacci 10 | latency | 303.55 | 293.8 | 313.3", "slow | latency | 3250000 | 0 | 11750000"]);
}

#[test]
fn wrapped_names_become_one_line() {
    let rows = "\
a name that is too long for its                                                
column                                          20            43     5.3191 ms 
                                         1 us    300.167 ns    309.163 ns 
                                        0.25 us    5.31071 ns    14.4281 ns 
";
    check(parse(&table(rows)), &["a name that is too long for its column | latency | 1000 | 750 | 1250"]);
}

#[test]
fn without_analysis_the_mean_stands_alone() {
    let text = "\
benchmark name                            samples    iterations          mean
-------------------------------------------------------------------------------
Fibonacci 10                                    10            49    298.014 ns 
a name that is too long for its                                                
column                                          10             1    2.83785 ms 
";
    check(
        parse(text),
        &[
            "Fibonacci 10 | latency | 298.014 | none | none",
            "a name that is too long for its column | latency | 2837850 | none | none",
        ],
    );
}

#[test]
fn text_without_a_table_is_refused() {
    refuse(
        parse("All tests passed"),
        "expected a table that begins with `benchmark name   samples   iterations`, found `All tests",
    );
    refuse(parse(HEAD), "expected a table");
    refuse(parse(&table("a   20   43   5 ms\n   fast\n")), "expected a table");
}

#[test]
fn what_cannot_be_stored_is_refused_by_name() {
    let row = "a   20   43   5 ms\n   1 ns   1 ns   1 ns\n   1 ns   1 ns   1 ns\n\n";
    refuse(parse(&table(&row.repeat(2))), "benchmark `a` is there twice with `latency`");
    refuse(
        parse(&table(&row.replace("1 ns", "1 cycles"))),
        "knows the time units ps, ns, µs, ms and s, found `cycles` for benchmark `a`",
    );
    refuse(parse(&table(&row.replace("1 ns", "nan ns"))), "benchmark `a` has the value NaN");
    refuse(parse(&table(&row.replacen('a', &"a".repeat(1025), 1))), "the name is what `BENCHMARK` was given");
}

proptest! {
    #[test]
    fn nothing_like_catch2_panics(
        pieces in prop::collection::vec("benchmark name  samples iterations (estimated|mean)\n|a|ß| |20 |1\\.5 (ns|us|x) |\n|----\n|===\n", 0..60)
    ) {
        let _ = parse(&pieces.concat());
    }

    #[test]
    fn nothing_in_a_table_panics(pieces in prop::collection::vec("a|ß| |20 |1\\.5 (ns|us|x) |\n|nan", 0..40)) {
        let _ = parse(&table(&pieces.concat()));
    }
}
