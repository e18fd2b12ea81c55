//! The history of github-action-benchmark: which suites of the file are taken, and what their benchmarks are called.

use std::collections::BTreeMap;

use bencher_analysis::history::github_action_benchmark::{self as history, History};
use bencher_types::NameId;

use super::{Entry, ImportError, Past};
use crate::{cli::import::GithubActionBenchmark, commands::run::read};

pub(super) async fn read(args: &GithubActionBenchmark, testbed: NameId) -> Result<Past, ImportError> {
    let mut past = Past::default();
    let text = match read::file(&args.file).await {
        Ok(text) => text,
        Err(error) => {
            past.unreadable(&args.file, &error);
            return Ok(past);
        }
    };
    let history = match history::parse(&text) {
        Ok(history) => history,
        Err(error) => {
            past.unreadable(&args.file, &error);
            return Ok(past);
        }
    };
    let History { mut suites, measures, skipped } = history;
    choose(&mut suites, &args.suite)?;
    past.learn(measures, skipped);
    if !args.prefix_suite {
        distinct(&suites)?;
    }
    for (suite, runs) in suites {
        for run in runs {
            let run = if args.prefix_suite { run.prefixed(&suite, &mut past.skipped) } else { run };
            past.entries.push(Entry::of(&run, format!("suite {suite}"), testbed.clone()));
        }
    }
    Ok(past)
}

/// Leaves the suites that were asked for, or all.
fn choose<T>(suites: &mut BTreeMap<String, T>, wanted: &[String]) -> Result<(), ImportError> {
    if let Some(name) = wanted.iter().find(|name| !suites.contains_key(*name)) {
        let known: Vec<_> = suites.keys().map(|suite| format!("`{suite}`")).collect();
        return Err(ImportError::NoSuite { name: name.clone(), known: known.join(", ") });
    }
    suites.retain(|name, _| wanted.is_empty() || wanted.contains(name));
    Ok(())
}

/// A benchmark of two suites would be one series of two things.
fn distinct(suites: &BTreeMap<String, Vec<bencher_analysis::history::PastRun>>) -> Result<(), ImportError> {
    let mut known = BTreeMap::new();
    for (suite, runs) in suites {
        for (benchmark, _) in runs.iter().flat_map(|run| run.metrics.iter()) {
            let first: &mut &String = known.entry(benchmark).or_insert(suite);
            if *first != suite {
                return Err(ImportError::TwoSuites {
                    benchmark: benchmark.to_string(),
                    first: (*first).clone(),
                    second: suite.clone(),
                });
            }
        }
    }
    Ok(())
}
