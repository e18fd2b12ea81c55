//! The check of a commit: how the run ended, beside the other checks of the commit.

use serde_json::{Value, json};

use super::{Commit, Telling, is_quiet};
use crate::{
    client::{ApiError, Client},
    commands::run::OnAlert,
    limits,
    output::comment::{comment, markup::Markup, verdict},
};

/// Makes a check run that has ended. A new one of the same name and commit takes the place of the one before.
pub(super) async fn check(client: &Client, telling: &Telling<'_>, commit: &Commit) -> Result<(), ApiError> {
    let Commit { repository, hash } = commit;
    let path = ["repos", &repository.owner, &repository.name, "check-runs"];
    client.post::<Value>(&path, &body(telling, hash)).await.map(drop)
}

fn body(telling: &Telling<'_>, hash: &str) -> Value {
    let report = telling.report;
    let name = match &telling.plan.id {
        Some(id) => format!("bencher: {id}"),
        None => format!("bencher: {} on {}", report.project.name, report.testbed.name),
    };
    let conclusion = match (is_quiet(report), telling.on_alert) {
        (true, _) => "success",
        (false, OnAlert::Fail) => "failure",
        (false, OnAlert::Ignore) => "neutral",
    };
    let summary = comment(report, telling.pages, Markup::Markdown, limits::MAX_CHECK_BYTES);
    let mut body = json!({
        "name": name,
        "head_sha": hash,
        "status": "completed",
        "conclusion": conclusion,
        "external_id": report.uuid,
        "output": { "title": verdict(report), "summary": summary },
    });
    if let Some(pages) = telling.pages {
        body["details_url"] = json!(pages.report(report));
    }
    body
}
