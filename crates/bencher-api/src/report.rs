//! From what a harness printed to the metrics of a report. One way for results that a client sends and those that a job brings.

use bencher_analysis::{AdapterError, Metrics};
use bencher_types::{
    DateTime,
    wire::{channel::IterationOutput, report::ReportProblem, run::ReportSettings},
};

use crate::{
    chain::chain,
    limits,
    store::{
        StoreError, Tx,
        change_point::series,
        metric::{self, Filing, RecordError, Recorded},
        report,
    },
    threshold,
};

/// One text that a harness printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultText {
    /// What people know the text by, such as `iteration 2, bench.json`.
    pub origin: String,
    pub text: String,
}

/// A text that no metrics were found in.
#[derive(Debug)]
struct Unreadable {
    /// The iteration of the report that it would have been.
    iteration: u32,
    origin: String,
    error: AdapterError,
}

/// What was measured, as far as it could be read.
#[derive(Debug)]
pub struct Measured {
    /// By the number of the iteration.
    iterations: Vec<(u32, Metrics)>,
    unreadable: Vec<Unreadable>,
}

impl Measured {
    /// Whether at least one text was understood.
    #[must_use]
    pub const fn is_something(&self) -> bool {
        !self.iterations.is_empty()
    }

    /// Whether there was no text at all.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.iterations.is_empty() && self.unreadable.is_empty()
    }

    /// What could not be read, as the report names it: the first [`limits::MAX_PROBLEMS`], and how many more there are.
    #[must_use]
    pub fn problems(&self) -> Vec<ReportProblem> {
        let named = self.unreadable.iter().take(limits::MAX_PROBLEMS).map(|unreadable| ReportProblem {
            iteration: unreadable.iteration,
            origin: unreadable.origin.clone(),
            reason: chain(&unreadable.error),
        });
        let more = self.unreadable.get(limits::MAX_PROBLEMS).map(|first| ReportProblem {
            iteration: first.iteration,
            origin: format!("{} more", self.unreadable.len() - limits::MAX_PROBLEMS),
            reason: "could not be read either".to_owned(),
        });
        named.chain(more).collect()
    }

    /// The same in one text; `None` where everything could be read.
    #[must_use]
    pub fn message(&self) -> Option<String> {
        let problems: Vec<String> =
            self.problems().into_iter().map(|problem| format!("{}: {}", problem.origin, problem.reason)).collect();
        (!problems.is_empty()).then(|| problems.join("; "))
    }
}

/// Reads results. Takes as long as there is text; not for a task that must not wait.
///
/// Every text is an iteration of the report, with its place as its number, unless the settings fold them into one. One that cannot be
/// read does not hide the others.
#[must_use]
pub fn read(settings: &ReportSettings, texts: &[ResultText]) -> Measured {
    let adapter = settings.adapter.unwrap_or_default();
    let (mut iterations, mut unreadable) = (Vec::new(), Vec::new());
    for (number, ResultText { origin, text }) in (0..).zip(texts) {
        match bencher_analysis::parse(adapter, settings.average, text) {
            Ok(metrics) => iterations.push((number, metrics)),
            Err(error) => unreadable.push(Unreadable { iteration: number, origin: origin.clone(), error }),
        }
    }
    if let Some(fold) = settings.fold
        && !iterations.is_empty()
    {
        let metrics: Vec<Metrics> = iterations.into_iter().map(|(_, metrics)| metrics).collect();
        iterations = vec![(0, bencher_analysis::fold(fold, &metrics))];
    }
    Measured { iterations, unreadable }
}

/// The texts that a job's iterations delivered: the files that were asked for, where there are any, else what was printed.
#[must_use]
pub fn texts_of_job(results: &[IterationOutput]) -> Vec<ResultText> {
    let mut texts = Vec::new();
    for (number, iteration) in (1..).zip(results) {
        match (&iteration.output, &iteration.stdout) {
            (Some(files), _) => texts.extend(files.iter().map(|(path, text)| {
                // A path that begins with NUL is not a file: it is what the runner measured itself.
                let path = path.trim_start_matches('\0');
                ResultText { origin: format!("iteration {number}, {path}"), text: text.clone() }
            })),
            (None, Some(stdout)) => {
                texts.push(ResultText { origin: format!("iteration {number}, standard output"), text: stdout.clone() });
            }
            (None, None) => {}
        }
    }
    texts
}

/// Files what was measured under a report, and what could not be read; makes the benchmarks and measures that are new, and checks every
/// metric against the threshold of its measure. The report says already when it was measured. The caller has locked the project.
///
/// # Errors
/// A benchmark has one measure under two names, or the database failed. Nothing may be committed then.
pub(crate) async fn record(tx: &mut Tx, filing: &Filing, measured: &Measured, now: DateTime) -> Result<Recorded, RecordError> {
    let problems = measured.problems();
    if !problems.is_empty() {
        report::set_problems(tx, filing.report_id, &problems).await?;
    }
    let mut identified = metric::identify(tx, filing.project_id, &measured.iterations, now).await?;
    let thresholds = threshold::check(tx, filing, &mut identified.samples).await?;
    series::due(tx, filing.report_id).await?;
    Ok(metric::insert(tx, filing, identified, thresholds, now).await?)
}

/// Says when a job's results were measured.
///
/// # Errors
/// The database failed.
pub async fn set_times(tx: &mut Tx, report: i64, start: DateTime, end: DateTime) -> Result<(), StoreError> {
    report::set_times(tx, report, start, end).await
}

#[cfg(test)]
mod tests;
