use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{ReferenceRow, Sum, Table, TransferError, in_order};

fn tables(names: &[&str]) -> BTreeMap<String, Table> {
    names.iter().map(|name| ((*name).to_owned(), Table { name: (*name).to_owned(), columns: Vec::new() })).collect()
}

fn refers(pairs: &[(&str, &str)]) -> Vec<ReferenceRow> {
    pairs.iter().map(|(child, parent)| ReferenceRow { child: (*child).to_owned(), parent: (*parent).to_owned() }).collect()
}

#[test]
fn a_table_comes_after_those_that_its_rows_refer_to() {
    let references = refers(&[("a", "b"), ("b", "c"), ("a", "c"), ("d", "d")]);
    let ordered = in_order(tables(&["a", "b", "c", "d"]), &references).unwrap();
    let names: Vec<&str> = ordered.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(names, ["c", "d", "b", "a"]);
}

#[test]
fn tables_that_refer_to_each_other_are_told() {
    let refused = in_order(tables(&["a", "b", "c"]), &refers(&[("a", "b"), ("b", "a")]));
    assert!(matches!(refused, Err(TransferError::Circle(names)) if names == "a, b"));
}

proptest! {
    #[test]
    fn a_sum_knows_no_order_but_every_value(mut rows in prop::collection::vec((any::<i64>(), "[ab]{0,3}", "[ab]{0,3}"), 0..8)) {
        let sum = |rows: &[(i64, String, String)]| {
            let mut sum = Sum::default();
            rows.iter().for_each(|(number, one, other)| sum.add(&[(*number).into(), one.as_str().into(), other.as_str().into()]));
            sum
        };
        let before = sum(&rows);
        rows.reverse();
        prop_assert_eq!(sum(&rows), before);
        if let Some(row) = rows.first_mut() {
            let moved = format!("{}{}", row.1, row.2);
            let differs = !row.2.is_empty();
            *row = (row.0, moved, String::new());
            prop_assert_eq!(sum(&rows) != before, differs);
        }
    }
}
