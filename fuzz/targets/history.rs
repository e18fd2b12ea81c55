//! Target `history`: any text as each of the files that other tools keep their past in. What is read must survive our own format, what
//! is refused or passed over must be told in few words.

use bencher_analysis::{
    adapter::to_bmf,
    history::{HistoryError, PastRun, Skipped, asv, github_action_benchmark},
    parse,
};
use bencher_types::wire::adapter::Adapter;

/// Far more than an excerpt and its sentence take, far less than a file.
const LONG_MESSAGE: usize = 8 * 1024;

pub(crate) fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match github_action_benchmark::parse(&text) {
        Ok(history) => {
            skipped(&history.skipped);
            for run in history.suites.values().flatten() {
                past_run(run);
                past_run(&run.prefixed("suite", &mut Skipped::default()));
            }
        }
        Err(error) => refused(&error),
    }
    let _ = asv::machine(&text).map_err(|error| refused(&error));
    let known = asv::benchmarks(&text).map_err(|error| refused(&error)).unwrap_or_default();
    match asv::results(&text, &known) {
        Ok(results) => {
            skipped(&results.skipped);
            results.run.iter().for_each(past_run);
        }
        Err(error) => refused(&error),
    }
}

fn past_run(run: &PastRun) {
    if run.metrics.is_empty() {
        return;
    }
    let bmf = to_bmf(&run.metrics);
    match parse(Adapter::Json, None, &bmf) {
        Ok(again) => assert_eq!(again, run.metrics, "metrics changed on their way through BMF"),
        Err(error) => panic!("our own BMF is refused: {error:?}\n{bmf}"),
    }
}

fn skipped(skipped: &Skipped) {
    assert_eq!(skipped.count > 0, skipped.example.is_some());
    assert!(skipped.example.as_ref().is_none_or(|example| example.len() <= LONG_MESSAGE));
}

fn refused(error: &HistoryError) {
    let source = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    let length = error.to_string().len() + source.len();
    assert!(length <= LONG_MESSAGE, "a message of {length} bytes");
}
