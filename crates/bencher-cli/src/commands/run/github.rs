//! What GitHub is told of a run in one of its workflows: a comment on the pull request, a check of the commit, the job's summary and
//! annotations. Where it goes is found out before anything is measured. Nothing that fails here changes how the run ends.

mod check;
mod comment;
mod event;
mod workflow;

use std::path::{Path, PathBuf};

use bencher_types::{Secret, wire::report::Report};
use tokio::io::AsyncReadExt as _;
use url::Url;

use self::event::{Event, Repository, Target};
use super::{OnAlert, RunError};
use crate::{
    cli::ci::Ci,
    client::{ApiError, Client},
    commands::Context,
    limits,
    output::{
        Out,
        comment::{Pages, is_guarded},
        printable,
        report::active_alerts,
    },
};

/// What GitHub asks clients to say (docs.github.com, "Getting started with the REST API").
const HEADERS: &[(&str, &str)] = &[("accept", "application/vnd.github+json"), ("x-github-api-version", "2022-11-28")];

/// Where a report is told, and when.
pub(crate) struct Plan {
    api: Url,
    /// Absent where the run may not see it.
    token: Option<Secret>,
    comment: Option<Target>,
    check: Option<Commit>,
    summary: Option<PathBuf>,
    id: Option<String>,
    only_thresholds: bool,
    only_on_alert: bool,
    from_fork: bool,
    pub public_links: bool,
}

/// A commit that a check can be of.
struct Commit {
    repository: Repository,
    hash: String,
}

/// Finds out where to tell; nothing outside of a workflow.
///
/// # Errors
/// The event cannot be read, or is a fork's pull request that must not run here.
pub(super) async fn plan(context: &Context, ci: &Ci, hash: Option<&str>) -> Result<Option<Plan>, RunError> {
    let Some(token) = &ci.github_actions else { return Ok(None) };
    let given = |text: &'_ Option<String>| text.clone().filter(|text| !text.is_empty());
    let environment = &ci.environment;
    let Some(api) = given(&environment.github_api_url) else {
        context.out.talk("no comment: this is no GitHub workflow (GITHUB_API_URL is not set)");
        return Ok(None);
    };
    let name = environment.github_event_name.as_deref().unwrap_or_default();
    let event = match given(&environment.github_event_path) {
        Some(path) => read(&path).await?,
        None => Event::default(),
    };
    let fork = event.fork();
    // Only one kind of event gives secrets to a workflow about somebody else's code: `pull_request_target` is trusted, and what it
    // checks out need not be.
    if let Some(fork) = fork.as_ref().filter(|_| name == "pull_request_target" && !ci.ci_i_am_vulnerable_to_pwn_requests) {
        return Err(RunError::PwnRequest { head: fork.head.clone(), base: fork.base.clone() });
    }
    let repository = event.repository(environment.github_repository.as_deref());
    let commit = hash.map(str::to_owned).or_else(|| event.commit(environment.github_sha.as_deref()));
    let plan = Plan {
        api: address(&api)?,
        token: (!token.expose().is_empty()).then(|| token.clone()),
        comment: repository.clone().zip(event.number(ci.ci_number)).map(|(repository, number)| Target { repository, number }),
        check: repository.zip(commit).map(|(repository, hash)| Commit { repository, hash }),
        summary: given(&environment.github_step_summary).map(PathBuf::from),
        id: ci.ci_id.clone(),
        only_thresholds: ci.ci_only_thresholds,
        only_on_alert: ci.ci_only_on_alert,
        from_fork: fork.is_some(),
        public_links: ci.ci_public_links,
    };
    if plan.token.is_none() {
        context.out.talk("no comment: the token is empty, as it is where a run may not see it");
    } else if plan.comment.is_none() {
        context.out.talk("no comment: there is no pull request; --ci-number names one");
    }
    Ok(Some(plan))
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

/// A report that is told, and what it is told with.
struct Telling<'a> {
    out: Out,
    plan: &'a Plan,
    report: &'a Report,
    pages: Option<&'a Pages>,
    on_alert: OnAlert,
    /// Whether the results are in the job's summary.
    summarized: bool,
}

