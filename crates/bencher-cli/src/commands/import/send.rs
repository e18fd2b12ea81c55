//! How a past gets to the server: in the order of its commits, each report once, however often it is sent.

use bencher_types::{
    GitHash, NameId, ReportIdempotencyKey, ResourceId,
    wire::{
        dimension::{Measure, NewMeasure},
        report::Report,
        run::{NewReport, ReportSettings},
    },
};
use indicatif::{ProgressBar, ProgressStyle};
use sha2::{Digest as _, Sha256};
use uuid::Builder;

use super::{Entry, ImportError, Past, summary::Summary};
use crate::{
    cli::{Format, import::Destination},
    client::ApiError,
    commands::{Context, resource::path},
    error::CliError,
    exit::Exit,
    output::{Human as _, Out, printable},
};

pub(super) async fn send(context: &Context, to: &Destination, mut past: Past) -> Result<Exit, CliError> {
    let out = context.out;
    for file in &past.unreadable {
        out.talk(&printable(&format!("warning: {} is left out: {}", file.path, file.reason)));
    }
    if past.entries.is_empty() {
        return Err(ImportError::Nothing.into());
    }
    past.entries.sort_by(|one, other| (one.at, &one.source).cmp(&(other.at, &other.source)));
    let project = to.project.clone().or_else(|| context.connection.project.clone()).ok_or(ImportError::NoProject)?;
    let mut summary = Summary::of(&past, project.to_string(), to.branch.to_string(), to.dry_run);
    if to.dry_run {
        show(out, &summary)?;
        out.talk("dry run: nothing was sent");
        return Ok(exit(&summary));
    }

    make_measures(context, &project, &past).await?;
    let bar = bar(out, past.entries.len());
    for (done, entry) in past.entries.iter().enumerate() {
        match context.client.post::<Report>(&path([&"projects", &project, &"reports"]), &body(entry, &to.branch)).await {
            Ok(answer) if answer.body()?.repeated == Some(true) => summary.reports.known += 1,
            Ok(_) => summary.reports.new += 1,
            Err(error) if is_of_this_report(&error) => {
                summary.reports.refused += 1;
                bar.suspend(|| out.talk(&printable(&format!("warning: {} is left out: {error}", named(entry)))));
            }
            Err(source) => {
                bar.finish_and_clear();
                return Err(ImportError::Stopped { done, of: past.entries.len(), source: Box::new(source) }.into());
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    show(out, &summary)?;
    Ok(exit(&summary))
}

/// Whether the next report may fare better.
fn is_of_this_report(error: &ApiError) -> bool {
    matches!(error.refused_with(), Some(400 | 409 | 413 | 422))
}

fn named(entry: &Entry) -> String {
    let commit = entry.commit.as_ref().map(|hash| format!(", commit {hash}"));
    format!("{}{}", entry.source, commit.unwrap_or_default())
}

fn exit(summary: &Summary) -> Exit {
    if summary.is_incomplete() { Exit::Failed } else { Exit::Ok }
}

fn show(out: Out, summary: &Summary) -> Result<(), CliError> {
    match out.format {
        Format::Json => out.json(&serde_json::to_value(summary).map_err(|source| ApiError::Encode { source })?),
        Format::Human | Format::Html | Format::Markdown | Format::Csv => out.data(&summary.human(out)),
    }
}

/// Makes the measures that results alone would give no units.
async fn make_measures(context: &Context, project: &ResourceId, past: &Past) -> Result<(), CliError> {
    let measures = path([&"projects", project, &"measures"]);
    let own = past.measures.iter().filter_map(|(name, measure)| Some((name, measure.units.as_ref()?)));
    for (name, units) in own {
        let query = [("name", name.to_string())];
        if context.client.get::<Vec<Measure>>(&measures, &query).await?.body()?.is_empty() {
            let new = NewMeasure { name: name.clone(), slug: None, units: units.clone() };
            context.client.post::<Measure>(&measures, &new).await?;
        }
    }
    Ok(())
}

fn body(entry: &Entry, branch: &NameId) -> NewReport {
    NewReport {
        idempotency_key: Some(key(entry, branch)),
        branch: branch.clone(),
        hash: entry.commit.clone(),
        start_point: None,
        testbed: entry.testbed.clone(),
        thresholds: None,
        start_time: entry.at,
        end_time: entry.at,
        results: vec![entry.result.clone()],
        settings: Some(ReportSettings { adapter: Some(entry.adapter), ..ReportSettings::default() }),
    }
}

/// The same for the same results of the same commit on the same branch and testbed, and for nothing else.
fn key(entry: &Entry, branch: &NameId) -> ReportIdempotencyKey {
    let mut hash = Sha256::new();
    let commit = entry.commit.as_ref().map_or("", GitHash::as_str);
    let at = entry.at.as_micros().to_string();
    let parts = ["bencher import", &branch.to_string(), &entry.testbed.to_string(), commit, &at, &entry.result];
    for part in parts {
        // With its length, so that no text of two parts is that of two others.
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Builder::from_custom_bytes(bytes).into_uuid().into()
}

fn bar(out: Out, length: usize) -> ProgressBar {
    let bar = if out.stderr_terminal { ProgressBar::new(length as u64) } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len} reports {per_sec}") {
        bar.set_style(style);
    }
    bar
}

#[cfg(test)]
mod tests;
