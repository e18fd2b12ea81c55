use std::path::Path;

use super::{Series, csv, json};

fn values(series: Series) -> Vec<f64> {
    series.values
}

#[track_caller]
fn refused(text: &str, column: Option<&str>, expected: &str) {
    let file = Path::new("a.csv");
    let found = if text.starts_with(['[', '{']) { json(file, text) } else { csv(file, text, column) };
    assert_eq!(found.unwrap_err().to_string(), expected);
}

#[test]
fn a_json_array_is_a_series() {
    assert_eq!(values(json(Path::new("a"), "[1, 2.5, -3e2]").unwrap()), [1.0, 2.5, -300.0]);
    assert_eq!(values(json(Path::new("a"), "[]").unwrap()), [0.0; 0]);
}

#[test]
fn what_is_missing_counts_as_what_was_before() {
    assert_eq!(values(json(Path::new("a"), "[null, 1, null, null, 2]").unwrap()), [1.0, 1.0, 1.0, 1.0, 2.0]);
    assert_eq!(values(csv(Path::new("a"), "commit,ns\na,1\nb,\nc,3\n", None).unwrap()), [1.0, 1.0, 3.0]);
    refused("[null, null]", None, "a.csv: all values are missing");
}

#[test]
fn the_only_column_of_numbers_is_meant() {
    let series = csv(Path::new("a"), "# a comment\ntime, commit, ns\n2024-01-01, abc, 1.5\n2024-01-02, abd, 2\n", None).unwrap();
    assert_eq!(series, Series { name: Some("ns".to_owned()), values: vec![1.5, 2.0] });
}

#[test]
fn of_several_columns_one_has_to_be_named() {
    let text = "a,b,c\n1,2,x\n3,4,y\n";
    refused(text, None, "a.csv: expected one column of numbers, found `a`, `b`: say which with --column");
    refused(text, Some("d"), "a.csv has no column `d`, but a, b, c");
    assert_eq!(values(csv(Path::new("a"), text, Some("b")).unwrap()), [2.0, 4.0]);
}

#[test]
fn what_is_no_number_is_named_with_its_place() {
    refused("[1, \"x\"]", None, "a.csv: item 1 is \"x\": expected a finite number, or nothing for a missing one");
    refused("a\n1\nNaN\n", Some("a"), "a.csv: item 1 is `NaN`: expected a finite number, or nothing for a missing one");
    refused("{}", None, "a.csv: expected a JSON array of numbers, found an object");
}
