use std::collections::BTreeMap;

use bencher_types::wire::{
    adapter::{Adapter, Fold},
    channel::IterationOutput,
    run::ReportSettings,
};

use super::{ResultText, read, texts_of_job};
use crate::limits;

fn text(number: usize, text: &str) -> ResultText {
    ResultText { origin: format!("result {number}"), text: text.to_owned() }
}

fn bmf(value: f64) -> String {
    format!(r#"{{"sort":{{"latency":{{"value":{value}}}}}}}"#)
}

#[test]
fn every_text_is_an_iteration() {
    let measured = read(&ReportSettings::default(), &[text(1, &bmf(1.0)), text(2, &bmf(2.0))]);
    assert_eq!(measured.iterations.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [0, 1]);
    assert!(measured.is_something() && measured.message().is_none());
}

#[test]
fn an_unreadable_text_does_not_hide_the_others() {
    let settings = ReportSettings { adapter: Some(Adapter::Json), ..ReportSettings::default() };
    let measured = read(&settings, &[text(1, "nonsense"), text(2, &bmf(2.0))]);
    assert_eq!(measured.iterations.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1]);
    assert!(measured.message().unwrap().starts_with("result 1: the `json` adapter expected"));
    let problems = measured.problems();
    assert_eq!(
        problems.iter().map(|problem| (problem.iteration, problem.origin.as_str())).collect::<Vec<_>>(),
        [(0, "result 1")]
    );
    assert!(problems[0].reason.starts_with("the `json` adapter expected"), "{problems:?}");
}

#[test]
fn a_flood_of_unreadable_texts_is_counted_and_not_listed() {
    let texts: Vec<ResultText> = (1..=limits::MAX_PROBLEMS + 5).map(|number| text(number, "nonsense")).collect();
    let measured = read(&ReportSettings::default(), &texts);
    let problems = measured.problems();
    assert_eq!(problems.len(), limits::MAX_PROBLEMS + 1);
    assert_eq!(problems.last().unwrap().origin, "5 more");
}

#[test]
fn a_fold_leaves_one_iteration() {
    let settings = ReportSettings { fold: Some(Fold::Max), ..ReportSettings::default() };
    let measured = read(&settings, &[text(1, &bmf(1.0)), text(2, &bmf(2.0))]);
    assert_eq!(measured.iterations.len(), 1);
    assert_eq!(measured.iterations[0].1.iter().next().unwrap().1.measures.values().next().unwrap().value, 2.0);
}

#[test]
fn files_go_before_what_was_printed() {
    let files = BTreeMap::from([("b.json".to_owned(), "b".to_owned()), ("\0bencher".to_owned(), "own".to_owned())]);
    let printed = IterationOutput { stdout: Some("printed".to_owned()), ..IterationOutput::default() };
    let results = [IterationOutput { output: Some(files), ..printed.clone() }, printed, IterationOutput::default()];
    let texts: Vec<(String, String)> = texts_of_job(&results).into_iter().map(|text| (text.origin, text.text)).collect();
    let expected = [("iteration 1, bencher", "own"), ("iteration 1, b.json", "b"), ("iteration 2, standard output", "printed")];
    assert_eq!(texts, expected.map(|(origin, text)| (origin.to_owned(), text.to_owned())));
}
