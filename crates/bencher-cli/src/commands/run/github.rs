//! The comment on a pull request: where it goes is found out before anything is measured, and told when there is a report.

mod event;

use std::path::Path;

use bencher_types::{Secret, wire::report::Report};
use serde::Deserialize;
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use url::Url;

use self::event::{Event, Target};
use super::RunError;
use crate::{
    cli::ci::Ci,
    client::{ApiError, Client},
    commands::Context,
    limits,
    output::{
        html::{self, Pages},
        report::active_alerts,
    },
};

/// What GitHub asks clients to say (docs.github.com, "Getting started with the REST API").
const HEADERS: &[(&str, &str)] = &[("accept", "application/vnd.github+json"), ("x-github-api-version", "2022-11-28")];

/// Where a report is told, and when.
pub(crate) struct Plan {
    token: Secret,
    api: Url,
    target: Target,
    id: Option<String>,
    only_thresholds: bool,
    only_on_alert: bool,
    pub public_links: bool,
}

/// Finds out where to comment; nothing where there is no pull request.
///
/// # Errors
/// The event cannot be read, or is a fork's pull request that must not run here.
pub(super) async fn plan(context: &Context, ci: &Ci) -> Result<Option<Plan>, RunError> {
    let Some(token) = &ci.github_actions else { return Ok(None) };
    let skip = |why: &str| {
        context.out.talk(&format!("no comment: {why}"));
        Ok(None)
    };
    let environment = &ci.environment;
    let Some(api) = environment.github_api_url.as_deref().filter(|url| !url.is_empty()) else {
        return skip("this is no GitHub workflow (GITHUB_API_URL is not set)");
    };
    let name = environment.github_event_name.as_deref().unwrap_or_default();
    let event = match environment.github_event_path.as_deref().filter(|path| !path.is_empty()) {
        Some(path) => read(path).await?,
        None => Event::default(),
    };
    if let Some(fork) = event.fork(name).filter(|_| !ci.ci_i_am_vulnerable_to_pwn_requests) {
        return Err(RunError::PwnRequest { head: fork.head, base: fork.base });
    }
    if token.expose().is_empty() {
        return skip("the token is empty, as it is where a run may not see it");
    }
    let Some(target) = event.target(environment.github_repository.as_deref(), ci.ci_number) else {
        return skip("there is no pull request; --ci-number names one");
    };
    Ok(Some(Plan {
        token: token.clone(),
        api: address(api)?,
        target,
        id: ci.ci_id.clone(),
        only_thresholds: ci.ci_only_thresholds,
        only_on_alert: ci.ci_only_on_alert,
        public_links: ci.ci_public_links,
    }))
}

fn address(text: &str) -> Result<Url, RunError> {
    let wrong = || RunError::GitHubAddress { url: text.to_owned() };
    let url: Url = text.parse().map_err(|_| wrong())?;
    if matches!(url.scheme(), "http" | "https") && !url.cannot_be_a_base() { Ok(url) } else { Err(wrong()) }
}

async fn read(path: &str) -> Result<Event, RunError> {
    let failed = |source| RunError::Event { path: path.to_owned(), source };
    let file = tokio::fs::File::open(Path::new(path)).await.map_err(|error| failed(error.into()))?;
    let mut text = Vec::new();
    file.take(limits::MAX_EVENT_BYTES).read_to_end(&mut text).await.map_err(|error| failed(error.into()))?;
    serde_json::from_slice(&text).map_err(|error| failed(error.into()))
}

#[derive(Deserialize)]
struct Comment {
    id: u64,
    body: Option<String>,
}

/// Writes the comment, or brings it up to date.
pub(super) async fn tell(context: &Context, plan: &Plan, report: &Report, pages: Option<&Pages>) -> Result<(), RunError> {
    let out = context.out;
    if plan.only_thresholds && !html::is_guarded(report) {
        out.talk("no comment: no threshold guards these results");
        return Ok(());
    }
    let failed = |source: ApiError| RunError::NotTold { source: Box::new(source) };
    let client = context.client.of_another(plan.api.clone(), plan.token.clone(), HEADERS).map_err(failed)?;
    let marker = marker(plan, report);
    let known = find(&client, &plan.target, &marker).await.map_err(failed)?;
    if known.is_none() && plan.only_on_alert && active_alerts(report) == 0 {
        out.talk("no comment: there is no active alert");
        return Ok(());
    }
    let body = json!({ "body": body(&marker, report, pages) });
    let Target { owner, repository, number } = &plan.target;
    let mut told = false;
    if let Some(id) = known {
        let path = ["repos", owner, repository, "issues", "comments", &id.to_string()];
        match client.patch::<Comment>(&path, &body).await {
            Ok(_) => told = true,
            // Somebody else's, or deleted since: ours is a new one.
            Err(error) if matches!(error.refused_with(), Some(403 | 404)) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    if !told {
        let path = ["repos", owner, repository, "issues", &number.to_string(), "comments"];
        client.post::<Comment>(&path, &body).await.map_err(failed)?;
    }
    out.talk(&format!("commented on {owner}/{repository}#{number}"));
    Ok(())
}

/// The first line of our comment, which nobody sees.
fn marker(plan: &Plan, report: &Report) -> String {
    let id = match &plan.id {
        Some(id) => id.clone(),
        None => format!("{}/{}/{}", report.project.uuid, report.testbed.uuid, report.adapter),
    };
    format!("<!-- bencher: {} -->", html::escaped(&id))
}

fn body(marker: &str, report: &Report, pages: Option<&Pages>) -> String {
    let whole = format!("{marker}\n{}", html::report(report, pages));
    if whole.chars().count() <= limits::MAX_COMMENT_CHARS {
        return whole;
    }
    let short = format!("{marker}\n{}", html::summary(report, pages));
    // Nothing of it is cut within a tag that would swallow the rest: a comment that is still too long has thousands of alerts.
    if short.chars().count() <= limits::MAX_COMMENT_CHARS { short } else { format!("{marker}\n{}", html::head(report, pages)) }
}

/// The comment that begins with our marker.
async fn find(client: &Client, target: &Target, marker: &str) -> Result<Option<u64>, ApiError> {
    let Target { owner, repository, number } = target;
    let path = ["repos", owner, repository, "issues", &number.to_string(), "comments"];
    for page in 1..=limits::MAX_COMMENT_PAGES {
        let query = [("per_page", limits::COMMENTS_PER_PAGE.to_string()), ("page", page.to_string())];
        let comments = client.get::<Vec<Comment>>(&path, &query).await?.body()?;
        let ours = comments.iter().find(|comment| comment.body.as_deref().is_some_and(|body| body.starts_with(marker)));
        if let Some(comment) = ours {
            return Ok(Some(comment.id));
        }
        if comments.len() < limits::COMMENTS_PER_PAGE {
            break;
        }
    }
    Ok(None)
}
