//! Results on their way in and out: reports that are stored and checked, and the history of many series.

use std::{
    fs::File,
    io::Write as _,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use bencher_types::{DateTime, wire::perf::PERF_COLUMNS_TYPE};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    databases::Database,
    figures::{Extent, Figure},
    processes::{Server, cpu_time, memory_mib, reset_peak, text},
};

/// The longest history that a threshold looks back on here.
const SAMPLES: usize = 64;
/// Benchmarks and measures of a large report.
const LARGE: (usize, &[&str]) = (2500, &["latency", "throughput", "build-time", "file-size"]);
/// Benchmarks of a small and of a usual report.
const USUAL: [usize; 2] = [10, 200];
/// Series of a query of the history, and the points of each: as many as one query answers.
const SERIES: (usize, usize) = (200, 250);
/// Points of each series where they come in columns.
const IN_COLUMNS: usize = 1000;
/// How often a write with `fdatasync` is tried.
const SYNCS: usize = 200;

/// A report of 10,000 metrics, small ones after more and more others, and the history of 200 series. Where the database is, and so what a commit costs, is up to `TMPDIR`.
pub(crate) async fn results(databases: &[Database], extent: Extent, mut show: impl FnMut(Figure)) -> Result<()> {
    for Database { name, url } in databases {
        let server = Server::start_on(url.as_deref()).await?;
        show(Figure::durations("12 KiB written with fdatasync", syncs(server.folder.path())?));
        measure(name, server, extent, &mut show).await?;
    }
    Ok(())
}

async fn measure(database: &str, server: Server, extent: Extent, show: &mut impl FnMut(Figure)) -> Result<()> {
    server.prepare().await?;
    for benchmarks in USUAL {
        let mut history = History::new(&server, &format!("of-{benchmarks}"), benchmarks, &["latency"]);
        for earlier in extent.pick(vec![0, SAMPLES, 1000, 10_000], vec![0, SAMPLES]) {
            history.fill(earlier).await?;
            let runs = if earlier == 0 { SAMPLES } else { extent.pick(200, 20) };
            let before = cpu_time(server.pid()?)?;
            let took = history.file(runs).await?;
            let cpu = (cpu_time(server.pid()?)? - before) / u32::try_from(runs)?;
            let name = format!("report of {benchmarks} benchmarks, {database}, after {earlier} others");
            show(Figure::reading(format!("{name}: processor of the server"), cpu.as_secs_f64() * 1e3, "ms"));
            show(Figure::durations(name, took).aim(if benchmarks == 10 { "2 ms" } else { "10 ms" }));
        }
    }
    perf(database, &server).await?.into_iter().for_each(&mut *show);
    let mut history = History::new(&server, "large", LARGE.0, LARGE.1);
    history.fill(extent.pick(SAMPLES, 3)).await?;
    reset_peak(server.pid()?)?;
    let (before, begun) = (memory_mib(server.pid()?)?.0, cpu_time(server.pid()?)?);
    let runs = extent.pick(11, 3);
    let took = history.file(runs).await?;
    let cpu = (cpu_time(server.pid()?)? - begun) / u32::try_from(runs)?;
    let name = format!("report of 10,000 metrics, {database}, t-test of {SAMPLES} samples");
    show(Figure::reading(format!("{name}: processor of the server"), cpu.as_secs_f64() * 1e3, "ms"));
    show(Figure::reading(format!("{name}: memory before"), before, "MiB"));
    show(Figure::reading(format!("{name}: peak memory"), memory_mib(server.pid()?)?.1, "MiB"));
    show(Figure::durations(name, took).aim("500 ms"));
    Ok(())
}

/// The history of as many series as one query may ask for.
async fn perf(database: &str, server: &Server) -> Result<Vec<Figure>> {
    let mut history = History::new(server, "series", SERIES.0, &["latency"]);
    history.fill(SERIES.1).await?;
    let uuids = async |kind: &str, search: &str| -> Result<String> {
        let path = format!("/v0/projects/bench/{kind}?per_page=255&search={search}");
        let found = server.call(Method::GET, &path, Value::Null).await?;
        let uuids = found.as_array().context("no list")?.iter().map(|one| text(one, "uuid"));
        Ok(uuids.collect::<Result<Vec<_>>>()?.join(","))
    };
    let path = format!(
        "/v0/projects/bench/perf?branches={}&testbeds={}&measures={}&benchmarks={}",
        uuids("branches", &history.branch).await?,
        uuids("testbeds", "local").await?,
        uuids("measures", "latency").await?,
        uuids("benchmarks", &history.branch).await?,
    );
    let mut figures = asked(server, (SERIES.1, database), &path, ("one by one", "application/json", "5 µs a point")).await?;
    history.fill(IN_COLUMNS).await?;
    for (form, columns) in [("values in columns", ""), ("everything in columns", "&columns=bounds,thresholds")] {
        let (path, form) = (format!("{path}{columns}"), (form, PERF_COLUMNS_TYPE, "300 ms"));
        figures.extend(asked(server, (IN_COLUMNS, database), &path, form).await?);
    }
    Ok(figures)
}

