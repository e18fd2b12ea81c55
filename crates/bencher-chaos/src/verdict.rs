//! What must hold at the end: of the jobs, as the server shows them and as they are stored.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use reqwest::StatusCode;
use serde_json::Value;

use crate::{
    client::{Client, text},
    journal::Kill,
    leftovers,
    plan::Deed,
    site::{PROJECT, Site},
    stored::Stored,
    work::Submitted,
};

/// A job's end and its message are written a moment after the runner was killed.
const WRITING: jiff::SignedDuration = jiff::SignedDuration::from_secs(2);

/// Compares what there is with what was submitted.
pub(crate) async fn of_jobs(client: &Client, submitted: &[Submitted], kills: &[Kill]) -> Result<Vec<String>> {
    let mut violations = Vec::new();
    let jobs = client.list(&format!("/v0/projects/{PROJECT}/jobs")).await?;
    let mut by_uuid = BTreeMap::new();
    for job in &jobs {
        by_uuid.insert(text(job, "uuid")?, job);
    }
    if jobs.len() != submitted.len() || by_uuid.len() != submitted.len() {
        violations.push(format!("{} jobs were submitted and there are {}", submitted.len(), jobs.len()));
    }
    let runners = client.list("/v0/runners").await?;
    let names: BTreeMap<String, String> =
        runners.iter().map(|one| Ok((text(one, "uuid")?, text(one, "slug")?))).collect::<Result<_>>()?;
    for one in submitted {
        let Some(job) = by_uuid.get(&one.job) else {
            violations.push(format!("job {} was accepted as {} and is gone", one.task.number, one.job));
            continue;
        };
        let report = client.get(&format!("/v0/projects/{PROJECT}/reports/{}", one.report)).await?;
        let runner = job["runner"].as_str().and_then(|uuid| names.get(uuid));
        let excuse = was_killed(job, runner.map(String::as_str), kills)?;
        if let Err(why) = judge(one, job, &report, excuse) {
            violations.push(format!("job {} ({:?}): {why}: {job}", one.task.number, one.task.deed));
        }
    }
    Ok(violations)
}

/// Whether the runner of a job was killed while it had the job.
fn was_killed(job: &Value, runner: Option<&str>, kills: &[Kill]) -> Result<bool> {
    let time = |member: &str| -> Result<Option<Timestamp>> { Ok(job[member].as_str().map(str::parse).transpose()?) };
    let (Some(claimed), Some(ended)) = (time("claimed")?, time("completed")?) else { return Ok(false) };
    Ok(kills.iter().any(|kill| Some(kill.program.as_str()) == runner && kill.at + WRITING >= claimed && kill.at <= ended))
}

/// What a job must have come to. `excuse` is whether its runner was killed meanwhile.
fn judge(one: &Submitted, job: &Value, report: &Value, excuse: bool) -> Result<(), String> {
    let status = job["status"].as_str().unwrap_or_default();
    let message = job["message"].as_str().unwrap_or_default();
    let results = report["results"].as_array().map_or(&[][..], Vec::as_slice);
    if status != "processed" && !results.is_empty() {
        return Err("it has metrics although it was not processed".to_owned());
    }
    match (one.task.deed, status) {
        (Deed::Measures { iterations, .. }, "processed") => has_metrics(one, results, iterations),
        (Deed::Fails, "failed") if message.contains("exit code: 3") || excuse => Ok(()),
        (Deed::Canceled { .. }, "canceled") if one.cancel == Some(StatusCode::OK) => Ok(()),
        (_, "failed") if excuse && !message.is_empty() => Ok(()),
        (_, "failed") => Err("it failed although its runner was not killed".to_owned()),
        _ => Err("it must not have ended so".to_owned()),
    }
}

/// Each iteration has the one metric, once.
fn has_metrics(one: &Submitted, results: &[Value], iterations: u32) -> Result<(), String> {
    let number = one.task.number;
    let wanted = [(format!("job-{number}"), Some(number as f64))];
    if results.len() != iterations as usize {
        return Err(format!("{} iterations have results", results.len()));
    }
    for iteration in results {
        let found: Vec<(String, Option<f64>)> = iteration.as_array().into_iter().flatten().map(metric).collect();
        if found != wanted {
            return Err(format!("an iteration has the metrics {found:?}"));
        }
    }
    Ok(())
}

fn metric(result: &Value) -> (String, Option<f64>) {
    let name = result["benchmark"]["name"].as_str().unwrap_or_default().to_owned();
    let measures = result["measures"].as_array().map_or(&[][..], Vec::as_slice);
    let [measure] = measures else { return (name, None) };
    (name, measure["metric"]["value"].as_f64())
}

/// The database holds each thing once, and refers to just what is in the blob store.
pub(crate) async fn of_the_database(site: &Site, submitted: &[Submitted], processed: usize) -> Result<Vec<String>> {
    let mut stored = Stored::open(site).await?;
    let mut violations = Vec::new();
    for (what, sql, wanted) in [
        ("jobs", "SELECT CAST(COUNT(*) AS TEXT) FROM job", submitted.len()),
        ("reports", "SELECT CAST(COUNT(*) AS TEXT) FROM report", submitted.len()),
        ("processed jobs", "SELECT CAST(COUNT(*) AS TEXT) FROM job WHERE status = 4", processed),
        ("jobs that have not ended", "SELECT CAST(COUNT(*) AS TEXT) FROM job WHERE status NOT IN (4, 5, 6)", 0),
        ("leases of jobs that have ended", "SELECT CAST(COUNT(*) AS TEXT) FROM job WHERE lease_expires IS NOT NULL", 0),
        ("attempts without an end", "SELECT CAST(COUNT(*) AS TEXT) FROM job_attempt WHERE ended IS NULL OR outcome IS NULL", 0),
        (
            "jobs with several results",
            "SELECT CAST(COUNT(*) AS TEXT) FROM (SELECT job_id FROM job_attempt WHERE outcome = 'completed' \
             GROUP BY job_id HAVING COUNT(*) > 1) AS doubled",
            0,
        ),
    ] {
        let found = stored.count(sql).await.with_context(|| format!("could not count {what}"))?;
        if found != wanted {
            violations.push(format!("{found} {what} are stored: expected {wanted}"));
        }
    }
    let expected: usize = submitted.iter().map(metrics_of).sum();
    let metrics = stored.count("SELECT CAST(COUNT(*) AS TEXT) FROM metric").await?;
    if metrics > expected {
        violations.push(format!("{metrics} metrics are stored: all jobs together measure {expected}"));
    }
    let referred = stored.texts("SELECT output_key FROM job WHERE output_key IS NOT NULL UNION SELECT output_key FROM job_attempt WHERE output_key IS NOT NULL");
    let referred: BTreeSet<String> = referred.await?.into_iter().collect();
    let kept = leftovers::job_outputs(&site.blobs());
    violations.extend(referred.difference(&kept).map(|key| format!("the output {key} is gone from the blob store")));
    violations.extend(kept.difference(&referred).map(|key| format!("nothing refers to the output {key}")));
    Ok(violations)
}

fn metrics_of(one: &Submitted) -> usize {
    match one.task.deed {
        Deed::Measures { iterations, .. } => iterations as usize,
        Deed::Fails | Deed::Canceled { .. } => 0,
    }
}
