//! Two reports, or some iterations of them, side by side: which of their measurements belong together. What they say is
//! `bencher_analysis::compare`'s.

use std::collections::BTreeMap;

use bencher_analysis::compare::{Better, Design, InvalidOptions, Options, Samples, better, compare};
use bencher_types::{
    Iterations,
    iterations::NoSuchIterations,
    wire::{
        compare::{Compared, ComparedReport, ReportComparison, Uncompared},
        dimension::{Benchmark, Measure},
        report::{Report, ReportResult},
    },
};

use crate::limits;

/// What is asked of two reports.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    design: Design,
    options: Options,
    /// Names or slugs of measures.
    higher_is_better: Vec<String>,
}

impl Question {
    pub(crate) fn new(
        paired: bool,
        confidence: Option<f64>,
        margin: Option<f64>,
        higher_is_better: Option<&str>,
    ) -> Result<Self, InvalidOptions> {
        let usual = Options::default();
        let options = Options::new(confidence.unwrap_or(usual.confidence()), margin.unwrap_or(usual.margin()))?;
        let higher_is_better = higher_is_better.unwrap_or_default().split(',').filter(|name| !name.is_empty());
        Ok(Self {
            design: if paired { Design::Paired } else { Design::Unpaired },
            options,
            higher_is_better: higher_is_better.map(str::to_owned).collect(),
        })
    }

    fn better(&self, measure: &Measure) -> Better {
        let (name, slug) = (measure.name.to_string(), measure.slug.to_string());
        if self.higher_is_better.iter().any(|higher| *higher == name || *higher == slug) {
            return Better::Higher;
        }
        better(&slug)
    }
}

/// What is compared: a report, or some of its iterations.
#[derive(Clone, Debug)]
pub(crate) struct Side {
    pub(crate) report: Report,
    pub(crate) iterations: Option<Iterations>,
}

/// Sides that cannot be compared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Incomparable {
    #[error("the reports have {0} measures of benchmarks in common: at most {most} are compared at once", most = limits::MAX_COMPARED)]
    TooMany(usize),
    #[error("the iterations `{named}` of the {which} report: {problem}")]
    Iterations { which: &'static str, named: Iterations, problem: NoSuchIterations },
    #[error("pairs need as many iterations on both sides: {old} old ones and {new} new ones are named")]
    Unequal { old: usize, new: usize },
}

/// A benchmark's measure with its values, in the order of the iterations.
struct Series {
    benchmark: Benchmark,
    measure: Measure,
    values: Vec<f64>,
    /// Which of the compared iterations each value is of.
    places: Vec<usize>,
}

/// By the names of benchmark and measure, which is the order they are shown in, and their UUIDs, which make them one.
type AllSeries = BTreeMap<(String, String, String), Series>;

/// Compares what the sides have in common.
///
/// # Errors
/// That is too much, iterations are named that are not there, or pairs are asked for of unequally many.
pub(crate) fn reports(old: Side, new: Side, question: &Question) -> Result<ReportComparison, Incomparable> {
    let project = new.report.project.clone();
    let (old_shown, new_shown) = (shown(&old), shown(&new));
    let is_named = old.iterations.is_some() || new.iterations.is_some();
    let (old, new) = (chosen(old, "old")?, chosen(new, "new")?);
    if is_named && question.design == Design::Paired && old.len() != new.len() {
        return Err(Incomparable::Unequal { old: old.len(), new: new.len() });
    }
    let (mut old, new) = (series(old), series(new));
    let (mut pairs, mut only_new) = (Vec::new(), Vec::new());
    for (key, new) in new {
        match old.remove(&key) {
            Some(old) => pairs.push((old, new)),
            None => only_new.push(uncompared(new)),
        }
    }
    if pairs.len() > limits::MAX_COMPARED {
        return Err(Incomparable::TooMany(pairs.len()));
    }
    let samples: Vec<Samples<'_>> = pairs
        .iter()
        .map(|(old, new)| Samples {
            old: &old.values,
            new: &new.values,
            // A measure that is missing here in one iteration and there in another has no pairs.
            design: if old.places == new.places { question.design } else { Design::Unpaired },
            better: question.better(&new.measure),
        })
        .collect();
    let comparisons = compare(&samples, &question.options);
    let results = pairs.into_iter().zip(comparisons).map(|((_, Series { benchmark, measure, .. }), comparison)| Compared {
        benchmark,
        measure,
        comparison,
    });
    Ok(ReportComparison {
        project,
        old: old_shown,
        new: new_shown,
        confidence: question.options.confidence(),
        margin: question.options.margin(),
        results: results.collect(),
        only_old: old.into_values().map(uncompared).collect(),
        only_new,
    })
}

fn shown(Side { report, iterations }: &Side) -> ComparedReport {
    ComparedReport {
        uuid: report.uuid,
        iterations: iterations.clone(),
        branch: report.branch.clone(),
        testbed: report.testbed.clone(),
        start_time: report.start_time,
    }
}

/// The iterations that are compared.
fn chosen(side: Side, which: &'static str) -> Result<Vec<Vec<ReportResult>>, Incomparable> {
    let all = side.report.results.unwrap_or_default();
    let Some(named) = side.iterations else { return Ok(all) };
    let places = named.places(all.len()).map_err(|problem| Incomparable::Iterations { which, named, problem })?;
    // Places are ascending.
    let mut places = places.into_iter().peekable();
    let chosen = all.into_iter().enumerate().filter(|(place, _)| places.next_if_eq(place).is_some());
    Ok(chosen.map(|(_, iteration)| iteration).collect())
}

fn series(iterations: Vec<Vec<ReportResult>>) -> AllSeries {
    let mut all = AllSeries::new();
    for (place, result) in
        iterations.into_iter().enumerate().flat_map(|(place, results)| results.into_iter().map(move |result| (place, result)))
    {
        for measured in result.measures {
            let uuids = format!("{} {}", result.benchmark.uuid, measured.measure.uuid);
            let key = (result.benchmark.name.to_string(), measured.measure.name.to_string(), uuids);
            let series = all.entry(key).or_insert_with(|| Series {
                benchmark: result.benchmark.clone(),
                measure: measured.measure,
                values: Vec::new(),
                places: Vec::new(),
            });
            series.values.push(measured.metric.value);
            series.places.push(place);
        }
    }
    all
}

fn uncompared(series: Series) -> Uncompared {
    Uncompared { benchmark: series.benchmark, measure: series.measure }
}
