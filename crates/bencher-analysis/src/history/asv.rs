//! What airspeed velocity (`asv`) keeps in its folder `results`: `benchmarks.json`, and for each machine a folder with
//! `machine.json` and a file per commit and environment.
//!
//! Values are the ones that asv shows, with the quartiles of their samples as bounds. A benchmark with parameters becomes one per
//! combination, `sort.time_merge(10, fast)`, as in what `asv run` prints. What failed (`null`) or was left out (`NaN`) is no result.
//! Like asv, we pass over results of another version of a benchmark than the one in `benchmarks.json`.

use std::collections::BTreeMap;

use bencher_types::GitHash;
use serde::Deserialize;
use serde_json::Value;

use super::{
    Better, Gathered, HistoryError, Notes, PastMeasures, PastRun, Skipped, at_millis, cut, lenient::without_nan, unit::Kind,
};
use crate::{limits::MAX_METRICS, metrics::MetricValue};

const EXPECTED_BENCHMARKS: &str = "asv's benchmarks.json: an object of benchmarks";
const EXPECTED_MACHINE: &str = "asv's machine.json: {\"machine\": \"name\"}";
const EXPECTED_RESULT: &str = "a result of asv: {\"commit_hash\", \"date\", \"results\", …}";

/// What `benchmarks.json` says of each benchmark.
#[derive(Clone, Debug, Default)]
pub struct Benchmarks {
    known: BTreeMap<String, About>,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct About {
    #[serde(rename = "type")]
    kind: Option<String>,
    unit: Option<String>,
    version: Option<Value>,
}

/// A file of results.
#[derive(Clone, Debug, PartialEq)]
pub struct Results {
    /// The name of the Python environment, with its requirements.
    pub environment: String,
    /// `None` where nothing in it succeeded.
    pub run: Option<PastRun>,
    pub measures: PastMeasures,
    /// Values that were passed over; failed ones are not among them.
    pub skipped: Skipped,
}

/// Reads `benchmarks.json`.
///
/// # Errors
/// It is no object.
pub fn benchmarks(text: &str) -> Result<Benchmarks, HistoryError> {
    let all: BTreeMap<String, Value> =
        serde_json::from_str(&without_nan(text)).map_err(HistoryError::format(EXPECTED_BENCHMARKS))?;
    // Beside the benchmarks there is the version of the format.
    let known = all.into_iter().filter_map(|(name, about)| Some((name, About::deserialize(about).ok()?)));
    Ok(Benchmarks { known: known.collect() })
}

/// Reads the machine's name in `machine.json`.
///
/// # Errors
/// There is none.
pub fn machine(text: &str) -> Result<String, HistoryError> {
    #[derive(Deserialize)]
    struct Machine {
        machine: String,
    }
    let Machine { machine } = serde_json::from_str(text).map_err(HistoryError::format(EXPECTED_MACHINE))?;
    Ok(machine)
}

#[derive(Deserialize)]
struct File {
    commit_hash: String,
    /// When the commit was made, in milliseconds since 1970.
    date: Value,
    #[serde(default)]
    env_name: String,
    results: BTreeMap<String, Value>,
    /// What the places of each result are, from version 2 on.
    #[serde(default)]
    result_columns: Vec<String>,
    /// The versions of the benchmarks, before version 2.
    #[serde(default)]
    benchmark_version: BTreeMap<String, Value>,
}

/// Reads a file of results.
///
/// # Errors
/// It is none.
pub fn results(text: &str, benchmarks: &Benchmarks) -> Result<Results, HistoryError> {
    let file: File = serde_json::from_str(&without_nan(text)).map_err(HistoryError::format(EXPECTED_RESULT))?;
    let at = millis(&file.date).and_then(at_millis).ok_or_else(|| HistoryError::Content {
        expected: "the time of the commit in milliseconds since 1970",
        found: format!("`{}`", cut(&file.date.to_string())),
    })?;
    let commit: GitHash = file.commit_hash.parse().map_err(|_| HistoryError::Content {
        expected: "a commit hash of 40 digits",
        found: format!("`{}`", cut(&file.commit_hash)),
    })?;

    let (mut gathered, mut notes) = (Gathered::default(), Notes::default());
    for (name, value) in &file.results {
        let row = Row::new(value, &file.result_columns, file.benchmark_version.get(name));
        benchmark(name, &row, benchmarks.known.get(name), (&mut gathered, &mut notes));
    }
    let run = (!gathered.metrics.is_empty()).then_some(PastRun { commit: Some(commit), at, metrics: gathered.metrics });
    Ok(Results { environment: file.env_name, run, measures: notes.measures, skipped: notes.skipped })
}

/// Whole milliseconds; old versions wrote them as floating-point numbers.
fn millis(date: &Value) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "checked to be within the years that a time can have")]
    let rounded = |number: f64| (number.abs() < 1e15).then_some(number as i64);
    date.as_i64().or_else(|| rounded(date.as_f64()?))
}

/// The result of one benchmark, whichever version of the format it is from.
#[derive(Default)]
struct Row<'a> {
    /// One for each combination of parameters.
    values: Vec<&'a Value>,
    params: Vec<&'a Value>,
    version: Option<&'a Value>,
    /// The first and third quartile of the samples, else the ends of the 99 % interval; as many as values.
    lower: Vec<Option<f64>>,
    upper: Vec<Option<f64>>,
}

