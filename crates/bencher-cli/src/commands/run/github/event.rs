//! What happened, as GitHub describes it to a workflow: which pull request, and whose. Pure.

use std::fmt;

use serde::Deserialize;

/// The event, as far as it matters here.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Event {
    number: Option<u64>,
    pull_request: Option<PullRequest>,
    issue: Option<Issue>,
    repository: Option<Named>,
    workflow_run: Option<WorkflowRun>,
}

/// The workflow that this one follows.
#[derive(Debug, Deserialize)]
struct WorkflowRun {
    head_sha: Option<String>,
}

#[derive(Debug, Deserialize)]
struct PullRequest {
    number: Option<u64>,
    head: Side,
    base: Side,
}

#[derive(Debug, Deserialize)]
struct Issue {
    number: u64,
    /// There where the issue is a pull request.
    pull_request: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Deserialize)]
struct Side {
    /// Nothing where the repository was deleted.
    repo: Option<Named>,
    sha: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Named {
    full_name: String,
}

/// Whose repository, and which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Repository {
    pub owner: String,
    pub name: String,
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

/// A pull request from another repository.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fork {
    pub head: String,
    pub base: String,
}

/// Where to comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub repository: Repository,
    pub number: u64,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.repository, self.number)
    }
}

impl Event {
    /// Whose code this is about, if it is somebody else's.
    pub(super) fn fork(&self) -> Option<Fork> {
        let pull_request = self.pull_request.as_ref()?;
        let base = pull_request.base.repo.as_ref().or(self.repository.as_ref());
        let head = pull_request.head.repo.as_ref();
        if head.zip(base).is_some_and(|(head, base)| head.full_name == base.full_name) {
            return None;
        }
        let name =
            |side: Option<&Named>| side.map_or_else(|| "a repository that is gone".to_owned(), |repo| repo.full_name.clone());
        Some(Fork { head: name(head), base: name(base) })
    }

    /// The repository of the workflow; `given` is what its environment says.
    pub(super) fn repository(&self, given: Option<&str>) -> Option<Repository> {
        let of_event = self.repository.as_ref().map(|repo| repo.full_name.as_str());
        let (owner, name) = given.filter(|name| !name.is_empty()).or(of_event)?.split_once('/')?;
        Some(Repository { owner: owner.to_owned(), name: name.to_owned() })
    }

    /// The pull request that was asked for, or else the one that this is about.
    pub(super) fn number(&self, given: Option<u64>) -> Option<u64> {
        let pull_request = || self.pull_request.as_ref().and_then(|pull_request| pull_request.number.or(self.number));
        let issue = || self.issue.as_ref().filter(|issue| issue.pull_request.is_some()).map(|issue| issue.number);
        given.or_else(pull_request).or_else(issue)
    }

    /// The commit that this is about. What the environment calls the commit is, for a pull request, a merge that nobody looks at, and for
    /// an issue the newest of a branch that has nothing to do with it.
    pub(super) fn commit(&self, of_environment: Option<&str>) -> Option<String> {
        let of_environment = of_environment.filter(|hash| !hash.is_empty() && self.issue.is_none()).map(str::to_owned);
        match (&self.pull_request, &self.workflow_run) {
            (Some(pull_request), _) => pull_request.head.sha.clone(),
            (None, Some(run)) => run.head_sha.clone(),
            (None, None) => of_environment,
        }
    }
}

#[cfg(test)]
mod tests;