/// How long an answer takes, and what that is for a point.
async fn asked(
    server: &Server,
    (points, database): (usize, &str),
    path: &str,
    (form, media_type, aim): (&str, &str, &'static str),
) -> Result<Vec<Figure>> {
    let (mut took, mut bytes) = (Vec::new(), 0);
    for _ in 0..11 {
        let request = server.client.get(format!("{}{path}", server.url)).bearer_auth(&server.token);
        let begun = Instant::now();
        let response = request.header("accept", media_type).send().await?;
        ensure!(response.status().is_success(), "the history was answered with {}", response.status());
        bytes = response.bytes().await?.len();
        took.push(begun.elapsed());
    }
    let all = u32::try_from(SERIES.0 * points)?;
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let size = bytes as f64 / f64::from(all);
    let name = format!("history of {} series of {points} points, {form}, {database}", SERIES.0);
    let each = took.iter().map(|took| took.as_secs_f64() * 1e6 / f64::from(all)).collect();
    Ok(vec![
        Figure::numbers(format!("{name}: a point"), each, "µs"),
        Figure::reading(format!("{name}: a point"), size, "bytes"),
        Figure::durations(name, took).aim(aim),
    ])
}

/// The reports of one branch, each of another commit.
struct History<'s> {
    server: &'s Server,
    branch: String,
    benchmarks: usize,
    measures: &'static [&'static str],
    filed: usize,
}

impl<'s> History<'s> {
    fn new(server: &'s Server, branch: &str, benchmarks: usize, measures: &'static [&'static str]) -> Self {
        Self { server, branch: branch.to_owned(), benchmarks, measures, filed: 0 }
    }

    /// Files reports until there are so many.
    async fn fill(&mut self, reports: usize) -> Result<()> {
        self.file(reports.saturating_sub(self.filed)).await?;
        Ok(())
    }

    /// Files reports, and how long each took until it was answered.
    async fn file(&mut self, reports: usize) -> Result<Vec<Duration>> {
        let mut took = Vec::with_capacity(reports);
        for _ in 0..reports {
            let body = self.next()?.to_string();
            let Server { client, url, token, .. } = self.server;
            let request = client.post(format!("{url}/v0/run")).bearer_auth(token).header("content-type", "application/json");
            let begun = Instant::now();
            let response = request.body(body).send().await?;
            let status = response.status();
            let answer = response.bytes().await?;
            took.push(begun.elapsed());
            ensure!(status.is_success(), "a run was answered with {status}: {}", String::from_utf8_lossy(&answer));
        }
        Ok(took)
    }

    fn next(&mut self) -> Result<Value> {
        let number = self.filed;
        self.filed += 1;
        let values = |benchmark: usize| -> Value {
            // Two percent of noise that repeats after long.
            let value = |measure: usize| {
                let noise = u32::try_from((number * 7919 + benchmark * 104_729 + measure * 1299) % 1999).unwrap_or_default();
                1000.0 + f64::from(noise) / 97.0
            };
            self.measures.iter().enumerate().map(|(at, measure)| ((*measure).to_owned(), json!({ "value": value(at) }))).collect()
        };
        let results: Value = (0..self.benchmarks).map(|of| (format!("{} {of}", self.branch), values(of))).collect();
        // A second for each, from 2026-01-01 on.
        let time = DateTime::from_micros((1_767_225_600 + i64::try_from(number)?) * 1_000_000)?;
        let model = json!({ "test": "t_test", "max_sample_size": SAMPLES, "lower_boundary": 0.999, "upper_boundary": 0.999 });
        let models: Value = self.measures.iter().map(|measure| ((*measure).to_owned(), model.clone())).collect();
        Ok(json!({
            "project": "bench", "branch": self.branch, "testbed": "local", "hash": format!("{number:040x}"), "start_time": time,
            "end_time": time, "idempotency_key": uuid::Uuid::new_v4(), "results": [results.to_string()],
            "settings": { "adapter": "json" }, "thresholds": { "models": models },
        }))
    }
}

/// What a commit takes at least: a few pages written and synchronized.
fn syncs(folder: &Path) -> Result<Vec<Duration>> {
    let mut file = File::create(folder.join("sync"))?;
    let mut took = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let begun = Instant::now();
        file.write_all(&[7; 12 << 10])?;
        file.sync_data()?;
        took.push(begun.elapsed());
    }
    Ok(took)
}