impl Telling<'_> {
    /// What tells this comment from others.
    fn id(&self) -> String {
        let Report { project, testbed, adapter, .. } = self.report;
        self.plan.id.clone().unwrap_or_else(|| format!("{}/{}/{adapter}", project.uuid, testbed.uuid))
    }

    /// What needs no token: annotations and the summary.
    async fn tell_workflow(&mut self) {
        for line in workflow::annotations(self.report, self.on_alert) {
            self.out.talk(&line);
        }
        let Some(path) = &self.plan.summary else { return };
        match workflow::write_summary(path, self.report, self.pages).await {
            Ok(()) => self.summarized = true,
            Err(error) => {
                let text = format!("warning: could not write the job's summary to {}: {error}", path.display());
                self.out.talk(&printable(&text));
            }
        }
    }

    /// The comment, where there is to be one.
    async fn tell_comment(&self, client: &Client) -> Result<(), ApiError> {
        let Some(target) = &self.plan.comment else { return Ok(()) };
        match comment::comment(client, self, target).await? {
            comment::Told::Written => self.out.talk(&format!("commented on {target}")),
            comment::Told::NoAlert => self.out.talk("no comment: there is no active alert"),
        }
        Ok(())
    }

    /// The check, where there is to be one.
    async fn tell_check(&self, client: &Client) -> Result<(), ApiError> {
        let Some(commit) = &self.plan.check else { return Ok(()) };
        match check::check(client, self, commit).await {
            Ok(()) => {
                let Commit { repository, hash } = commit;
                self.out.talk(&format!("checked {repository}@{}", hash.get(..12).unwrap_or(hash)));
                Ok(())
            }
            // Whoever gave only the right to comment wants comments only.
            Err(error) if self.plan.comment.is_some() && matches!(error.refused_with(), Some(403 | 404)) => {
                self.out.talk("no check: that needs `permissions: checks: write`");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// The one warning about what GitHub did not take, as a line of the log and as an annotation.
    fn warn(&self, error: &ApiError) {
        let hint = match error.refused_with() {
            Some(403 | 404) if self.plan.from_fork => {
                "a fork's pull request gets a token that may only read; docs/ci.md shows how to comment from a `workflow_run` workflow"
            }
            Some(403 | 404) => {
                "the workflow needs `permissions:` with `pull-requests: write` for comments and `checks: write` for checks"
            }
            Some(401) => "the token is not valid, or has ended",
            _ => "GitHub could not be reached or keeps failing; the next run tells it anew",
        };
        let instead = if self.summarized { "; they are in the job's summary" } else { "" };
        let text = printable(&format!("the results are stored, but GitHub could not be told of them: {error}{instead}"));
        self.out.talk(&format!("warning: {text}\n  hint: {hint}"));
        self.out.talk(&workflow::command("warning", "bencher", &format!("{text}. {hint}")));
    }
}

/// Tells of a report wherever that is planned. What does not work is said once; the results are stored, and the run ends as it would.
pub(super) async fn tell(context: &Context, plan: &Plan, on_alert: OnAlert, (report, pages): (&Report, Option<&Pages>)) {
    let out = context.out;
    let mut telling = Telling { out, plan, report, pages, on_alert, summarized: false };
    telling.tell_workflow().await;
    let Some(token) = &plan.token else { return };
    if plan.only_thresholds && !is_guarded(report) {
        out.talk("no comment: no threshold guards these results");
        return;
    }
    let told = async {
        let client = context.client.of_another(plan.api.clone(), token.clone(), HEADERS)?;
        telling.tell_comment(&client).await?;
        telling.tell_check(&client).await
    };
    if let Err(error) = told.await {
        telling.warn(&error);
    }
}

/// Whether the report has nothing to complain about.
fn is_quiet(report: &Report) -> bool {
    active_alerts(report) == 0
}
