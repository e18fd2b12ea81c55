//! Two reports side by side: which of their measurements belong together. What they say is `bencher_analysis::compare`'s.

use std::collections::BTreeMap;

use bencher_analysis::compare::{Better, Design, InvalidOptions, Options, Samples, better, compare};
use bencher_types::wire::{
    compare::{Compared, ComparedReport, ReportComparison, Uncompared},
    dimension::{Benchmark, Measure},
    report::Report,
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

/// The reports have more in common than is compared at once.
#[derive(Debug, thiserror::Error)]
#[error("the reports have {0} measures of benchmarks in common: at most {most} are compared at once", most = limits::MAX_COMPARED)]
pub(crate) struct TooMany(usize);

/// A benchmark's measure with its values, in the order of the iterations.
struct Series {
    benchmark: Benchmark,
    measure: Measure,
    values: Vec<f64>,
}

/// By the names of benchmark and measure, which is the order they are shown in, and their UUIDs, which make them one.
type AllSeries = BTreeMap<(String, String, String), Series>;

/// Compares what the reports have in common.
///
/// # Errors
/// That is too much.
pub(crate) fn reports(old: Report, new: Report, question: &Question) -> Result<ReportComparison, TooMany> {
    let project = new.project.clone();
    let (old_side, new_side) = (side(&old), side(&new));
    let (mut old, new) = (series(old), series(new));
    let (mut pairs, mut only_new) = (Vec::new(), Vec::new());
    for (key, new) in new {
        match old.remove(&key) {
            Some(old) => pairs.push((old, new)),
            None => only_new.push(uncompared(new)),
        }
    }
    if pairs.len() > limits::MAX_COMPARED {
        return Err(TooMany(pairs.len()));
    }
    let samples: Vec<Samples<'_>> = pairs
        .iter()
        .map(|(old, new)| Samples {
            old: &old.values,
            new: &new.values,
            design: question.design,
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
        old: old_side,
        new: new_side,
        confidence: question.options.confidence(),
        margin: question.options.margin(),
        results: results.collect(),
        only_old: old.into_values().map(uncompared).collect(),
        only_new,
    })
}

fn side(report: &Report) -> ComparedReport {
    ComparedReport {
        uuid: report.uuid,
        branch: report.branch.clone(),
        testbed: report.testbed.clone(),
        start_time: report.start_time,
    }
}

fn series(report: Report) -> AllSeries {
    let mut all = AllSeries::new();
    for result in report.results.into_iter().flatten().flatten() {
        for measured in result.measures {
            let uuids = format!("{} {}", result.benchmark.uuid, measured.measure.uuid);
            let key = (result.benchmark.name.to_string(), measured.measure.name.to_string(), uuids);
            let series = all.entry(key).or_insert_with(|| Series {
                benchmark: result.benchmark.clone(),
                measure: measured.measure,
                values: Vec::new(),
            });
            series.values.push(measured.metric.value);
        }
    }
    all
}

fn uncompared(series: Series) -> Uncompared {
    Uncompared { benchmark: series.benchmark, measure: series.measure }
}
