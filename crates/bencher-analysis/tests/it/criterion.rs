//! criterion.rs, as `cargo bench` and the bench program print.

use bencher_types::wire::adapter::{Adapter, Average};

use crate::{fixture, table};

const VERSIONS: [&str; 2] = ["0.5.1", "0.7.0"];

/// Every benchmark of `criterion-work.rs`, in the order of the names.
const ALL: [&str; 12] = [
    "a name that is too long to stand on the same line",
    "add",
    "exactly_23_bytes_long_x",
    "exactly_24_bytes_long_xy",
    "fib 20",
    "größe µ",
    "slow/fib/30",
    "slow/sleeps 1100 ms",
    "sum/1024",
    "sum/1048576",
    "sum/bytes/1024",
    "sum/bytes/1048576",
];

/// Those that the filter of the shorter runs leaves.
const FILTERED: [&str; 5] = [ALL[0], ALL[2], ALL[3], ALL[4], ALL[8]];

fn names(table: &str) -> Vec<&str> {
    table.lines().map(|line| line.split(" | ").next().expect("a line has a first column")).collect()
}

#[test]
fn every_benchmark_of_a_run_is_found() {
    for version in VERSIONS {
        for run in ["first-run", "second-run"] {
            let table = table(Adapter::RustCriterion, None, &format!("criterion-{version}/{run}.txt"));
            assert_eq!(names(&table), ALL, "{version} {run}");
        }
    }
}

#[test]
fn verbose_quiet_and_terminal_output_give_the_same_names() {
    for version in VERSIONS {
        for run in ["verbose-with-stderr", "quiet", "terminal"] {
            let table = table(Adapter::RustCriterion, None, &format!("criterion-{version}/{run}.txt"));
            assert_eq!(names(&table), FILTERED, "{version} {run}");
        }
    }
}

#[test]
fn average_changes_nothing() {
    let path = "criterion-0.7.0/first-run.txt";
    let tables = [None, Some(Average::Mean), Some(Average::Median)].map(|average| table(Adapter::Rust, average, path));
    assert!(tables[0] == tables[1] && tables[1] == tables[2]);
}

#[test]
fn values_are_what_the_lines_say() {
    insta::assert_snapshot!("first_run_0_5_1", table(Adapter::RustCriterion, None, "criterion-0.5.1/first-run.txt"));
    insta::assert_snapshot!("second_run_0_7_0", table(Adapter::RustCriterion, None, "criterion-0.7.0/second-run.txt"));
    insta::assert_snapshot!("terminal_0_5_1", table(Adapter::RustCriterion, None, "criterion-0.5.1/terminal.txt"));
}

#[test]
fn each_value_stands_in_the_text() {
    // The same numbers found another way: the digits before any unit, without the decimal point.
    let text = fixture("criterion-0.7.0/first-run.txt");
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>().trim_matches('0').to_owned();
    let printed: Vec<_> = text.split(['[', ']', ' ']).map(digits).collect();
    for line in table(Adapter::RustCriterion, None, "criterion-0.7.0/first-run.txt").lines() {
        for number in line.split(" | ").skip(2) {
            assert!(printed.contains(&digits(number)), "{number} of {line}");
        }
    }
}