impl<'a> Row<'a> {
    fn new(value: &'a Value, columns: &[String], version: Option<&'a Value>) -> Self {
        if !columns.is_empty() {
            return Self::of_columns(value, columns);
        }
        let Some(object) = value.as_object() else {
            return Self { values: vec![value], version, ..Self::default() };
        };
        let list = |key: &str| object.get(key).map(list).unwrap_or_default();
        let stats = list("stats");
        let bound = |quartile: &str, end: usize| {
            let number = |stats: &&Value| stats.get(quartile).or_else(|| stats.get("ci_99")?.get(end)).and_then(Value::as_f64);
            stats.iter().map(number).collect()
        };
        Self { values: list("result"), params: list("params"), version, lower: bound("q_25", 0), upper: bound("q_75", 1) }
    }

    fn of_columns(value: &'a Value, columns: &[String]) -> Self {
        let cell = |name: &str| value.get(columns.iter().position(|column| column == name)?).filter(|cell| !cell.is_null());
        let bound = |quartile: &str, end: &str| {
            let cell = cell(quartile).or_else(|| cell(end));
            cell.map(list).unwrap_or_default().into_iter().map(Value::as_f64).collect()
        };
        Self {
            values: cell("result").map(list).unwrap_or_default(),
            params: cell("params").map(list).unwrap_or_default(),
            version: cell("version"),
            lower: bound("stats_q_25", "stats_ci_99_a"),
            upper: bound("stats_q_75", "stats_ci_99_b"),
        }
    }
}

/// What is in a list, or the one thing that is there instead.
fn list(value: &Value) -> Vec<&Value> {
    value.as_array().map_or_else(|| vec![value], |list| list.iter().collect())
}

fn benchmark(name: &str, row: &Row<'_>, about: Option<&About>, (gathered, notes): (&mut Gathered, &mut Notes)) {
    if row.values.iter().all(|value| value.is_null()) {
        return;
    }
    if let (Some(version), Some(known)) = (row.version, about.and_then(|about| about.version.as_ref()))
        && version != known
    {
        return notes.skipped.add(|| format!("the result of `{}` is of another version of the benchmark", cut(name)));
    }
    let kind = kind(name, about);
    let Some(parameters) = combinations(&row.params, row.values.len()) else {
        return notes.skipped.add(|| format!("`{}` has {} values, which do not fit its parameters", cut(name), row.values.len()));
    };
    for (index, (value, parameters)) in row.values.iter().zip(parameters).enumerate() {
        let Some(value) = value.as_f64() else { continue };
        let bound = |bounds: &[Option<f64>]| bounds.get(index).copied().flatten();
        let (lower_value, upper_value) = (bound(&row.lower), bound(&row.upper));
        let name = parameters.map_or_else(|| name.to_owned(), |parameters| format!("{name}({parameters})"));
        gathered.add(notes, &name, &kind, kind.value(MetricValue { value, lower_value, upper_value }));
    }
}

/// What a benchmark measures: what asv says, else what the name of its function says to asv.
fn kind(name: &str, about: Option<&About>) -> Kind {
    let function = name.rsplit('.').next().unwrap_or_default();
    // `time_sort`, or `TimeSort` where a class stands for the function.
    let named = ["timeraw", "time", "peakmem", "mem"].into_iter().find(|kind| function.to_lowercase().starts_with(*kind));
    let kind = about.and_then(|about| about.kind.as_deref()).or(named).unwrap_or("track");
    let unit = about.and_then(|about| about.unit.as_deref());
    match kind {
        "time" | "timeraw" => Kind::of_unit(unit.unwrap_or("seconds"), Better::Lower),
        "memory" | "mem" => Kind::own("Memory", "bytes (B)", Better::Lower),
        "peakmemory" | "peakmem" => Kind::own("Peak Memory", "bytes (B)", Better::Lower),
        _ => Kind::of_unit(unit.unwrap_or("unit"), Better::Lower),
    }
}

/// The parameters of each value: every one of the first with every one of the second, and so on, the last changing fastest. `None` where
/// there are not as many as values.
fn combinations(params: &[&Value], values: usize) -> Option<Vec<Option<String>>> {
    if params.is_empty() {
        return (values == 1).then(|| vec![None]);
    }
    let params: Vec<Vec<String>> = params.iter().map(|choices| list(choices).into_iter().map(shown).collect()).collect();
    let count = params.iter().try_fold(1_usize, |count, choices| count.checked_mul(choices.len()))?;
    if count != values || count > MAX_METRICS {
        return None;
    }
    let of = |index: usize| {
        let mut rest = index;
        let mut chosen: Vec<&str> = params
            .iter()
            .rev()
            .map(|choices| {
                let choice = &choices[rest % choices.len()];
                rest /= choices.len();
                choice.as_str()
            })
            .collect();
        chosen.reverse();
        chosen.join(", ")
    };
    Some((0..count).map(|index| Some(of(index))).collect())
}

/// A parameter as asv shows it: Python's `repr` without the quotes of a text and the frame of a class.
fn shown(repr: &Value) -> String {
    let text = repr.as_str().map_or_else(|| repr.to_string(), str::to_owned);
    let inner = [("'", "'"), ("u'", "'"), ("<class '", "'>")]
        .into_iter()
        .find_map(|(start, end)| text.strip_prefix(start)?.strip_suffix(end).filter(|inner| !inner.trim().is_empty()));
    inner.map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests;
