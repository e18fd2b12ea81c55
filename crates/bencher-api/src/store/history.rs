//! What was measured before: the newest values of many series with one statement.
//!
//! A series is what one benchmark had of one measure on one testbed in a head's lineage. Its newest values are the end of a range of
//! the index `metric_series`, so that a long history costs no more than a short one.

use std::collections::HashMap;

use bencher_types::DateTime;

use super::{Among, Queries, StoreError, Tx, Value, among, change_point::series::Place, exact, head::Link, list};
use crate::values;

/// Which values of each benchmark are its history.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Series<'a> {
    pub(crate) lineage: &'a [Link],
    pub(crate) testbed: i64,
    /// Only what was measured on this spec.
    pub(crate) spec: Option<i64>,
    pub(crate) measure: i64,
    /// Only what was measured then or later, in microseconds since 1970.
    pub(crate) since: Option<i64>,
    pub(crate) limit: Option<u32>,
    /// The version and the time that histories are cut in two at.
    pub(crate) at: (i64, DateTime),
}

/// The values of one series, the newest first: by version, then by time, then by iteration.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct History {
    /// Of later versions, or of the same one at a later time.
    pub(crate) newer: Vec<f64>,
    pub(crate) older: Vec<f64>,
}

/// The histories of benchmarks, by benchmark; none where there is none. Those that are among `begins` begin there.
pub(crate) async fn of_benchmarks(
    tx: &mut Tx,
    series: &Series<'_>,
    benchmarks: &[i64],
    begins: &HashMap<i64, Place>,
) -> Result<HashMap<i64, History>, StoreError> {
    #[derive(sqlx::FromRow)]
    struct Row {
        benchmark_id: i64,
        samples: Option<String>,
    }

    let mut values = values![series.testbed, series.measure, series.at.0, series.at.1];
    let rows = begins.iter().map(|(benchmark, place)| format!("({benchmark}, {}, {})", place.version_number, place.start_time));
    let rows = rows.collect::<Vec<_>>().join(", ");
    let (with, joined, conditions) = match begins.len() {
        0 => (String::new(), "", ""),
        _ => (
            format!("WITH begins (benchmark_id, version_number, start_time) AS (VALUES {rows}) "),
            "LEFT JOIN begins ON begins.benchmark_id = benchmark.id",
            // Versions count from 0.
            " AND (metric.version_number, metric.start_time) \
              >= (COALESCE(begins.version_number, -1), COALESCE(begins.start_time, 0))",
        ),
    };
    let newest = newest(series, conditions, &mut values);
    values.push(list(benchmarks));
    let wanted = among(tx, "benchmark.id", Among::Integers, values.len());
    let sql = format!(
        "{with}SELECT benchmark.id AS benchmark_id, (SELECT {} FROM ({newest}) AS history) AS samples FROM benchmark {joined} \
         WHERE {wanted}",
        aggregate(tx),
    );
    let mut histories = HashMap::with_capacity(benchmarks.len());
    for Row { benchmark_id, samples } in tx.all::<Row>(sql, values).await? {
        if let Some(samples) = samples {
            histories.insert(benchmark_id, parse(&samples)?);
        }
    }
    Ok(histories)
}

/// A statement for the newest values of `benchmark.id`, with `$1` to `$4` as in [`of_benchmarks`].
fn newest(series: &Series<'_>, conditions: &str, values: &mut Vec<Value>) -> String {
    const NEWEST_FIRST: &str = "ORDER BY version_number DESC, start_time DESC, iteration DESC";
    let limit = series.limit.map_or_else(String::new, |limit| format!(" LIMIT {limit}"));
    let mut conditions = conditions.to_owned();
    for (condition, value) in [("spec_id = ", series.spec.map(Value::from)), ("start_time >= ", series.since.map(Value::from))] {
        if let Some(value) = value {
            values.push(value);
            conditions.push_str(&format!(" AND metric.{condition}${}", values.len()));
        }
    }
    let arms: Vec<String> = series
        .lineage
        .iter()
        .map(|link| {
            format!(
                "SELECT version_number, start_time, iteration, value FROM metric WHERE {} \
                 AND metric.testbed_id = $1 AND metric.benchmark_id = benchmark.id AND metric.measure_id = $2{conditions} \
                 {NEWEST_FIRST}{limit}",
                link.condition("metric")
            )
        })
        .collect();
    match arms.as_slice() {
        [own] => own.clone(),
        arms => {
            let arms: Vec<String> =
                (0..).zip(arms).map(|(number, arm)| format!("SELECT * FROM ({arm}) AS arm{number}")).collect();
            format!("SELECT * FROM ({}) AS arms {NEWEST_FIRST}{limit}", arms.join(" UNION ALL "))
        }
    }
}

/// All values of a series in one text, the number of those that are newer before it. A row for each would cost more than printing them.
fn aggregate(tx: &mut Tx) -> String {
    let newer = "COUNT(CASE WHEN version_number > $3 OR (version_number = $3 AND start_time > $4) THEN 1 END)";
    format!("{newer} || ';' || string_agg({}, ',')", exact(tx, "value"))
}

fn parse(samples: &str) -> Result<History, StoreError> {
    let corrupt = || StoreError::corrupt("metric.value");
    let (newer, samples) = samples.split_once(';').ok_or_else(corrupt)?;
    let newer: usize = newer.parse().map_err(|_| corrupt())?;
    let mut values = samples.split(',').map(str::parse);
    let newer = values.by_ref().take(newer).collect::<Result<_, _>>().map_err(|_| corrupt())?;
    let older = values.collect::<Result<_, _>>().map_err(|_| corrupt())?;
    Ok(History { newer, older })
}
